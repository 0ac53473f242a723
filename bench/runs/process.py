"""Work in a process of its own: what it says on the way, how it ends, and that it ends with its parent."""

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

LOOK = 0.2
"""Seconds between looks at whether to stop or whether the time is up."""
_LEFT_TO_THE_PARENT = {signal.SIGINT, signal.SIGTERM}


@dataclass(frozen=True, slots=True)
class Ended:
    """The process is over; `how` says it in words, `trace` where a crash below Python was.

    `code` is its exit code, negative for the signal that ended it; `late` says that its time was up.
    """

    code: int
    how: str
    trace: str = ""
    late: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a process is ended from outside: after `seconds`, or as soon as `stop` is set."""

    seconds: float | None = None
    stop: threading.Event | None = None

    @property
    def stopped(self) -> bool:
        return self.stop is not None and self.stop.is_set()


UNBOUND = Bounds()


def in_process(
    target: Callable[..., None], *args: object, name: str, bounds: Bounds = UNBOUND
) -> Generator[Any]:
    """Run `target(*args, connection)` and yield what it sends, and last how it ended.

    The process ends with this generator, also when that is closed early, and with this process.
    Nothing more comes once `bounds.stop` is set.
    """
    context = multiprocessing.get_context("spawn")
    pipe: tuple[Any, Any] = context.Pipe(duplex=False)
    ours, theirs = pipe
    late = False
    with tempfile.NamedTemporaryFile(prefix="slm-bench-", suffix=".crash") as crash:
        process = context.Process(target=_main, args=(target, args, crash.name, theirs), name=name)
        # Ctrl-C and a plain kill reach the whole group of processes: the child leaves them to its
        # parent, which ends it. Masks are inherited, and are a thread's own.
        # The first start of all would also start multiprocessing's tracker, which unblocks them.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _LEFT_TO_THE_PARENT)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        try:
            late = yield from _received(ours, bounds)
            process.join(timeout=0 if late or bounds.stopped else 10)
        finally:
            process.kill()
            process.join()
            ours.close()
        trace = Path(crash.name).read_text(encoding="utf-8", errors="replace")
    if not bounds.stopped:
        yield Ended(_code(process), _exit_text(_code(process)), trace, late)


def _code(process: Any) -> int:
    """The exit code of a process that is over."""
    # Starting one in another thread looks after all: it may have this one's code a moment earlier.
    while process.exitcode is None:
        time.sleep(0.01)
    return process.exitcode


def _received(connection: Any, bounds: Bounds) -> Generator[Any, None, bool]:
    """What comes until the pipe closes or is not listened to any more; returns whether time was up."""
    end = None if bounds.seconds is None else time.monotonic() + bounds.seconds
    while not bounds.stopped:
        if end is not None and time.monotonic() > end:
            return True
        try:
            if connection.poll(LOOK):
                yield connection.recv()
        except (EOFError, OSError):
            break
    return False


def _main(target: Callable[..., None], args: tuple[object, ...], crash: str, connection: Any) -> None:
    threading.Thread(target=_end_with_parent, args=(Path(crash),), daemon=True).start()
    with Path(crash).open("w", encoding="utf-8") as file:
        faulthandler.enable(file)  # a crash below Python leaves its place there, not on the terminal
        target(*args, connection)
        faulthandler.disable()


def _end_with_parent(crash: Path) -> None:
    """A parent that was killed cannot end its children, nor tidy up: they wait for that themselves."""
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
