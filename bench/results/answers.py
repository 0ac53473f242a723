"""Runs as comparisons need them: all answers and scores in memory, texts read from disk on demand."""

import hashlib
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError, FileError, Mistake
from bench.folders import display
from bench.plain_files import opened
from bench.results.contamination import ContaminationTest
from bench.results.result import DoneResult, Unsuccessful
from bench.results.store import existing, read_run
from bench.scoring.record import ParseStatus, Record
from bench.stats.clusters import Clusters, clusters_of, shared_clusters
from bench.stats.paired import Paired, paired
from bench.types import Texts, ViewName

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

UNREAD = "-"
"""Stands for an answer that could not be read."""
MANY = 100
"""From this many runs, several processes read them; starting those takes about a second."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of a run, in the order of its records.

    `chosen` and `truth` have one letter per question, UNREAD for an answer that could not be read.
    `options` are the numbers of options. `right` (questions,) is by the run's answer, `views` the same
    by each view. `scores` are (questions, most options) by the task's view, NaN where there are none.
    `prompts` are digests, 0 for no prompt. `written` is whether the model answered in words. `starts`
    are byte offsets of the records in `file`, valid while the file has this `stamp`. `clusters` are those of
    the questions, None where each is alone or the task named none when the run was made.
    """

    file: Path
    stamp: tuple[int, int]
    texts: Texts
    chosen: str
    truth: str
    options: tuple[int, ...]
    statuses: tuple[ParseStatus, ...]
    right: NDArray[np.bool_]
    views: dict[ViewName, NDArray[np.bool_]]
    scores: NDArray[np.float32]
    prompts: NDArray[np.uint64]
    written: bool
    starts: NDArray[np.int64]
    clusters: Clusters | None = None

    def __len__(self) -> int:
        return len(self.chosen)

    def record(self, at: int) -> Record:
        """The record of question `at`, read from disk; raises a BenchError where the file has changed."""
        with self._opened() as stream:
            stream.seek(int(self.starts[at]))
            return self._parse(stream.readline())

    def records(self) -> Iterator[Record]:
        """All records, read from disk; raises a BenchError where the file has changed."""
        with self._opened() as stream:
            for line in stream:
                yield self._parse(line)

    @contextmanager
    def _opened(self) -> Generator[BinaryIO]:
        try:
            with opened(self.file) as stream:
                if stamp_of(stream) == self.stamp:
                    yield stream
                    return
        except OSError:
            pass  # a removed file has changed too
        raise BenchError(f"{display(self.file)} was changed while it was read; run the command again")

    def _parse(self, line: bytes) -> Record:
        record = Record.model_validate_json(line)
        return record if self.texts == "full" else record.without_texts()


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """A finished run without its texts; `folder` is relative to the results folder.

    `elsewhere` are runs of the same cell on other machines, which a board has for their costs, and
    `contamination` is the test of the published order of its model on its data.
    """

    folder: Path
    result: DoneResult
    answers: Answers
    elsewhere: tuple[DoneResult, ...] = ()
    contamination: ContaminationTest | None = None

    @property
    def right(self) -> NDArray[np.bool_]:
        return self.answers.right

    def compared_with(self, other: "Answered") -> Paired:
        """Another run less this one, which was asked the same questions."""
        clusters = shared_clusters([self.answers.clusters, other.answers.clusters])
        return paired(self.right, other.right, clusters=clusters)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A run that failed; `folder` is relative to the results folder."""

    folder: Path
    result: Unsuccessful


AnyRun = Answered | Unanswered


def read_answered(results: Path, texts: Texts = "full") -> list[AnyRun | FileError]:
    """Every run below the folder, sorted by path, with the FileError in place of a damaged one.

    Unless `texts` is `full`, records are read without questions, prompts and replies. Raises a
    UsageError where there is no such folder.
    """
    return read_files(results, result_files(results), texts)


def result_files(results: Path) -> list[Path]:
    """Every `result.json` below the folder, sorted; raises a UsageError where there is no such folder."""
    walk = os.walk(existing(results))
    return sorted(Path(folder, "result.json") for folder, _, names in walk if "result.json" in names)


def read_files(results: Path, paths: Sequence[Path], texts: Texts = "full") -> list[AnyRun | FileError]:
    """The runs of these `result_files`, as `read_answered` gives them."""
    read = partial(_read, results, "full" if texts == "full" else "answers")
    if len(paths) < MANY:
        return [read(path) for path in paths]
    from concurrent.futures.process import BrokenProcessPool

    try:
        with workers() as pool:
            return list(pool.map(read, paths, chunksize=8))
    except BrokenProcessPool as error:
        raise BenchError("a process that reads runs was killed from outside; is memory short?") from error


def workers(begin: Callable[..., None] | None = None, *given: object) -> "ProcessPoolExecutor":
    """A pool with a process per core, at most eight, each of which calls `begin(*given)` first.

    They are spawned, because not every system can fork safely, and end with this process, however it ends.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    from bench.engines.device import usable_cores

    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        min(8, usable_cores()), mp_context=spawn, initializer=_begin, initargs=(begin, given)
    )


def _begin(begin: Callable[..., None] | None, given: Sequence[object]) -> None:
    import threading

    threading.Thread(target=_end_with_parent, daemon=True).start()
    if begin:
        begin(*given)


def _end_with_parent() -> None:
    """A killed process cannot tell its workers, which would wait for work for ever."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)


def stamp_of(file: BinaryIO) -> tuple[int, int]:
    """The size in bytes and the modification time in ns, which show that a file was rewritten."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _read(results: Path, texts: Texts, path: Path) -> AnyRun | FileError:
    try:
        str(path.relative_to(results)).encode()  # of which pages and their addresses are made
        run = read_run(results, path)
    except UnicodeEncodeError:
        name = display(path).encode(errors="replace").decode()
        return FileError([Mistake(name, 0, "", "the folder's name is not valid text")])
    except FileError as error:
        return error
    if not isinstance(run.result, DoneResult):
        return Unanswered(run.folder, run.result)
    file = path.with_name("records.jsonl")
    try:
        with opened(file) as stream:
            lengths = [len(line) for line in stream]
            stamp = stamp_of(stream)
    except OSError as error:
        return FileError([Mistake(display(file), 0, "", error.strerror or "unreadable")])
    answers = answers_of(run.result, run.records, file, stamp, np.cumsum([0, *lengths[:-1]]))
    return Answered(run.folder, run.result, answers if texts == "full" else replace(answers, texts=texts))


def answers_of(
    result: DoneResult,
    records: Sequence[Record],
    file: Path,
    stamp: tuple[int, int],
    starts: NDArray[np.int64],
) -> Answers:
    """The answers in records whose byte offsets in `file` are `starts`."""
    views: dict[ViewName, None] = {view: None for record in records for view in record.scores}
    return Answers(
        file=file,
        stamp=stamp,
        texts=result.texts,
        chosen="".join(record.model_output.final_answer or UNREAD for record in records),
        truth="".join(record.answer_gt for record in records),
        options=tuple(len(record.options) for record in records),
        statuses=tuple(record.parse_status for record in records),
        right=np.array([record.is_correct for record in records], dtype=np.bool_),
        views={view: np.array([record.is_right_by(view) for record in records]) for view in views},
        scores=_scores(records, result.cell.task.view),
        prompts=np.array([_digest(record.prompt) for record in records], dtype=np.uint64),
        written=any(record.completion for record in records),
        starts=starts,
        clusters=clusters_of([record.cluster for record in records]),
    )


def _scores(records: Sequence[Record], view: ViewName) -> NDArray[np.float32]:
    options = max(len(record.options) for record in records)
    table = np.full((len(records), options), np.nan, dtype=np.float32)
    for row, record in zip(table, records, strict=True):
        scores = record.scores.get(view, ())  # empty where the answer was generated, or there is none
        row[: len(scores)] = scores
        row[[record.letters.index(letter) for letter in record.bounded]] = np.nan  # only bounds are known
    return table


def _digest(prompt: str) -> int:
    if not prompt:
        return 0
    return int.from_bytes(hashlib.blake2b(prompt.encode(errors="surrogatepass"), digest_size=8).digest())
