"""The vocabulary of the program: frozen values that flow from task to board.

    Item -> ScoreRequest -> Encoded -> Scores          (scored)
    Item -> GenerateRequest -> Completion              (generated)

`Record` (what happened to one item) is in `scoring/record.py`, and `Result` (a whole run) in
`results/result.py`: both are stored in files, so they are pydantic models.
"""

from dataclasses import dataclass
from typing import Literal

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Answer letters; a question may have up to 26 options."""

ViewName = str
"""A way to read an answer from scores: a row of `bench/views.py`."""

Reads = Literal["item", "prompt"]
"""What an engine answers from: the item (question and options), or the prompt made of it."""

Dtype = Literal["float32", "bfloat16", "float16"]
PromptStyle = Literal["plain", "chat"]
Quantization = Literal["none", "int8", "nf4", "fp4"]
"""The weight format of linear layers: `none` is the dtype; the others are bitsandbytes' 8 and 4 bits."""
Value = str | int | float | bool
"""The value of a choice in a variant."""

LimitOrder = Literal["drawn", "file"]
"""Which items a partial run asks: those that a seeded draw gives, or the first of the file."""

Texts = Literal["full", "answers"]
"""Which texts a run keeps: `answers` has none of questions, options, prompts and replies."""
PublishedTexts = Literal[Texts, "none"]
"""Which texts a site shows: `none` shows totals and no single question."""


ReadStatus = Literal["parsed", "no_answer", "several_answers", "unfinished"]
"""Whether an answer was read from a reply, and if not, why."""

ProbeName = Literal["order", "question", "nota"]
"""What changed prompts ask: the order of the options, their use of the question, or the right option gone."""

Role = Literal["test", "train", "exemplars"]
"""What a split is for."""


@dataclass(frozen=True, slots=True)
class CacheShape:
    """The keys and values that a model keeps of each token: in a layer, `heads` x `head_size` numbers each.

    `windowed` are further layers, which keep at most `window` tokens.
    """

    layers: int
    heads: int
    head_size: int
    windowed: int = 0
    window: int = 0


Extra = str | tuple[str, ...]
"""The value of an extra column: a text or a list of texts."""


@dataclass(frozen=True, slots=True)
class Item:
    """One multiple-choice question. `answer` is an index into `options`.

    `cluster` names the case or source that it shares with others; "" where it is alone. `extra` has further
    texts that the prompt may show, by name.
    """

    id: str
    question: str
    options: tuple[str, ...]
    answer: int
    group: str = ""
    extra: tuple[tuple[str, Extra], ...] = ()
    cluster: str = ""

    @property
    def letters(self) -> str:
        """One letter for each option."""
        return LETTERS[: len(self.options)]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """How likely is each continuation after the prompt?

    `continuations` come in sets; those of a set are compared with each other. `templated` means that the
    prompt is the output of a chat template, which contains the special tokens. A language model sees these
    alone; an engine that reads items sees `item`, and must not use its answer.
    """

    item: Item
    prompt: str
    continuations: tuple[tuple[str, ...], ...]
    templated: bool = False
    beginning: str = ""
    """Requests with the same value begin with the same exemplars, where others do not."""


Tokens = tuple[int, ...]
"""Token ids of a model's tokenizer."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A continuation in tokens. Its first `given` tokens belong to the prompt and are not scored."""

    tokens: Tokens
    given: int = 0

    @property
    def scored(self) -> int:
        """The number of scored tokens."""
        return len(self.tokens) - self.given


@dataclass(frozen=True, slots=True)
class Tree:
    """A request in an engine's tokens: a stem that all continuations share, and a branch for each, in sets.

    Decoder-only: stem + branch is the encoded prompt + continuation. Encoder-decoder: the stem is the
    encoder's input. Both are empty for an engine that reads items.
    """

    stem: Tokens
    branches: tuple[tuple[Branch, ...], ...]

    @property
    def flat(self) -> tuple[Branch, ...]:
        """The branches of all sets, in order."""
        return tuple(branch for branches in self.branches for branch in branches)

    @property
    def longest(self) -> int:
        """Tokens of the longest row, stem and one branch, that a forward pass needs."""
        return len(self.stem) + max((len(branch.tokens) - 1 for branch in self.flat), default=0)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request with its tokens.

    `alike` has for each set the continuations whose tokens are those of another one with another text. It is
    empty for an engine that does not compare them.
    """

    request: ScoreRequest
    tree: Tree
    alike: tuple[frozenset[int], ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """The reply: `logprobs[s][i]` is the natural log-probability (float32) of continuation i of set s.

    It is a sum over `tokens[s][i]` tokens; `greedy[s][i]` is whether each of them was the likeliest at its
    place. Both may be empty for an engine that reads items. `prompt` is the text that the model got.
    """

    prompt: str
    prompt_tokens: int | None
    logprobs: tuple[tuple[float, ...], ...]
    tokens: tuple[tuple[int, ...], ...] = ()
    greedy: tuple[tuple[bool, ...], ...] = ()
    alike: tuple[frozenset[int], ...] = ()
    """As in `Encoded`, where a server makes the tokens."""
    bounded: frozenset[int] = frozenset()
    """The letters whose value is only an upper bound, because a server listed other tokens only."""


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """The replies to the requests at `indices`; the batch was planned for `batch_tokens` tokens, None where
    the engine does not plan by tokens.

    The requests at `too_long` got no reply: what does not fit the model was only seen when it was asked.
    """

    indices: tuple[int, ...]
    replies: tuple[Scores, ...]
    batch_tokens: int | None
    too_long: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class MoreScores:
    """The replies to further requests of a batch's questions, by (index of the question, number of the
    request).
    """

    replies: dict[tuple[int, int], Scores]


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """Generate text after the prompt, `samples` times, up to a stop text or `max_new_tokens`.

    At temperature 0 the likeliest token is taken. Above, tokens are sampled with a seed made of `seed`,
    the prompt and the number of the sample, so that a sample does not depend on the rest of its batch.
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
    """Generated text, without the stop text. `finished` is False where the token limit ended it."""

    text: str
    finished: bool
    tokens: int


@dataclass(frozen=True, slots=True)
class WrittenBatch:
    """The completions of the requests at `indices`, one for each sample, and their prompts' lengths.

    A length is None where a server does not say it. `batch_tokens` and `too_long` are as in ScoredBatch.
    """

    indices: tuple[int, ...]
    replies: tuple[tuple[Completion, ...], ...]
    prompt_tokens: tuple[int | None, ...]
    batch_tokens: int | None
    too_long: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What is known of a server that answered: its address, and its own names for the model and its version.

    `runs_here` is whether it computed on this machine.
    """

    url: str
    model: str
    version: str
    fingerprint: str
    runs_here: bool
