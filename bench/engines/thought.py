"""Tags that a chat template writes before an answer: which of them open a thought, and which close it.

A thought's tags have another name in each family of models, so those of unknown names count as well. A tag
closes another where the rest of their names is the same: <x> and </x>, <|START_X|> and <|END_X|>.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_TAG = re.compile(r"<[^<>\n]+>|\[[^\[\]\n]+\]|◁[^◁▷\n]+▷")
_WORD = re.compile(r"[^\W_]+")
_SIDES = {"begin", "start", "open", "prefix", "end", "stop", "close", "suffix", "of"}
_ENDS = {"end", "stop", "close", "suffix"}
_CLOSING_BAR = re.compile(r"<[^|/].*\|>")
"""Gemma 4 writes <|channel> and <channel|>."""
_THOUGHT = re.compile(
    r"think|thought|reason|analysis|reflect|ponder|scratchpad|monologue|\binner\b|思考|推理", re.IGNORECASE
)
_ANSWER = re.compile(
    r"answer|response|reply|final|output|content|message|text|assistant|model|bot$|^ai$|^sep$", re.IGNORECASE
)
"""Words of tags that announce an answer or name who speaks."""


@dataclass(frozen=True, slots=True)
class _Tag:
    """`name` lacks the words that tell the sides apart; `after` is the text up to the next tag."""

    text: str
    start: int
    end: int
    name: tuple[str, ...]
    closes: bool
    after: str

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether a word of the tag, or the one that follows it, matches."""
        words = (*_WORD.findall(self.text), *_WORD.findall(self.after)[:1])
        return any(pattern.search(word) for word in words)

    def closed_by(self, other: "_Tag") -> bool:
        if self.name == other.name:
            return other.closes
        return self.says(_THOUGHT) and _next_number(self.name) == other.name


def closed_thought(text: str) -> int | None:
    """Where the thought begins that is closed at the end of `text`; None where there is no such thought."""
    tags = _tags(text)
    if not tags or tags[-1].after.strip():
        return None
    for opener in reversed(tags[:-1]):
        if opener.closed_by(tags[-1]):
            inside = text[opener.end : tags[-1].start]
            return opener.start if opener.says(_THOUGHT) or not inside.strip() else None
    return None


def without_thought(text: str) -> str:
    """`text` without a thought at its end, be it open or closed."""
    start = closed_thought(text)
    if start is None:
        start = next((tag.start for tag in _open(_tags(text)) if tag.says(_THOUGHT)), len(text))
    return text[:start]


def opens_thought(text: str, frame: str) -> bool:
    """Whether `text` ends in a thought that has a known name, be it a tag or a word such as "Reasoning:".

    Words of `frame`, which a template writes around a question, say nothing: "/no_think" is one.
    """
    tags = _tags(text)
    last_words = _words(tags[-1].after if tags else text) - _words(frame)
    return any(tag.says(_THOUGHT) for tag in _open(tags)) or any(map(_THOUGHT.search, last_words))


def closes_one(text: str) -> bool:
    """Whether `text` ends in a closing tag."""
    tags = _tags(text)
    return bool(tags) and tags[-1].closes and not tags[-1].after.strip()


def opens_one(text: str) -> bool:
    """Whether `text` is an opening tag alone, and none that announces an answer."""
    tags = _tags(text)
    return len(tags) == 1 and tags[0].text == text.strip() and not (tags[0].closes or tags[0].says(_ANSWER))


def names_speaker(opening: str, frame: str) -> bool:
    """Whether a tag or word stands before answers alone; `frame` is what stands around a question."""
    tags, shared = ({tag.text for tag in _tags(text)} for text in (opening, frame))
    return bool(tags - shared or _words(opening) - _words(frame))


def suspect(opening: str, frame: str) -> str | None:
    """A tag of unknown name before an answer that may open a thought; None where there is none.

    `frame` is what the template writes around a question. Of the tags that stand before answers alone, one
    may be the assistant's own, where no word names it; every other has to say that an answer follows.
    """
    shared = {tag.text for tag in _tags(frame)}
    own = [tag for tag in _open(_tags(opening)) if tag.text not in shared]
    if own and not _words(opening[: own[0].start]) - _words(frame):
        own = own[1:]
    return next((tag.text for tag in own if not tag.says(_ANSWER)), None)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_TAG.sub(" ", text)))


def _open(tags: Iterable[_Tag]) -> list[_Tag]:
    """The tags that no later tag closes."""
    opened: list[_Tag] = []
    for tag in tags:
        at = next((at for at in reversed(range(len(opened))) if opened[at].closed_by(tag)), None)
        if at is not None:
            del opened[at:]
        elif tag.closes and not tag.name:  # <|end|> ends whatever is open
            opened.clear()
        elif not tag.closes:
            opened.append(tag)
    return opened


def _tags(text: str) -> list[_Tag]:
    matches = list(_TAG.finditer(text))
    ends = [*(match.start() for match in matches[1:]), len(text)]
    return [_tag(match, text[match.end() : end]) for match, end in zip(matches, ends, strict=False)]


def _tag(match: re.Match[str], after: str) -> _Tag:
    text = match[0]
    words = [word.lower() for word in _WORD.findall(text.partition(" ")[0])]
    name = tuple(word for word in words if word not in _SIDES)
    closes = "/" in text or bool(_CLOSING_BAR.fullmatch(text)) or not _ENDS.isdisjoint(words)
    return _Tag(text, match.start(), match.end(), name, closes, after)


def _next_number(name: tuple[str, ...]) -> tuple[str, ...] | None:
    """MedGemma writes <unused94>thought and <unused95>."""
    number = re.fullmatch(r"(\D+)(\d{1,9})", name[0]) if len(name) == 1 else None
    return (f"{number[1]}{int(number[2]) + 1}",) if number else None
