"""Work in a process of its own, and what it says on the way."""

import multiprocessing
import signal
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ended:
    """The process is over; `how` says it in words."""

    how: str


def in_process(target: Callable[..., None], *args: object, name: str) -> Generator[Any]:
    """Run `target(*args, connection)` and yield what it sends, and last how it ended.

    The process ends with this generator, also when that is closed early.
    """
    context = multiprocessing.get_context("spawn")
    pipe: tuple[Any, Any] = context.Pipe(duplex=False)
    ours, theirs = pipe
    process = context.Process(target=target, args=(*args, theirs), name=name)
    # Ctrl-C reaches the whole group of processes; the worker leaves it to this one, which ends it.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)
    theirs.close()
    try:
        yield from _received(ours)
        process.join(timeout=10)
    finally:
        process.kill()
        process.join()
    yield Ended(_exit_text(process.exitcode))


def _received(connection: Any) -> Generator[Any]:
    """What comes until the pipe closes."""
    while True:
        try:
            event = connection.recv()
        except (EOFError, OSError):
            return
        yield event


def _exit_text(code: int | None) -> str:
    if code is not None and code < 0:
        hint = " (out of memory, most likely)" if code == -9 else ""
        return f"signal {-code}{hint}"
    return f"exit code {code}"
