"""The cache of answers: what it gives is what the files hold, whatever happens to it or to them."""

import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from sealing import reseal, sealed

import bench as package
from bench.board.reading import read_board
from bench.errors import BenchError, FileError
from bench.results import answers_cache
from bench.results.answers import Answered, Answers, AnyRun, read_answered
from bench.results.answers_cache import cache_file, cached_results, read_cached
from conftest import ROOT

Bench = Callable[..., Result]
MODEL = "medqa_sample/smollm2-135m-instruct-q4_1"
CHAT, GENERATE = f"{MODEL}/bfloat16-chat-a6114e42e1", f"{MODEL}/bfloat16-chat-generate-ec87ae5978"
CHANCE = "medqa_sample/chance/baseline-d5bf035875"


@pytest.fixture
def results(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of three committed runs, with a cache folder of their own that takes files of any age."""
    monkeypatch.setenv("BENCH_CACHE_DIR", str(project / "cache"))
    monkeypatch.setattr(answers_cache, "YOUNG", 0)
    return copied(project / "results")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders whose files were read, in order."""
    folders: list[Path] = []

    def read_files(results: Path, paths: list[Path]) -> list[AnyRun | FileError]:
        folders.extend(path.parent.relative_to(results) for path in paths)
        return original(results, paths)

    original = answers_cache.read_files
    monkeypatch.setattr(answers_cache, "read_files", read_files)
    return folders


def copied(results: Path, *names: str) -> Path:
    for name in names or (CHAT, GENERATE, CHANCE):
        shutil.copytree(ROOT / "results" / name, results / name)
    return results


def facts(run: AnyRun | FileError) -> list[Any]:
    """All that a run holds, as values that can be compared."""
    if isinstance(run, FileError):
        return [str(run)]
    values = (
        [getattr(run.answers, field.name) for field in fields(Answers)] if isinstance(run, Answered) else []
    )
    return [run.folder, run.result, *map(plain, values)]


def plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


def same(results: Path) -> bool:
    """Whether the cache gives what the files hold."""
    return [*map(facts, read_cached(results))] == [*map(facts, read_answered(results))]


def changed(path: Path, old: bytes, new: bytes) -> None:
    """Replace a part of a file in place, and give it back its modification time."""
    status, data = path.stat(), path.read_bytes()
    assert data.count(old) >= 1
    new_data = data.replace(old, new, 1)
    if path.name == "result.json":
        new_data = sealed(json.loads(new_data)).encode()
    with path.open("r+b") as stream:
        stream.write(new_data)
        stream.truncate()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_what_is_kept_is_what_the_files_hold_and_is_not_read_again(results: Path, read: list[Path]) -> None:
    assert same(results)
    assert len(read) == 3
    assert same(results)
    assert len(read) == 3
    assert {path.relative_to(results).as_posix() for path in cached_results(results)} == {
        CHAT,
        GENERATE,
        CHANCE,
    }


def test_texts_of_kept_runs_are_read_from_their_records(results: Path) -> None:
    read_cached(results)
    first, *_ = [run for run in read_cached(results) if isinstance(run, Answered)]
    [fresh, *_] = [run for run in read_answered(results) if isinstance(run, Answered)]
    assert first.answers.record(7) == fresh.answers.record(7)
    changed(results / first.folder / "records.jsonl", b"\n", b"\n\n")
    with pytest.raises(BenchError, match="was changed while it was read"):
        first.answers.record(7)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("records.jsonl", b'"is_correct":true', b'"is_correct":null'),  # the same size
        ("records.jsonl", b'"is_correct":true', b'"is_correct":1'),
        ("result.json", b'"jobs": 1', b'"jobs": 3'),
    ],
)
def test_a_changed_file_is_noticed_though_its_modification_time_is_the_same(
    results: Path, read: list[Path], file: str, old: bytes, new: bytes
) -> None:
    read_cached(results)
    read.clear()
    changed(results / CHAT / file, old, new)
    assert same(results)
    assert read == [Path(CHAT)]
    assert any(isinstance(run, FileError) for run in read_cached(results)) == (file == "records.jsonl")


def test_a_file_put_in_place_of_another_is_noticed(results: Path, read: list[Path]) -> None:
    read_cached(results)
    read.clear()
    path = results / CHAT / "result.json"
    other = path.with_name("other.json")
    shutil.copy(path, other)
    reseal(other, lambda text: text.replace('"jobs": 1', '"jobs": 3'))
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert same(results)
    assert read == [Path(CHAT)]


def test_a_removed_run_is_gone_and_a_new_one_is_there(results: Path, read: list[Path]) -> None:
    shutil.move(results / CHANCE, results.with_name("chance"))
    assert len(read_cached(results)) == 2
    shutil.move(results.with_name("chance"), results / CHANCE)
    shutil.rmtree(results / CHAT)
    assert same(results)
    assert len(read_cached(results)) == 2


def test_a_run_whose_files_were_just_written_is_not_kept(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_cache, "YOUNG", 3600 * 10**9)
    read_cached(results)
    assert not cache_file(results).exists()


def test_a_damaged_cache_is_ignored_and_written_again(results: Path, read: list[Path]) -> None:
    read_cached(results)
    path = cache_file(results)
    whole = path.read_bytes()
    flipped = [
        whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        for at in range(5, len(whole), len(whole) // 25)
    ]
    for data in (b"", b"no archive", whole[: len(whole) // 2], whole[:-1], whole[9:], fewer(path), *flipped):
        path.write_bytes(data)
        assert same(results)
    read.clear()
    path.write_bytes(whole[: len(whole) // 2])
    assert same(results)
    assert len(read) == 3
    assert same(results)
    assert len(read) == 3


def fewer(path: Path) -> bytes:
    """A sound archive in which one answer is missing."""
    data = io.BytesIO()
    with np.load(path) as file:
        np.savez(data, **(dict(file) | {"right": file["right"][:-1]}))
    return data.getvalue()


class Trap:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return (Path.touch, (Path("trap"),))


def test_no_pickle_is_opened(results: Path) -> None:
    path = cache_file(results)
    path.parent.mkdir(parents=True)
    with path.open("wb") as stream:
        np.savez(stream, index=np.array([Trap()], dtype=object))
    assert same(results)
    assert not Path("trap").exists()


def test_a_cache_folder_that_cannot_be_written_is_no_error(results: Path, project: Path) -> None:
    (project / "cache").write_bytes(b"a file, no folder")
    assert same(results)
    assert same(results)


def test_two_results_folders_do_not_mix(results: Path, project: Path, read: list[Path]) -> None:
    """The same run in both, changed in one: its cache is put in the place of the other's."""
    other = copied(project / "other")
    changed(other / CHAT / "result.json", b'"jobs": 1', b'"jobs": 3')
    for folder in (results, other, results, other):
        assert same(folder)
    assert len(read) == 6
    shutil.copy(cache_file(other), cache_file(results))
    assert same(results)
    assert len(read) == 9


def test_another_version_reads_again(
    results: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_cached(results)
    monkeypatch.setattr(package, "__version__", "0.0.9")
    answers_cache._version.cache_clear()
    assert same(results)
    assert len(read) == 6
    monkeypatch.undo()
    answers_cache._version.cache_clear()


def test_checks_and_the_site_read_the_files(
    results: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the cache is wrong, here because no change is noticed."""
    monkeypatch.setattr(answers_cache, "_stamp", lambda _: (0,) * 8)
    read_cached(results)
    changed(results / CHAT / "records.jsonl", b'"is_correct":true', b'"is_correct":null')
    assert not any(isinstance(run, FileError) for run in read_cached(results))
    assert bench("results", "check").exit_code == 3
    board, _ = read_board(results, [])
    assert len(board.damaged) == 1


def test_commands_say_the_same_from_the_cache(results: Path, bench: Bench) -> None:
    commands = [["pick", "--json"], ["leaderboard", "show"], ["results", "list", "--json"]]
    first = [bench(*words).stdout for words in commands]
    assert cache_file(results).exists()
    assert [bench(*words).stdout for words in commands] == first
    shutil.rmtree(cache_file(results).parent)
    assert [bench(*words).stdout for words in commands] == first
