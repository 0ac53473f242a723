"""What workers of tests do. Nothing heavy is imported here, as their memory is measured."""

import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.engines.memory import peak_memory_bytes


def modules(_size: int, events: Any) -> None:
    events.send(sorted(sys.modules))
    events.close()


def imported_by_work(cell: Any, results: Path, terms: Any, events: Any) -> None:
    """The work of a cell; what it has imported is written beside the results."""
    from bench.sweeps.work import work

    before = set(sys.modules)
    work(cell, results, terms, events)
    with results.with_name("imported.txt").open("a") as file:
        file.write(" ".join(set(sys.modules) - before) + "\n")


def hold(size: int, events: Any) -> None:
    before = peak_memory_bytes()
    held = bytearray(os.urandom(1)) * size
    events.send((before, len(held), peak_memory_bytes()))
    events.close()


def surroundings(_size: int, events: Any) -> None:
    events.send((os.environ.get("OF_THE_PARENT"), str(Path.cwd()), os.getpid()))
    events.close()


def attributes(module: str, events: Any) -> None:
    here = import_module(module)
    events.send((here.VALUE, here.SERVER))
    events.close()


def write(size: int, events: Any) -> None:
    os.write(1, b"first " + b"x" * size + b" last")
    events.close()


def leave(_size: int, events: Any) -> None:
    subprocess.Popen(["sleep", "2000"], start_new_session=True)
    os._exit(4)


def wait_for_ever(_size: int, events: Any) -> None:
    events.send("here")
    time.sleep(1000)
