"""The columns of a board's tables: one table of them for the page, the terminal, papers, CSV and JSON.

A package adds columns of its own by an entry point of the group `bench.columns` that names a `Columns`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from bench.board.board import TaskBoard
from bench.board.column import Column, Columns, Measured, TableKind
from bench.board.confidence_columns import ANSWERABLE, CONFIDENCE
from bench.board.contamination import CONTAMINATION
from bench.board.probe_columns import CHANGED, FORMATS, OPTIONS_ALONE, PROBES, RANK_WITHOUT, REPLACED
from bench.errors import BenchError
from bench.plugins import Registry
from bench.results.cost import Latency
from bench.results.result import DoneResult
from bench.types import ViewName
from bench.views import VIEWS, view_title
from bench.wording import count, latency, number, or_dash, percent, size

_SIZES = ((2 * 10**8, "below 200M"), (10**9, "200M to 1B"), (4 * 10**9, "1B to 4B"))


COLUMNS = Registry("bench.columns", "set of columns", Columns)


def columns_of(kind: TableKind) -> list[Column]:
    """The columns of that table, ours first; raises a BenchError where two have one name."""
    added = [each for each in COLUMNS.all().values() if kind in each.tables]
    columns = [*_own_columns(kind), *(column for each in added for column in each.columns)]
    [(name, times)] = Counter(column.name for column in columns).most_common(1)
    if times > 1:
        raise BenchError(f"{times} columns are named '{name}'; uninstall a package that adds one")
    return columns


def _own_columns(kind: TableKind) -> Iterator[Column]:
    """The project's own columns; an export has the accuracy by every view behind the questions."""
    for column in _TABLES[kind]:
        yield column
        if kind == "export" and column is QUESTIONS:
            yield from map(_accuracy_by, VIEWS.names())
            yield from CONFIDENCE
            yield from PROBES
            yield from FORMATS
            yield from CONTAMINATION


def known(columns: Sequence[Column], rows: Sequence[Measured]) -> list[Column]:
    """The columns without the optional ones of which no row has a value."""
    return [column for column in columns if not column.optional or has_values(column, rows)]


def has_values(column: Column, rows: Sequence[Measured]) -> bool:
    return any(column.value(row) is not None for row in rows)


def filter_words(table: TaskBoard) -> list[tuple[Column, list[str]]]:
    """The columns that the table's rows can be chosen by, each with its words, where it has several."""
    words = [(column, sorted({column.format(row) for row in table.rows})) for column in columns_of("filters")]
    return [(column, several) for column, several in words if len(several) > 1]


def _is_baseline(row: Measured) -> bool:
    return row.result.cell.model.is_baseline


def _rank_key(row: Measured) -> int | None:
    """Sorts by the best rank, then by the worst."""
    return row.standing.best * 10_000 + row.standing.worst if row.standing else None


def _interval(row: Measured) -> str:
    rate = row.result.metrics.accuracy
    return f"{rate.low * 100:.1f}–{percent(rate.high)}"


def _short_interval(row: Measured) -> str:
    rate = row.result.metrics.accuracy
    return f"{rate.low * 100:.1f}–{rate.high * 100:.1f}"


def _variant(row: Measured) -> str:
    cell = row.result.cell
    return ", ".join(filter(None, [cell.variant.slug, cell.part]))


def _right(row: Measured) -> str:
    rate = row.result.metrics.accuracy
    return f"{rate.correct:,}/{rate.total:,}"


def _tuned(row: Measured) -> str:
    adapter = row.result.cell.variant.adapter
    return "as published" if adapter is None else "LoRA" if adapter.method == "lora" else "all weights"


def _size_class(row: Measured) -> str:
    parameters = row.result.cell.model.parameters
    if _is_baseline(row):
        return "baseline"
    if parameters is None:
        return "unknown"
    return next((name for bound, name in _SIZES if parameters < bound), "4B and more")


def _precision_class(row: Measured) -> str:
    return "baseline" if _is_baseline(row) else row.result.cell.variant.precision or "unknown"


def _latency(result: DoneResult, of: Callable[[Latency], float]) -> str:
    """A latency, marked where a client of a server measured it."""
    if result.cost.alone is None:
        return or_dash(None)
    return latency(of(result.cost.alone)) + (" (client)" if result.provenance.server else "")


def _accuracy_by(view: ViewName) -> Column:
    def value(row: Measured) -> float | None:
        rate = row.result.metrics.views.get(view)
        return rate.value if rate else None

    return Column(f"accuracy_{view}", f"Accuracy by {view_title(view)}", value, optional=True)


RANK = Column("rank", "Rank", _rank_key, lambda row: or_dash(row.standing and row.standing.text))
RANK_BEST = Column("rank_best", "Best rank", lambda row: row.standing and row.standing.best)
RANK_WORST = Column("rank_worst", "Worst rank", lambda row: row.standing and row.standing.worst)
MAY_BE_BEST = Column(
    "may_be_best",
    "May be best",
    lambda row: row.standing and ("yes" if row.standing.may_be_best else "no"),
)
TASK = Column("task", "Task", lambda row: row.result.cell.task.name)
MODEL = Column("model", "Model", lambda row: row.result.cell.model.name)
TITLE = Column("title", "Model", lambda row: row.result.cell.model.title)
VARIANT = Column("variant", "Variant", lambda row: row.result.cell.variant.slug, short_text=_variant)
FAMILY = Column("family", "Family", lambda row: row.result.cell.model.family)
VIEW = Column("view", "View", lambda row: row.result.cell.task.view)
ACCURACY = Column(
    "accuracy",
    "Accuracy",
    lambda row: row.result.metrics.accuracy.value,
    lambda row: percent(row.result.metrics.accuracy.value),
    number=True,
    highest_first=True,
)
INTERVAL = Column(
    "interval", "95 % interval", _interval, number=True, short_text=_short_interval, sortable=False
)
LOW = Column("low", "Low", lambda row: row.result.metrics.accuracy.low)
HIGH = Column("high", "High", lambda row: row.result.metrics.accuracy.high)
ABOVE_CHANCE = Column(
    "above_chance",
    "Above chance",
    lambda row: row.standing and row.standing.above_chance,
    lambda row: percent(row.standing.above_chance) if row.standing else or_dash(None),
    number=True,
)
RIGHT = Column(
    "right", "Right", lambda row: row.result.metrics.accuracy.correct, _right, number=True, extra=True
)
QUESTIONS = Column("questions", "Questions", lambda row: row.result.metrics.accuracy.total)
CLUSTERS = Column("clusters", "Clusters", lambda row: row.result.metrics.clusters, optional=True)
PARAMETERS = Column(
    "parameters",
    "Parameters",
    lambda row: row.result.cell.model.parameters,
    lambda row: count(row.result.cell.model.parameters),
    number=True,
)
SIZE_CLASS = Column("size", "Size", _size_class)
PRECISION = Column("precision", "Precision", lambda row: row.result.cell.variant.precision, extra=True)
RUNTIME = Column(
    "runtime",
    "Runtime",
    lambda row: row.result.cell.variant.runtime,
    lambda row: row.result.cell.variant.runtime or "baseline",
    extra=True,
)
PRECISION_CLASS = Column("precision", "Precision", _precision_class)
TUNED = Column(
    "tuned",
    "Tuned",
    lambda row: row.result.cell.variant.adapter and row.result.cell.variant.adapter.method,
    _tuned,
)
EXEMPLARS = Column("exemplars", "Exemplars", lambda row: row.result.cell.variant.exemplars)
PROMPT = Column("prompt", "Prompt", lambda row: row.result.cell.variant.prompt)
SPEED = Column(
    "questions_per_second",
    "Questions/s",
    lambda row: row.result.cost.items_per_second,
    lambda row: number(row.result.cost.items_per_second),
    number=True,
    short_title="items/s",
    sort_key="speed",
    highest_first=True,
    extra=True,
)
MEMORY = Column(
    "peak_memory_bytes",
    "Peak memory",
    lambda row: row.result.cost.peak_memory_bytes,
    lambda row: size(row.result.cost.peak_memory_bytes),
    number=True,
    short_title="memory",
    sort_key="memory",
)
HELD = Column(
    "weights_in_memory_bytes",
    "Weights in memory",
    lambda row: row.result.cost.model_bytes,
    lambda row: size(row.result.cost.model_bytes),
    number=True,
)
DISK = Column(
    "weights_on_disk_bytes",
    "On disk",
    lambda row: row.result.cost.weights_bytes,
    lambda row: size(row.result.cost.weights_bytes),
    number=True,
    sort_key="disk",
    extra=True,
)
ALONE = Column(
    "seconds_alone_p50",
    "One answer (p50)",
    lambda row: row.result.cost.alone and row.result.cost.alone.p50,
    lambda row: _latency(row.result, lambda alone: alone.p50),
    number=True,
    sort_key="p50",
)
ALONE_P95 = Column(
    "seconds_alone_p95",
    "95 of 100 (p95)",
    lambda row: row.result.cost.alone and row.result.cost.alone.p95,
    lambda row: _latency(row.result, lambda alone: alone.p95),
    number=True,
    sort_key="p95",
)
JOULES = Column(
    "joules", "Energy in joules", lambda row: None if row.result.cost.measured else row.result.cost.joules
)
LICENCE = Column("licence", "Licence", lambda row: row.result.cell.model.license)
COSTS_OF = Column(
    "costs_measured_on",
    "Costs measured on",
    lambda row: row.result.cost.measured and row.result.cost.measured.words,
    optional=True,
)
HARDWARE = Column("hardware", "Hardware", lambda row: row.result.provenance.machine)
FINISHED = Column(
    "finished",
    "Date",
    lambda row: row.result.provenance.finished,
    lambda row: row.result.provenance.finished[:10],
    sort_key="date",
    highest_first=True,
    extra=True,
)
IMPORTED = Column("imported", "Imported", lambda row: row.result.imported or None)
RUN = Column("run", "Run", lambda row: row.result.cell.id)

_TABLES: dict[TableKind, tuple[Column, ...]] = {
    "export": (
        TASK, RANK_BEST, RANK_WORST, MAY_BE_BEST, MODEL, TITLE, VARIANT, FAMILY, VIEW,
        ACCURACY, LOW, HIGH, ABOVE_CHANCE, RIGHT, CLUSTERS, QUESTIONS,
        PARAMETERS, RUNTIME, PRECISION, TUNED, EXEMPLARS, PROMPT,
        SPEED, MEMORY, HELD, DISK, ALONE, ALONE_P95, JOULES,
        LICENCE, HARDWARE, COSTS_OF, FINISHED, IMPORTED, RUN,
    ),
    "terminal": (
        RANK, MAY_BE_BEST, TITLE, VARIANT, ACCURACY, INTERVAL, ABOVE_CHANCE, SPEED, MEMORY,
        ANSWERABLE, CHANGED, OPTIONS_ALONE, REPLACED, RANK_WITHOUT,
    ),
    "sweep": (MODEL, VARIANT, ACCURACY, INTERVAL, RIGHT, SPEED, MEMORY),
    "paper": (RANK, TITLE, VARIANT, ACCURACY, INTERVAL, SPEED, MEMORY),
    "page": (
        RANK, TITLE, ACCURACY, INTERVAL, PARAMETERS, MEMORY, ALONE, ALONE_P95, LICENCE,
        RIGHT, RUNTIME, PRECISION, SPEED, DISK, FINISHED,
        ANSWERABLE, CHANGED, OPTIONS_ALONE, REPLACED, RANK_WITHOUT,
    ),
    "variants": (RANK, ACCURACY, INTERVAL, SPEED, MEMORY, HELD),
    "filters": (FAMILY, SIZE_CLASS, RUNTIME, PRECISION_CLASS, TUNED, LICENCE, HARDWARE),
}  # fmt: skip
