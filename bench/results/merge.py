"""The parts of a run -> the run: its questions complete, its numbers measured from all records."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from bench.errors import FileError, Mistake
from bench.folders import display
from bench.inputs.engine_rules import LLAMA_CPP
from bench.results.cost import EngineFacts
from bench.results.files import digest
from bench.results.identity import PARTS, identity_parts
from bench.results.integrity import faults, questions_of
from bench.results.machine import machine_of
from bench.results.merged_cost import merged_cost
from bench.results.parts import Part
from bench.results.probes import Probes
from bench.results.result import CellFacts, DoneResult, Machines, Provenance
from bench.results.store import records_bytes
from bench.scoring.metrics import measure
from bench.scoring.record import Record, bounded_letters
from bench.stats.metrics import Clustered
from bench.types import ProbeName

_OF_MODELS = ("torch", "transformers", "tokenizers", "bitsandbytes", "peft", "gguf")
_OF_BASELINES = ("scikit-learn",)


@dataclass(frozen=True, slots=True)
class Merged:
    """A run made of its parts, as `write_run` takes it."""

    result: DoneResult
    records: bytes
    probed: bytes | None
    parts: tuple[Part, ...]


def by_cell(parts: Iterable[Part]) -> dict[str, list[Part]]:
    """The parts of each cell, by its id, in the order of their shards."""
    groups: defaultdict[str, list[Part]] = defaultdict(list)
    for part in parts:
        groups[part.result.cell.id].append(part)
    return {key: sorted(group, key=_order) for key, group in groups.items()}


def _order(part: Part) -> tuple[int, int, str]:
    return part.shard.count, part.shard.index, str(part.path)


def complete(parts: Sequence[Part], others: Sequence[Part] = (), count: int | None = None) -> list[Part]:
    """Those of a cell's parts that have each of its questions once, in the order of their shards.

    Where the cell was cut in several ways and more than one is complete, the parts are those of `count`
    shards, or else those that were finished last. `others` are parts of other cells, which may have been
    meant. Raises a FileError that names the part and what is wrong: one that is missing, there twice, of
    another engine, or that shares questions with another.
    """
    counts = {part.shard.count for part in parts}
    whole = [number for number in counts if _indices(parts, number) == set(range(1, number + 1))]
    if not whole:
        raise _error(parts[0], _what_is_missing(parts, others))
    taken = count if count in whole else max(whole, key=lambda number: _finished(parts, number))
    chosen = [part for part in parts if part.shard.count == taken]
    for before, part in pairwise(chosen):
        if before.shard.index == part.shard.index:
            raise _error(part, f"{part} is also in {display(before.path.parent)}: remove one of them")
    for part in chosen[1:]:
        if text := _other_engine(chosen[0], part):
            raise _error(part, text)
    _check_positions(chosen)
    return chosen


def _finished(parts: Iterable[Part], count: int) -> str:
    """When the last of `count` shards was finished."""
    return max(part.result.provenance.finished for part in parts if part.shard.count == count)


def _indices(parts: Iterable[Part], count: int) -> set[int]:
    return {part.shard.index for part in parts if part.shard.count == count}


def _what_is_missing(parts: Sequence[Part], others: Sequence[Part]) -> str:
    first = parts[0]
    if len({part.shard.count for part in parts}) > 1:
        names = ", ".join(part.shard.name for part in parts)
        return f"parts of runs that were cut differently ({names}), and none is complete"
    missing = set(range(1, first.shard.count + 1)) - _indices(parts, first.shard.count)
    for other in others:
        if _named(other.result.cell) == _named(first.result.cell) and other.shard.index in missing:
            keys = ", ".join(_differences(first.result.cell, other.result.cell))
            return f"{other} is of another cell than {first}: they differ in {keys}"
    shown = ", ".join(f"{index}/{first.shard.count}" for index in sorted(missing)[:10])
    more = f" and {len(missing) - 10:,} more" if len(missing) > 10 else ""
    return f"missing: {shown}{more}: run each with --shard"


def _named(cell: CellFacts) -> tuple[str, str, str]:
    return cell.task.name, cell.model.name, cell.variant.slug


def _differences(one: CellFacts, other: CellFacts) -> list[str]:
    first, second = identity_parts(one), identity_parts(other)
    return [key for key in {**first, **second} if first.get(key) != second.get(key)]


def _other_engine(first: Part, part: Part) -> str:
    """Why two parts of a cell cannot be one run, "" where they can."""
    ours, theirs = _engine_words(first.result), _engine_words(part.result)
    for name in ours.keys() & theirs.keys():
        if ours[name] != theirs[name]:
            words = f"{name} {theirs[name] or 'none'}, and there {ours[name] or 'none'}"
            return f"{part} is of another engine than {first}: {words}"
    return ""


def _engine_words(result: DoneResult) -> dict[str, str]:
    """What must be the same in all parts of a run; libraries only where both have them."""
    libraries, server = result.provenance.libraries, result.provenance.server
    computing = {name: libraries[name].partition("+")[0] for name in _computing(result) if name in libraries}
    return computing | {
        "the server's model": f"{server.model} {server.version}" if server else "",
        "probes": ", ".join(result.probes.asked) if result.probes else "",
        "texts": result.texts,
    }


def _computing(result: DoneResult) -> tuple[str, ...]:
    """The libraries that compute a cell's numbers."""
    if result.cell.model.is_baseline:
        return _OF_BASELINES
    return ("llama-cpp-python",) if result.cell.model.engine == LLAMA_CPP else _OF_MODELS


def _check_positions(parts: Sequence[Part]) -> None:
    expected = questions_of(parts[0].result.cell)
    owners: dict[int, Part] = {}
    for part in parts:
        for position in part.shard.positions:
            if position in owners or position >= expected:
                text = (
                    f"question {position + 1:,} is also in {owners[position]}"
                    if position in owners
                    else (f"question {position + 1:,}, and the run has {expected:,}")
                )
                raise _error(part, f"{part} has {text}")
            owners[position] = part
    if len(owners) != expected:
        raise _error(parts[0], f"{len(owners):,} of {expected:,} questions are in these parts")


def _error(part: Part, text: str) -> FileError:
    folder = part.path.parent
    return FileError(
        [Mistake(display(folder.parent if folder.parent.name == PARTS else folder), 0, "", text)]
    )


def merge(parts: Sequence[Part], metrics: Mapping[str, Clustered]) -> Merged:
    """The run of `complete` parts, with the metrics given by name.

    Its costs are those of the class of machines with the most parts. Raises a FileError where its records
    contradict each other.
    """
    records = _in_order(parts)
    first = parts[0].result
    if text := next(faults(first.cell, records), ""):
        raise _error(parts[0], text)
    classes = _by_machine(parts)
    measured = classes[0]
    data = records_bytes(records)
    probes, probed = _probes(parts, records)
    result = DoneResult(
        cell=first.cell,
        metrics=measure(records, metrics),
        cost=merged_cost(measured, len(parts)),
        engine=_engine(measured, parts),
        provenance=_provenance(measured, parts),
        records_sha256=digest(data),
        probes=probes,
        texts=first.texts,
        merged=tuple(_machines(group) for group in classes),
    )
    return Merged(result, data, probed, tuple(parts))


def _in_order(parts: Sequence[Part]) -> list[Record]:
    placed = chain.from_iterable(zip(part.shard.positions, part.records, strict=True) for part in parts)
    return [record for _, record in sorted(placed, key=lambda pair: pair[0])]


def _by_machine(parts: Sequence[Part]) -> list[list[Part]]:
    """The parts by the class of their machine: the one with the most questions first."""
    classes: defaultdict[tuple[object, ...], list[Part]] = defaultdict(list)
    for part in parts:
        where = part.result.provenance
        classes[machine_of(where), where.device, where.threads, where.jobs].append(part)
    return sorted(classes.values(), key=lambda group: -sum(len(part.records) for part in group))


def _machines(parts: Sequence[Part]) -> Machines:
    where = parts[0].result.provenance
    name = ", ".join(filter(None, [machine_of(where), where.device]))
    return Machines(machine=name, shards=len(parts), questions=sum(len(part.records) for part in parts))


def _engine(measured: Sequence[Part], parts: Sequence[Part]) -> EngineFacts:
    """The facts of the measured parts' engine, with what was said or allowed in any part."""
    every = [part.result.engine for part in parts]
    counted = {text for part in parts for text in bounded_letters(part.records)}
    limits = (text for one in every for text in one.limits if text not in counted)
    records = [record for part in parts for record in part.records]
    return measured[0].result.engine.model_copy(
        update={
            "pickle": any(one.pickle for one in every),
            "code": any(one.code for one in every),
            "positions": next((one.positions for one in every if one.positions), None),
            "tokens": next((one.tokens for one in every if one.tokens), ""),
            "limits": (*dict.fromkeys(limits), *bounded_letters(records)),
        }
    )


def _provenance(measured: Sequence[Part], parts: Sequence[Part]) -> Provenance:
    """That of the last measured part, with the end of the last of all, and the stops of all."""
    last = max((part.result.provenance for part in measured), key=lambda one: one.finished)
    every = [part.result.provenance for part in parts]
    finished, stops = max(one.finished for one in every), sum(one.stops for one in every)
    return last.model_copy(update={"finished": finished, "stops": stops})


def _probes(parts: Sequence[Part], records: Sequence[Record]) -> tuple[Probes | None, bytes | None]:
    """What the probes of all parts show, and the contents of `probes.jsonl`."""
    each = [part.result.probes for part in parts if part.result.probes]
    if not each:
        return None, None
    if each[0].inapplicable:
        return each[0], None
    from bench.results.probe_figures import figures

    probed = [record for part in parts for record in part.probed]
    data = records_bytes(probed)
    machines = {one.machine for one in each}
    place = {record.question_id: number for number, record in enumerate(records)}
    probes = Probes(
        asked=each[0].asked,
        left_out=_left_out(each, place),
        seconds=sum(one.seconds for one in each),
        machine=machines.pop() if len(machines) == 1 else "",
        records_sha256=digest(data),
    )
    return probes.model_copy(update=figures(records, probed, probes)), data


def _left_out(
    each: Sequence[Probes], place: Mapping[str, int]
) -> dict[ProbeName, dict[str, tuple[str, ...]]]:
    """The ids of the questions that the probes left out, by reason, in the run's order."""
    ids: dict[ProbeName, dict[str, list[str]]] = {name: {} for name in each[0].asked}
    for one in each:
        for name, reasons in one.left_out.items():
            for reason, questions in reasons.items():
                ids[name].setdefault(reason, []).extend(questions)
    return {
        name: {reason: tuple(sorted(out, key=place.__getitem__)) for reason, out in reasons.items()}
        for name, reasons in ids.items()
    }
