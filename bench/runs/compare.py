"""A changed model beside the untouched one: what the change did, and what it cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.runs.result import CellFacts, DoneResult
from bench.runs.store import Run
from bench.stats.paired import Paired, paired


@dataclass(frozen=True, slots=True)
class Change:
    """`change` says in a word or two what was done to the model of `before`."""

    change: str
    before: DoneResult
    after: DoneResult
    paired: Paired


def changes(runs: Sequence[Run]) -> list[Change]:
    """Every finished run of a quantised or tuned model with the runs it differs from by one such step."""
    done = [run for run in runs if isinstance(run.result, DoneResult)]
    return [
        _change(before, after, word)
        for after in done
        for before in done
        if (word := _step(before.result.cell, after.result.cell)) and _same_questions(before, after)
    ]


def _step(before: CellFacts, after: CellFacts) -> str:
    """What leads from the one to the other if it is one step and all else is equal, else ""."""
    one, other = before.variant, after.variant
    bare = {"quantize": "none", "adapter": None}
    if one.model_copy(update=bare) != other.model_copy(update=bare) or not _alike(before, after):
        return ""
    if one.adapter == other.adapter and one.quantize == "none" != other.quantize:
        return other.quantize
    if one.quantize == other.quantize and one.adapter is None and other.adapter is not None:
        return "LoRA" if other.adapter.method == "lora" else "full tuning"
    return ""


def _alike(before: CellFacts, after: CellFacts) -> bool:
    def same(cell: CellFacts) -> tuple[object, ...]:
        task = (cell.task.name, cell.task.version, cell.task.sha256, cell.data["test"].sha256)
        return (*task, cell.model.name, cell.weights, cell.limit, cell.engine_version, cell.exemplar_ids)

    return same(before) == same(after)


def _same_questions(before: Run, after: Run) -> bool:
    return [r.question_id for r in before.records] == [r.question_id for r in after.records]


def _change(before: Run, after: Run, word: str) -> Change:
    right = ([record.is_correct for record in run.records] for run in (before, after))
    assert isinstance(before.result, DoneResult)
    assert isinstance(after.result, DoneResult)
    return Change(word, before.result, after.result, paired(*right))


def told(change: Change) -> str:
    """The change in a sentence: accuracies, the paired difference with its interval and p, the cost."""
    first, second = (result.metrics.accuracy.value for result in (change.before, change.after))
    text = f"{change.change}: {first:.1%} → {second:.1%}, {in_points(change.paired)}"
    return "; ".join([text, *_costs(change)])


def in_points(found: Paired) -> str:
    """A paired difference with its interval and p."""
    difference, low, high = (100 * x for x in (found.difference, found.interval.low, found.interval.high))
    return f"{difference:+.1f} points (95 % {low:+.1f} to {high:+.1f}), McNemar's p = {found.p:.2g}"


def _machine(result: DoneResult) -> tuple[str, str]:
    where = result.provenance
    return where.machine, where.device


def _costs(change: Change) -> Iterator[str]:
    adapter, before = change.after.cell.variant.adapter, change.before.cell.variant
    if before.quantize != change.after.cell.variant.quantize:
        held, now = change.before.cost.model_bytes, change.after.cost.model_bytes
        if held and now:
            yield f"weights in memory {held / 1e6:,.0f} → {now / 1e6:,.0f} MB ({now / held:.0%})"
        speed, slower = change.before.cost.items_per_second, change.after.cost.items_per_second
        if speed and slower and _machine(change.before) == _machine(change.after):
            yield f"{slower / speed:.2f} times the speed"
    elif adapter:
        if adapter.outcome:
            peak = adapter.outcome.peak_device_memory_bytes or adapter.outcome.peak_memory_bytes
            memory = f" and {peak / 1e9:.2f} GB" if peak else ""
            yield f"tuning took {adapter.outcome.seconds / 60:.1f} min{memory}"
        if adapter.seen:
            yield f"{adapter.seen} of the test questions were trained on: this is no held-out result"
        elif adapter.seen is None:
            yield f"the adapter was made for {adapter.base} and does not say what it was trained on"
