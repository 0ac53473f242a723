"""The shades of heat maps: the way from guessing to all right, in five steps. Pure."""

STEPS = (0.05, 0.25, 0.5, 0.75)
"""Where the shade changes, as shares of the way."""


def shade(way: float) -> str:
    """0 (guessing) -> "l0", 1 (all right) -> "l4"."""
    return f"l{sum(way >= step for step in STEPS)}"
