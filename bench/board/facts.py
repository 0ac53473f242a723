"""Facts of a run as people read them: costs, circumstances, and the names of what was measured."""

from collections import Counter
from collections.abc import Sequence

from bench.board.plain import variant_name
from bench.results.cost import Cost, Latency
from bench.results.result import CannotRunResult, CellFacts, DoneResult, Machines, Provenance, Unsuccessful
from bench.scoring.metrics import Estimate, Metrics
from bench.scoring.record import ANSWERED, ParseStatus
from bench.types import PublishedTexts, ServerFacts, ViewName
from bench.wording import DASH, latency, number, or_dash, seconds, size

_STATUSES: dict[ParseStatus, str] = {
    "scored": "scored",
    "parsed": "an answer was read",
    "no_answer": "no answer found",
    "several_answers": "several answers found",
    "unfinished": "not finished at the token limit",
    "prompt_too_long": "the prompt does not fit the model",
    "not_listed": "no letter among the likeliest tokens that the server lists",
    "same_tokens": "the best option has the same tokens as another",
}


def failure_reason(result: Unsuccessful, texts: PublishedTexts) -> str:
    """Why a run failed; without texts, nothing that names or may quote a question.

    Of an exception that is its class alone.
    """
    if texts == "full" or isinstance(result, CannotRunResult):
        return result.reason
    if result.public_reason:
        return result.public_reason
    return result.reason.partition(":")[0] if result.traceback else "for a reason that is not published"


def names_of(cells: Sequence[CellFacts]) -> list[str]:
    """Names for runs in a comparison: title and variant in plain words; `static/choice.js` says the same.

    Of equal names, each has the variant's slug instead, and of those that are still equal also an id prefix.
    """
    names = [f"{cell.model.title} ({variant_name(cell.variant)})" for cell in cells]
    slugs = [f"{cell.model.title} ({cell.variant.slug})" for cell in cells]
    names = _where_equal(names, slugs)
    return _where_equal(names, [f"{slug} {cell.id[:8]}" for slug, cell in zip(slugs, cells, strict=True)])


def _where_equal(names: Sequence[str], others: Sequence[str]) -> list[str]:
    counts = Counter(names)
    return [name if counts[name] == 1 else other for name, other in zip(names, others, strict=True)]


def status_name(status: ParseStatus) -> str:
    return _STATUSES[status]


def unanswered(metrics: Metrics) -> str:
    """Why questions have no answer, with their numbers; "" where all have one."""
    counts = metrics.statuses
    return ", ".join(
        f"{counts[status]} × {status_name(status)}" for status in sorted(counts.keys() - ANSWERED)
    )


def estimate(metric: Estimate) -> str:
    """ "0.253", with its interval where it has one."""
    if metric.value is None:
        return DASH
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} ({metric.low:.3f}–{metric.high:.3f})"


def costs(result: DoneResult) -> list[tuple[str, str]]:
    """What a run cost, as pairs of name and value, for the page and the terminal."""
    cost = result.cost
    seen = " as the client sees it" if result.provenance.server else ""
    facts = [
        ("Answered by", "; ".join(map(_machines, result.merged))),
        ("Costs measured on", _measured(cost)),
        ("Loading", seconds(cost.load_seconds)),
        ("Scoring", seconds(cost.scoring_seconds)),
        ("Questions/s", number(cost.items_per_second)),
        ("Prompt tokens/s", number(cost.tokens_per_second)),
        ("Generated tokens", "" if cost.new_tokens is None else f"{cost.new_tokens:,}"),
        ("Generated tokens/s, with prompts", _writing_speed(cost)),
        (f"Latency in batches{seen}, p50 and p95", _latencies(cost.batched)),
        (f"Latency one by one{seen}, p50 and p95", _latencies(cost.alone)),
        ("Peak memory", size(cost.peak_memory_bytes)),
        ("Peak device memory", size(cost.peak_device_memory_bytes)),
        ("Accelerators", _accelerators(result)),
        ("Weights in memory", size(cost.model_bytes)),
        ("Of that, vision and audio towers", size(cost.tower_bytes) if cost.tower_bytes else ""),
        ("On disk", size(cost.weights_bytes)),
        ("Energy", f"{number(cost.joules)}\u202fJ" if cost.joules is not None else cost.joules_note or DASH),
    ]
    return [(name, value) for name, value in facts if value]


def _accelerators(result: DoneResult) -> str:
    """How many hold the model, "" for one or none."""
    count = result.engine.accelerators
    return f"{count}, each with a part of the layers" if count else ""


def _machines(group: Machines) -> str:
    return f"{group.machine}: {group.shards:,} shards, {group.questions:,} questions"


def _measured(cost: Cost) -> str:
    """The part of a run that its costs are of, "" for all of it."""
    part = cost.measured
    return f"{part.words} ({part.questions:,} questions)" if part else ""


def _writing_speed(cost: Cost) -> str:
    if cost.new_tokens is None or not cost.scoring_seconds:
        return ""
    return number(cost.new_tokens / cost.scoring_seconds)


def _latencies(measured: Latency | None) -> str:
    if measured is None:
        return DASH
    return f"{latency(measured.p50)} and {latency(measured.p95)} ({measured.questions:,} questions)"


def circumstances(where: Provenance) -> list[tuple[str, str]]:
    """When, on what and with what software a run was made, as pairs of name and value."""
    facts = [
        ("Server", _server(where.server) if where.server else ""),
        ("Finished", or_dash(where.finished).replace("T", " ").replace("+00:00", " UTC")),
        ("Interrupted", "" if not where.stops else "once" if where.stops == 1 else f"{where.stops} times"),
        ("Run in parallel", "" if where.jobs == 1 else f"{where.jobs} cells, which slows each"),
        ("Processor", or_dash(where.processor)),
        ("Cores", or_dash(where.cores)),
        ("Threads", or_dash(where.threads)),
        ("Memory", size(where.memory_bytes)),
        ("Device", where.device + (f", driver {where.driver}" if where.driver else "")),
        ("System", where.system),
        ("Python", where.python),
        ("SLM Bench", _version(where)),
        *where.libraries.items(),
    ]
    return [(name, value) for name, value in facts if value]


def _server(server: ServerFacts) -> str:
    """Its address, and what it says of the model and of itself."""
    named = [("model", server.model), ("version", server.version), ("fingerprint", server.fingerprint)]
    return ", ".join([server.url, *(f"{name} {value}" for name, value in named if value)])


def _version(where: Provenance) -> str:
    if not where.bench_version or not where.git:
        return where.bench_version
    return f"{where.bench_version}, commit {where.git}"


def different_answers(metrics: Metrics, view: ViewName, main: ViewName) -> str:
    """On how many questions a view gives another answer than the main view."""
    counts = {frozenset(pair.views): pair.items for pair in metrics.disagreements}
    items = counts.get(frozenset((view, main)))
    return DASH if items is None else f"{items:,}"
