"""Numbers and sizes as people read them. What is not known is a dash, never a zero."""

DASH = "—"
MINUS = "−"
_ROUNDS_UP = 0.99951
"""From this share on, three digits of the smaller unit would be 1e+03."""


def or_dash(value: object) -> str:
    return DASH if value is None or value == "" else str(value)


def whole(value: int) -> str:
    """1273 -> "1,273"."""
    return f"{value:,}"


def counted(value: int, thing: str) -> str:
    """1 -> "1 row", 1200 -> "1,200 rows"."""
    return f"{value:,} {thing}{'' if value == 1 else 's'}"


def short_digest(value: str | None) -> str:
    """ "sha256:16399c58…" or a commit, cut to ten digits; the whole stands in result.json."""
    if value is None:
        return DASH
    kind, _, digest = value.rpartition(":")
    return f"{kind}:{digest[:10]}" if kind else digest[:10]


def cut(text: str, most: int = 20_000) -> str:
    """A long text with a note on what is left out; all of it stays in records.jsonl."""
    rest = len(text) - most
    return f"{text[:most]}\n[… {rest:,} more characters, in records.jsonl]" if rest > 0 else text


def percent(value: float, digits: int = 1) -> str:
    """0.277 -> "27.7 %" with a narrow no-break space."""
    return f"{value * 100:.{digits}f}\u202f%".replace("-", MINUS)


def score(value: float) -> str:
    """-1.2544 -> "−1.254", a sum or mean of log-probabilities."""
    return f"{value:.3f}".replace("-", MINUS)


def points(share: float) -> str:
    """0.0123 -> "+1.2", -0.0123 -> "−1.2", in percentage points."""
    return f"{100 * share:+.1f}".replace("-", MINUS)


def plain_points(share: float) -> str:
    """0.0123 -> "1.2", percentage points without a sign."""
    return f"{100 * share:.1f}"


def count(value: int | None) -> str:
    """Parameters: 134515008 -> "135M", 1543714304 -> "1.54B"."""
    if value is None:
        return DASH
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if value >= _ROUNDS_UP * unit:
            return f"{value / unit:.3g}{name}"
    return str(value)


def size(value: int | None) -> str:
    """Bytes: 1217495040 -> "1.22 GB" in decimal units, as disks and models are sold."""
    if value is None:
        return DASH
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if value >= _ROUNDS_UP * unit:
            return f"{value / unit:.3g}\u202f{name}"
    return f"{value}\u202fB"


def number(value: float | None) -> str:
    """Three significant digits, with a comma at thousands: 17164.9 -> "17,165", 10.04 -> "10.0"."""
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


def latency(value: float) -> str:
    """Seconds, in milliseconds below one: 0.0423 -> "42.3 ms"."""
    return f"{number(1000 * value)}\u202fms" if value < 1 else seconds(value)
