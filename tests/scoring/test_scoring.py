"""Items in, records out, records into numbers."""

import math
import random
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score

from bench.errors import BenchError, PromptTooLong
from bench.evaluate import evaluate
from bench.inputs.task import Task
from bench.inputs.tasks import find_tasks
from bench.scoring.asking import Asking
from bench.scoring.metrics import installed_metrics, load_metrics, measure
from bench.scoring.record import ModelOutput, Record
from bench.scoring.recording import written
from bench.stats.bootstrap import balanced_accuracy, macro_f1
from bench.stats.intervals import wilson
from bench.types import (
    Completion,
    Encoded,
    GenerateRequest,
    Item,
    Message,
    Reads,
    ScoredBatch,
    ScoreRequest,
    Scores,
    Tokens,
    Tree,
    WrittenBatch,
)


@dataclass
class Likes:
    """Gives the letter that the question names, refuses questions that say "long", two a batch."""

    reads: Reads = "item"
    path: str = ""
    model_bytes: int | None = None

    def encode(self, request: ScoreRequest) -> Encoded:
        if "long" in request.prompt:
            raise PromptTooLong(99, 10)
        return Encoded(request, Tree((), ()))

    def score(self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()) -> Iterator[ScoredBatch]:
        for start in range(0, len(requests), 2):
            batch = requests[start : start + 2]
            indices = tuple(range(start, start + len(batch)))
            yield ScoredBatch(indices, tuple(self._reply(one.request) for one in batch), 2)

    def _reply(self, request: ScoreRequest) -> Scores:
        liked = request.item.question[-1]
        return Scores(request.prompt, 7, (tuple(-float(letter != liked) for letter in request.item.letters),))

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class Knows(Likes):
    """A language model of a table: the log-probability of a continuation after a prompt that ends so."""

    reads: Reads = "prompt"
    table: dict[tuple[str, str], float] = field(default_factory=dict)
    written: dict[str, tuple[Completion, ...]] = field(default_factory=dict)

    def _reply(self, request: ScoreRequest) -> Scores:
        end = request.prompt[-12:]
        logprobs = tuple(tuple(self.table[end, text] for text in texts) for texts in request.continuations)
        tokens = tuple(tuple(len(text.split()) for text in texts) for texts in request.continuations)
        return Scores(request.prompt, 7, logprobs, tokens)

    def render(self, messages: Sequence[Message], *, thinking: bool) -> str:
        mark = "<think>" if thinking else ""
        return "".join(f"[{message.role}]{message.content}" for message in messages) + f"[assistant]{mark}"

    def encode_prompt(self, request: GenerateRequest) -> Tokens:
        if "long" in request.prompt:
            raise PromptTooLong(99, 10)
        return (1, 2, 3)

    def generate(
        self,
        requests: Sequence[GenerateRequest],
        prompts: Sequence[Tokens],
        skip: frozenset[int] = frozenset(),
    ) -> Iterator[WrittenBatch]:
        replies = tuple(self.written[request.item.id] for request in requests)
        yield WrittenBatch(tuple(range(len(requests))), replies, tuple(len(ids) for ids in prompts), 5)


def item(name: str, question: str, answer: int = 0) -> Item:
    return Item(name, question, ("one", "two", "three"), answer, "group " + question[-1])


def records(*items: Item) -> dict[str, Record]:
    [task] = find_tasks(["medqa_sample"])
    return {r.question_id: r for batch in evaluate(Asking(task.task), items, Likes()) for r in batch.records}


def test_the_most_likely_letter_is_the_answer_and_of_equal_ones_the_first() -> None:
    by_id = records(item("right", "say B", 1), item("wrong", "say C", 1), item("tie", "say nothing", 0))
    assert [by_id[name].model_output.final_answer for name in ("right", "wrong", "tie")] == ["B", "C", "A"]
    assert [by_id[name].is_correct for name in ("right", "wrong", "tie")] == [True, False, True]
    assert by_id["right"].scores == {"letter": (-1.0, 0.0, -1.0)}
    assert by_id["right"].prompt.endswith("Answer:")


TABLE = {
    ("Which?Reply:", " A"): -1.0,
    ("Which?Reply:", " B"): -2.0,
    ("Which?Reply:", " red"): -3.0,
    ("Which?Reply:", " dark blue"): -5.0,
    ("Well:", " red"): -0.5,
    ("Well:", " dark blue"): -4.5,
}


def views_task(**scoring: object) -> Task:
    [file] = find_tasks(["medqa_sample"])
    changed = {"prompt": "{{ question }}Reply:", "scoring": {"cue": "Well:"} | scoring}
    return Task.model_validate(file.task.model_dump() | changed)


def test_one_pass_gives_every_view_and_the_task_s_own_decides() -> None:
    asked = Item("q", "Which?", ("red", " dark blue "), 1)
    for view, answer in (("letter", "A"), ("text", "A"), ("text_per_char", "B"), ("text_pmi", "B")):
        [batch] = evaluate(Asking(views_task(view=view)), [asked], Knows(table=TABLE))
        [record] = batch.records
        assert record.model_output.final_answer == answer
        assert record.scores == {
            "letter": (-1.0, -2.0),
            "text": (-3.0, -5.0),
            "text_per_char": (-1.0, -5 / 9),
            "text_per_token": (-3.0, -2.5),
            "text_pmi": (-2.5, -0.5),
        }


def test_a_task_without_letters_scores_texts_alone() -> None:
    asked = Item("q", "Which?", ("red", "dark blue"), 1)
    [batch] = evaluate(Asking(views_task(view="text", letters=False)), [asked], Knows(table=TABLE))
    assert "letter" not in batch.records[0].scores
    assert batch.records[0].model_output.final_answer == "A"


def test_a_chat_model_is_asked_through_its_template_with_no_space_of_ours() -> None:
    end = "ly:[assistant]"[-12:]
    cue = "ll:[assistant]"[-12:]
    table = {(end, "A"): -1.0, (end, "B"): -2.0, (end, "red"): -3.0, (end, "blue"): -1.0}
    table |= {(cue, "red"): -1.0, (cue, "blue"): -1.0}
    [batch] = evaluate(
        Asking(views_task(), style="chat"), [Item("q", "Which?", ("red", "blue"), 0)], Knows(table=table)
    )
    assert batch.records[0].prompt == "[user]Which?Reply:[assistant]"
    assert batch.records[0].is_correct


def test_a_baseline_takes_no_chat() -> None:
    with pytest.raises(BenchError, match="takes no chat messages; use --prompt plain"):
        list(evaluate(Asking(views_task(), style="chat"), [item("q", "say A")], Likes()))


def said(text: str, *, finished: bool = True) -> Completion:
    return Completion(text, finished, len(text.split()))


def test_reasoning_and_answer_are_kept_apart_and_unread_replies_are_counted() -> None:
    task = Task.model_validate(
        views_task().model_dump() | {"generate": {"prompt": "{{ question }} Think.", "system": "Be brief."}}
    )
    items = [item("a", "say A"), item("b", "say B", 1), item("c", "say C"), item("d", "too long")]
    replies = {
        "a": (said("It must be this. Answer: A"),),
        "b": (said("Answer: B or C"),),
        "c": (said("Well, let me", finished=False),),
    }
    asking = Asking(task, style="chat", generate=task.generate)
    batches = list(evaluate(asking, items, Knows(written=replies)))
    by_id = {record.question_id: record for batch in batches for record in batch.records}
    assert by_id["a"].model_output == ModelOutput(reasoning_steps="It must be this.", final_answer="A")
    assert by_id["a"].completion == "It must be this. Answer: A"
    assert by_id["a"].prompt == "[system]Be brief.[user]say A Think.[assistant]<think>"
    assert {name: record.parse_status for name, record in by_id.items()} == {
        "a": "parsed",
        "b": "several_answers",
        "c": "unfinished",
        "d": "prompt_too_long",
    }
    metrics = measure(list(by_id.values()), installed_metrics(["accuracy"]))
    assert metrics.statuses == {"parsed": 1, "several_answers": 1, "unfinished": 1, "prompt_too_long": 1}
    assert (metrics.accuracy.correct, metrics.unread) == (1, 3)


def test_of_several_samples_the_commonest_answer_counts() -> None:
    record = written(
        item("q", "say B", 1),
        "prompt",
        3,
        [said("Answer: A"), said("So I think. Answer: B"), said("hm"), said("Because. Answer: B")],
        1.0,
    )
    assert record.model_output == ModelOutput(reasoning_steps="So I think.", final_answer="B")
    assert record.samples == ("A", "B", None, "B")
    assert record.new_tokens == 2 + 5 + 1 + 3
    nothing = written(item("q", "say B", 1), "prompt", 3, [said("hm"), said("well")], 1.0)
    assert (nothing.model_output.final_answer, nothing.parse_status) == (None, "no_answer")


def test_a_prompt_that_does_not_fit_is_an_unread_answer_and_the_rest_go_on() -> None:
    by_id = records(item("a", "say A"), item("b", "a long question, say A"))
    assert by_id["a"].is_correct
    assert by_id["b"].model_output.final_answer is None
    assert by_id["b"].parse_status == "prompt_too_long"
    assert by_id["b"].prompt_tokens == 99
    metrics = measure(list(by_id.values()), installed_metrics(["accuracy", "macro_f1"]))
    assert (metrics.accuracy.correct, metrics.accuracy.total, metrics.unread) == (1, 2, 1)


@given(st.integers(0, 40))
def test_every_item_gets_exactly_one_record(count: int) -> None:
    [task] = find_tasks(["medqa_sample"])
    items = [item(f"i{n}", ("long" if n % 5 == 0 else "x") + " say A") for n in range(count)]
    ids = [r.question_id for b in evaluate(Asking(task.task), items, Likes()) for r in b.records]
    assert sorted(ids) == sorted(one.id for one in items)


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
    metrics = measure(rows, installed_metrics(["accuracy", "macro_f1"]))
    assert metrics.accuracy.value == metrics.values["accuracy"].value == 0.5
    # A: precision 1, recall 1/2; B: precision 1/2, recall 1/2.
    assert metrics.values["macro_f1"].value == pytest.approx((2 / 3 + 1 / 2) / 2)
    counted = {group: (one.accuracy.correct, one.accuracy.total) for group, one in metrics.groups.items()}
    assert counted == {"x": (1, 2), "y": (1, 2)}
    assert metrics.groups["x"].values["macro_f1"].value == pytest.approx(2 / 3)
    assert (metrics.chosen, metrics.truth, metrics.unread) == ({"A": 1, "B": 2}, {"A": 2, "B": 2}, 1)


LETTER = st.sampled_from("ABC")
ANSWERS = st.lists(st.tuples(LETTER, st.one_of(st.none(), st.sampled_from("ABCD"))), min_size=1, max_size=60)


@given(ANSWERS)
def test_class_averages_are_scikit_learn_s_and_lie_in_their_intervals(
    answers: list[tuple[str, str | None]],
) -> None:
    rows = [record(truth, given) for truth, given in answers]
    truth, given_letters = zip(*[(t, g or "") for t, g in answers], strict=True)
    values = measure(rows, installed_metrics(["balanced_accuracy", "macro_f1"])).values
    with warnings.catch_warnings(action="ignore"):  # of answers that are never right
        balanced = balanced_accuracy_score(truth, given_letters)
    f1 = f1_score(truth, given_letters, labels=sorted(set(truth)), average="macro", zero_division=0)
    for name, theirs in (("balanced_accuracy", balanced), ("macro_f1", f1)):
        assert values[name].value == pytest.approx(theirs)
        assert 0 <= values[name].low <= values[name].high <= 1


def test_the_statistics_of_the_bootstrap_are_scikit_learn_s() -> None:
    rng = random.Random(5)
    truth = [rng.choice("ABC") for _ in range(200)]
    given_letters = [rng.choice(["A", "B", "C", ""]) for _ in truth]
    counts = confusion_matrix(truth, given_letters, labels=["A", "B", "C", ""])[:-1]
    with warnings.catch_warnings(action="ignore"):
        balanced = balanced_accuracy_score(truth, given_letters)
    f1 = f1_score(truth, given_letters, labels=["A", "B", "C"], average="macro")
    assert balanced_accuracy(counts[None])[0] == pytest.approx(balanced)
    assert macro_f1(counts[None])[0] == pytest.approx(f1)


def test_bootstrap_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = random.Random(11)
    shares = {"A": 0.5, "B": 0.3}  # how often each letter's questions are answered right
    covered = 0
    for _ in range(200):
        truth = [rng.choice("AB") for _ in range(150)]
        rows = [record(t, t if rng.random() < shares[t] else "C") for t in truth]
        estimate = measure(rows, installed_metrics(["balanced_accuracy"])).values["balanced_accuracy"]
        covered += estimate.low <= 0.4 <= estimate.high
    assert 180 <= covered <= 199


def test_views_are_counted_and_compared() -> None:
    rows = [
        record("A", "A").model_copy(update={"scores": {"letter": (0.0, -1.0), "text": (-1.0, 0.0)}}),
        record("B", "B").model_copy(update={"scores": {"letter": (-1.0, 0.0), "text": (-1.0, 0.0)}}),
    ]
    metrics = measure(rows, {})
    assert {view: rate.correct for view, rate in metrics.views.items()} == {"letter": 2, "text": 1}
    assert [(one.views, one.items) for one in metrics.disagreements] == [(("letter", "text"), 1)]


METRIC = """\
import datasets
import evaluate


class Share(evaluate.Metric):
    def _info(self):
        kind = datasets.Value("int32")
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="",
            features=datasets.Features({"predictions": kind, "references": kind}),
        )

    def _compute(self, predictions, references):
        return {"share": sum(p == r for p, r in zip(predictions, references)) / len(predictions)RETURN}
"""


def test_a_metric_of_the_evaluate_library_gets_option_indices(tmp_path: Path) -> None:
    (tmp_path / "share.py").write_text(METRIC.replace("RETURN", ""))
    name = "evaluate:share.py"
    loaded = load_metrics([name], tmp_path)
    rows = [record("A", "A"), record("B", None), record("B", "B"), record("A", "B")]
    assert measure(rows, loaded).values[name].value == 0.5
    assert loaded[name](["A", "D"], [None, "D"], None).value == 0.5


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (METRIC.replace("RETURN", ', "other": 1.0'), "gives 2 numbers (share, other); it must give one"),
        (
            METRIC.replace("len(predictions)RETURN", "0"),
            "fails on a small example: ZeroDivisionError",
        ),
        ("import nothing_of_that_name\n", "cannot be loaded: "),
    ],
)
def test_a_metric_that_cannot_be_loaded_is_reported_before_anything_is_scored(
    tmp_path: Path, source: str, message: str
) -> None:
    (tmp_path / "metric.py").write_text(source)
    with pytest.raises(BenchError, match=re.escape(message)):
        load_metrics(["evaluate:metric.py"], tmp_path)


def test_a_metric_that_breaks_on_the_answers_is_unknown_and_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "lone.py").write_text(METRIC.replace("len(predictions)RETURN", "(len(predictions) - 1)"))
    loaded = load_metrics(["evaluate:lone.py"], tmp_path)
    metrics = measure([record("A", "A")], loaded)
    assert metrics.values["evaluate:lone.py"].value is None
    assert metrics.accuracy.correct == 1


@given(st.integers(1, 3000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_s_interval_is_scipy_s(counts: tuple[int, int]) -> None:
    theirs = binomtest(*counts).proportion_ci(confidence_level=0.95, method="wilson")
    ours = wilson(*counts)
    assert math.isclose(ours.low, theirs.low, abs_tol=1e-12)
    assert math.isclose(ours.high, theirs.high, abs_tol=1e-12)
