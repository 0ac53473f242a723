"""What a run's probes show, in words, names and values. Pure."""

from collections.abc import Iterator

from bench.inputs.task import NOTA
from bench.results.machine import machine_of
from bench.results.probes import Difference, Measured, Order, Probes, Replaced, UseOfQuestion
from bench.results.result import DoneResult
from bench.scoring.metrics import Rate
from bench.types import ProbeName
from bench.wording import MINUS, counted, percent, points, seconds

SIGNIFICANT = 0.05
NOTABLE = 0.2
"""The share of answers that change with the order from which a table says so beside the model."""
MOST_NAMED = 20
"""Questions that were left out, by name; all are in `result.json`."""
_COUNTS = "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"
_PROBE_TITLES: dict[ProbeName, str] = {
    "order": "Order of the options",
    "question": "Options alone",
    "nota": "Right option replaced",
}


def probe_tags(probes: Probes | None) -> Iterator[str]:
    """What changes the reading of an accuracy, in a few words."""
    if probes is None:
        return
    if probes.order and probes.order.changed.low >= NOTABLE:
        yield f"{percent(probes.order.changed.value, 0)} of its answers change with the order"
    if probes.question and probes.question.over_options.p > SIGNIFICANT:
        yield "no benefit from the question shown"


def order_sentences(order: Order) -> tuple[str, ...]:
    """What the rotations of the options showed."""
    k = len(order.chosen)
    first = (
        f"On {percent(order.changed.value)} of the questions it does not choose the same option in all {k} "
        f"orders ({_ends(order.changed)}; answers by chance: {percent(1 - k ** (1 - k), 0)}). It is right in "
        f"every order on {percent(order.consistent.value)} (by chance: {percent(k**-k)}). Its accuracy is "
        f"{percent(order.mean.value)} on average over the orders and {percent(order.rotations[0].value)} in "
        "the published one."
    )
    return first, _preference(order), _published(order)


def _preference(order: Order) -> str:
    p = f"p {_p(order.preference_p)}"
    if order.preference_p > SIGNIFICANT:
        return f"No preference for a letter is shown ({p})."
    share = f"it chose {order.preferred} in {percent(order.preferred_share)} of its answers over all orders"
    even = f"without a preference each letter would have {percent(1 / len(order.chosen))}"
    without = f"Its accuracy without the preference would be {percent(order.without_prior.value)}"
    gain = f"{points(order.gain.value)} points, {_points_ends(order.gain)}"
    return f"It prefers the letter {order.preferred} ({p}): {share}; {even}. {without} ({gain})."


def _published(order: Order) -> str:
    if order.published_p is None:
        return (
            "Every right option has the same letter, so whether it saw the published order cannot be tested."
        )
    p = f"p {_p(order.published_p)}"
    if order.published_p > SIGNIFICANT:
        return (
            f"There is no sign that it saw these options in their published order ({p}). "
            "That does not rule it out."
        )
    return (
        f"It gives the right options a higher probability in the published order than in others ({p}), as a "
        "model would that saw these questions in training. This is evidence and no proof, and changes no "
        "score: of 20 models that never saw them, one has a p of 0.05 or less by chance."
    )


def question_sentences(use: UseOfQuestion) -> tuple[str, ...]:
    """What the options alone showed."""
    alone = use.options_over_letter
    first = (
        f"It answers {percent(use.accuracy.value)} of the questions right. On "
        f"{percent(use.both / use.questions)} of all questions it needs no question: it is right from the "
        "options alone too."
    )
    second = (
        f"From the options alone its accuracy is {percent(use.options_alone.value)}; always answering "
        f"{use.letter} gives {percent(use.letter_rate.value)} (difference {points(alone.value)} points, "
        f"{_points_ends(alone)}, p {_p(alone.p)})."
    )
    gain = use.over_options
    added = f"{points(gain.value)} points ({_points_ends(gain)}, p {_p(gain.p)})"
    if gain.p > SIGNIFICANT:
        return first, second, f"No benefit from the question is shown: {added}."
    if gain.value < 0:
        return first, second, f"With the question it does worse than without it: {added}."
    return first, second, f"The question adds {added}."


def nota_sentences(nota: Replaced) -> tuple[str, ...]:
    """What the replaced option showed."""
    drop = nota.drop
    ends = f"95\u202f%: {points(0 - drop.high)} to {points(0 - drop.low)}, p {_p(drop.p)}"
    accuracy = f"{percent(nota.replaced.value)} instead of {percent(nota.accuracy.value)}"
    first = (
        f"“{NOTA}” took the place of the right option; a model that knows the answer should now choose it. "
        f"Its accuracy is {accuracy}: {points(0 - drop.value)} points ({ends})."
    )
    return first, "The replacement is automatic; no clinician has checked it."


def _ends(rate: Rate | Measured) -> str:
    return f"95\u202f%: {percent(rate.low)} to {percent(rate.high)}"


def _points_ends(difference: Difference) -> str:
    return f"95\u202f%: {points(difference.low)} to {points(difference.high)}"


def _p(value: float) -> str:
    """What follows "p"."""
    return "<\u202f0.001" if value < 0.001 else f"= {value:.2g}"


def probe_sections(probes: Probes) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(title, sentences) of each probe that was asked; of one that could not be, why."""
    if probes.inapplicable:
        return (("Probes", (f"Not asked: {probes.inapplicable}.",)),)
    return tuple(
        (_PROBE_TITLES[name], (*_sentences(probes, name), *_left_out(probes, name))) for name in probes.asked
    )


def _sentences(probes: Probes, name: ProbeName) -> tuple[str, ...]:
    match name:
        case "order" if probes.order:
            return order_sentences(probes.order)
        case "question" if probes.question:
            return question_sentences(probes.question)
        case "nota" if probes.nota:
            return nota_sentences(probes.nota)
        case _:
            return ("No question could be asked.",)


def _left_out(probes: Probes, name: ProbeName) -> Iterator[str]:
    for reason, ids in probes.left_out.get(name, {}).items():
        shown = ", ".join(ids[:MOST_NAMED]) + (", …" if len(ids) > MOST_NAMED else "")
        yield f"{counted(len(ids), 'question')} left out, because {reason}: {shown}."


def probe_facts(result: DoneResult) -> tuple[tuple[str, str], ...]:
    """Pairs of name and value; none where the run has no probes."""
    return tuple(_facts(result, result.probes)) if result.probes else ()


def _facts(result: DoneResult, probes: Probes) -> Iterator[tuple[str, str]]:
    if order := probes.order:
        yield "Questions in every order", f"{order.questions:,}"
        yield "Accuracy over all orders", _value(order.mean)
        for by, each in enumerate(order.rotations):
            yield f"Accuracy, {rotation_name(by)}", _value(each)
        yield "Right in every order", _value(order.consistent)
        yield "Answers that change", _value(order.changed)
        yield "Answers with equal scores", f"{order.ties:,}"
        yield "Without letter preference", _value(order.without_prior)
        for letter, each in order.recall.items():
            yield f"Recall where the right option is {letter}", _value(each)
        yield "Spread of recall by letter", _value(order.spread)
        yield "Prior of letters", "; ".join(_prior(prior) for prior in order.prior.values())
        nats = f"{order.published:+.3f}".replace("-", MINUS)
        p = "no test" if order.published_p is None else f"p {_p(order.published_p)}"
        yield "Published order", f"{nats} nats, {p}"
    if use := probes.question:
        yield "Accuracy, options alone", _value(use.options_alone)
        yield "Right with and without the question", f"{use.both:,} of {use.questions:,}"
    if nota := probes.nota:
        yield "Accuracy, right option replaced", _value(nota.replaced)
    if probes.seconds:
        own = result.cost.scoring_seconds if probes.machine == machine_of(result.provenance) else None
        times = f", {1 + probes.seconds / own:.2f} times one pass in all" if own else ""
        yield "Time of changed questions", f"{seconds(probes.seconds)}{times}"


def rotation_name(by: int) -> str:
    """ "published order", or "options moved up by two places"."""
    if not by:
        return "published order"
    count = _COUNTS[by - 1] if by <= len(_COUNTS) else str(by)
    return f"options moved up by {count} place{'' if by == 1 else 's'}"


def _value(rate: Rate | Measured) -> str:
    return f"{percent(rate.value)} ({percent(rate.low)} to {percent(rate.high)})"


def _prior(prior: dict[str, float]) -> str:
    return ", ".join(f"{letter} {percent(share, 0)}" for letter, share in prior.items())
