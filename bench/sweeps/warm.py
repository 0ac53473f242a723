"""Where workers come from: on Linux from a warm server, which has imported what they need.

A server is a process of `multiprocessing.forkserver`, one for each set of modules that cells need, so that a
worker has imported nothing that it does not use. A server starts no thread of ours, loads no model, never
touches an accelerator, and never imports torch: what torch reads when it is imported is set in the worker.
Elsewhere, where forks are not safe (macOS) or do not exist, a worker is a new process, and so it is where no
server can be reached: the path of its socket, among temporary files, may be too long, and a module that it
imports may end it.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import forkserver, popen_forkserver, resource_tracker
from multiprocessing.context import ForkServerProcess
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

LIGHT = ("bench.sweeps.warm_server", "bench.cli", "bench.sweeps.work", "bench.engines.baseline", "filelock")
"""What every server imports."""
HAS_SERVERS = sys.platform == "linux"
_LEFT_TO_THE_PARENT = {signal.SIGINT, signal.SIGTERM}
_ADOPT_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER of <sys/prctl.h>."""
_STARTING = threading.RLock()
_WORKERS: set[int] = set()
"""The process ids of running workers. Other children of a server are what dead workers left."""


@cache
def _server(preload: tuple[str, ...]) -> Any:
    server: Any = forkserver.ForkServer()
    server.set_forkserver_preload([*LIGHT, *preload])
    return server


def _pid_of(preload: tuple[str, ...]) -> int:
    return _server(preload)._forkserver_pid  # noqa: SLF001 (there is no other way to its children)


def warm_up(preload: tuple[str, ...] = ()) -> None:
    """Start the server of workers that need these modules, unless it runs or cannot. Returns at once."""
    if HAS_SERVERS:
        with suppress(OSError):
            _run_server(preload)


def _run_server(preload: tuple[str, ...]) -> None:
    # A server has the path of this process, and not the working folder, whose files nobody imports here.
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONSAFEPATH": "1"}
    with _STARTING, _blocked_signals(), _environment(path):
        _server(preload).ensure_running()


class _Popen(popen_forkserver.Popen):
    def _launch(self, process_obj: "_WarmProcess") -> None:
        launch: Callable[[object], None] = super()._launch  # type: ignore[misc]
        before = forkserver.connect_to_new_process
        forkserver.connect_to_new_process = _server(process_obj.preload).connect_to_new_process
        try:
            launch(process_obj)
        finally:
            forkserver.connect_to_new_process = before


class _WarmProcess(ForkServerProcess):
    """A copy of the server that has imported `preload`."""

    preload: tuple[str, ...] = ()

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 (the name of multiprocessing)
        return _Popen(process_obj)


def start_worker(
    target: Callable[..., None], args: tuple[object, ...], name: str, preload: tuple[str, ...]
) -> BaseProcess:
    """Start `target(*args)` in a worker that has imported these modules, where a server can do that.

    Ctrl-C and a plain kill reach the whole process group: workers ignore them, and their parent ends them.
    """
    with _STARTING, _blocked_signals():
        process = _from_server(target, args, name, preload) if HAS_SERVERS else None
        if process is None:
            process = multiprocessing.get_context("spawn").Process(target=target, args=args, name=name)
            process.start()
        assert process.pid is not None
        _WORKERS.add(process.pid)
    return process


def _from_server(
    target: Callable[..., None], args: tuple[object, ...], name: str, preload: tuple[str, ...]
) -> BaseProcess | None:
    """A started worker of the server, or None where that cannot be reached."""
    process = _WarmProcess(target=target, args=args, name=name)
    process.preload = preload
    try:
        _run_server(preload)
        process.start()
    except (OSError, EOFError):  # it cannot be reached, or a module that it imports has ended it
        return None
    return process


@contextmanager
def _blocked_signals() -> Generator[None]:
    """Processes that are started in this block ignore Ctrl-C and a plain kill."""
    # The first start would also start multiprocessing's tracker, which unblocks the signals.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _LEFT_TO_THE_PARENT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(values: Mapping[str, str]) -> Generator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name) if name not in before else os.environ.update({name: before[name]})


def end_worker(process: BaseProcess) -> None:
    """Kill a worker, if it still runs, and every process that it has started and left."""
    assert process.pid is not None
    kill_children(process.pid)
    process.kill()
    process.join()
    with _STARTING:
        _WORKERS.discard(process.pid)
        if isinstance(process, _WarmProcess):
            kill_children(_pid_of(process.preload), besides=_WORKERS)


def kill_children(pid: int, besides: Collection[int] = ()) -> None:
    """Kill the processes that a process has started, and theirs, where they still run."""
    with suppress(psutil.Error):
        for child in psutil.Process(pid).children():
            if child.pid not in besides:
                with suppress(psutil.Error):
                    for each in (*child.children(recursive=True), child):
                        with suppress(psutil.Error):
                            each.kill()


def adopt_orphans() -> None:
    """From now on, descendants whose parents end become children of this process, on Linux."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
