"""Items in, records out, records into numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from bench.errors import PromptTooLong
from bench.evaluate import evaluate
from bench.inputs.task import find_tasks
from bench.scoring.metrics import measure
from bench.scoring.record import ModelOutput, Record
from bench.stats.intervals import wilson
from bench.types import Encoded, Item, ScoreRequest, Scores


@dataclass
class Likes:
    """Gives the letter that the question names, and refuses questions that say "long"."""

    batch_tokens: int = 8

    def encode(self, request: ScoreRequest) -> Encoded:
        if "long" in request.prompt:
            raise PromptTooLong(99, 10)
        return Encoded(request, tuple(range(len(request.item.question))), ())

    def score(self, batch: Sequence[Encoded]) -> list[Scores]:
        return [
            Scores(
                one.request.prompt,
                len(one.stem),
                tuple(-float(not one.request.item.question.endswith(t)) for t in one.request.continuations),
            )
            for one in batch
        ]

    def close(self) -> None:
        """Nothing is held."""


def item(name: str, question: str, answer: int = 0) -> Item:
    return Item(name, question, ("one", "two", "three"), answer, "group " + question[-1])


def records(*items: Item) -> dict[str, Record]:
    [task] = find_tasks(["medqa_sample"])
    return {r.question_id: r for batch in evaluate(task.task, items, (), Likes()) for r in batch}


def test_the_most_likely_letter_is_the_answer_and_of_equal_ones_the_first() -> None:
    found = records(item("right", "say B", 1), item("wrong", "say C", 1), item("tie", "say nothing", 0))
    assert [found[name].model_output.final_answer for name in ("right", "wrong", "tie")] == ["B", "C", "A"]
    assert [found[name].is_correct for name in ("right", "wrong", "tie")] == [True, False, True]
    assert found["right"].scores == {"letter": (-1.0, 0.0, -1.0)}
    assert found["right"].prompt.endswith("Answer:")


def test_a_prompt_that_does_not_fit_is_an_unread_answer_and_the_rest_go_on() -> None:
    found = records(item("a", "say A"), item("b", "a long question, say A"))
    assert found["a"].is_correct
    assert found["b"].model_output.final_answer is None
    assert found["b"].parse_status == "prompt_too_long"
    assert found["b"].prompt_tokens == 99
    metrics = measure(list(found.values()), ["accuracy", "macro_f1"])
    assert (metrics.accuracy.correct, metrics.accuracy.total, metrics.unread) == (1, 2, 1)


@given(st.integers(1, 40), st.integers(1, 100))
def test_every_item_gets_exactly_one_record_whatever_the_batch(count: int, budget: int) -> None:
    [task] = find_tasks(["medqa_sample"])
    items = [item(f"i{n}", "x" * (n % 7) + " say A") for n in range(count)]
    found = [r.question_id for b in evaluate(task.task, items, (), Likes(budget)) for r in b]
    assert sorted(found) == sorted(one.id for one in items)


def test_a_record_s_line_begins_with_the_fields_users_know() -> None:
    line = records(item("q", "say B", 1))["q"].model_dump_json()
    assert line.startswith(
        '{"question_id":"q","question":"say B","options":["one","two","three"],"answer_gt":"B",'
        '"model_output":{"reasoning_steps":"","final_answer":"B"},"is_correct":true,'
    )


def record(truth: str, answer: str | None, group: str = "") -> Record:
    return Record(
        question_id="q", question="?", options=("x", "y"), answer_gt=truth, group=group,
        model_output=ModelOutput(reasoning_steps="", final_answer=answer), is_correct=truth == answer,
        parse_status="scored", scores={}, prompt="", prompt_tokens=0, seconds=0.0,
    )  # fmt: skip


def test_metrics_of_a_small_table_are_as_counted_by_hand() -> None:
    rows = [record("A", "A", "x"), record("A", "B", "x"), record("B", "B", "y"), record("B", None, "y")]
    metrics = measure(rows, ["accuracy", "macro_f1"])
    assert metrics.accuracy.value == metrics.values["accuracy"] == 0.5
    # A: precision 1, recall 1/2; B: precision 1/2, recall 1/2.
    assert metrics.values["macro_f1"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert {group: (rate.correct, rate.total) for group, rate in metrics.groups.items()} == {
        "x": (1, 2),
        "y": (1, 2),
    }
    assert (metrics.chosen, metrics.truth, metrics.unread) == ({"A": 1, "B": 2}, {"A": 2, "B": 2}, 1)


@given(st.integers(1, 3000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_s_interval_is_scipy_s(counts: tuple[int, int]) -> None:
    theirs = binomtest(*counts).proportion_ci(confidence_level=0.95, method="wilson")
    ours = wilson(*counts)
    assert math.isclose(ours.low, theirs.low, abs_tol=1e-12)
    assert math.isclose(ours.high, theirs.high, abs_tol=1e-12)
