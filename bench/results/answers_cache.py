"""Runs as `read_answered` gives them, without reading again what has not changed: for the terminal.

A file in the cache folder holds the summary and the answers of each run of a results folder, as numbers and
JSON. A run is taken from it where size, times and inode of both its files are those of when they were read
and checked. The system sets the time of a change, so a file that was written since is noticed though its size
and its modification time are the same, unless the clock was set back. What publishes or checks runs reads
the files.
"""

import gc
import hashlib
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

import bench
from bench.config import Strict
from bench.errors import FileError
from bench.folders import BUILT_IN, cache_folder
from bench.inputs.task_values import CHECKED
from bench.numbers import Count
from bench.plain_files import opened, real
from bench.results.answers import Answered, Answers, AnyRun, read_files, result_files
from bench.results.result import DoneResult
from bench.results.whole import write_whole
from bench.scoring.record import ParseStatus
from bench.stats.clusters import Clusters
from bench.types import Texts, ViewName

YOUNG = 2 * 10**9
"""Nanoseconds: a file that was changed so shortly before may change again without a new time."""
_STATUSES: tuple[ParseStatus, ...] = tuple(name for part in get_args(ParseStatus) for name in get_args(part))
"""In the file, a status is its place here."""
_EACH = ("chosen", "truth", "options", "statuses", "right", "prompts", "starts", "clusters")
"""Fields of `Answers` of which the file has one number for each question, one run after the other."""

Stamp = tuple[int, ...]
"""Size, modification time, change time (ns) and inode of `result.json` and of `records.jsonl`."""
Arrays = Mapping[str, NDArray[Any]]


class _Entry(Strict):
    """A run. `options` is the most that a question has, and `views` those that the answers can be read by.
    `clusters` is their number, 0 where each question is alone.
    """

    folder: str
    stamp: Stamp
    result: DoneResult
    texts: Texts
    questions: Count
    options: Count
    views: tuple[ViewName, ...]
    written: bool
    clusters: Count


class _Index(Strict):
    """`version` is that of the program."""

    version: str
    entries: tuple[_Entry, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: Stamp
    run: Answered


def read_cached(results: Path) -> list[AnyRun | FileError]:
    """What `read_answered` gives; raises a UsageError where there is no such folder.

    Failed and damaged runs are always read. The cache is only a help: one that is damaged, not ours or not
    writable is ignored.
    """
    paths = result_files(results)
    stamps = {path: _stamp(path) for path in paths}  # before the files are read
    now = time.time_ns()
    known = {path: kept for path, kept in _load(results).items() if kept.stamp == stamps.get(path)}
    others = [path for path in paths if path not in known]
    fresh = dict(zip(others, read_files(results, others), strict=True))
    new = {
        path: _Kept(stamp, run)
        for path, run in fresh.items()
        if isinstance(run, Answered) and (stamp := stamps[path]) and now - max(stamp[2], stamp[6]) > YOUNG
    }
    if new:
        _save(results, known | new)
    return [known[path].run if path in known else fresh[path] for path in paths]


def cached_results(results: Path) -> dict[Path, DoneResult]:
    """The finished runs that the cache has and that have not changed since, by folder. Nothing is kept."""
    kept = _load(results).items()
    return {path.parent: each.run.result for path, each in kept if each.stamp == _stamp(path)}


def cache_file(results: Path) -> Path:
    """Where the runs of a results folder are kept."""
    name = hashlib.sha256(str(real(results)).encode(errors="surrogatepass")).hexdigest()[:16]
    return cache_folder() / "answers" / f"{name}.npz"


def _stamp(path: Path) -> Stamp | None:
    """None where a file is missing, as in failed runs."""
    try:
        states = [path.stat(), path.with_name("records.jsonl").stat()]
    except OSError:
        return None
    return tuple(
        number
        for state in states
        for number in (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    )


@cache
def _version() -> str:
    """Another one as soon as the program, or the code that makes answers from files, is another."""
    code = (*BUILT_IN.glob("results/*.py"), *BUILT_IN.glob("scoring/*.py"), BUILT_IN / "views.py")
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(code)]
    return f"{bench.__version__} {hashlib.sha256(''.join(digests).encode()).hexdigest()}"


def _save(results: Path, kept: Mapping[Path, _Kept]) -> None:
    runs = [each.run for each in kept.values()]
    entries = tuple(_entry(each) for each in kept.values())
    index = _Index(version=_version(), entries=entries)
    arrays = {name: np.concatenate([_numbers(run.answers, name) for run in runs]) for name in _EACH}
    views = [bits for run in runs for bits in run.answers.views.values()]
    arrays["views"] = np.concatenate([np.zeros(0, dtype=np.bool_), *views])
    arrays["scores"] = np.concatenate([run.answers.scores.ravel() for run in runs])
    path, data = cache_file(results), io.BytesIO()
    with suppress(OSError, ValueError):  # not writable, or a folder's name is not UTF-8: then nothing is kept
        arrays["index"] = np.frombuffer(index.model_dump_json().encode(), dtype=np.uint8)
        np.savez(data, allow_pickle=False, **arrays)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole({path: data.getvalue()})


def _entry(kept: _Kept) -> _Entry:
    answers = kept.run.answers
    return _Entry(
        folder=kept.run.folder.as_posix(),
        stamp=kept.stamp,
        result=kept.run.result,
        texts=answers.texts,
        questions=len(answers),
        options=answers.scores.shape[1],
        views=tuple(answers.views),
        written=answers.written,
        clusters=answers.clusters.number if answers.clusters else 0,
    )


def _numbers(answers: Answers, name: str) -> NDArray[Any]:
    """The answers' field of that name as numbers, one for each question."""
    match name:
        case "chosen" | "truth":
            letters: str = getattr(answers, name)
            return np.frombuffer(letters.encode("ascii"), dtype=np.uint8)
        case "options":
            return np.array(answers.options, dtype=np.uint8)
        case "statuses":
            return np.array([_STATUSES.index(status) for status in answers.statuses], dtype=np.uint8)
        case "clusters":
            codes = answers.clusters.codes if answers.clusters else np.zeros(len(answers), dtype=np.int64)
            return codes.astype(np.uint32)
        case _:
            return getattr(answers, name)


def _load(results: Path) -> dict[Path, _Kept]:
    """What is kept, by the path of its `result.json`; empty where nothing is, or nothing that can be used."""
    collects = gc.isenabled()
    gc.disable()  # to look through the values of a thousand runs for garbage takes as long as to make them
    try:
        with opened(cache_file(results)) as stream, np.load(stream, allow_pickle=False) as file:
            index = _Index.model_validate_json(file["index"].tobytes(), context=CHECKED)
            if index.version != _version():
                return {}
            arrays = {name: file[name] for name in (*_EACH, "views", "scores")}
        return dict(_read(results, index.entries, arrays))
    except Exception:  # noqa: BLE001 (a damaged file may raise anything)
        return {}
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def _read(results: Path, entries: Sequence[_Entry], arrays: Arrays) -> Iterator[tuple[Path, _Kept]]:
    """The runs; raises a ValueError where entries and arrays disagree."""
    numbers = cache(tuple[int, ...])  # most runs of a task have the same
    ends = dict.fromkeys(arrays, 0)
    for entry in entries:
        starts, ends = ends, {name: ends[name] + length for name, length in _lengths(entry).items()}
        part = {name: array[starts[name] : ends[name]] for name, array in arrays.items()}
        path = results / entry.folder / "result.json"
        views = part["views"].reshape(len(entry.views), entry.questions)
        answers = Answers(
            file=path.with_name("records.jsonl"),
            stamp=(entry.stamp[4], entry.stamp[5]),
            texts=entry.texts,
            chosen=part["chosen"].tobytes().decode("ascii"),
            truth=part["truth"].tobytes().decode("ascii"),
            options=numbers(part["options"].tobytes()),
            statuses=_statuses(part["statuses"].tobytes()),
            right=part["right"],
            views=dict(zip(entry.views, views, strict=True)),
            scores=part["scores"].reshape(entry.questions, entry.options),
            prompts=part["prompts"],
            written=entry.written,
            starts=part["starts"],
            clusters=_clusters(entry.clusters, part["clusters"]),
        )
        yield path, _Kept(entry.stamp, Answered(Path(entry.folder), entry.result, answers))
    if ends != {name: len(array) for name, array in arrays.items()}:
        raise ValueError("entries and arrays disagree")


def _clusters(number: int, codes: NDArray[np.uint32]) -> Clusters | None:
    return Clusters(codes.astype(np.int64), number) if number else None


def _lengths(entry: _Entry) -> dict[str, int]:
    """How many numbers of each array are a run's."""
    lengths = dict.fromkeys(_EACH, entry.questions)
    return lengths | {"views": entry.questions * len(entry.views), "scores": entry.questions * entry.options}


@cache
def _statuses(codes: bytes) -> tuple[ParseStatus, ...]:
    return tuple(_STATUSES[code] for code in codes)
