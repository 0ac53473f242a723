"""The library llama-cpp-python, imported when it is first needed, and what it logs."""

import ctypes
import os
from collections import deque
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from bench.engines.device import usable_cores
from bench.errors import BenchError

INSTALL = "pip install 'slm-bench[llama-cpp]' (docs/llama-cpp.md)"
REBUILD = "build it again as docs/llama-cpp.md says"
_ERROR = 4
"""ggml's level of messages about errors."""
_LOG: deque[str] = deque(maxlen=30)
_KEPT: list[Any] = []
"""The callback that the library calls: it must not be collected."""


def is_installed() -> bool:
    """Whether the library is installed; it is not imported, because a wrong build would end the process."""
    return find_spec("llama_cpp") is not None


@cache
def library() -> Any:
    """The module llama_cpp, ready to be used. Raises a BenchError where it is missing or cannot be loaded."""
    # Where a check of its own fails, it would start a debugger.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    try:
        llama = import_module("llama_cpp")
    except ModuleNotFoundError as error:
        raise BenchError(f"the engine llama.cpp needs llama-cpp-python: {INSTALL}") from error
    except (OSError, RuntimeError) as error:
        raise BenchError(f"llama-cpp-python cannot be loaded: {error}; {REBUILD}") from error

    def keep(level: int, text: bytes, _data: object) -> None:
        if level == _ERROR:
            _LOG.append(text.decode("utf-8", "replace").strip())

    _KEPT.append(llama.llama_log_callback(keep))
    llama.llama_log_set(_KEPT[0], ctypes.c_void_p(0))
    llama.llama_backend_init()
    return llama


def last_error() -> str:
    """The library's last messages about errors, as one line; "" without any. They are forgotten then."""
    text = "; ".join(dict.fromkeys(filter(None, _LOG)))
    _LOG.clear()
    return text


def instruction_sets() -> str:
    """The instruction sets and back ends that the installed build uses, as it names them: "AVX2, FMA"."""
    parts = library().llama_print_system_info().decode().replace(":", "|").split("|")
    pairs = [part.split("=") for part in parts]
    return ", ".join(name.strip() for name, *value in pairs if value and value[0].strip() == "1")


def usable_threads() -> int:
    """The threads to compute with: OMP_NUM_THREADS where it is set, else the cores this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    usable = usable_cores()
    return min(int(asked), usable) if asked.isdecimal() and int(asked) else usable
