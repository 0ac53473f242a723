"""Files are opened in one place, and only regular ones of a bounded size."""

import ast
import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from bench import plain_files
from bench.plain_files import is_there, lines, opened, read_bytes, read_text, real, sha256
from conftest import ROOT

OWN = {
    "bench/engines/memory.py": "/proc",
    "bench/results/machine.py": "/proc",
    "bench/results/provenance.py": "/proc, and the system's version file",
    "bench/sweeps/energy.py": "/sys",
    "bench/tuning/pace.py": "a checkpoint that this program has just written",
    "bench/results/answers_cache.py": "the program's own code",
    "leaderboard/lone_pages.py": "the program's own files",
    "leaderboard/figures.py": "the program's own files",
}


def _readings(path: Path) -> Iterator[int]:
    """The lines that open or read a file by other means than `bench.plain_files`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Attribute(attr="read_bytes" | "read_text") if not node.args or isinstance(
                node.args[0], ast.Constant
            ):
                yield node.lineno
            case ast.Attribute(attr="open", value=value) if _mode(node).startswith("r") and not (
                isinstance(value, ast.Name) and value.id in ("kind", "caches", "archive", "os")
            ):
                yield node.lineno
            case ast.Name(id="open") if _mode(node, 1).startswith("r"):
                yield node.lineno
            case _:
                pass


def _mode(node: ast.Call, place: int = 0) -> str:
    values = [*node.args[place:], *(word.value for word in node.keywords if word.arg == "mode")]
    return next((str(one.value) for one in values if isinstance(one, ast.Constant)), "r")


def test_files_are_opened_in_one_place() -> None:
    readings = {
        path.relative_to(ROOT).as_posix(): [*_readings(path)]
        for folder in ("bench", "leaderboard")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    assert {name: lines for name, lines in readings.items() if lines and name not in OWN} == {}
    assert [name for name in OWN if not readings[name]] == [], "they read nothing: take them off the list"


SPLITS = {
    "bench/errors.py": "a message",
    "bench/engines/check_weights.py": "what a program wrote",
    "bench/engines/loading.py": "what a program wrote",
    "bench/engines/memory.py": "/proc",
    "bench/cli/doctor.py": "what a program wrote",
    "bench/publishing/gh_pages.py": "what git wrote",
    "bench/results/machine.py": "/proc",
    "bench/results/provenance.py": "/proc",
}


def test_files_have_their_lines_split_in_one_way() -> None:
    """By `lines`, or `split` with a line end, else a reader that takes a file line by line sees others."""
    splits = {
        path.relative_to(ROOT).as_posix()
        for folder in ("bench", "leaderboard")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if ".splitlines(" in path.read_text(encoding="utf-8")
    }
    assert splits == SPLITS.keys()


@pytest.mark.parametrize(
    "text", ["", "\n", "a", "a\n", "a\nb", "\na\n\nb\n\n", "a\rb\r\nc\x0b\x1c\x85d\u2028e\n"]
)
def test_lines_are_those_of_reading_line_by_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "text"
    file.write_bytes(text.encode())
    with file.open("rb") as stream:
        expected = [line.removesuffix(b"\n") for line in stream]
    assert lines(text.encode()) == expected
    assert lines(text) == [line.decode() for line in expected]


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_fifo, "a FIFO, not a regular file"),
        (_device, "a device, not a regular file"),
        (Path.mkdir, "a folder, not a regular file"),
        (_loop, "Too many levels of symbolic links"),
        (_socket, ""),
    ],
)
def test_what_is_no_regular_file_is_not_opened(
    tmp_path: Path, make: Callable[[Path], object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(Path("odd"))
    for read in (read_bytes, read_text):
        with pytest.raises(OSError) as caught:  # noqa: PT011 (the text is compared below)
            read(Path("odd"))
        assert words in (caught.value.strerror or "")
    assert is_there(Path("odd"))


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as stream:
        stream.truncate(10 * plain_files.LARGE)
    for most in (plain_files.SMALL, plain_files.LARGE):
        with pytest.raises(OSError, match="too large: 42,949,672,960 bytes, and at most"):
            read_bytes(sparse, most)
    with opened(sparse) as stream:
        assert stream.read(2) == b"\0\0"


def test_a_file_that_states_no_size_is_read_up_to_the_limit() -> None:
    """Those of /proc are regular and state 0 bytes."""
    endless = Path("/proc/self/smaps")
    if not endless.exists():
        pytest.skip("needs /proc")
    assert endless.stat().st_size == 0
    assert read_bytes(endless, 10**8).count(b"\n") > 100
    with pytest.raises(OSError, match="too large: at most 1,000 bytes are read"):
        read_bytes(endless, 1000)


def test_a_file_that_grows_while_it_is_read_is_read_up_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log"
    checks = plain_files._check  # pyright: ignore[reportPrivateUsage]

    def check_and_grow(state: os.stat_result, path: Path, most: int | None) -> None:
        checks(state, path, most)
        with path.open("ab") as stream:
            stream.write(b"x" * 500)

    monkeypatch.setattr("bench.plain_files._check", check_and_grow)
    monkeypatch.setattr("bench.plain_files.WEIGHTS", 1000)
    file.write_bytes(b"y" * 500)
    assert read_bytes(file, 1000) == b"y" * 500 + b"x" * 500
    for read in (partial(read_bytes, most=1000), partial(read_text, most=1000), sha256):
        file.write_bytes(b"y" * 501)
        with pytest.raises(OSError, match="too large: at most 1,000 bytes are read"):
            read(file)
    file.write_bytes(b"y" * 500)
    assert sha256(file) == hashlib.sha256(b"y" * 500 + b"x" * 500).digest()


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 3 * 2**20 + 1])
def test_a_file_is_read_whole(tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(data := os.urandom(size))
    assert read_bytes(file, size) == data
    assert sha256(file) == hashlib.sha256(data).digest()


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_no_file_can_have_is_an_error_of_the_system(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011 (each system has its own words)
        read_bytes(tmp_path / name)


def test_text_has_one_kind_of_line_end(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b"a\r\nb\rc\n")
    assert read_text(file) == file.read_text(encoding="utf-8") == "a\nb\nc\n"


def test_a_loop_of_links_has_a_path(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert real(tmp_path / "a").parent == tmp_path


@pytest.mark.parametrize("command", [["results", "list"], ["results", "check"], ["leaderboard", "build"]])
@pytest.mark.parametrize("name", ["result.json", "records.jsonl", "unfinished.jsonl"])
def test_no_command_waits_for_a_fifo_among_the_results(tmp_path: Path, command: list[str], name: str) -> None:
    folder = tmp_path / "results" / "exam" / "model" / "x-0123456789"
    folder.mkdir(parents=True)
    os.mkfifo(folder / name)
    done = subprocess.run(
        [sys.executable, "-m", "bench", *command],
        cwd=tmp_path, timeout=60, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 2, 3)
    assert "Traceback" not in done.stderr
