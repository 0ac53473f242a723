"""Running a function in its own process, which sends values, exits or is killed, and ends with its parent."""

import faulthandler
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.2
"""How often to check for a stop or a timeout."""
_LEFT_TO_THE_PARENT = {signal.SIGINT, signal.SIGTERM}


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended, as an exit code (negative for a signal) and in words.

    `trace` is the stack of a crash below Python, "" for any other end.
    """

    code: int
    text: str
    trace: str = ""
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """When a process is ended from outside: after `seconds`, or as soon as `stop` is set."""

    seconds: float | None = None
    stop: threading.Event | None = None

    @property
    def stopped(self) -> bool:
        return self.stop is not None and self.stop.is_set()


NO_LIMITS = Limits()


def run_in_process(
    target: Callable[..., None], *args: object, name: str, limits: Limits = NO_LIMITS
) -> Generator[Any]:
    """Run `target(*args, connection)` in a new process; yields what it sends, and its Exit at the end.

    The process ends with this generator, also when that is closed early, and with this process.
    Nothing more is yielded once `limits.stop` is set.
    """
    context = multiprocessing.get_context("spawn")
    pipe: tuple[Any, Any] = context.Pipe(duplex=False)
    ours, theirs = pipe
    timed_out = False
    with tempfile.NamedTemporaryFile(prefix="slm-bench-", suffix=".crash") as crash:
        process = context.Process(target=_main, args=(target, args, crash.name, theirs), name=name)
        # Ctrl-C and a plain kill reach the whole process group. The child ignores them, and its parent
        # ends it. Signal masks are inherited and belong to a thread, so they are set around the start.
        # The first start would also start multiprocessing's tracker, which unblocks the signals.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _LEFT_TO_THE_PARENT)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        try:
            timed_out = yield from _received(ours, limits)
            process.join(timeout=0 if timed_out or limits.stopped else 10)
        finally:
            process.kill()
            process.join()
            ours.close()
        trace = Path(crash.name).read_text(encoding="utf-8", errors="replace")
    if not limits.stopped:
        yield Exit(_exit_code(process), _exit_text(_exit_code(process)), trace, timed_out)


def _exit_code(process: Any) -> int:
    """The exit code of a process that has ended."""
    # A start in another thread reaps all children, so the code may reach this object a moment later.
    while process.exitcode is None:
        time.sleep(0.01)
    return process.exitcode


def _received(connection: Any, limits: Limits) -> Generator[Any, None, bool]:
    """The values sent until the pipe closes or a limit is reached; returns whether the time ran out."""
    end = None if limits.seconds is None else time.monotonic() + limits.seconds
    while not limits.stopped:
        if end is not None and time.monotonic() > end:
            return True
        try:
            if connection.poll(POLL_SECONDS):
                yield connection.recv()
        except (EOFError, OSError):
            break
    return False


def _main(target: Callable[..., None], args: tuple[object, ...], crash: str, connection: Any) -> None:
    threading.Thread(target=_end_with_parent, args=(Path(crash),), daemon=True).start()
    with Path(crash).open("w", encoding="utf-8") as file:
        faulthandler.enable(file)  # a crash below Python writes its stack there, not to the terminal
        target(*args, connection)
        faulthandler.disable()


def _end_with_parent(crash: Path) -> None:
    """Exit when the parent ends: one that is killed cannot end its children or remove its files."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    crash.unlink(missing_ok=True)
    os._exit(1)


def _exit_text(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code}, {signal.strsignal(-code) or signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
