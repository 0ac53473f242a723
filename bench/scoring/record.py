"""What happened to one item in one cell: a line of `records.jsonl`."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from bench.config import Strict
from bench.numbers import Amount, Count, Real
from bench.types import LETTERS, Extra, Item, ReadStatus, Texts, ViewName
from bench.views import best

ParseStatus = Literal["scored", "prompt_too_long", "same_tokens", "not_listed"] | ReadStatus
ANSWERED: frozenset[ParseStatus] = frozenset({"scored", "parsed"})
"""They come with an answer; the others say why there is none."""


class ModelOutput(Strict):
    """`final_answer` is a letter, or None, and then the record's `parse_status` says why.

    `reasoning_steps` is what the model wrote apart from its answer; empty where options were scored.
    """

    reasoning_steps: str
    final_answer: str | None


class Record(Strict):
    """The fields are written in this order; the first six are the ones that users know."""

    question_id: str
    question: str
    options: tuple[str, ...]
    answer_gt: str
    model_output: ModelOutput
    is_correct: bool
    group: str
    cluster: str = Field(default="", exclude_if=lambda cluster: not cluster)
    """What the item shares with others; in a record without texts, a digest. Without one, not in the file."""
    extra: dict[str, Extra] = Field(default_factory=dict[str, Extra], exclude_if=lambda extra: not extra)
    """Further texts that the prompt could show, by name. Without any, they are not in the file."""
    parse_status: ParseStatus
    scores: dict[ViewName, tuple[Real, ...]]
    prompt: str
    prompt_tokens: Count | None
    """None where the program that made an imported run does not report it."""
    seconds: Amount | None
    """The item's share of its batch's wall time; None as above."""
    completion: str = ""
    """The whole generated text; of several samples, the one whose reasoning is kept."""
    new_tokens: Count = 0
    """Number of generated tokens, in all samples."""
    samples: tuple[str | None, ...] = ()
    """The answers of all samples where there are several, else empty."""
    asked: str = Field(default="", exclude_if=lambda asked: not asked)
    """How the question was changed for a probe, such as "rotation 1"; "" for the run's own questions."""
    bounded: str = Field(default="", exclude_if=lambda letters: not letters)
    """The letters that a server did not list: their scores are upper bounds. Without any, not in the file."""

    @property
    def letters(self) -> str:
        """The options' letters, in their order."""
        return LETTERS[: len(self.options)]

    def answer_by(self, view: ViewName) -> str | None:
        """The letter of the option with the highest score in a view; None where there are no such scores."""
        scores = self.scores.get(view)
        return None if scores is None else self.letters[best(scores)]

    def is_right_by(self, view: ViewName) -> bool:
        """Whether the answer by a view is right; False where there are no such scores."""
        return self.answer_by(view) == self.answer_gt

    def without_texts(self) -> Self:
        """The record without the texts of question, options, prompt, reply and cluster."""
        output = self.model_output.model_copy(update={"reasoning_steps": ""})
        blank = {"question": "", "options": ("",) * len(self.options), "prompt": "", "completion": ""}
        hidden = self.model_copy(update={**blank, "extra": {}, "model_output": output})
        return hidden.of_cluster(self.cluster, "answers")

    def of_cluster(self, cluster: str, texts: Texts) -> Self:
        """The record with another cluster, which is a digest where there are no `texts`."""
        if texts != "full" and cluster:
            cluster = hashlib.blake2b(cluster.encode(errors="surrogatepass"), digest_size=8).hexdigest()
        return self if cluster == self.cluster else self.model_copy(update={"cluster": cluster})

    @model_validator(mode="after")
    def _has_a_score_for_each_option(self) -> Self:
        if not 2 <= len(self.options) <= len(LETTERS):
            raise ValueError(f"{len(self.options)} options")
        if any(len(scores) != len(self.options) for scores in self.scores.values()):
            raise ValueError("not one score for each option")
        return self


def clustered(records: Sequence[Record], items: Sequence[Item], texts: Texts) -> tuple[Record, ...]:
    """The records with the clusters of their items, which are in the same order.

    Those that were written before the task named a column of clusters have none.
    """
    pairs = zip(records, items, strict=True)
    return tuple(record.of_cluster(item.cluster, texts) for record, item in pairs)


def by_change(records: Iterable[Record]) -> dict[tuple[str, str], Record]:
    """The records of changed questions, by (question id, how it was changed)."""
    return {(record.question_id, record.asked): record for record in records}


def bounded_letters(records: Iterable[Record]) -> tuple[str, ...]:
    """A sentence on the questions of which a server did not list a letter; none where it listed all."""
    scored = [record for record in records if record.parse_status != "prompt_too_long"]
    bounded = sum(bool(record.bounded) for record in scored)
    if not bounded:
        return ()
    what = f"a letter of {bounded:,} of {len(scored):,} questions was not among the likeliest tokens"
    return (f"{what} that the server lists: its score is the lowest listed one, an upper bound",)
