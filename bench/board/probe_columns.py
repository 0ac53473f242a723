"""Columns with what a run's probes and other formats of the prompt show."""

from collections.abc import Callable, Iterator, Mapping

from bench.board.column import Column, Measured, Value, share_column
from bench.board.sensitivity import Wordings
from bench.results.probes import Difference, Order, Probes, Replaced, UseOfQuestion
from bench.results.probes import Measured as Estimate
from bench.scoring.metrics import Rate

Of = Callable[[Measured], Value]
"""The value of a row; None where it was not probed, or the probe does not apply."""


def _order(value: Callable[[Order], Value]) -> Of:
    return _of(lambda probes: value(probes.order) if probes.order else None)


def _question(value: Callable[[UseOfQuestion], Value]) -> Of:
    return _of(lambda probes: value(probes.question) if probes.question else None)


def _nota(value: Callable[[Replaced], Value]) -> Of:
    return _of(lambda probes: value(probes.nota) if probes.nota else None)


def _of(value: Callable[[Probes], Value]) -> Of:
    def of_row(row: Measured) -> Value:
        probes = row.result.probes
        return None if probes is None else value(probes)

    return of_row


CHANGED = share_column(
    "order_changed", "Changes with order", "order changes", _order(lambda order: order.changed.value)
)
OPTIONS_ALONE = share_column(
    "options_alone", "Options alone", "options alone", _question(lambda use: use.options_alone.value)
)
REPLACED = share_column(
    "nota", "Right option replaced", "right replaced", _nota(lambda nota: nota.replaced.value)
)
RANK_WITHOUT = Column(
    "rank_without_preference",
    "Rank without letter preference",
    lambda row: row.standing.without_preference if row.standing else None,
    number=True,
    short_title="rank, no preference",
    optional=True,
    extra=True,
)


def _plain(name: str, title: str, value: Of) -> Column:
    return Column(name, title, value, optional=True)


def _estimate(
    name: str, title: str, of: Callable[[Callable[[Estimate | Rate], Value]], Of], head: Column | None = None
) -> Iterator[Column]:
    """The value, under `head` where that is given, and the ends of its interval."""
    yield head or _plain(name, title, of(lambda each: each.value))
    yield _plain(f"{name}_low", f"{title}, low", of(lambda each: each.low))
    yield _plain(f"{name}_high", f"{title}, high", of(lambda each: each.high))


def _difference(name: str, title: str, of: Callable[[Callable[[Difference], Value]], Of]) -> Iterator[Column]:
    """The difference with the ends of its interval and its p."""
    yield from _estimate(name, title, of)
    yield _plain(f"{name}_p", f"{title}, p", of(lambda each: each.p))


def _by_letter(values: Mapping[str, Estimate]) -> str:
    return ", ".join(f"{letter} {each.value:.4f}" for letter, each in values.items())


def _left_out(probes: Probes) -> int:
    """Questions that some probe left out."""
    return len({name for reasons in probes.left_out.values() for ids in reasons.values() for name in ids})


def _wording(value: Callable[[Wordings], float]) -> Of:
    """The value of a row over the formats of the prompt; None where it ran in one."""

    def of_row(row: Measured) -> Value:
        wording = getattr(row, "wording", None)
        return value(wording) if isinstance(wording, Wordings) else None

    return of_row


FORMATS = (
    _plain("format_min", "Lowest over formats", _wording(lambda each: each.low)),
    _plain("format_median", "Median over formats", _wording(lambda each: each.value)),
    _plain("format_max", "Highest over formats", _wording(lambda each: each.high)),
)
PROBES = (
    *_estimate("order_changed", "Changes with order", lambda f: _order(lambda o: f(o.changed)), CHANGED),
    *_estimate("order_mean", "Accuracy over all orders", lambda f: _order(lambda o: f(o.mean))),
    *_estimate("order_consistent", "Right in every order", lambda f: _order(lambda o: f(o.consistent))),
    _plain(
        "accuracy_by_order",
        "Accuracy in each order",
        _order(lambda order: ", ".join(f"{each.value:.4f}" for each in order.rotations)),
    ),
    *_estimate(
        "accuracy_without_preference",
        "Accuracy without letter preference",
        lambda f: _order(lambda o: f(o.without_prior)),
    ),
    *_difference("preference_gain", "What letter preference costs", lambda f: _order(lambda o: f(o.gain))),
    RANK_WITHOUT,
    *_estimate("recall_spread", "Spread of recall by letter", lambda f: _order(lambda o: f(o.spread))),
    _plain("recall_by_letter", "Recall by letter", _order(lambda order: _by_letter(order.recall))),
    _plain("preferred_letter", "Letter chosen most", _order(lambda order: order.preferred)),
    _plain("preferred_letter_share", "Its share", _order(lambda order: order.preferred_share)),
    _plain("letter_preference_p", "p of no letter preference", _order(lambda order: order.preference_p)),
    _plain("published_order_p", "p of the published order", _order(lambda order: order.published_p)),
    *_estimate(
        "options_alone", "Options alone", lambda f: _question(lambda u: f(u.options_alone)), OPTIONS_ALONE
    ),
    *_difference(
        "options_over_letter",
        "Options alone over the likeliest letter",
        lambda f: _question(lambda u: f(u.options_over_letter)),
    ),
    _plain(
        "right_both_ways",
        "Right with and without the question",
        _question(lambda use: use.both / use.questions),
    ),
    *_difference("question_gain", "What the question adds", lambda f: _question(lambda u: f(u.over_options))),
    *_estimate("nota", "Right option replaced", lambda f: _nota(lambda n: f(n.replaced)), REPLACED),
    *_difference("nota_drop", "Drop when replaced", lambda f: _nota(lambda n: f(n.drop))),
    _plain("probes_left_out", "Questions that a probe left out", _of(_left_out)),
    _plain("probes_inapplicable", "Why probes do not apply", _of(lambda each: each.inapplicable or None)),
)
