"""`bench doctor`: what this machine can run, and what to do about what it cannot."""

import json
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
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
    """`remedy` says what to do, "" where nothing is to be done."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""


@click.command()
@options.offline
@options.as_json
def doctor(*, offline: bool, as_json: bool) -> None:
    """Say what this machine can run, and what to do about what it cannot. Exit code 1 if something is bad."""
    findings: list[Finding] = []
    for finding in _findings(offline=offline):
        findings.append(finding)
        if not as_json:
            remedy = f"\n{'':<19}→ {finding.remedy}" if finding.remedy else ""
            click.echo(f"{_SIGNS[finding.verdict]:<5}{finding.name:<14}{finding.found}{remedy}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    if any(finding.verdict == "bad" for finding in findings):
        raise SystemExit(1)


def _findings(*, offline: bool) -> Iterator[Finding]:
    yield _hub(offline=offline)  # first: its silence must be known before a client is imported
    yield from _versions()
    yield from _memory()
    try:
        from bench.engines.abilities import abilities

        able = abilities()
    except (ImportError, OSError, RuntimeError) as error:
        yield Finding("torch", "bad", f"cannot be used: {error}", "install the versions of constraints.txt")
        return
    yield from _device(able)
    yield from _bits(able)
    yield _cache()
    yield from _models()
    yield from _executors()
    yield _energy()


def _hub(*, offline: bool) -> Finding:
    from bench.inputs.hub import go_offline, hub_reachable

    if not offline and hub_reachable():
        return Finding("hub", "good", "in reach")
    go_offline()
    remedy = "only models and data on this machine run; bench bundle, made elsewhere, brings more"
    return Finding("hub", "note", "not asked (--offline)" if offline else "out of reach", remedy)


def _versions() -> Iterator[Finding]:
    found: list[str] = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding(name, "bad", "is not installed", f"pip install {name}")
    yield Finding("versions", "good", f"Python {platform.python_version()}, {', '.join(found)}")


def _memory() -> Iterator[Finding]:
    import psutil

    from bench.cells.forecast import LIBRARY_BYTES, LOADING_FACTOR
    from bench.results.provenance import usable_cores

    memory = psutil.virtual_memory()
    room = max(0, memory.available - LIBRARY_BYTES) / LOADING_FACTOR
    holds = f"about {room / 2e9:.1f} B parameters in 16 bits, {room / 0.5e9:.1f} B in 4"
    text = f"{size(memory.available)} of {size(memory.total)} free: {holds}"
    remedy = "" if room > 5e8 else "close other programs; the smallest models need about 1.3 GB"
    yield Finding("memory", "good" if room > 5e8 else "note", text, remedy)
    yield Finding("cores", "good", f"{usable_cores()}; bench run --jobs shares them")


def _device(able: "Abilities") -> Iterator[Finding]:
    from bench.results.machine import has_accelerator

    if able.device_bytes is not None:
        yield Finding("GPU", "good", f"{able.device}, {size(able.device_bytes)} free")
    elif has_accelerator():
        remedy = "install the CUDA build of torch" if not able.cuda_build else "see what nvidia-smi says"
        yield Finding("GPU", "bad", "there is one, and torch cannot use it", remedy)
    else:
        yield Finding("GPU", "note", "none: models run on the processor")
    why = "multiplied natively" if able.dtype == "bfloat16" else "bfloat16 would be emulated here"
    yield Finding("dtype auto", "good", f"{able.dtype}: {why}")


def _bits(able: "Abilities") -> Iterator[Finding]:
    works = [kind for kind, error in able.bits.items() if not error]
    if works:
        yield Finding("quantising", "good", f"{', '.join(works)} on {able.device}, tried")
    for kind, error in able.bits.items():
        if error:
            remedy = "its cells would fail; python -m bitsandbytes says more"
            yield Finding("quantising", "note", f"{kind} does not run: {error}", remedy)


def _cache() -> Finding:
    from bench.folders import cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".probe").write_bytes(b"")
        (folder / ".probe").unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        remedy = "set BENCH_CACHE_DIR to a folder that can be written"
        return Finding("cache", "bad", f"{folder} cannot be written: {error.strerror}", remedy)
    text = f"{folder}, {size(free)} free on its disk"
    if free < 2 * 10**9:
        return Finding("cache", "note", text, "make room: converted weights need some GB")
    return Finding("cache", "good", text)


def _models() -> Iterator[Finding]:
    from bench.inputs.cards import cards_and_mistakes
    from bench.inputs.weights import on_this_machine

    cards, mistakes = cards_and_mistakes()
    here = [card.card.name for card in cards if on_this_machine(card)]
    yield Finding("models", "good", f"{len(here)} of {len(cards)} are on this machine: {', '.join(here)}")
    for mistake in mistakes:
        yield Finding("models", "bad", mistake, "correct the card")


def _executors() -> Iterator[Finding]:
    from bench.sweeps.executor import EXECUTORS

    for name in EXECUTORS.names():
        try:
            yield Finding("executors", "good", f"{name}: {EXECUTORS.get(name).help}")
        except BenchError as error:
            yield Finding("executors", "bad", str(error), "install another version of its package, or none")


def _energy() -> Finding:
    from bench.sweeps.energy import describe_counters

    text = describe_counters()
    return Finding("energy", "good" if text.startswith("counters") else "note", text)
