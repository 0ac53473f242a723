"""When a run was made, with which versions, and on which machine."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

import bench
from bench.engines.device import device_title
from bench.results.result import Provenance
from bench.types import ServerFacts

_LIBRARIES = (
    "torch",
    "transformers",
    "tokenizers",
    "accelerate",
    "bitsandbytes",
    "peft",
    "datasets",
    "scikit-learn",
    "gguf",
    "llama-cpp-python",
    "openai",
)


def provenance(
    jobs: int = 1, stops: int = 0, threads: int | None = None, server: ServerFacts | None = None
) -> Provenance:
    """The provenance of a run that ends now in this process; torch's facts only where torch is loaded.

    `threads` are the engine's, by default torch's. `jobs` is how many cells run side by side, and `stops`
    how often the run was interrupted. Of a `server` on another machine, processor and memory are unknown.
    """
    import psutil  # here: readers of results never ask this machine

    here = Provenance(
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        bench_version=bench.__version__,
        git=_git(),
        python=platform.python_version(),
        libraries=dict(libraries()),
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=os.cpu_count() or 1,
        threads=threads or _threads(),
        memory_bytes=psutil.virtual_memory().total,
        device=device_title(),
        driver=_driver(),
        jobs=jobs,
        stops=stops,
        server=server,
    )
    if server is None:
        return here
    unknown: dict[str, object] = {"threads": None, "device": "", "driver": None}
    if not server.runs_here:
        host = urlsplit(server.url).hostname
        unknown |= {"processor": f"server {host}", "cores": None, "memory_bytes": None}
    return here.model_copy(update=unknown)


@cache
def libraries() -> Mapping[str, str]:
    """The versions of the libraries that can change a number, as they are installed."""
    versions: dict[str, str] = {}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _git() -> str | None:
    """The project's commit, with `-dirty` where a file that can change a number differs; None outside git."""
    root = Path(bench.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        commit = _run_git(root, "rev-parse", "--short=12", "HEAD")
        changed = _run_git(
            root, "status", "--porcelain", "--untracked-files=no", "--", "bench", "tasks", "model_cards"
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}-dirty" if changed else commit


def _run_git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _threads() -> int | None:
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else None


def _driver() -> str | None:
    """The version of the accelerator's driver, from its kernel module."""
    version_file = Path("/sys/module/nvidia/version")
    return version_file.read_text(encoding="utf-8").strip() if version_file.is_file() else None
