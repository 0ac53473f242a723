"""The vocabulary of the program: frozen values that flow from task to board.

    Item -> ScoreRequest -> Encoded -> Scores

`Record` (what is kept of an answered item) is in `scoring/record.py`, and `Result` (a whole run)
in `runs/result.py`: both are files' forms, so they are pydantic models.
"""

from dataclasses import dataclass
from typing import Literal

LETTERS = "ABCDEFGHIJ"
"""Answer letters; a task may have up to ten options."""

View = Literal["letter"]
"""A way to read an answer from scores: `letter` compares the log-probabilities of " A", " B", …"""

Dtype = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True)
class Item:
    """One multiple-choice question. `answer` is an index into `options`."""

    id: str
    question: str
    options: tuple[str, ...]
    answer: int
    group: str = ""

    @property
    def letters(self) -> str:
        return LETTERS[: len(self.options)]


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """How likely is each continuation after the prompt?

    A language model sees `prompt` and `continuations` alone. A baseline that works on the question
    itself reads `item` instead, never its answer.
    """

    item: Item
    prompt: str
    continuations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request in one engine's tokens: a tree with one stem and a branch a continuation.

    The stem is what all continuations share: decoder-only, the longest common prefix of every
    encoded prompt + continuation; encoder-decoder, the encoder's input. Both are empty for a
    baseline.
    """

    request: ScoreRequest
    stem: tuple[int, ...]
    branches: tuple[tuple[int, ...], ...]

    @property
    def tokens(self) -> int:
        """Length of the longest row a forward pass needs for this request."""
        return len(self.stem) + max((len(branch) - 1 for branch in self.branches), default=0)


@dataclass(frozen=True, slots=True)
class Scores:
    """The reply: `logprobs[i]` is the natural log-probability of continuation i (float32)."""

    prompt: str
    prompt_tokens: int
    logprobs: tuple[float, ...]
