"""A gate's decision in words: the verdict, a reason for each requirement, and what would decide it. Pure."""

from collections.abc import Iterator

from bench.board.clustered import of_clusters
from bench.board.descent import LEAK
from bench.board.gate import Decision, Finding, Tested
from bench.board.gate_evidence import Evidence
from bench.board.gate_gaps import Spent
from bench.board.gate_names import Subject, Unmeasured
from bench.board.limits import Limits, Needs, join, over
from bench.board.policy import Better, Costs, Equivalent, LeastAccuracy, MostUnread, NotWorse, Requirement
from bench.wording import counted, percent, points

_STATES = {
    "violated": ("is violated", "are violated"),
    "undecided": ("is undecided", "are undecided"),
    "not measured": ("was not measured", "were not measured"),
}


def headline(decision: Decision) -> str:
    """The verdict, and the requirements that it is due to."""
    name, number = decision.model.name, len(decision.findings)
    if decision.verdict == "GO":
        return f"GO: {name} meets {'the requirement' if number == 1 else f'all {number} requirements'}."
    parts: list[str] = []
    for state, verbs in _STATES.items():
        names = [each.requirement.name for each in decision.findings if each.state == state]
        if names:
            parts.append(f"{len(names)} {verbs[len(names) > 1]} ({', '.join(names)})")
    return f"{decision.verdict}: of {counted(number, 'requirement')} on {name}, {join(parts)}."


def reasons(finding: Finding) -> list[str]:
    """What a requirement's state rests on: a line for each test, or one on costs; what lacks is left out."""
    if isinstance(finding.requirement, Costs):
        return [_spent(finding.requirement, finding.spent)] if finding.spent else []
    return [_reason(finding, each) for each in finding.tested]


def remarks(decision: Decision) -> list[str]:
    """What would decide the undecided, what these questions can show, and what a reader has to know."""
    return list(
        dict.fromkeys(
            [*_undecided(decision), *_detectable(decision), *_clusters(decision), *_leaks(decision)]
        )
    )


def not_measured(decision: Decision) -> list[tuple[str, str]]:
    """What was not measured, each with the command that measures it; "" where no command does."""
    gaps = [(gap.what, gap.command) for finding in decision.findings for gap in finding.gaps]
    return list(dict.fromkeys(gaps))


def claims(requirement: Requirement) -> tuple[str, str]:
    """What a test shows if the requirement is met, and if it is violated."""
    match requirement:
        case NotWorse(margin=margin):
            return f"less than {_points(margin)} worse", f"more than {_points(margin)} worse"
        case Equivalent(margin=margin):
            return f"less than {_points(margin)} apart", f"more than {_points(margin)} apart"
        case Better(better_than=name):
            return f"better than {name}", f"worse than {name}"
        case LeastAccuracy(accuracy_at_least=share):
            return f"more than {_percent(share)} right", f"less than {_percent(share)} right"
        case MostUnread(unread_at_most=share):
            return f"less than {_percent(share)} unread", f"more than {_percent(share)} unread"
        case Costs():
            return f"within {join(_values(requirement.limits, requirement.limits))}", "over a limit"


def _points(margin: float) -> str:
    return f"{100 * margin:g} point{'' if margin == 0.01 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:g}\u202f%"


def _reason(finding: Finding, tested: Tested) -> str:
    claim, contrary = claims(finding.requirement)
    evidence = tested.evidence
    against = tested.state == "violated" or (tested.state != "met" and evidence.contrary < evidence.claim)
    p, adjusted = (evidence.contrary, tested.contrary) if against else (evidence.claim, tested.claim)
    estimate = _estimate(evidence, finding.reference)
    return f"{estimate}; {contrary if against else claim}: p = {p:.2g}, by Holm {adjusted:.2g}"


def _estimate(evidence: Evidence, reference: Subject | None) -> str:
    low, high = evidence.interval.low, evidence.interval.high
    where = join(evidence.tasks)
    asked = f"{evidence.questions:,} questions"
    if reference:
        score = "" if evidence.scale == "accuracy" else " of the score"
        span = f"95 % {points(low)} to {points(high)}, {asked}"
        return f"{points(evidence.estimate)} points{score} on {where} ({span})"
    what = {"accuracy": "right", "score": "of the way from guessing to all right", "unread": "unread"}
    span = f"95 % {percent(low)} to {percent(high)}, {asked}"
    return f"{percent(evidence.estimate)} {what[evidence.scale]} on {where} ({span})"


def _spent(requirement: Costs, spent: Spent) -> str:
    """What was measured of the costs that have a limit."""
    limits = requirement.limits
    words = join(_values(spent.needs, limits)) or "nothing was measured"
    where = f" on {join(spent.machines)}" if requirement.depend_on_machine and spent.machines else ""
    over_limit = f"; over: {join(spent.over)}" if spent.over else ""
    return f"{words}{where}; limits: {join(_values(limits, limits))}{over_limit}"


def _values(costs: Limits | Needs, limits: Limits) -> list[str]:
    """Those of the costs that have a limit, in the words of `bench.board.limits.over`."""

    def none_if(limit: float | None) -> int | None:
        return None if limit is None else 0

    allowed = Limits(
        memory=none_if(limits.memory),
        p50=none_if(limits.p50),
        p95=none_if(limits.p95),
        disk=none_if(limits.disk),
        joules=none_if(limits.joules),
    )
    known = Needs(costs.memory, costs.p50, costs.p95, costs.disk, costs.joules, "")
    is_any = costs.licence.casefold() == "permissive"
    licence = "a permissive licence" if is_any else f"the licence {costs.licence}" if limits.licence else ""
    return [*over(known, allowed), *filter(None, [licence])]


def _undecided(decision: Decision) -> Iterator[str]:
    for finding in decision.findings:
        for tested in finding.tested:
            if tested.state == "undecided":
                yield _needed(finding, tested)


def _needed(finding: Finding, tested: Tested) -> str:
    """How many questions would decide it."""
    decide, evidence = f"To decide '{finding.requirement.name}'", tested.evidence
    like = f"questions like those of {join(evidence.tasks)}"
    if tested.questions is None:
        return f"{decide}, no number of {like} can be given: what was measured is on the bound."
    claim, contrary = claims(finding.requirement)
    shown = claim if tested.towards == "met" else contrary
    number = f"{tested.questions:,} {like} ({tested.questions / evidence.questions:,.1f} times as many)"
    return f"{decide}: {number} would show '{shown}' in 80 of 100 cases, if it goes on as measured here."


def _detectable(decision: Decision) -> Iterator[str]:
    for finding in decision.findings:
        for tested in finding.tested if finding.reference else ():
            evidence, test_set = tested.evidence, f"This test set ({join(tested.evidence.tasks)})"
            pair = f"{decision.model.name} and {finding.reference.name if finding.reference else ''}"
            if evidence.detectable is None:
                yield f"{test_set} shows no difference between {pair}: both were right on the same questions."
                continue
            score = "" if evidence.scale == "accuracy" else " of the score"
            least = f"{100 * evidence.detectable:.1f} points{score}"
            yield f"{test_set} can show differences of at least {least} between {pair}, in 80 of 100 cases."


def _clusters(decision: Decision) -> Iterator[str]:
    for finding in decision.findings:
        for tested in finding.tested:
            if tested.evidence.clustered:
                yield of_clusters(tested.evidence.clustered)
            if tested.evidence.clustered and isinstance(finding.requirement, LeastAccuracy | MostUnread):
                number = "as many questions as would be independent"
                yield f"'{finding.requirement.name}' is tested with {number}."


def _leaks(decision: Decision) -> Iterator[str]:
    """The models that had practice for a task which others had not."""
    for model in (decision.model, *(each.reference for each in decision.findings)):
        if model is None or isinstance(model, Unmeasured):
            continue
        if any(row.leak for task, row in model.rows.items() if task in decision.tasks):
            yield f"{LEAK.capitalize()}: {model.name}."
