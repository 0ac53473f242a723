"""What is measured of a run: its cost, and facts of the engine that answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.cells.cell import Cell
from bench.engines import checked
from bench.engines.engine import (
    Engine,
    WithAccelerators,
    WithBuild,
    WithCache,
    WithPositions,
    WithServer,
    WithTowers,
)
from bench.engines.memory import peak_device_memory_bytes, peak_memory_bytes
from bench.results.cost import Cost, EngineFacts, latency
from bench.results.journal import Batch
from bench.scoring.record import Record, bounded_letters
from bench.sweeps.energy import describe_counters
from bench.sweeps.events import Terms
from bench.sweeps.opened import Opened
from bench.types import ServerFacts


@dataclass(slots=True)
class Peaks:
    """The peak memory of the process and on its accelerator, in bytes, when it was last read."""

    host: int | None = None
    device: int | None = None

    def read(self, engine: Engine) -> None:
        self.host, self.device = peak_of(engine), peak_device_memory_bytes()


def engine_facts(cell: Cell, opened: Opened, batches: Sequence[Batch], other_tokens: str) -> EngineFacts:
    engine, weights = opened.engine, opened.weights
    pickled = weights is not None and weights.pickled
    sizes = [batch.batch_tokens for batch in batches if batch.batch_tokens]
    scored = [r for batch in batches for r in batch.records if r.parse_status != "prompt_too_long"]
    new_tokens = cell.asking.generate.max_new_tokens if cell.asking.generate else 0
    longest = max((record.prompt_tokens or 0 for record in scored), default=0) + new_tokens
    positions = checked.fact(engine, "positions", WithPositions)
    keeps = bool(cell.asking.generate or cell.variant.exemplars)
    return EngineFacts(
        path=checked.fact(engine, "path"),
        batch_tokens=sizes[-1] if sizes else None,
        pickle=pickled,
        code=cell.opening.trust.code,
        positions=positions if positions and longest > positions else None,
        accelerators=checked.fact(engine, "accelerators", WithAccelerators),
        cache=checked.fact(engine, "cache_shape", WithCache) if keeps else None,
        weight_bits=weights.bits if weights else None,
        tokens=other_tokens,
        build=checked.fact(engine, "build", WithBuild) or "",
        limits=_limits(engine, scored) if isinstance(engine, WithServer) else (),
    )


def cost_of(
    opened: Opened, server: ServerFacts | None, batches: Sequence[Batch], peaks: Peaks, terms: Terms
) -> Cost:
    """The cost of scoring, without prompts that did not fit the model. `server` is the one that answered."""
    engine, weights = opened.engine, opened.weights
    scored = [r for batch in batches for r in batch.records if r.parse_status != "prompt_too_long"]
    seconds = sum(batch.seconds for batch in batches)
    new_tokens = _total([record.new_tokens or (None if record.completion else 0) for record in scored])
    tokens = _total([record.prompt_tokens for record in scored])
    host = [batch.peak_memory_bytes for batch in batches] + [peaks.host]
    joules = [batch.joules for batch in batches]
    elsewhere = server is not None and not server.runs_here
    return Cost(
        load_seconds=None if server else opened.seconds,
        scoring_seconds=seconds,
        items_per_second=len(scored) / seconds if scored else None,
        prompt_tokens=tokens,
        tokens_per_second=tokens / seconds if tokens else None,
        new_tokens=new_tokens or None,
        peak_memory_bytes=None if elsewhere else max((peak for peak in host if peak), default=None),
        peak_device_memory_bytes=None if server else peaks.device,
        weights_bytes=weights.bytes if weights else None,
        model_bytes=checked.fact(engine, "model_bytes"),
        tower_bytes=checked.fact(engine, "tower_bytes", WithTowers),
        batched=latency([r.seconds for r in scored if r.seconds is not None]),
        joules=None if elsewhere or None in joules or terms.jobs > 1 else sum(filter(None, joules)),
        joules_note="the server's energy is unknown" if elsewhere else _energy_note(terms),
    )


def _total(counts: Sequence[int | None]) -> int | None:
    """The sum; None where one is unknown, as with a server that does not count."""
    return None if None in counts else sum(filter(None, counts))


def peak_of(engine: Engine) -> int | None:
    """The peak memory of what computes: this process, or the server where it is on this machine."""
    if isinstance(engine, WithServer):
        return checked.fact(engine, "server_memory_bytes")
    return peak_memory_bytes()


def _limits(engine: Engine, records: Sequence[Record]) -> tuple[str, ...]:
    """What the server could not give, with how many questions it concerned."""
    limits: tuple[str, ...] = checked.fact(engine, "limits")
    return (*limits, *bounded_letters(records))


def _energy_note(terms: Terms) -> str:
    source = describe_counters()
    shared = terms.jobs > 1 and source.startswith("counters")
    return "not separable from the cells that run in parallel" if shared else source
