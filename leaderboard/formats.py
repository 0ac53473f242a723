"""Numbers as people read them. What is not known is a dash, never a zero."""

from bench.scoring.metrics import Estimate, Metrics
from bench.scoring.record import ParseStatus
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


def view_name(view: ScoredView) -> str:
    return _VIEWS[view]


def status_name(status: ParseStatus) -> str:
    return _STATUSES[status]


def metric_name(name: str) -> str:
    """ "macro_f1" -> "Macro F1"; a metric of the evaluate library by the last part of its name."""
    if name.startswith("evaluate:"):
        return name.rpartition("/")[2].removeprefix("evaluate:")
    return name.replace("_", " ").replace("f1", "F1").capitalize().replace(" f1", " F1")


def estimate(found: Estimate) -> str:
    """0.253 with its interval where it has one."""
    if found.value is None:
        return DASH
    if found.low is None or found.high is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})"


def differ(metrics: Metrics, view: ScoredView, main: ScoredView) -> str:
    """On how many questions a view answers otherwise than the main one."""
    pairs = {frozenset(one.views): one.items for one in metrics.disagreements}
    items = pairs.get(frozenset((view, main)))
    return DASH if items is None else str(items)
