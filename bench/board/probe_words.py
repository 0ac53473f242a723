"""What a run's probes show, in words, names and values. Pure."""

from collections.abc import Iterator

from bench.results.machine import machine_of
from bench.results.probes import Difference, Order, Probes, Replaced, UseOfQuestion
from bench.results.result import DoneResult
from bench.scoring.metrics import Rate
from bench.scoring.probing import NOTA
from bench.types import ProbeName
from bench.wording import MINUS, counted, percent, points, seconds

SIGNIFICANT = 0.05
NOTABLE = 0.2
"""The share of answers that change with the order from which a table says so beside the model."""
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
    if probes.question and not _is_shown(probes.question.over_options):
        yield "not shown to use the question"


def _is_shown(difference: Difference) -> bool:
    """Whether a difference above 0 is significant."""
    return difference.value > 0 and difference.p <= SIGNIFICANT


def order_sentences(order: Order) -> tuple[str, ...]:
    """What the rotations of the options showed."""
    changed = percent(order.changed.value)
    ends = f"95\u202f%: {percent(order.changed.low)} to {percent(order.changed.high)}"
    first = (
        f"{changed} of its answers change when only the order of the options does ({ends}), and "
        f"{percent(order.consistent.value)} of the questions are right in every order. Its accuracy is "
        f"{percent(order.mean.value)} on average over the orders, and {percent(order.accuracy.value)} in the "
        "published one."
    )
    return first, _preference(order), _published(order)


def _preference(order: Order) -> str:
    even = f"{percent(1 / len(order.chosen))} would be even"
    share = f"{order.preferred} in {percent(order.preferred_share)} of its answers, where {even}"
    p = f"p {_p(order.preference_p)}"
    if order.preference_p > SIGNIFICANT:
        return f"It is not shown to prefer a letter ({p}): over all orders it chose {share}."
    without = f"Without that preference its accuracy would be {percent(order.without_prior.value)}"
    ends = f"95\u202f%: {points(order.gain.low)} to {points(order.gain.high)}"
    gain = f"{points(order.gain.value)} points, {ends}"
    return f"It prefers a letter ({p}): over all orders it chose {share}. {without} ({gain})."


def _published(order: Order) -> str:
    p = f"p {_p(order.published_p)}"
    if order.published_p > SIGNIFICANT:
        what = f"The published order of the options is not special to it ({p})"
        return f"{what}: there is no sign that it learnt these options by heart."
    what = f"It gives the right options more in the published order than in others ({p})"
    return (
        f"{what}, as a model does that has seen these questions. It is evidence and no proof, and changes no "
        "score."
    )


def question_sentences(use: UseOfQuestion) -> tuple[str, ...]:
    """What the options alone showed."""
    gain = use.over_options
    ends = f"95\u202f%: {points(gain.low)} to {points(gain.high)}, p {_p(gain.p)}"
    need_none = percent(use.both / use.questions)
    first = (
        f"Of its {percent(use.accuracy.value)}, {need_none} need no question: it answers them right from the "
        f"options alone. With these alone its accuracy is {percent(use.options_alone.value)}; always "
        f"answering {use.letter} gives {percent(use.letter_rate.value)}."
    )
    adds = "The question adds" if _is_shown(gain) else "It is not shown to use the question, which adds"
    return first, f"{adds} {points(gain.value)} points ({ends})."


def nota_sentences(nota: Replaced) -> tuple[str, ...]:
    """What the replaced option showed."""
    drop = nota.drop
    ends = f"95\u202f%: {points(0 - drop.high)} to {points(0 - drop.low)}, p {_p(drop.p)}"
    replaced = f"Where “{NOTA}” stands in place of the right option"
    accuracy = f"{percent(nota.replaced.value)} instead of {percent(nota.accuracy.value)}"
    return (
        f"{replaced}, its accuracy is {accuracy}: {points(0 - drop.value)} points ({ends}).",
        "The replacement is automatic and was checked by no clinician.",
    )


def _p(value: float) -> str:
    """What follows "p"."""
    return "<\u202f0.001" if value < 0.001 else f"= {value:.2g}"


def probe_sections(probes: Probes) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(title, sentences) of each probe that was asked; of one that could not be, why."""
    if probes.inapplicable:
        return (("Changed questions", (f"They do not apply: {probes.inapplicable}.",)),)
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
        shown = ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
        yield f"{counted(len(ids), 'question')} left out ({shown}): {reason}."


def probe_facts(result: DoneResult) -> tuple[tuple[str, str], ...]:
    """Pairs of name and value; none where the run has no probes."""
    return tuple(_facts(result, result.probes)) if result.probes else ()


def _facts(result: DoneResult, probes: Probes) -> Iterator[tuple[str, str]]:
    if order := probes.order:
        yield "Questions in every order", f"{order.questions:,}"
        yield "Accuracy over all orders", _interval(order.mean.value, order.mean.low, order.mean.high)
        yield "Right in every order", _rate(order.consistent)
        yield "Answers that change", _rate(order.changed)
        yield "Without letter preference", _rate(order.without_prior)
        yield "Spread of recall by letter", _interval(order.spread.value, order.spread.low, order.spread.high)
        yield "Prior of letters", "; ".join(_prior(prior) for prior in order.prior.values())
        nats = f"{order.published:+.3f}".replace("-", MINUS)
        yield "Published order", f"{nats} nats, p {_p(order.published_p)}"
    if use := probes.question:
        yield "Accuracy, options alone", _rate(use.options_alone)
        over = use.options_over_letter
        ends = f"{points(over.low)} to {points(over.high)}, p {_p(over.p)}"
        yield f"Options alone, over always {use.letter}", f"{points(over.value)} points ({ends})"
    if nota := probes.nota:
        yield "Accuracy, right option replaced", _rate(nota.replaced)
    if probes.seconds:
        own = result.cost.scoring_seconds if probes.machine == machine_of(result.provenance) else None
        times = f", {probes.seconds / own:.2f} times the run's own" if own else ""
        yield "Time of changed questions", f"{seconds(probes.seconds)}{times}"


def _rate(rate: Rate) -> str:
    return _interval(rate.value, rate.low, rate.high)


def _interval(value: float, low: float, high: float) -> str:
    return f"{percent(value)} ({percent(low)} to {percent(high)})"


def _prior(prior: dict[str, float]) -> str:
    return ", ".join(f"{letter} {percent(share, 0)}" for letter, share in prior.items())
