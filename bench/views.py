"""The views, one row each: ways to read an answer from scores.

A view scores every option of a question; the option with the highest score is the answer. The task names
the view that counts. Another package adds a view as an entry point of the group `bench.views`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.plugins import Registry
from bench.types import ViewName


@dataclass(frozen=True, slots=True)
class OptionScores:
    """A model's scores of one question. Every field has one entry for each option.

    `letters` and `texts` are natural log-probabilities after the prompt: of " A", " B", …, and of the
    options' texts, each a sum over `tokens` tokens. `letters` is empty where the task shows none. `bare` has
    the log-probabilities of the texts after the task's bare cue.
    """

    options: tuple[str, ...]
    letters: tuple[float, ...]
    texts: tuple[float, ...]
    tokens: tuple[int, ...]
    bare: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class View:
    """`title` is for display. A view that `needs_letters` exists only where the task shows letters."""

    name: ViewName
    title: str
    score: Callable[[OptionScores], Sequence[float]]
    needs_letters: bool = False


def _per_char(scores: OptionScores) -> list[float]:
    lengths = [len(option) or 1 for option in scores.options]
    return [score / length for score, length in zip(scores.texts, lengths, strict=True)]


def _per_token(scores: OptionScores) -> list[float]:
    return [score / (count or 1) for score, count in zip(scores.texts, scores.tokens, strict=True)]


def _pmi(scores: OptionScores) -> list[float]:
    """Pointwise mutual information with the question (Holtzman et al. 2021, PMI_DC)."""
    return [score - bare for score, bare in zip(scores.texts, scores.bare, strict=True)]


LETTER = View("letter", "Letter", lambda scores: scores.letters, needs_letters=True)
TEXT = View("text", "Option text", lambda scores: scores.texts)
_OWN = (
    LETTER,
    TEXT,
    View("text_per_char", "Option text, per character", _per_char),
    View("text_per_token", "Option text, per token", _per_token),
    View("text_pmi", "Option text, against the bare cue", _pmi),
)
VIEWS = Registry("bench.views", "view", View, {view.name: view for view in _OWN})


def view_title(name: ViewName) -> str:
    """The title of a view for display: its name where the package that adds the view is not installed."""
    return VIEWS.get(name).title if name in VIEWS.names() else name


def best(scores: Sequence[float]) -> int:
    """The index of the highest score; of equal ones, the first."""
    return max(range(len(scores)), key=scores.__getitem__)
