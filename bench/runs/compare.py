"""A changed model beside the untouched one: what the change did, and what it cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.runs.answers import Answered
from bench.runs.result import CellFacts, DoneResult, Variant
from bench.stats.paired import Paired, paired
from bench.wording import size


@dataclass(frozen=True, slots=True)
class Change:
    """`change` says in a word or two what was done to the model of `before`."""

    change: str
    before: DoneResult
    after: DoneResult
    paired: Paired


def changes(runs: Sequence[Answered]) -> list[Change]:
    """Every finished run of a quantised or tuned model with the runs it differs from by one such step."""
    done = [run for run in runs if isinstance(run.result, DoneResult)]
    alike: dict[str, list[Answered]] = {}
    for run in done:
        alike.setdefault(_but_for_the_step(run.result.cell), []).append(run)
    return [
        _change(before, after, word)
        for after in done
        for before in alike[_but_for_the_step(after.result.cell)]
        if (word := _step(before.result.cell.variant, after.result.cell.variant))
    ]


def _but_for_the_step(cell: CellFacts) -> str:
    """Equal for cells of a model that differ by no more than how its weights are held or tuned."""
    variant = cell.variant.model_copy(update={"quantize": "none", "adapter": None})
    task = (cell.task.name, cell.task.version, cell.task.sha256, cell.data["test"].sha256)
    asked = (cell.limit, cell.engine_version, cell.exemplar_ids)
    return repr((*task, cell.model.name, cell.weights, *asked, variant))


def _step(one: Variant, other: Variant) -> str:
    """What leads from the one to the other if it is one step, else ""."""
    if one.adapter == other.adapter and one.quantize == "none" != other.quantize:
        return other.quantize
    if one.quantize == other.quantize and one.adapter is None and other.adapter is not None:
        return "LoRA" if other.adapter.method == "lora" else "full tuning"
    return ""


def _change(before: Answered, after: Answered, word: str) -> Change:
    assert isinstance(before.result, DoneResult)
    assert isinstance(after.result, DoneResult)
    return Change(word, before.result, after.result, paired(before.right, after.right))


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
            yield f"weights in memory {size(held)} → {size(now)} ({now / held:.0%})"
        speed, slower = change.before.cost.items_per_second, change.after.cost.items_per_second
        if speed and slower and _machine(change.before) == _machine(change.after):
            yield f"{slower / speed:.2f} times the speed"
    elif adapter:
        if adapter.outcome:
            peak = adapter.outcome.peak_device_memory_bytes or adapter.outcome.peak_memory_bytes
            memory = f" and {size(peak)}" if peak else ""
            yield f"tuning took {adapter.outcome.seconds / 60:.1f} min{memory}"
        if adapter.seen:
            yield f"{adapter.seen} of the test questions were trained on: this is no held-out result"
        elif adapter.seen is None:
            yield f"the adapter was made for {adapter.base} and does not say what it was trained on"
