"""Errors a person can act on. Each says what, where, and what to do.

BenchError
├── UsageError      a name or flag that does not exist           exit code 2
├── FileError       a file is wrong: every mistake in it at once  exit code 3
├── Unavailable     what a cell needs is not to be had here      reported, the rest goes on
└── PromptTooLong   one item does not fit the model's window     that item's record says so
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class BenchError(Exception):
    """The root: a message for a person, shown without a traceback."""

    exit_code = 1


class UsageError(BenchError):
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a file. `line` counts from 1; 0 means the file as a whole."""

    file: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.text}" if self.key else f"{place}: {self.text}"


class FileError(BenchError):
    exit_code = 3

    def __init__(self, mistakes: Sequence[Mistake], *, shown: int = 20) -> None:
        lines = [str(mistake) for mistake in mistakes[:shown]]
        if len(mistakes) > shown:
            lines.append(f"… and {len(mistakes) - shown} more")
        super().__init__("\n".join(lines))
        self.mistakes = tuple(mistakes)

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:  # errors come back from other processes
        return type(self), (self.mistakes,)


class Unavailable(BenchError):
    """`reason` says what is missing, `remedy` how to get it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.reason, self.remedy)


class PromptTooLong(BenchError):
    """`new` is how many tokens may be written after the prompt."""

    def __init__(self, tokens: int, window: int, new: int = 0) -> None:
        written = f" and {new} may be written" if new else ""
        super().__init__(f"the prompt has {tokens} tokens{written}, the model takes {window}")
        self.tokens = tokens
        self.window = window
        self.new = new

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.tokens, self.window, self.new)


def first_line(error: BaseException) -> str:
    """What another library's error says, cut to a line; its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known name, or nothing."""
    folded = {one.casefold(): one for one in sorted(known, reverse=True)}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"; did you mean '{folded[near[0]]}'?" if near else ""
