"""Checking a results folder: the state of every run, and what is wrong with which file."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bench.errors import FileError
from bench.plain_files import is_there
from bench.results.contamination import check_tests
from bench.results.files import PROBED, read_probed, read_records, read_result, read_verified
from bench.results.integrity import check_place, contradiction, differences, faults, same
from bench.results.journal import NAME, Unfinished, read_journal
from bench.results.probe_figures import figures
from bench.results.result import CannotRunResult, CellFacts, DoneResult, Result
from bench.scoring.metrics import installed_metrics, measure
from bench.scoring.record import Record
from bench.types import Texts


@dataclass(frozen=True, slots=True)
class Entry:
    """The contents of a run's folder; `folder` is relative to the results folder.

    `result` is None where it is missing or cannot be read. `wrong` describes the damage, "" for none.
    """

    folder: Path
    result: Result | None
    unfinished: Unfinished | None
    wrong: str = ""

    @property
    def cell(self) -> CellFacts | None:
        """The facts of the cell; None where they cannot be read, or no variant can run."""
        if isinstance(self.result, CannotRunResult):
            return None
        if self.result:
            return self.result.cell
        return self.unfinished.head.cell if self.unfinished else None

    @property
    def done(self) -> DoneResult | None:
        """The result of a finished run that is not damaged."""
        return self.result if isinstance(self.result, DoneResult) and not self.wrong else None

    @property
    def state(self) -> str:
        """`done`, `failed`, `unfinished` or `damaged`."""
        if self.wrong:
            return "damaged"
        if self.done:
            return "done"
        return "failed" if self.result else "unfinished"


def run_folders(results: Path, *, without_result: bool = False) -> list[Path]:
    """Every folder that holds a file of a run, sorted by path, or those that have no `result.json`."""
    walk = (
        (folder, {"result.json", "records.jsonl", NAME} & {*files}) for folder, _, files in os.walk(results)
    )
    return sorted(
        Path(folder) for folder, names in walk if names and not (without_result and "result.json" in names)
    )


def entries(results: Path, known: Mapping[Path, DoneResult] = MappingProxyType({})) -> Iterator[Entry]:
    """Every run. Summaries are read, and of records only the digest is checked.

    Those of `known`, by the run's folder, are taken as they are.
    """
    for folder in run_folders(results):
        if folder in known:
            yield Entry(folder.relative_to(results), known[folder], read_journal(folder / NAME))
        else:
            yield entry_of(results, folder)


def entry_of(results: Path, folder: Path) -> Entry:
    """The entry for one of the `run_folders`."""
    name = folder.relative_to(results)
    unfinished = read_journal(folder / NAME)
    path = folder / "result.json"
    if not is_there(path):
        if unfinished:
            return Entry(name, None, unfinished)
        has_records = (folder / "records.jsonl").is_file()
        no_head = f"the first line of {NAME} cannot be read"
        wrong = "records without a result.json" if has_records else no_head
        return Entry(name, None, None, wrong)
    result = None
    try:
        result = read_result(path)
        check_place(result, path)
        if isinstance(result, DoneResult):
            read_verified(folder / "records.jsonl", result.records_sha256)
    except FileError as error:
        return Entry(name, result, unfinished, str(error))
    return Entry(name, result, unfinished)


def check(results: Path) -> Iterator[tuple[Path, str]]:
    """Check everything that can be checked without a model; yields (file or folder, what is wrong)."""
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
