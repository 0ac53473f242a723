"""Whether a run that is repeated says the same: its answers, its memory and its times."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.board.candidates import hardware
from bench.board.limits import Limits
from bench.board.recheck import Again, Recheck, reason_not_repeated, recheck, times_of
from bench.results.answers import Answered, read_answered
from bench.results.result import DoneResult
from bench.scoring.record import Record
from conftest import ROOT

NO_LIMITS = Limits()
MODEL = ROOT / "results" / "medqa_sample" / "smollm2-135m-instruct-q4_1"


def run_of(slug: str, folder: Path = MODEL) -> Answered:
    runs = [run for run in read_answered(folder) if isinstance(run, Answered)]
    return next(run for run in runs if run.result.cell.variant.slug == slug)


@pytest.fixture(scope="module")
def run() -> Answered:
    return run_of("bfloat16-chat")


@pytest.fixture(scope="module")
def records(run: Answered) -> list[Record]:
    return list(run.answers.records())


def again(
    run: Answered,
    records: list[Record],
    limits: Limits = NO_LIMITS,
    **cost: float,
) -> Recheck:
    alone = run.result.cost.alone
    times = {name: cost.pop(name) for name in ("p50", "p95") if name in cost}
    update = {**cost, "alone": alone and alone.model_copy(update=times)}
    now = run.result.model_copy(update={"cost": run.result.cost.model_copy(update=update)})
    made = Again(tuple(records), times_of(now), hardware(now.provenance))
    return recheck(run.result, by_id(run), made, limits)


def by_id(run: Answered) -> Mapping[str, Record]:
    return {record.question_id: record for record in run.answers.records()}


def answer(record: Record, letter: str) -> Record:
    output = record.model_output.model_copy(update={"final_answer": letter})
    return record.model_copy(update={"model_output": output})


def gap(record: Record, letter: str) -> float:
    scores = record.scores["letter"]
    return max(scores) - scores["ABCD".index(letter)]


def test_a_part_of_the_same_answers_holds(run: Answered, records: list[Record]) -> None:
    check = again(run, records[:30])
    assert (check.asked, check.total, check.equal, check.ties, check.wrong) == (30, 100, 30, 0, ())
    assert check.same_machine


def test_another_answer_with_a_much_lower_score_does_not_hold(run: Answered, records: list[Record]) -> None:
    at, letter = next(
        (at, letter) for at, each in enumerate(records) for letter in "ABCD" if gap(each, letter) > 0.6
    )
    changed = [answer(each, letter) if place == at else each for place, each in enumerate(records)]
    check = again(run, changed)
    assert (check.equal, check.ties) == (99, 0)
    assert check.wrong == ("1 of 100 questions of medqa_sample are answered differently",)


def test_another_answer_with_an_equal_score_is_rounding(run: Answered, records: list[Record]) -> None:
    at, letter = next(
        (at, letter)
        for at, each in enumerate(records)
        for letter in "ABCD"
        if letter != each.model_output.final_answer and gap(each, letter) < 0.3
    )
    changed = [answer(each, letter) if place == at else each for place, each in enumerate(records)]
    check = again(run, changed)
    assert (check.equal, check.ties, check.wrong) == (99, 1, ())


def test_a_reply_has_no_scores_so_a_tenth_may_differ() -> None:
    written = run_of("bfloat16-chat-generate")
    records = list(written.answers.records())

    def changed(count: int) -> Recheck:
        other = [answer(each, "E") if at < count else each for at, each in enumerate(records)]
        return again(written, other)

    assert changed(10).wrong == ()
    assert changed(11).wrong == ("11 of 100 questions of medqa_sample are answered differently",)


def test_memory_must_be_near_that_of_the_run_on_the_same_machine(
    run: Answered, records: list[Record]
) -> None:
    peak = run.result.cost.peak_memory_bytes or 0
    assert again(run, records, peak_memory_bytes=int(1.05 * peak)).wrong == ()
    (wrong,) = again(run, records, peak_memory_bytes=int(1.2 * peak)).wrong
    assert wrong.replace("\u202f", " ") == "it takes 1.47 GB of memory, and the run took 1.22 GB"


@pytest.mark.parametrize(
    ("limits", "cost", "wrong"),
    [
        (Limits(p50=0.3), {"p50": 0.31}, "one answer takes 310 ms, and the limit is 300 ms"),
        (Limits(p95=0.3), {"p95": 0.31}, "95 of 100 answers take up to 310 ms, and the limit is 300 ms"),
        (Limits(memory=10**9), {}, "it takes 1.22 GB of memory, and the limit is 1 GB"),
        (Limits(p50=0.3, p95=0.4, memory=2 * 10**9), {"p50": 0.29, "p95": 0.39}, ""),
        (Limits(), {"p50": 9.0, "p95": 9.0}, ""),
    ],
)
def test_limits_must_hold_here(
    run: Answered, records: list[Record], limits: Limits, cost: dict[str, float], wrong: str
) -> None:
    assert "; ".join(again(run, records, limits, **cost).wrong).replace("\u202f", " ") == wrong


def changed(result: DoneResult, **facts: object) -> DoneResult:
    return result.model_copy(update={"cell": result.cell.model_copy(update=facts)})


def test_a_cell_of_other_weights_engine_or_task_is_not_the_run(run: Answered) -> None:
    cell = run.result.cell
    task = cell.task.model_copy(update={"version": 2})
    assert reason_not_repeated(cell, changed(run.result, limit=12, limit_order="drawn").cell) == ""
    assert "weights" in reason_not_repeated(cell, changed(run.result, weights="sha256:0").cell)
    assert "engine version 2" in reason_not_repeated(cell, changed(run.result, engine_version=3).cell)
    assert "have changed" in reason_not_repeated(cell, changed(run.result, task=task).cell)
