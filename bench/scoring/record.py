"""What is kept of one item in one cell: a line of `records.jsonl`."""

from typing import Literal, Self

from pydantic import model_validator

from bench.config import Strict
from bench.scoring.extract import ReadStatus
from bench.types import LETTERS, ViewName
from bench.views import best

ParseStatus = Literal["scored", "prompt_too_long"] | ReadStatus
"""Where there is no answer, why; `scored` and `parsed` have one."""


class ModelOutput(Strict):
    """`final_answer` is a letter, or None when there is none, and then `parse_status` says why.

    `reasoning_steps` is what the model wrote beside its answer; empty where options were scored.
    """

    reasoning_steps: str
    final_answer: str | None


class Record(Strict):
    """The order of these fields is the order on the line; the first six are what users know."""

    question_id: str
    question: str
    options: tuple[str, ...]
    answer_gt: str
    model_output: ModelOutput
    is_correct: bool
    group: str
    parse_status: ParseStatus
    scores: dict[ViewName, tuple[float, ...]]
    prompt: str
    prompt_tokens: int | None
    """None where another program did not tell it."""
    seconds: float | None
    """Wall time of the item's share of its batch; None as above."""
    completion: str = ""
    """All that the model wrote; of several samples, the one whose reasoning is kept."""
    new_tokens: int = 0
    """Written tokens, of all samples."""
    samples: tuple[str | None, ...] = ()
    """The answer of each sample, where there were several."""

    @property
    def letters(self) -> str:
        """The options' letters, in their order."""
        return LETTERS[: len(self.options)]

    def answer_by(self, view: ViewName) -> str | None:
        """The letter of the option with the highest score in that view; None where it has no such scores."""
        scores = self.scores.get(view)
        return None if scores is None else self.letters[best(scores)]

    def is_right_by(self, view: ViewName) -> bool:
        """Whether the answer by that view is the right one; False where it has no such scores."""
        return self.answer_by(view) == self.answer_gt

    def without_texts(self) -> Self:
        """The record less the words of question, options, prompt and reply."""
        output = self.model_output.model_copy(update={"reasoning_steps": ""})
        blank = {"question": "", "options": ("",) * len(self.options), "prompt": "", "completion": ""}
        return self.model_copy(update={**blank, "model_output": output})

    @model_validator(mode="after")
    def _has_a_score_for_each_option(self) -> Self:
        if not 2 <= len(self.options) <= len(LETTERS):
            raise ValueError(f"{len(self.options)} options")
        if any(len(scores) != len(self.options) for scores in self.scores.values()):
            raise ValueError("not one score for each option")
        return self
