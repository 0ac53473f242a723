"""Ends a command at any of its steps, to see what a kill leaves. A step is a change of a file, or a program.

Run as a program, it runs the command once, and then for each line `STEP SIGNAL` that it reads again, in a
fork of itself that gets the signal right before that step. So each try takes no longer than the work itself.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CHANGES = {
    "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "subprocess.Popen",
}  # fmt: skip
"""Audit events of Python. Two others count: an opening to write, and the look-up of `renameat2`."""


HIDDEN = "HIDDEN_CALL"
"""A variable that names a call of the system which the command does not find."""


def hide(event: str, details: tuple[object, ...]) -> None:
    if event == "ctypes.dlsym" and details[1] == os.environ[HIDDEN]:
        raise AttributeError(details[1])


def is_change(event: str, details: tuple[object, ...]) -> bool:
    match event, details:
        case "open", (_, _, int(flags)):
            return bool(flags & (os.O_WRONLY | os.O_RDWR))
        case "ctypes.dlsym", (_, name):
            return name == "renameat2"
        case _:
            return event in CHANGES


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that can be ended at any step; `steps` is how many it has when it starts as it did last."""

    process: "subprocess.Popen[str]"
    log: Path

    def at(self, step: int, ending: signal.Signals = signal.SIGKILL) -> int:
        """Run it until right before the step, from 1 on; gives its exit code, or the negative signal."""
        return self._ask(step, ending)[0]

    def steps(self) -> int:
        """Run it to its end; gives the number of its steps."""
        code, steps = self._ask(0, signal.SIGKILL)
        assert code == 0, self.log.read_text("utf-8")
        return steps

    def _ask(self, step: int, ending: signal.Signals) -> tuple[int, int]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{step} {ending}\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> tuple[int, int]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text("utf-8")
        code, steps = line.split()
        return int(code), int(steps)


@contextmanager
def ended(folder: Path, log: Path, *words: str, exchanges: bool = True) -> Iterator[Ended]:
    """The command `bench WORDS`, which has run once in the folder; what it prints is in `log`.

    Without `exchanges` it finds no `renameat2`, as on other systems than Linux.
    """
    command = [sys.executable, __file__, *words]
    with log.open("w") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {HIDDEN: "" if exchanges else "renameat2"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    with process:
        made = Ended(process, log)
        assert made.answer()[0] == 0, log.read_text("utf-8")
        yield made
        assert process.stdin is not None
        process.stdin.close()


def spread(steps: int, wanted: int) -> list[int]:
    """So many of the steps: the last ones, at which files come to their place, and others evenly before."""
    last = min(wanted // 2, steps)
    before = steps - last
    evenly = {1 + number * before // (wanted - last) for number in range(wanted - last)} if before else set()
    return sorted({*evenly, *range(before + 1, steps + 1)})


def _call(words: Sequence[str]) -> int:
    from bench.cli import main

    try:
        main(list(words))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _in_fork(words: Sequence[str], step: int, ending: int, pipe: int) -> None:
    taken = 0

    def watch(event: str, details: tuple[object, ...]) -> None:
        nonlocal taken
        if is_change(event, details):
            taken += 1
            if taken == step:
                os.kill(os.getpid(), ending)

    sys.addaudithook(watch)
    code = _call(words)
    sys.stdout.flush()
    os.write(pipe, b"%d" % taken)
    os._exit(code)


def _serve(words: Sequence[str], answers: IO[str]) -> None:
    print(_call(words), 0, file=answers, flush=True)
    for line in sys.stdin:
        step, ending = map(int, line.split())
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            _in_fork(words, step, ending, writing)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            steps = pipe.read() or "0"
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(code, steps, file=answers, flush=True)


if __name__ == "__main__":
    sys.addaudithook(hide)
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the command prints goes to the log
    _serve(sys.argv[1:], own)
