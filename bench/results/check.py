"""Checking a results folder: the state of every run, and what is wrong with which file."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from bench.errors import FileError
from bench.plain_files import is_there
from bench.results.contamination import check_tests
from bench.results.files import PROBED, read_probed, read_records, read_result, read_verified
from bench.results.identity import PARTS, is_part
from bench.results.integrity import check_place, contradiction, differences, faults, same
from bench.results.journal import NAME, Unfinished, read_journal
from bench.results.parts import part_files, read_part
from bench.results.probe_figures import figures
from bench.results.result import CannotRunResult, CellFacts, DoneResult, Result
from bench.scoring.metrics import installed_metrics, measure
from bench.scoring.record import Record
from bench.types import Texts


@dataclass(frozen=True, slots=True)
class Entry:
    """The contents of a run's folder; `folder` is relative to the results folder.

    `result` is None where it is missing or cannot be read. `wrong` describes the damage, "" for none. `parts`
    are the folders of its finished parts, and `part` is the cell of the first where there is no result.
    """

    folder: Path
    result: Result | None
    unfinished: Unfinished | None
    wrong: str = ""
    parts: tuple[str, ...] = ()
    part: CellFacts | None = None

    @property
    def cell(self) -> CellFacts | None:
        """The facts of the cell; None where they cannot be read, or no variant can run."""
        if isinstance(self.result, CannotRunResult):
            return None
        if self.result:
            return self.result.cell
        return self.unfinished.head.cell if self.unfinished else self.part

    @property
    def done(self) -> DoneResult | None:
        """The result of a finished run that is not damaged."""
        return self.result if isinstance(self.result, DoneResult) and not self.wrong else None

    @property
    def state(self) -> str:
        """`done`, `failed`, `unfinished`, `damaged`, or `parts` where there are parts of a run alone."""
        if self.wrong:
            return "damaged"
        if self.done:
            return "done"
        if self.result:
            return "failed"
        return "parts" if self.part and not self.unfinished else "unfinished"

    @property
    def shards(self) -> str:
        """How many parts are there, such as "2 of 3 shards"; "" for none."""
        counts = Counter(name.rpartition("-")[2] for name in self.parts)
        return ", ".join(f"{number:,} of {int(count):,} shards" for count, number in sorted(counts.items()))


def run_folders(results: Path, *, without_result: bool = False) -> list[Path]:
    """Every folder that holds a file or a part of a run, sorted by path, or those without a `result.json`."""
    folders: defaultdict[Path, set[str]] = defaultdict(set)
    for path, _, names in os.walk(results):
        folder = Path(path)
        if is_part(folder):
            folders[folder.parent.parent].update({PARTS} if "part.json" in names else ())
        else:
            folders[folder].update({"result.json", "records.jsonl", NAME}.intersection(names))
    return sorted(
        folder
        for folder, names in folders.items()
        if names and not (without_result and "result.json" in names)
    )


def entries(results: Path, known: Mapping[Path, DoneResult] = MappingProxyType({})) -> Iterator[Entry]:
    """Every run. Summaries are read, and of records only the digest is checked.

    Those of `known`, by the run's folder, are taken as they are.
    """
    for folder in run_folders(results):
        if folder in known:
            unfinished = read_journal(folder / NAME)
            yield Entry(folder.relative_to(results), known[folder], unfinished, parts=_parts(folder))
        else:
            yield entry_of(results, folder)


def entry_of(results: Path, folder: Path) -> Entry:
    """The entry for one of the `run_folders`."""
    entry = Entry(folder.relative_to(results), None, read_journal(folder / NAME), parts=_parts(folder))
    path = folder / "result.json"
    if not is_there(path):
        if entry.unfinished:
            return entry
        if (folder / "records.jsonl").is_file():
            return replace(entry, wrong="records without a result.json")
        if entry.parts and not is_there(folder / NAME):
            return _of_parts(entry, folder)
        return replace(entry, wrong=f"the first line of {NAME} cannot be read")
    result = None
    try:
        result = read_result(path)
        check_place(result, path)
        if isinstance(result, DoneResult):
            read_verified(folder / "records.jsonl", result.records_sha256)
    except FileError as error:
        return replace(entry, result=result, wrong=str(error))
    return replace(entry, result=result)


def _parts(folder: Path) -> tuple[str, ...]:
    """The names of the folders of a run's finished parts."""
    return tuple(path.parent.name for path in sorted(folder.glob(f"{PARTS}/*/part.json")))


def _of_parts(entry: Entry, folder: Path) -> Entry:
    """The entry of a run that has parts alone."""
    try:
        first = read_result(folder / PARTS / entry.parts[0] / "part.json")
    except FileError as error:
        return replace(entry, wrong=str(error))
    return replace(entry, part=None if isinstance(first, CannotRunResult) else first.cell)


def check(results: Path) -> Iterator[tuple[Path, str]]:
    """Check everything that can be checked without a model; yields (file or folder, what is wrong)."""
    yield from _check_parts(results)
    asked: dict[tuple[str, str, Texts], tuple[frozenset[str], Path]] = {}
    for entry in entries(results):
        folder = results / entry.folder
        if entry.wrong:
            yield folder, entry.wrong
        elif isinstance(entry.result, DoneResult):
            try:
                records = read_records(folder / "records.jsonl", entry.result)
            except FileError as error:
                yield folder / "records.jsonl", error.mistakes[0].text
            else:
                wrong = [*_check_done(folder, entry.result, records)]
                wrong += _check_probes(folder, entry.result, records)
                yield from wrong
                if wrong:  # it says nothing of the others
                    continue
                # By text, because a mirror may number them differently. Stripped runs have no texts.
                questions = frozenset(record.question for record in records)
                key = entry.result.cell.data["test"].sha256, entry.result.cell.part, entry.result.texts
                first, where = asked.setdefault(key, (questions, folder))
                if questions != first:
                    yield folder / "records.jsonl", f"other questions than {where}, on the same data"
    yield from check_tests(results)


def _check_parts(results: Path) -> Iterator[tuple[Path, str]]:
    for path in part_files([results]):
        try:
            read_part(path)
        except FileError as error:
            yield path, error.mistakes[0].text


def _check_done(folder: Path, result: DoneResult, records: Sequence[Record]) -> Iterator[tuple[Path, str]]:
    yield from ((folder / "records.jsonl", text) for text in faults(result.cell, records))
    if records:
        measured = measure(records, installed_metrics(result.metrics.values))
        for key in differences(result.metrics, measured):
            yield folder / "result.json", f"metrics.{key}: not what its records give"


def _check_probes(folder: Path, result: DoneResult, records: Sequence[Record]) -> Iterator[tuple[Path, str]]:
    try:
        probed = read_probed(folder, result)
    except FileError as error:
        yield folder / PROBED, error.mistakes[0].text
        return
    if result.probes is None or result.probes.inapplicable:
        return
    answers = {record.question_id: record for record in records}
    for line, record in enumerate(probed, start=1):
        if record.question_id not in answers or not record.asked:
            yield folder / PROBED, f"line {line}: no changed form of a question of the run"
        elif text := contradiction(record, result.cell):
            yield folder / PROBED, f"line {line}, {record.question_id}, {record.asked}: {text}"
    stored = result.probes.model_dump(include={"order", "question", "nota"})
    for key, value in figures(records, probed, result.probes).items():
        if not same(stored[key], value.model_dump() if value else None):
            yield folder / "result.json", f"probes.{key}: not what its records give"
