"""Columns of exports with what a run's scores say of when it is right."""

from collections.abc import Callable

from bench.board.column import Column, Measured, share_column
from bench.board.when_right import when_right
from bench.results.answers import Answered
from bench.stats.confidence import Confidence


def _of(value: Callable[[Confidence], float | None]) -> Callable[[Measured], float | None]:
    """The value of a row; None where nothing is known of its confidence, or the row has no answers."""

    def of_row(row: Measured) -> float | None:
        run = getattr(row, "run", None)
        known = when_right(run) if isinstance(run, Answered) else None
        return value(known.numbers) if known else None

    return of_row


def _answerable(target: float) -> Callable[[Confidence], float | None]:
    return lambda numbers: next((one.coverage for one in numbers.answerable if one.target == target), None)


ANSWERABLE = share_column("answerable_80", "Answerable at 80 %", "at 80 %", _of(_answerable(0.8)), digits=0)
CONFIDENCE = (
    Column("calibration_error", "Calibration error", _of(lambda numbers: numbers.error), optional=True),
    Column(
        "calibration_error_fitted",
        "Calibration error, fitted",
        _of(lambda numbers: numbers.fitted_error),
        optional=True,
    ),
    Column("calibration_floor", "Calibration floor", _of(lambda numbers: numbers.floor), optional=True),
    Column("brier", "Brier score", _of(lambda numbers: numbers.brier), optional=True),
    Column(
        "confidence_auroc",
        "AUROC of confidence",
        _of(lambda numbers: numbers.separation.auroc),
        optional=True,
    ),
    Column("aurc", "AURC", _of(lambda numbers: numbers.area), optional=True),
    ANSWERABLE,
    *(
        Column(f"answerable_{at}", f"Answerable at {at} %", _of(_answerable(at / 100)), optional=True)
        for at in (50, 90)
    ),
    Column("temperature", "Temperature", _of(lambda numbers: numbers.temperature), optional=True),
    Column(
        "confidence_auroc_p", "AUROC of confidence, p", _of(lambda each: each.separation.p), optional=True
    ),
)
