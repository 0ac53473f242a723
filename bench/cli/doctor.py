"""`bench doctor`: what this machine can run, and how to fix what it cannot."""

import json
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

from bench.cli import options
from bench.errors import BenchError
from bench.wording import size

if TYPE_CHECKING:
    from bench.engines.abilities import Abilities

Verdict = Literal["good", "note", "bad"]
_SIGNS: dict[Verdict, str] = {"good": "ok", "note": "note", "bad": "BAD"}
_LIBRARIES = ("torch", "transformers", "datasets", "evaluate", "accelerate", "peft", "bitsandbytes")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw; `remedy` is "" if nothing needs to be done."""

    name: str
    verdict: Verdict
    observed: str
    remedy: str = ""


@click.command()
@options.offline
@options.as_json
def doctor(*, offline: bool, as_json: bool) -> None:
    """Check what this machine can run, and how to fix what it cannot. Exit code 1 if a check is BAD."""
    findings: list[Finding] = []
    for finding in _findings(offline=offline):
        findings.append(finding)
        if not as_json:
            remedy = f"\n{'':<19}→ {finding.remedy}" if finding.remedy else ""
            click.echo(f"{_SIGNS[finding.verdict]:<5}{finding.name:<14}{finding.observed}{remedy}")
    if as_json:
        rows = [
            {"name": each.name, "verdict": each.verdict, "found": each.observed, "remedy": each.remedy}
            for each in findings
        ]
        click.echo(json.dumps(rows, indent=1))
    if any(finding.verdict == "bad" for finding in findings):
        raise SystemExit(1)


def _findings(*, offline: bool) -> Iterator[Finding]:
    yield _hub(offline=offline)  # first: whether the hub answers must be known before a client is imported
    yield from _versions()
    yield from _memory()
    try:
        from bench.engines.abilities import abilities

        able = abilities()
    except (ImportError, OSError, RuntimeError) as error:
        yield Finding(
            "torch",
            "bad",
            f"cannot be used: {error}",
            "install the versions of constraints.txt (SECURITY.md, The lock)",
        )
        return
    yield from _device(able)
    yield from _quantization(able)
    yield _llama_cpp()
    yield _client()
    yield _cache()
    yield from _models()
    yield from _executors()
    yield _energy()


def _hub(*, offline: bool) -> Finding:
    from bench.inputs.hub import go_offline, hub_reachable

    if not offline and hub_reachable():
        return Finding("hub", "good", "reachable")
    go_offline()
    remedy = "only models and data on this machine can be used; copy more here with bench bundle"
    return Finding("hub", "note", "not asked (--offline)" if offline else "unreachable", remedy)


def _versions() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    versions: list[str] = []
    for name in _LIBRARIES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding(name, "bad", "not installed", f"pip install {name}")
    yield Finding("versions", "good", f"Python {platform.python_version()}, {', '.join(versions)}")


def _memory() -> Iterator[Finding]:
    import psutil

    from bench.cells.forecast import LIBRARY_BYTES, LOADING_FACTOR
    from bench.engines.device import usable_cores

    memory = psutil.virtual_memory()
    usable = max(0, memory.available - LIBRARY_BYTES) / LOADING_FACTOR
    capacity = f"about {usable / 2e9:.1f} B parameters in 16 bits, {usable / 0.5e9:.1f} B in 4 bits"
    text = f"{size(memory.available)} of {size(memory.total)} free: room for {capacity}"
    remedy = "" if usable > 5e8 else "close other programs; the smallest models need about 1.3 GB"
    yield Finding("memory", "good" if usable > 5e8 else "note", text, remedy)
    yield Finding("cores", "good", f"{usable_cores()}, shared by the cells of bench run --jobs")


def _device(able: "Abilities") -> Iterator[Finding]:
    from bench.engines.device import has_accelerator

    if able.device_bytes is not None:
        yield Finding("GPU", "good", f"{able.device}, {size(able.device_bytes)} free")
    elif has_accelerator():
        remedy = (
            "install the CUDA build of torch" if not able.cuda_build else "check the driver with nvidia-smi"
        )
        yield Finding("GPU", "bad", "present, but torch cannot use it", remedy)
    else:
        yield Finding("GPU", "note", "none: models run on the CPU")
    why = "native bfloat16 arithmetic" if able.dtype == "bfloat16" else "bfloat16 would be emulated"
    yield Finding("dtype auto", "good", f"{able.dtype}: {why}")


def _quantization(able: "Abilities") -> Iterator[Finding]:
    working = [kind for kind, error in able.quantizations.items() if not error]
    if working:
        yield Finding("quantising", "good", f"{', '.join(working)} work on {able.device}")
    for kind, error in able.quantizations.items():
        if error:
            remedy = "cells with it would fail; for details run python -m bitsandbytes"
            yield Finding("quantising", "note", f"{kind} does not run: {error}", remedy)


def _llama_cpp() -> Finding:
    from importlib.metadata import version

    from bench.engines.llama_cpp.library import INSTALL, REBUILD, is_installed

    if not is_installed():
        return Finding("llama.cpp", "note", "not installed: GGUF files cannot be run as they are", INSTALL)
    words = [sys.executable, "-m", "bench.engines.llama_cpp.trial"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    name = f"llama-cpp-python {version('llama-cpp-python')}"
    if not done.returncode:
        return Finding("llama.cpp", "good", f"{name}, with {done.stdout.strip()}")
    reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if done.returncode == -signal.SIGILL:
        reason = "it was built for another processor and uses instructions that this one lacks"
    return Finding("llama.cpp", "bad", f"{name} does not run: {reason}", REBUILD)


def _client() -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    from bench.engines.openai.settings import INSTALL

    try:
        return Finding(
            "servers", "good", f"models behind servers are asked through openai {version('openai')}"
        )
    except PackageNotFoundError:
        return Finding("servers", "note", "no client: models behind servers cannot be asked", INSTALL)


def _cache() -> Finding:
    from bench.folders import cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".probe").write_bytes(b"")
        (folder / ".probe").unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        remedy = "set BENCH_CACHE_DIR to a writable folder"
        return Finding("cache", "bad", f"{folder} is not writable: {error.strerror}", remedy)
    text = f"{folder}, {size(free)} free"
    if free < 2 * 10**9:
        return Finding("cache", "note", text, "free some space: converted weights need several GB")
    return Finding("cache", "good", text)


def _models() -> Iterator[Finding]:
    from bench.inputs.cards import cards_and_mistakes
    from bench.inputs.gated import models_that_need_a_token
    from bench.inputs.weights import on_this_machine

    cards, mistakes = cards_and_mistakes()
    here = [card.card.name for card in cards if on_this_machine(card)]
    yield _token(models_that_need_a_token(cards, lambda file: file.name in here))
    yield Finding("models", "good", f"{len(here)} of {len(cards)} are on this machine: {', '.join(here)}")
    for mistake in mistakes:
        yield Finding("models", "bad", str(mistake), "fix the card")


def _token(gated: Sequence[str]) -> Finding:
    """Whether the hub's client has a token, and which models of the cards are downloaded with one."""
    from bench.inputs.gated import REMEDY, has_token

    names = ", ".join(gated)
    if has_token():
        accepted = f"; its account must have accepted the terms of these gated models: {names}"
        return Finding("hub token", "good", f"set{accepted if gated else ''}")
    if gated:
        return Finding("hub token", "note", f"none; these gated models need one: {names}", REMEDY)
    return Finding("hub token", "good", "none, and no gated model is to be downloaded")


def _executors() -> Iterator[Finding]:
    from bench.sweeps.executor import EXECUTORS

    for name in EXECUTORS.names():
        try:
            yield Finding("executors", "good", f"{name}: {EXECUTORS.get(name).help}")
        except BenchError as error:
            yield Finding(
                "executors", "bad", str(error), "install another version of its package, or uninstall it"
            )


def _energy() -> Finding:
    from bench.sweeps.energy import describe_counters

    text = describe_counters()
    return Finding("energy", "good" if text.startswith("counters") else "note", text)
