"""Where workers come from: on Linux from a warm server, which has imported what they need.

A server is a process of `multiprocessing.forkserver`, one for each set of modules that cells need, so that a
worker has imported nothing that it does not use. A server starts no thread of ours, loads no model, and never
touches an accelerator. Libraries read the environment when they are imported, which is the server's, so
another environment gets another server. Elsewhere, where forks are not safe (macOS) or do not exist, a worker
is a new process, and so it is where no server can be reached: the path of its socket, among temporary files,
may be too long, and a module that it imports may end it.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

LIGHT = (
    "bench.sweeps.warm_server",
    "bench.cli",
    "bench.sweeps.work",
    "bench.engines.baseline",
    "bench.inputs.bounded_templates",
    "filelock",
)
"""What every server imports."""
HAS_SERVERS = sys.platform == "linux"
_LEFT_TO_THE_PARENT = {signal.SIGINT, signal.SIGTERM}
_ADOPT_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER of <sys/prctl.h>."""
_READ_LATER = ("BENCH_", "PYTEST_")
"""How names of environment variables begin that no library reads when it is imported."""
_STARTING = threading.RLock()


class _Server:
    """The server of some modules, in the environment that they are imported in."""

    def __init__(self, preload: tuple[str, ...]) -> None:
        self.environment = _read_at_import()
        self.forks: Any = forkserver.ForkServer()
        self.forks.set_forkserver_preload([*LIGHT, *preload])

    def run(self) -> None:
        """Start it, unless it runs. Raises an OSError where it cannot."""
        # A server has the path of this process, and not the working folder, whose files nobody imports here.
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONSAFEPATH": "1"}
        with _blocked_signals(), _environment(path):
            self.forks.ensure_running()

    @contextmanager
    def forking(self) -> Generator[None]:
        """In this block, processes of `multiprocessing` that are forks are those of this server."""
        before = forkserver.connect_to_new_process
        forkserver.connect_to_new_process = self.forks.connect_to_new_process
        try:
            yield
        finally:
            forkserver.connect_to_new_process = before

    @property
    def pid(self) -> int | None:
        return self.forks._forkserver_pid  # noqa: SLF001 (there is no other way to its children)

    def kill_left(self) -> None:
        """Kill what dead workers have left: all children beside running workers."""
        if self.pid is not None:
            kill_children(self.pid, besides=_WORKERS)

    def end(self) -> None:
        """End it before this process ends, unless it has workers."""
        if self not in _WORKERS.values():
            with suppress(OSError):
                self.forks._stop()  # noqa: SLF001 (the only way)

    def kill(self) -> None:
        """Kill it, also while another thread waits until it has imported its modules."""
        if self.pid is not None:
            with suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)


_SERVERS: dict[tuple[str, ...], _Server] = {}
_WORKERS: dict[int, _Server] = {}
"""The process ids of running workers, and their servers."""
_OUTLIVING: dict[int, psutil.Process] = {}
"""The same workers: one whose server was killed counts as ended to `multiprocessing`."""


def _read_at_import() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_READ_LATER)}


def _server(preload: tuple[str, ...]) -> _Server:
    """The server of these modules in the present environment, in place of one in another. Not yet started."""
    before = _SERVERS.get(preload)
    if before and before.environment == _read_at_import():
        return before
    if before:
        before.end()
    server = _SERVERS[preload] = _Server(preload)
    return server


def warm_up(preload: tuple[str, ...] = ()) -> None:
    """Start the server of workers that need these modules, unless it runs or cannot. Returns at once."""
    if HAS_SERVERS:
        with _STARTING, suppress(OSError):
            _server(preload).run()


def kill_idle() -> None:
    """Kill servers without workers: a thread that waits for one starts its worker anew, and need not wait.

    For the end of a sweep. Without the lock, which that thread has.
    """
    for server in set(_SERVERS.values()) - set(_WORKERS.values()):
        server.kill()


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
    return process


def _from_server(
    target: Callable[..., None], args: tuple[object, ...], name: str, preload: tuple[str, ...]
) -> BaseProcess | None:
    """A started worker of the server, or None where that cannot be reached."""
    process = multiprocessing.get_context("forkserver").Process(target=target, args=args, name=name)
    server = _server(preload)
    try:
        server.run()
        with server.forking():
            process.start()
    except (OSError, EOFError):  # it cannot be reached, or a module that it imports has ended it
        return None
    _WORKERS[_pid(process)] = server
    with suppress(psutil.Error):
        _OUTLIVING[_pid(process)] = psutil.Process(_pid(process))
    return process


def _pid(process: BaseProcess) -> int:
    assert process.pid is not None
    return process.pid


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
    kill_children(_pid(process))
    process.kill()
    if worker := _OUTLIVING.pop(_pid(process), None):
        with suppress(psutil.Error):  # also where its number is another process's by now
            worker.kill()
    process.join()
    with _STARTING:
        if server := _WORKERS.pop(_pid(process), None):
            server.kill_left()
            if server not in _SERVERS.values():  # replaced while this worker ran
                server.end()


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
