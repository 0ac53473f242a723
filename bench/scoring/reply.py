"""A generated reply as plain text, and where options are named in it.

The plain text is as long as the reply, so that a position is the same in both. Patterns that can start
anywhere repeat with a limit only, so a megabyte of brackets is read in linear time.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from bench.types import LETTERS


@dataclass(frozen=True, slots=True)
class Reply:
    """`text` is the plain text after <think> blocks; `options` has a pattern for each letter."""

    text: str
    options: dict[str, re.Pattern[str]]


def plain_reply(text: str, options: Sequence[str]) -> Reply:
    """A reply without its <think> blocks, ready to be searched."""
    letters = LETTERS[: len(options)]
    patterns = (_option_text(option, letters) for option in options)
    return Reply(_plain(text), dict(zip(letters, patterns, strict=True)))


def pattern(text: str) -> re.Pattern[str]:
    """A pattern that ignores case and matches ^ and $ at every line."""
    return re.compile(text, re.IGNORECASE | re.MULTILINE)


def skip(expression: re.Pattern[str], text: str, place: int) -> int:
    """The position after a match at `place`, or `place` where there is none."""
    match = expression.match(text, place)
    return match.end() if match else place


_MARKUP = pattern(
    r"\\(?:text|math)[a-z]{0,6}|\\(?:left|right|bf|rm)\b|\\[()\[\],;! ]|(?<!\w)'|'(?!\w)"
    r"|</?(?:b|i|p|u|em|br|strong|center|code|span)/?>"
)
_WORD = pattern(r"[^\s,;:!?()]+")


def _plain(text: str) -> str:
    """The text with markup, quotes and unusual spaces replaced, character for character."""
    table = {ord(character): _plain_character(character) for character in set(text)}
    return _MARKUP.sub(lambda markup: " " * len(markup[0]), text.translate(table).replace("\\%", "% "))


def _plain_character(character: str) -> str:
    normal = unicodedata.normalize("NFKC", character)
    if character in "‘’":
        return "'"
    if character != "\n" and (normal in '*_`~${}[]"“”•' or unicodedata.category(character) in ("Cc", "Cf")):
        return " "
    return normal if len(normal) == 1 else character


def _option_text(option: str, letters: str) -> re.Pattern[str]:
    """The pattern of an option's text. One that is an option's letter matches nothing: "C" is a label."""
    plain = _plain(unicodedata.normalize("NFKC", option))
    words = [word for part in _WORD.findall(plain) if (word := part.strip("."))]
    if words[1:] and words[0].lower() in ("the", "a", "an"):
        del words[0]
    if not words or (words[1:] == [] and words[0].upper() in letters):
        return re.compile(r"(?!)")
    joined = r"[\s.,;:!?()]{1,6}".join(map(re.escape, words))
    # "Vitamin B" is not named in "vitamin B12", nor "1" in "1.5" or "1-2".
    return pattern(rf"[\s(]{{0,9}}(?:(?:the|an?)\s+)?{joined}(?![\w%+/<=>^-]|[.,'’]\w)")


VERB = r"(?:is|isn't|are|aren't|was|were|would|could|should|must|can|can't|cannot|has|does|seems)\b"
_FUNCTION_WORD = (
    r"(?:because|since|as|for|and|or|nor|but|which|given|due|based|according|in|with|if|not|rather|instead"
    r"|over|by|when|while|here|from|then|so)\b"
)
_LABEL = pattern(r"[\s(<]{0,40}([A-Z])(?![\w+#%]|'\w|\.\d)")
_AFTER_LABEL = pattern(r"[\s().:>–—-]{0,12}")
# Not labels: the article A, the pronoun I, "B cells" and "C-peptide".
_PROSE = pattern(rf"(?:[ \t]+|-)(?!{_FUNCTION_WORD}|{VERB})[^\W_]")
_JOIN = pattern(
    r"[\s),]{0,6}(?:(?P<either>/|&|\b(?:and/or|or|nor)\b)|,|\band\b)\s{0,4}"
    r"(?:(?:options?|choice|also|maybe|possibly|perhaps)\s+){0,3}"
)
_JOINED = pattern(r"[\s)]{0,4}(?:[.,;:!/&]|\Z|\b(?:and|or|nor|but|because|since|as|are|both)\b)")


def named(reply: Reply, place: int) -> tuple[str, int]:
    """(letters of all options named at `place`, end of what names them), or ("", `place`) for none."""
    letters, end = _option(reply, place)
    for _ in reply.options:
        join = _JOIN.match(reply.text, end) if letters else None
        following, stop = _option(reply, join.end()) if join else ("", end)
        # The comma joins no options in "the answer is B, C is wrong"; "or" always does.
        if join is None or not following or not (join["either"] or _JOINED.match(reply.text, stop)):
            break
        letters, end = "".join(sorted({*letters, *following})), stop
    return letters, end


def _option(reply: Reply, place: int) -> tuple[str, int]:
    """As `named`, for one name. A text comes before a letter: in "C. difficile", an option, C is no label."""
    ends = {letter: _end_of_text(reply, letter, place) for letter in reply.options}
    longest = max(ends.values(), default=0)
    if longest:
        return "".join(letter for letter, end in ends.items() if end == longest), longest
    return labelled(reply, place)


def labelled(reply: Reply, place: int) -> tuple[str, int]:
    """(letter, end of the label) where an option's label is at `place`, else ("", `place`).

    The option's text is part of the label where it follows the letter.
    """
    match = _LABEL.match(reply.text, place)
    if not match or match[1].upper() not in reply.options:
        return "", place
    letter, end = match[1].upper(), match.end()
    text_end = _end_of_text(reply, letter, skip(_AFTER_LABEL, reply.text, end))
    return ("", place) if not text_end and _PROSE.match(reply.text, end) else (letter, text_end or end)


def _end_of_text(reply: Reply, letter: str, place: int) -> int:
    """The end of an option's text where it is at `place`, else 0."""
    match = reply.options[letter].match(reply.text, place)
    return match.end() if match else 0
