"""Numbers as people read them. What is not known is a dash, never a zero."""

from collections import Counter
from collections.abc import Sequence

from bench.runs.result import CellFacts, Cost, FailedResult, Latency, Provenance
from bench.scoring.metrics import Metrics
from bench.scoring.record import ParseStatus
from bench.stats.metrics import Estimate
from bench.types import ScoredView

DASH = "—"
_VIEWS: dict[ScoredView, str] = {
    "letter": "Letter",
    "text": "Option text",
    "text_per_char": "Option text, per character",
    "text_per_token": "Option text, per token",
    "text_pmi": "Option text, against the bare cue",
}
_STATUSES: dict[ParseStatus, str] = {
    "scored": "scored",
    "parsed": "an answer was read",
    "no_answer": "no answer in it",
    "several_answers": "several answers in it",
    "unfinished": "not finished at the token limit",
    "prompt_too_long": "the prompt does not fit the model",
}


def or_dash(value: object) -> str:
    return DASH if value is None or value == "" else str(value)


def short_digest(value: str | None) -> str:
    """ "sha256:16399c58…" or a commit, cut to ten digits; the whole stands in result.json."""
    if value is None:
        return DASH
    kind, _, digest = value.rpartition(":")
    return f"{kind}:{digest[:10]}" if kind else digest[:10]


def percent(value: float, digits: int = 1) -> str:
    """0.277 -> "27.7 %" with a narrow no-break space."""
    return f"{value * 100:.{digits}f}\u202f%"


def cut(text: str, most: int = 20_000) -> str:
    """A long text with a word on what is left out; all of it stays in records.jsonl."""
    rest = len(text) - most
    return f"{text[:most]}\n[… {rest:,} more characters, in records.jsonl]" if rest > 0 else text


def count(value: int | None) -> str:
    """Parameters: 134515008 -> "135M", 1543714304 -> "1.54B"."""
    if value is None:
        return DASH
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return str(value)


def size(value: int | None) -> str:
    """Bytes: 1217495040 -> "1.22 GB" (decimal units, as disks and models are sold)."""
    if value is None:
        return DASH
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if value >= unit:
            return f"{value / unit:.3g}\u202f{name}"
    return f"{value}\u202fB"


def number(value: float | None) -> str:
    """Three significant digits, thousands set apart: 17164.9 -> "17,165", 10.04 -> "10.0"."""
    if value is None:
        return DASH
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def seconds(value: float | None) -> str:
    """127.9 -> "2 min 8 s", 4.21 -> "4.2 s"."""
    if value is None:
        return DASH
    if value >= 60:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes}\u202fmin {rest}\u202fs"
    return f"{value:.1f}\u202fs"


def points(share: float) -> str:
    """0.0123 -> "+1.2", in percentage points."""
    return f"{100 * share:+.1f}"


def told_reason(failed: FailedResult, texts: str) -> str:
    """Why a run failed. What an exception says may quote a question, so without texts it is its kind."""
    return failed.reason if texts == "full" or not failed.traceback else failed.reason.partition(":")[0]


def names_of(cells: Sequence[CellFacts]) -> list[str]:
    """Runs' names in a comparison: title and variant, with the run's id where that is another's too."""
    names = [f"{cell.model.title} ({cell.variant.slug})" for cell in cells]
    counts = Counter(names)
    return [
        name if counts[name] == 1 else f"{name} {cell.id[:8]}"
        for name, cell in zip(names, cells, strict=True)
    ]


def view_name(view: ScoredView) -> str:
    return _VIEWS[view]


def status_name(status: ParseStatus) -> str:
    return _STATUSES[status]


def estimate(found: Estimate) -> str:
    """0.253 with its interval where it has one."""
    if found.value is None:
        return DASH
    if found.low is None or found.high is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})"


def costs(cost: Cost) -> list[tuple[str, str]]:
    """What a run cost, by name, as page and terminal show it."""
    found = [
        ("Loading", seconds(cost.load_seconds)),
        ("Scoring", seconds(cost.scoring_seconds)),
        ("Questions/s", number(cost.items_per_second)),
        ("Prompt tokens/s", number(cost.tokens_per_second)),
        ("Written tokens", "" if cost.new_tokens is None else f"{cost.new_tokens:,}"),
        ("A question in its batch, p50 and p95", _latency(cost.batched)),
        ("A question alone, p50 and p95", _latency(cost.alone)),
        ("Peak memory", size(cost.peak_memory_bytes)),
        ("Peak device memory", size(cost.peak_device_memory_bytes)),
        ("Weights in memory", size(cost.model_bytes)),
        ("On disk", size(cost.weights_bytes)),
        ("Energy", f"{number(cost.joules)}\u202fJ" if cost.joules is not None else cost.joules_note or DASH),
    ]
    return [(name, value) for name, value in found if value]


def _latency(found: Latency | None) -> str:
    if found is None:
        return DASH
    return f"{brief(found.p50)} and {brief(found.p95)} ({found.questions} questions)"


def brief(value: float) -> str:
    """0.0423 -> "42.3 ms"."""
    return f"{number(1000 * value)}\u202fms" if value < 1 else seconds(value)


def circumstances(p: Provenance) -> list[tuple[str, str]]:
    """When, on what and with what a run was made."""
    found = [
        ("Finished", or_dash(p.finished).replace("T", " ").replace("+00:00", " UTC")),
        ("Interrupted", "" if not p.stops else "once" if p.stops == 1 else f"{p.stops} times"),
        ("Side by side", "" if p.jobs == 1 else f"{p.jobs} cells, each slower for it"),
        ("Processor", or_dash(p.processor)),
        ("Cores", or_dash(p.cores)),
        ("Threads", or_dash(p.threads)),
        ("Memory", size(p.memory_bytes)),
        ("Device", p.device + (f", driver {p.driver}" if p.driver else "")),
        ("System", p.system),
        ("Python", p.python),
        ("SLM Bench", p.bench_version and p.bench_version + (f", commit {p.git}" if p.git else "")),
        *p.libraries.items(),
    ]
    return [(name, value) for name, value in found if value]


def differ(metrics: Metrics, view: ScoredView, main: ScoredView) -> str:
    """On how many questions a view answers otherwise than the main one."""
    pairs = {frozenset(one.views): one.items for one in metrics.disagreements}
    items = pairs.get(frozenset((view, main)))
    return DASH if items is None else str(items)
