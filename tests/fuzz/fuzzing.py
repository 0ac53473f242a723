"""Hostile files, given to the command line: `python tests/fuzz/fuzzing.py --cases 2000 --seed 1`.

Each case takes one valid file of a small project, makes it hostile, calls a command, and looks at what it
did: no traceback, no wait over ten seconds, the right exit code, the file's name in the message, with a line
or a key where a value was changed, and nothing written outside the project. A failure names its seed, which
repeats it.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import yaml
from click.testing import CliRunner, Result

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]
# ruff: noqa: E402 (also run as a command, which has no pytest to find these)
from kinds import KINDS, Kind
from mutations import mutate_bytes, mutate_value, odd_file

CASES, SEED = 2000, 19
"""Those of `make test`."""
SECONDS = 10
"""A command that takes longer hangs."""


class Hang(BaseException):
    """Raised in a command that takes too long; no `except Exception` catches it."""


@dataclass(frozen=True, slots=True)
class Failure:
    kind: str
    seed: int
    what: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind} --seed {self.seed}: {self.what}: {self.detail}"


@contextmanager
def within(seconds: float) -> Generator[None]:
    """Raise Hang in the block once the time is up."""

    def ring(_signal: int, _frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def make_hostile(rng: random.Random, kind: Kind, file: Path) -> str:
    """Change a valid file; returns how."""
    data = file.read_bytes()
    how = rng.choice(("value", "value", "value", "value", "bytes", "bytes", "odd"))
    if how == "odd":
        return odd_file(rng, file)
    if how == "bytes" or file.suffix not in (".jsonl", ".json", ".yaml"):
        file.write_bytes(mutate_bytes(rng, data))
        return how
    if file.suffix == ".jsonl":
        lines = data.splitlines()
        at = rng.randrange(len(lines))
        lines[at] = kind.seal(mutate_value(rng, json.loads(lines[at])), rng, file)
        file.write_bytes(b"\n".join(lines) + b"\n")
        return f"line {at + 1}"
    raw = yaml.safe_load(data) if file.suffix == ".yaml" else json.loads(data)
    file.write_bytes(kind.seal(mutate_value(rng, raw), rng, file))
    return how


def run_case(kind: Kind, seed: int, project: Path) -> Iterator[Failure]:
    """Run one case in the project, which is as before afterwards."""
    rng = random.Random(f"{kind.name} {seed}")
    file = project / rng.choice(kind.files(project))
    kept = {path: path.read_bytes() for path in file.parent.iterdir() if path.is_file()}
    outside = _outside(project)
    try:
        how = make_hostile(rng, kind, file)
        for words in kind.commands:
            for what, detail in _faults(kind, words, file, has_place=how.startswith(("value", "line"))):
                yield Failure(kind.name, seed, what, f"{' '.join(words)} ({file.name}, {how}): {detail}")
    finally:
        _restore(file, kept)
        for made in kind.makes:
            shutil.rmtree(project / made, ignore_errors=True)
    if (new := _outside(project) - outside) or not outside <= _outside(project):
        yield Failure(kind.name, seed, "wrote outside", str(sorted(new)))


def _outside(project: Path) -> set[str]:
    return {path.name for path in project.parent.iterdir()}


def _restore(file: Path, kept: Mapping[Path, bytes]) -> None:
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
    for path in file.parent.iterdir():
        if path.is_symlink() or (path not in kept and not path.is_dir()):
            path.unlink()
    for path, data in kept.items():
        if path == file or not path.is_file() or path.read_bytes() != data:
            path.unlink(missing_ok=True)
            path.write_bytes(data)


def _names_place(message: str, names: tuple[str, ...]) -> bool:
    """Whether a line of the message has one of the names with a line or a key, or says that there is none."""
    either = "|".join(map(re.escape, names))
    place = r"(:\d+|: [^\s:]+( [^\s:]+)?): |: the first line of |: split '[a-z]+' has no items: "
    return re.search(rf"({either})[^:\n]*({place})", message) is not None


def _lacks(result: Result, names: tuple[str, ...], *, has_place: bool) -> str:
    """What a message should say and does not, "" for nothing."""
    if not any(name in result.stderr for name in names):
        return "no file named"
    return "no line and no key" if has_place and not _names_place(result.output, names) else ""


def _faults(kind: Kind, words: tuple[str, ...], file: Path, *, has_place: bool) -> Iterator[tuple[str, str]]:
    from bench.cli import main

    start = time.monotonic()
    try:
        with within(SECONDS):
            result: Result = CliRunner().invoke(main, list(words))
    except Hang:
        yield "hang", f"{time.monotonic() - start:.0f} s"
        return
    if isinstance(result.exception, Hang):
        yield "hang", f"{time.monotonic() - start:.0f} s"
    elif result.exception is not None and not isinstance(result.exception, SystemExit):
        yield "traceback", repr(result.exception)[:300]
    elif "Traceback (most recent call last)" in result.stderr:
        yield "traceback", result.stderr[-300:]
    elif result.exit_code not in kind.exits:
        yield f"exit code {result.exit_code}", result.stderr[:300]
    elif result.exit_code == 3 and (what := _lacks(result, kind.names(file), has_place=has_place)):
        yield what, result.stderr[:300]
    elif any(character in result.stderr for character in "\x1b\0\u202e"):
        yield "control characters", repr(result.stderr[:300])
    else:
        yield from kind.also(Path.cwd(), result)


def fuzzed(kind: Kind, cases: int, seed: int, project: Path) -> Iterator[Failure]:
    """The failures of a kind's share of so many cases of all kinds together."""
    total = sum(each.weight for each in KINDS.values())
    for number in range(max(1, round(cases * kind.weight / total))):
        yield from run_case(kind, seed + number, project)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--kind", choices=sorted(KINDS))
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"))
    arguments = parser.parse_args()
    shutil.rmtree(arguments.folder, ignore_errors=True)
    project = make_project(arguments.folder)
    start, failures = time.monotonic(), 0
    for kind in [KINDS[arguments.kind]] if arguments.kind else KINDS.values():
        for failure in fuzzed(kind, arguments.cases, arguments.seed, project):
            click.echo(failure)
            failures += 1
    click.echo(f"{arguments.cases} cases, {failures} failures, {time.monotonic() - start:.0f} s")
    return 1 if failures else 0


@contextmanager
def made_once(folder: Path) -> Generator[Path]:
    """A project for many cases, as the working folder; afterwards that and the cache are as before."""
    before, cache = Path.cwd(), os.environ.get("BENCH_CACHE_DIR")
    try:
        yield make_project(folder)
    finally:
        os.chdir(before)
        os.environ |= {"BENCH_CACHE_DIR": cache} if cache else {}


def make_project(folder: Path) -> Path:
    """A small valid project with a file of each kind; the working folder becomes the project."""
    from project import fill

    project = folder.resolve() / "project"
    project.mkdir(parents=True)
    os.environ["BENCH_CACHE_DIR"] = str(folder.resolve() / "cache")
    (folder / "cache").mkdir()
    os.chdir(project)
    fill(project)
    for kind in KINDS.values():
        _read_valid(kind, project)
    return project


def _read_valid(kind: Kind, project: Path) -> None:
    """Call a kind's commands on the valid project, which also imports all that they need."""
    from bench.cli import main

    for words in kind.commands:
        result = CliRunner().invoke(main, list(words))
        if result.exit_code not in kind.exits:
            raise RuntimeError(f"{words}: {result.output}") from result.exception
    for made in kind.makes:
        shutil.rmtree(project / made, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
