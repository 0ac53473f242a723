"""Running a function in its own process, which sends values, exits or is killed, and ends with its parent.

What the process prints is not shown: the terminal is the command's own. Its last part says why one died.
"""

import faulthandler
import gc
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any

from bench.sweeps.warm import adopt_orphans, end_worker, kill_children, start_worker

Pipe = Any
"""One end of a pipe: its type has another name on each system."""
POLL_SECONDS = 0.2
"""How often to check for a stop or a timeout."""
LAST_SECONDS = 10
"""How long a process may take to exit after it has sent its last value."""
KEPT_OUTPUT = 16_000
"""Bytes of what a process printed last that are kept."""
_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended, as an exit code (negative for a signal) and in words.

    `output` is the last part of what it printed: the stack of a crash below Python is there, too.
    """

    code: int
    text: str
    output: str = ""
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
    target: Callable[..., None],
    *args: object,
    name: str,
    limits: Limits = NO_LIMITS,
    preload: tuple[str, ...] = (),
) -> Generator[Any]:
    """Run `target(*args, connection)` in a new process; yields what it sends, and its Exit at the end.

    The process ends with this generator, also when that is closed early, and with this process; so do the
    processes that it starts. Nothing more is yielded once `limits.stop` is set. `preload` names modules that
    are imported before the process starts, where that can be done once for several.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    printed, output = multiprocessing.Pipe(duplex=False)
    work = bytes(ForkingPickler.dumps((target, args)))
    process = start_worker(_main, (work, dict(os.environ), theirs, output), name, preload)
    theirs.close()
    output.close()
    tail = bytearray()
    timed_out = given_up = False
    try:
        timed_out = yield from _received(ours, printed, tail, process, limits)
        if not timed_out and not limits.stopped:
            given_up = not _has_exited(process, printed, tail)
    finally:
        end_worker(process)
        ours.close()
        _read_rest(printed, tail)
        printed.close()
    if not limits.stopped:
        code = 1 if given_up else _exit_code(process)
        text = "its pipe closed, and did not end" if given_up else _exit_text(code)
        yield Exit(code, text, tail.decode("utf-8", "replace"), timed_out)


def _exit_code(process: BaseProcess) -> int:
    """The exit code of a process that has ended."""
    # A start in another thread reaps all children, so the code may reach this object a moment later.
    while (code := process.exitcode) is None:
        time.sleep(0.01)
    return code


def _received(
    connection: Pipe,
    printed: Pipe,
    tail: bytearray,
    process: BaseProcess,
    limits: Limits,
) -> Generator[Any, None, bool]:
    """The values sent until the process ends or a limit is reached; returns whether the time ran out.

    The pipe may outlive the process, in the hands of one that it has started.
    """
    end = None if limits.seconds is None else time.monotonic() + limits.seconds
    open_ends = [connection, printed]
    while not limits.stopped:
        if end is not None and time.monotonic() > end:
            return True
        ready = wait(open_ends, POLL_SECONDS)
        if printed in ready and not _read_some(printed, tail):
            open_ends.remove(printed)
        if connection in ready:
            try:
                value = connection.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                break
            yield value
        elif process.exitcode is not None and not connection.poll():
            break
    return False


def _has_exited(process: BaseProcess, printed: Pipe, tail: bytearray) -> bool:
    """Wait for the end of a process that sends nothing more; returns whether it came within LAST_SECONDS."""
    end = time.monotonic() + LAST_SECONDS
    while process.exitcode is None and time.monotonic() < end:
        ready = wait([printed, process.sentinel], POLL_SECONDS)
        if printed in ready and not _read_some(printed, tail):
            process.join(max(0.0, end - time.monotonic()))
    return process.exitcode is not None


def _read_some(printed: Pipe, tail: bytearray) -> bool:
    """Move what was printed to `tail`, which keeps the last of it; returns False at the end."""
    try:
        data = os.read(printed.fileno(), _AT_ONCE)
    except OSError:
        return False
    tail += data
    del tail[:-KEPT_OUTPUT]
    return bool(data)


def _read_rest(printed: Pipe, tail: bytearray) -> None:
    os.set_blocking(printed.fileno(), False)  # a process that was not ended may still have the other end
    while _read_some(printed, tail):
        pass


def _main(
    work: bytes,
    environment: Mapping[str, str],
    events: Pipe,
    output: Pipe,
) -> None:
    gc.freeze()  # to look through what a server has imported would copy its pages
    os.environ.clear()
    os.environ.update(environment)  # a server of workers has the one that it was started with
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    faulthandler.enable(2)  # a crash below Python writes its stack there
    adopt_orphans()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    code = 1
    try:
        target, args = pickle.loads(work)  # noqa: S301 (from our parent)
        target(*args, events)
        code = 0
    except BaseException:  # noqa: BLE001 (nothing of it may reach multiprocessing, which waits for threads)
        with suppress(Exception):
            traceback.print_exc()
    kill_children(os.getpid())
    if code or any(not thread.daemon for thread in threading.enumerate()[1:]):
        with suppress(Exception):
            sys.stdout.flush()
        os._exit(code)  # threads of an engine may never end


def _end_with_parent() -> None:
    """Exit when the parent ends: one that is killed cannot end its children."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    kill_children(os.getpid())
    os._exit(1)


def _exit_text(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code}, {signal.strsignal(-code) or signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
