"""Errors that a person can act on. Each says what is wrong, where, and what to do.

BenchError
├── UsageError      a name, flag or package that is not there    exit code 2
├── FileError       a file is wrong: every mistake in it at once  exit code 3
├── Unavailable     what a cell needs is out of reach            reported; other cells run
├── OfItem          something is wrong with one item             exit code 1
└── PromptTooLong   one item does not fit the model's window     noted in the item's record
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LONGEST = 400
"""Characters of another library's message that are shown."""
LONGEST_REASON = 2000
"""Characters of the reason of a failure, wherever it is kept or shown."""
LONGEST_TRACE = 20_000
"""Characters of a traceback that are kept: its beginning and its end."""
LISTED = 10
"""Names that a message about an unknown one lists."""
_POINTER = re.compile(r"(?i)for (more )?details,? (please )?(look at|see) [^.!]*(above|below)[^.!]*[.!]?")
"""A sentence that points to what the library has logged, which nobody sees."""


class BenchError(Exception):
    """The root: a message for a person, shown without a traceback."""

    exit_code = 1


class UsageError(BenchError):
    """A name, flag or package that does not exist, or flags that exclude each other."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a file. `line` counts from 1, and 0 is the whole file; `key` may be ""."""

    file: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return visible(f"{place}: {self.key}: {self.text}" if self.key else f"{place}: {self.text}")


class FileError(BenchError):
    """All mistakes of a file or of several; the message lists the first `shown`."""

    exit_code = 3

    def __init__(self, mistakes: Sequence[Mistake], *, shown: int = 20) -> None:
        lines = [str(mistake) for mistake in mistakes[:shown]]
        if len(mistakes) > shown:
            lines.append(f"… and {len(mistakes) - shown} more")
        super().__init__("\n".join(lines))
        self.mistakes = tuple(mistakes)

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:  # errors are sent between processes
        return type(self), (self.mistakes,)


class Unavailable(BenchError):
    """`reason` says what is missing, and `remedy` how to get it.

    `general` is the reason as it is said of several models or tasks at once, without the name of one.
    """

    def __init__(self, reason: str, remedy: str, general: str = "") -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy
        self.general = general or reason

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.reason, self.remedy, self.general)


class OfItem(BenchError):
    """An error about one item, named by its id between `before` and `place`.

    `quoted` are the parts of the text that may show something of the item.
    """

    def __init__(
        self, item: str, text: str, quoted: Sequence[str] = (), before: str = "", place: str = ""
    ) -> None:
        super().__init__(f"{before}item {item}{place}: {text}")
        self.parts = item, text, tuple(quoted), before, place

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), self.parts

    def without_texts(self, name: str) -> str:
        """The message with another name in the place of the item's, and without what it quotes."""
        _, text, quoted, before, place = self.parts
        for words in quoted:
            text = text.replace(words, "…")
        return f"{before}{name}{place}: {text}"


class PromptTooLong(BenchError):
    """All in tokens: the prompt has `tokens`, the model takes `window`, and `new` may be generated."""

    def __init__(self, tokens: int, window: int, new: int = 0) -> None:
        generated = f" and {new} may be written" if new else ""
        super().__init__(f"the prompt has {tokens} tokens{generated}, the model takes {window}")
        self.tokens = tokens
        self.window = window
        self.new = new

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.tokens, self.window, self.new)


_HIDDEN = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and movements of a terminal
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles and links of a terminal
    r"|[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f]"
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # turns the direction of what follows
    r"|[\ud800-\udfff]"  # halves of a character, which no file holds
)


def visible(text: str) -> str:
    """A text of anyone's without control characters; tabs and ends of lines stay."""
    return _HIDDEN.sub("", text)


def shown_line(text: str, most: int = LONGEST_REASON) -> str:
    """A text of anyone's as one line of at most `most` characters, without control characters."""
    # Blanks alone: a narrow space between a number and its unit stays.
    lines = (re.sub(r"[ \t]+", " ", line).strip(" \t") for line in visible(text).splitlines())
    line = "; ".join(filter(None, lines)).replace(":; ", ": ")
    return line if len(line) <= most else line[: most - 1] + "…"


def shown_trace(text: str, most: int = LONGEST_TRACE) -> str:
    """A traceback without control characters, and with a note in the place of its middle where it is long."""
    text = visible(text)
    rest = len(text) - most
    if rest <= 0:
        return text
    half = most // 2
    return f"{text[:half]}\n[… {rest:,} characters left out …]\n{text[-half:]}"


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 (another package's error may fail to say anything)
        return ""


def one_line(error: BaseException, causes: int = 3) -> str:
    """An error's whole message as one line of at most `LONGEST` characters.

    Libraries often begin with a heading and say what is wrong on the lines after it. Where nothing follows
    the heading, or it only points to what was logged, the error's cause follows (of at most `causes` errors,
    as they can go in circles), or its class.
    """
    whole = " ".join(visible(_text_of(error)).split())
    text = _POINTER.sub("", whole).strip()
    if isinstance(error, LookupError) and not isinstance(error, UnicodeError):
        return f"{type(error).__name__}: {text}"[:LONGEST]  # the text is a key alone
    if not text or text.endswith(":") or text != whole:
        cause = error.__cause__ or error.__context__
        rest = one_line(cause, causes - 1) if cause and causes else f"({type(error).__name__})"
        text = f"{text} {rest}".strip()
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def named_line(error: BaseException) -> str:
    """`one_line` after the name of the error's class, for errors that nobody foresaw."""
    name, line = type(error).__name__, one_line(error)
    if line == f"({name})":
        return name
    return line if line.startswith(f"{name}: ") else f"{name}: {line}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message, `; did you mean 'x'?`, with the nearest known name; "" where none is near."""
    folded = {candidate.casefold(): candidate for candidate in sorted(known, reverse=True)}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"; did you mean '{folded[near[0]]}'?" if near else ""


def there_are(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: `; did you mean 'x'? (there are x, y and 3 more)`.

    Of more than `LISTED` names, those that are most like `name` are listed.
    """
    names = sorted(set(known))
    listed = sorted(difflib.get_close_matches(name, names, n=LISTED, cutoff=0.0))
    more = f" and {len(names) - len(listed)} more" if len(names) > len(listed) else ""
    return f"{did_you_mean(name, names)} (there are {', '.join(listed) or 'none'}{more})"
