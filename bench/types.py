"""The vocabulary of the program: frozen values that flow from task to board.

    Item -> ScoreRequest -> Encoded -> Scores          (scored)
    Item -> GenerateRequest -> Completion              (generated)

`Record` (what is kept of an answered item) is in `scoring/record.py`, and `Result` (a whole run)
in `results/result.py`: both are files' forms, so they are pydantic models.
"""

from dataclasses import dataclass
from typing import Literal

LETTERS = "ABCDEFGHIJ"
"""Answer letters; a task may have up to ten options."""

ViewName = str
"""A way to read an answer from scores: a row of `bench/views.py`."""

Reads = Literal["item", "prompt"]
"""What an engine answers from: the question and its options themselves, or the prompt they become."""

Dtype = Literal["float32", "bfloat16", "float16"]
PromptStyle = Literal["plain", "chat"]
Quantization = Literal["none", "int8", "nf4", "fp4"]
"""How a model's linear layers are held: `none` in the dtype; 8 or 4 bits a weight by bitsandbytes."""
Value = str | int | float | bool
"""Of a choice that makes a variant."""

Texts = Literal["full", "answers"]
"""What a run holds: `answers` is without the texts of questions, options, prompts and replies."""
PublishedTexts = Literal[Texts, "none"]
"""What a site shows of its runs: `none` is totals, and no question."""


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
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """How likely is each continuation after the prompt?

    `continuations` come in sets; those of one set are compared with each other. `templated` says
    that the prompt is a chat template's output, which holds its special tokens already. A language
    model sees these alone; a baseline that works on the question reads `item`, never its answer.
    """

    item: Item
    prompt: str
    continuations: tuple[tuple[str, ...], ...]
    templated: bool = False


Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """A continuation in tokens; its first `given` tokens still belong to the prompt and are not scored."""

    tokens: Tokens
    given: int = 0

    @property
    def scored(self) -> int:
        return len(self.tokens) - self.given


@dataclass(frozen=True, slots=True)
class Tree:
    """A request in one engine's tokens: a stem that all continuations share, and a branch for each.

    Decoder-only: stem + branch is the encoded prompt + continuation. Encoder-decoder: the stem is
    the encoder's input. Both are empty for a baseline.
    """

    stem: Tokens
    branches: tuple[tuple[Branch, ...], ...]

    @property
    def flat(self) -> tuple[Branch, ...]:
        """The branches of all sets, one after the other."""
        return tuple(branch for branches in self.branches for branch in branches)

    @property
    def longest(self) -> int:
        """Length of the longest single row that a forward pass needs for this tree."""
        return len(self.stem) + max((len(branch.tokens) - 1 for branch in self.flat), default=0)


@dataclass(frozen=True, slots=True)
class Encoded:
    request: ScoreRequest
    tree: Tree


@dataclass(frozen=True, slots=True)
class Scores:
    """The reply: for continuation i of set s, `logprobs[s][i]` is its natural log-probability (float32).

    `tokens[s][i]` is how many tokens that sums over, and `greedy[s][i]` whether each of them was the
    likeliest there. Both are empty for a baseline. `prompt` is the text that was really asked.
    """

    prompt: str
    prompt_tokens: int
    logprobs: tuple[tuple[float, ...], ...]
    tokens: tuple[tuple[int, ...], ...] = ()
    greedy: tuple[tuple[bool, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """Replies to the requests at `indices`; the batch was planned for `batch_tokens` tokens."""

    indices: tuple[int, ...]
    replies: tuple[Scores, ...]
    batch_tokens: int


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """Let the model write after the prompt, `samples` times, until a stop text or the token limit.

    At temperature 0 the likeliest token is taken; above, tokens are drawn by a seed made of `seed`,
    the prompt and the sample's number, so a draw does not depend on what shares its batch.
    """

    item: Item
    prompt: str
    templated: bool
    max_new_tokens: int
    stop: tuple[str, ...]
    temperature: float
    samples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote, cut before the stop text; `finished` is False at the token limit."""

    text: str
    finished: bool
    tokens: int


@dataclass(frozen=True, slots=True)
class WrittenBatch:
    """The completions of the requests at `indices`, one a sample, and their prompts' lengths."""

    indices: tuple[int, ...]
    replies: tuple[tuple[Completion, ...], ...]
    prompt_tokens: tuple[int, ...]
    batch_tokens: int
