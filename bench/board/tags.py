"""Tags: what tells a row of a table from similar ones. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from bench.inputs.model_card import ProgramSource
from bench.results.result import DoneResult, Provenance
from bench.types import Value
from bench.wording import short_digest


def tags_of(result: DoneResult, others: Sequence[DoneResult], machines: set[str]) -> tuple[str, ...]:
    """Its origin, training items, weights, arguments, adapter and machine, where they differ.

    Last is of how many shards its costs are, where those are not all. `others` are all rows of the model,
    and `machines` those of the whole table.
    """
    return tuple(_tags(result, others, machines))


def machine_of(provenance: Provenance) -> str:
    device = "" if provenance.device in ("cpu", "") else f", {provenance.device}"
    return f"{provenance.machine}{device}"


def _tags(result: DoneResult, others: Sequence[DoneResult], machines: set[str]) -> Iterator[str]:
    cell = result.cell
    if result.origin:
        yield result.origin
    if cell.model.learns_from:
        yield f"trained on {cell.data[cell.model.learns_from].rows} items"
    if cell.weights and len({other.cell.weights for other in others}) > 1:
        yield f"weights {short_digest(cell.weights)}"
    yield from _argument_tags(result, others)
    yield from _adapter_tags(result, others)
    machine = machine_of(result.provenance)
    if len(machines) > 1 and not (result.imported and result.provenance.machine == "unknown"):
        yield machine
    if part := result.cost.measured:
        yield f"costs of {part.words}"


def _argument_tags(result: DoneResult, others: Sequence[DoneResult]) -> Iterator[str]:
    """The arguments in which an imported run differs from others that look the same."""
    slug = result.cell.variant.slug
    alike = [_arguments(other) for other in others if other.imported and other.cell.variant.slug == slug]
    own = _arguments(result)
    for key in sorted({key for arguments in alike for key in arguments}) if result.imported else ():
        if len({arguments.get(key) for arguments in alike}) > 1:
            yield f"{key}={own[key]}" if key in own else f"no {key}"


def _arguments(result: DoneResult) -> Mapping[str, Value]:
    source = result.cell.model.source
    return source.arguments if isinstance(source, ProgramSource) else {}


def _adapter_tags(result: DoneResult, others: Sequence[DoneResult]) -> Iterator[str]:
    """Which adapter, where the model has several, and whether it was trained on these questions."""
    adapter = result.cell.variant.adapter
    if adapter is None:
        return
    adapters = [other.cell.variant.adapter for other in others]
    if len({other.sha256 for other in adapters if other}) > 1:
        yield f"adapter {adapter.name} {adapter.sha256[:8]}"
    if adapter.seen:
        yield f"trained on {adapter.seen} of these questions"
