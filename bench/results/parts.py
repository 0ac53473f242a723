"""The parts of runs, which shards answered: found and read. `bench.results.merge` makes runs of them."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import FileError, Mistake
from bench.folders import display
from bench.results.files import read_probed, read_records, read_result
from bench.results.identity import is_part, summary_in
from bench.results.integrity import check_place, faults
from bench.results.result import DoneResult, Shard
from bench.scoring.record import Record


@dataclass(frozen=True, slots=True)
class Part:
    """What a shard answered; `path` is that of its summary."""

    path: Path
    result: DoneResult
    shard: Shard
    records: tuple[Record, ...]
    probed: tuple[Record, ...] = ()

    def __str__(self) -> str:
        return f"part {self.shard.name} in {display(self.path.parent)}"


def part_files(folders: Iterable[Path]) -> list[Path]:
    """The summaries of all finished parts below the folders, each file once, sorted by path."""
    paths = {
        summary_in(Path(folder)).resolve(): summary_in(Path(folder))
        for top in folders
        for folder, _, names in os.walk(top)
        if is_part(Path(folder)) and "part.json" in names
    }
    return sorted(paths.values())


def read_parts(paths: Iterable[Path]) -> Iterator[Part | FileError]:
    """Each part, with the FileError in place of a damaged one."""
    for path in paths:
        try:
            yield read_part(path)
        except FileError as error:
            yield error


def read_part(path: Path) -> Part:
    """The part of a `part.json`.

    Raises a FileError where it, its records or those of its probes are damaged, or are not in their place.
    Its metrics are not measured again: those of the run are measured from all records.
    """
    result = read_result(path)
    if not isinstance(result, DoneResult) or result.shard is None:
        raise FileError([Mistake(display(path), 0, "shard", "not a part of a run")])
    check_place(result, path)
    records = read_records(path.with_name("records.jsonl"), result)
    if wrong := [
        Mistake(display(path.with_name("records.jsonl")), 0, "", text)
        for text in faults(result.cell, records, result.shard)
    ]:
        raise FileError(wrong)
    return Part(path, result, result.shard, records, read_probed(path.parent, result))
