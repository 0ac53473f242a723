"""Columns with what a run's probes and other formats of the prompt show."""

from collections.abc import Callable

from bench.board.column import Column, Measured
from bench.board.sensitivity import Wordings
from bench.results.probes import Order, Probes, Replaced, UseOfQuestion
from bench.wording import percent


def _order(value: Callable[[Order], float]) -> Callable[[Measured], float | None]:
    return _of(lambda probes: value(probes.order) if probes.order else None)


def _question(value: Callable[[UseOfQuestion], float]) -> Callable[[Measured], float | None]:
    return _of(lambda probes: value(probes.question) if probes.question else None)


def _nota(value: Callable[[Replaced], float]) -> Callable[[Measured], float | None]:
    return _of(lambda probes: value(probes.nota) if probes.nota else None)


def _of(value: Callable[[Probes], float | None]) -> Callable[[Measured], float | None]:
    """The value of a row; None where it was not probed, or the probe does not apply."""

    def of_row(row: Measured) -> float | None:
        probes = row.result.probes
        return None if probes is None else value(probes)

    return of_row


def _share(value: float | None) -> str:
    return "—" if value is None else percent(value)


_CHANGED = _order(lambda order: order.changed.value)
_ALONE = _question(lambda use: use.options_alone.value)

CHANGED = Column(
    "order_changed",
    "Changes with order",
    _CHANGED,
    lambda row: _share(_CHANGED(row)),
    number=True,
    short_title="order changes",
    optional=True,
    extra=True,
)
OPTIONS_ALONE = Column(
    "options_alone",
    "Options alone",
    _ALONE,
    lambda row: _share(_ALONE(row)),
    number=True,
    short_title="options alone",
    optional=True,
    extra=True,
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


def _plain(name: str, title: str, value: Callable[[Measured], float | None]) -> Column:
    return Column(name, title, value, optional=True)


def _wording(value: Callable[[Wordings], float]) -> Callable[[Measured], float | None]:
    """The value of a row over the formats of the prompt; None where it ran in one."""

    def of_row(row: Measured) -> float | None:
        wording = getattr(row, "wording", None)
        return value(wording) if isinstance(wording, Wordings) else None

    return of_row


FORMATS = (
    _plain("format_min", "Lowest over formats", _wording(lambda each: each.low)),
    _plain("format_median", "Median over formats", _wording(lambda each: each.value)),
    _plain("format_max", "Highest over formats", _wording(lambda each: each.high)),
)
PROBES = (
    CHANGED,
    _plain("order_mean", "Accuracy over all orders", _order(lambda order: order.mean.value)),
    _plain("order_consistent", "Right in every order", _order(lambda order: order.consistent.value)),
    _plain(
        "accuracy_without_preference",
        "Accuracy without letter preference",
        _order(lambda order: order.without_prior.value),
    ),
    RANK_WITHOUT,
    _plain("recall_spread", "Spread of recall by letter", _order(lambda order: order.spread.value)),
    _plain("letter_preference_p", "p of no letter preference", _order(lambda order: order.preference_p)),
    _plain("published_order_p", "p of the published order", _order(lambda order: order.published_p)),
    OPTIONS_ALONE,
    _plain("question_gain", "What the question adds", _question(lambda use: use.over_options.value)),
    _plain("question_gain_p", "p of what the question adds", _question(lambda use: use.over_options.p)),
    _plain("nota", "Right option replaced", _nota(lambda nota: nota.replaced.value)),
    _plain("nota_drop", "Drop when replaced", _nota(lambda nota: nota.drop.value)),
)
