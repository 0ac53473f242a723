"""What a model wrote, as plain text, and where an option is named in it.

The plain copy of a reply is as long as the reply, so that a place in the one is a place in the
other. No pattern repeats without a bound where it could start anywhere, so a megabyte of brackets
is read in linear time.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from bench.types import LETTERS


@dataclass(frozen=True, slots=True)
class Reply:
    """The plain text after the thoughts, and by letter what each option's own text looks like there."""

    text: str
    options: dict[str, re.Pattern[str]]


def plain_reply(said: str, options: Sequence[str]) -> Reply:
    return Reply(_plain(said), dict(zip(LETTERS, map(_option_text, options), strict=False)))


def pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.MULTILINE)


def skip(form: re.Pattern[str], text: str, place: int) -> int:
    """The place after what has this form, or the same place."""
    found = form.match(text, place)
    return found.end() if found else place


_MARKUP = pattern(
    r"\\(?:text|math)[a-z]{0,6}|\\(?:left|right|bf|rm)\b|\\[()\[\],;! ]|(?<!\w)'|'(?!\w)"
    r"|</?(?:b|i|p|u|em|br|strong|center|code|span)/?>"
)
_WORD = pattern(r"[^\s,;:!?()]+")


def _plain(text: str) -> str:
    """The text without markup and quotes, all spaces alike, character for character."""
    table = {ord(character): _plain_character(character) for character in set(text)}
    return _MARKUP.sub(lambda found: " " * len(found[0]), text.translate(table).replace("\\%", "% "))


def _plain_character(character: str) -> str:
    normal = unicodedata.normalize("NFKC", character)
    if character in "‘’":
        return "'"
    if character != "\n" and (normal in '*_`~${}[]"“”•' or unicodedata.category(character) in ("Cc", "Cf")):
        return " "
    return normal if len(normal) == 1 else character


def _option_text(option: str) -> re.Pattern[str]:
    """An option that is itself a letter looks like nothing: "C" in a reply is the letter."""
    plain = _plain(unicodedata.normalize("NFKC", option))
    words = [word for found in _WORD.findall(plain) if (word := found.strip("."))]
    if words[1:] and words[0].lower() in ("the", "a", "an"):
        del words[0]
    if not words or (words[1:] == [] and words[0].upper() in LETTERS):
        return re.compile(r"(?!)")
    joined = r"[\s.,;:!?()]{1,6}".join(map(re.escape, words))
    # Vitamin B is not in "vitamin B12", nor 1 in "1.5" or "1-2".
    return pattern(rf"[\s(]{{0,9}}(?:(?:the|an?)\s+)?{joined}(?![\w%+/<=>^-]|[.,'’]\w)")


VERB = r"(?:is|isn't|are|aren't|was|were|would|could|should|must|can|can't|cannot|has|does|seems)\b"
_FUNCTION_WORD = (
    r"(?:because|since|as|for|and|or|nor|but|which|given|due|based|according|in|with|if|not|rather|instead"
    r"|over|by|when|while|here|from|then|so)\b"
)
_LABEL = pattern(r"[\s(<]{0,40}([A-J])(?![\w+#%]|'\w|\.\d)")
_AFTER_LABEL = pattern(r"[\s().:>–—-]{0,12}")
# The article A, the pronoun I, "B cells" and "C-peptide" are no letters of options.
_PROSE = pattern(rf"(?:[ \t]+|-)(?!{_FUNCTION_WORD}|{VERB})[^\W_]")
_JOIN = pattern(
    r"[\s),]{0,6}(?:(?P<either>/|&|\b(?:and/or|or|nor)\b)|,|\band\b)\s{0,4}"
    r"(?:(?:options?|choice|also|maybe|possibly|perhaps)\s+){0,3}"
)
_JOINED = pattern(r"[\s)]{0,4}(?:[.,;:!/&]|\Z|\b(?:and|or|nor|but|because|since|as|are|both)\b)")


def named(reply: Reply, place: int) -> tuple[str, int]:
    """The letters of all options named at `place`, and where that ends; ("", place) where none is."""
    letters, end = _option(reply, place)
    for _ in LETTERS:
        join = _JOIN.match(reply.text, end) if letters else None
        more, stop = _option(reply, join.end()) if join else ("", end)
        # In "the answer is B, C is wrong" the comma does not join; in "B or C" the word always does.
        if join is None or not more or not (join["either"] or _JOINED.match(reply.text, stop)):
            break
        letters, end = "".join(sorted({*letters, *more})), stop
    return letters, end


def _option(reply: Reply, place: int) -> tuple[str, int]:
    """Text goes before letter: where "C. difficile" is an option's text, its C is no letter."""
    ends = {letter: _end_of_text(reply, letter, place) for letter in reply.options}
    longest = max(ends.values(), default=0)
    if longest:
        return "".join(letter for letter, end in ends.items() if end == longest), longest
    return labelled(reply, place)


def labelled(reply: Reply, place: int) -> tuple[str, int]:
    """A letter, and its option's own text where that follows."""
    found = _LABEL.match(reply.text, place)
    if not found or found[1].upper() not in reply.options:
        return "", place
    letter, end = found[1].upper(), found.end()
    own = _end_of_text(reply, letter, skip(_AFTER_LABEL, reply.text, end))
    return ("", place) if not own and _PROSE.match(reply.text, end) else (letter, own or end)


def _end_of_text(reply: Reply, letter: str, place: int) -> int:
    """Where the option's text ends if it stands at `place`, else 0."""
    found = reply.options[letter].match(reply.text, place)
    return found.end() if found else 0
