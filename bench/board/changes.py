"""A quantised or tuned model, or one in another runtime, compared with the original: what that did and cost.

Tuned models are our adapters', and those of other publishers whose card names the model they started from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.board.descent import is_base
from bench.inputs.adapter import AdapterFacts
from bench.results.answers import Answered
from bench.results.result import CellFacts, DoneResult
from bench.results.variant import Variant
from bench.stats.paired import Paired
from bench.wording import percent, points, size


@dataclass(frozen=True, slots=True)
class Change:
    """`name` is what was done to the model of `before`: "int8", "LoRA", "Q4_1 in llama.cpp" and the like."""

    name: str
    before: DoneResult
    after: DoneResult
    paired: Paired


def changes(runs: Sequence[Answered]) -> list[Change]:
    """Every finished run of a quantised or tuned model, or one in another runtime, with each run that differs
    by that one change.
    """
    groups: dict[str, list[Answered]] = {}
    for run in runs:
        groups.setdefault(_without_change(run.result.cell), []).append(run)
    return [
        Change(name, before.result, after.result, before.compared_with(after))
        for after in runs
        for before in groups[_without_change(after.result.cell)]
        if (name := _name_of_change(before.result.cell.variant, after.result.cell.variant))
    ] + [*_in_other_runtimes(runs), *_published(runs)]


def _in_other_runtimes(runs: Sequence[Answered]) -> Iterator[Change]:
    """Every run of another engine, with each of the same model in transformers and full precision."""
    others = [run for run in runs if run.result.cell.variant.engine]
    originals: dict[str, list[Answered]] = {}
    for run in runs if others else ():
        if run.result.cell.variant.dtype and _is_original(run.result.cell.variant):
            originals.setdefault(_without_runtime(run.result.cell), []).append(run)
    for after in others:
        variant = after.result.cell.variant
        name = f"{variant.weights_format} in {variant.engine}".removeprefix(" in ")
        for before in originals.get(_without_runtime(after.result.cell), ()):
            yield Change(name, before.result, after.result, before.compared_with(after))


def _is_original(variant: Variant) -> bool:
    return variant.quantize == "none" and variant.adapter is None and not variant.weights_format


def _without_runtime(cell: CellFacts) -> str:
    """Equal for cells of a model that were asked the same, in whatever engine and number format."""
    how = {"dtype": None, "engine": "", "weights_format": "", "quantize": "none", "adapter": None}
    return repr((cell.model.name, _asked(cell, cell.variant.model_copy(update=how))))


def _published(runs: Sequence[Answered]) -> list[Change]:
    """Every run of a model that its publisher tuned, with each run of its base in the same variant."""
    tuned = [run for run in runs if run.result.cell.model.base]
    groups: dict[str, list[Answered]] = {}
    for run in runs if tuned else ():
        groups.setdefault(_asked(run.result.cell, run.result.cell.variant), []).append(run)
    return [
        Change(f"tuned from {base.title}", before.result, after.result, before.compared_with(after))
        for after in tuned
        for before in groups[_asked(after.result.cell, after.result.cell.variant)]
        if is_base(base := before.result.cell.model, after.result.cell.model)
    ]


def _without_change(cell: CellFacts) -> str:
    """Equal for cells that differ only in quantisation or adapter."""
    variant = cell.variant.model_copy(update={"quantize": "none", "adapter": None})
    return repr((cell.model.name, cell.weights, _asked(cell, variant)))


def _asked(cell: CellFacts, variant: Variant) -> str:
    """Equal for cells that were asked the same in that variant, whatever the model."""
    task = (cell.task.name, cell.task.version, cell.task.sha256, cell.data["test"].sha256)
    return repr((*task, cell.part, cell.engine_version, cell.exemplar_ids, variant))


def _name_of_change(before: Variant, after: Variant) -> str:
    """What was done to the model, if it was one change only; else ""."""
    if before.adapter == after.adapter and before.quantize == "none" != after.quantize:
        return after.quantize
    if before.quantize == after.quantize and before.adapter is None and after.adapter is not None:
        return "LoRA" if after.adapter.method == "lora" else "full tuning"
    return ""


def describe_change(change: Change) -> str:
    """The change in a sentence: accuracies, the paired difference with its interval and p, the cost."""
    before, after = (result.metrics.accuracy.value for result in (change.before, change.after))
    text = f"{change.name}: {percent(before)} → {percent(after)}, {format_difference(change.paired)}"
    return "; ".join([text, *_costs(change)])


def format_difference(pair: Paired) -> str:
    """The difference in percentage points, with its interval and p."""
    difference, low, high = map(points, (pair.difference, pair.interval.low, pair.interval.high))
    test = "McNemar's" if pair.clusters is None else "sign-flip"
    return f"{difference} points (95 % {low} to {high}), {test} p = {pair.p:.2g}"


def _machine(result: DoneResult) -> tuple[str, str]:
    where = result.provenance
    return where.machine, where.device


def _costs(change: Change) -> Iterator[str]:
    before, after = change.before.cell.variant, change.after.cell.variant
    if before.quantize != after.quantize or before.engine != after.engine:
        yield from _costs_of_quantising(change)
    elif change.after.cell.variant.adapter:
        yield from _costs_of_tuning(change.after.cell.variant.adapter)


def _costs_of_quantising(change: Change) -> Iterator[str]:
    before, after = change.before.cost, change.after.cost
    if before.model_bytes and after.model_bytes:
        share = percent(after.model_bytes / before.model_bytes, 0)
        yield f"weights in memory {size(before.model_bytes)} → {size(after.model_bytes)} ({share})"
    if change.after.cell.variant.engine and before.peak_memory_bytes and after.peak_memory_bytes:
        yield f"peak memory {size(before.peak_memory_bytes)} → {size(after.peak_memory_bytes)}"
    same_machine = _machine(change.before) == _machine(change.after)
    if before.items_per_second and after.items_per_second and same_machine:
        yield f"{after.items_per_second / before.items_per_second:.2f} times the speed"


def _costs_of_tuning(adapter: AdapterFacts) -> Iterator[str]:
    if adapter.outcome:
        peak = adapter.outcome.peak_device_memory_bytes or adapter.outcome.peak_memory_bytes
        memory = f" and {size(peak)}" if peak else ""
        yield f"tuning took {adapter.outcome.seconds / 60:.1f} min{memory}"
    if adapter.seen:
        yield f"{adapter.seen} of the test questions were in its training data: this is not a held-out result"
    elif adapter.seen is None:
        yield f"the adapter was made for {adapter.base} and does not say what it was trained on"
