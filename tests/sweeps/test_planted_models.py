"""Models with a planted fault: each probe finds it, and of a model without one it finds none."""

from pathlib import Path

import numpy as np
import pytest
from planted import MANY, exam, planted, probes_of, run

from bench.engines.kinds import open_engine, prepare
from bench.evaluate import evaluate
from bench.results.probe_figures import figures
from bench.results.probes import Order, Probes
from bench.scoring.probing import PROBES
from bench.stats import order as statistics
from bench.sweeps.probe_run import ask_left


def published_p(order: Order) -> float:
    assert order.published_p is not None
    return order.published_p


def test_an_unbiased_model_shows_nothing(project: Path) -> None:
    shown = probes_of(run(planted(exam(project), "none"), project / "results"))
    order, question, nota = shown.order, shown.question, shown.nota
    assert order
    assert question
    assert nota
    assert order.preference_p > 0.05
    assert published_p(order) > 0.05
    assert order.changed.correct == 0
    assert order.consistent == order.accuracy
    assert [each.value for each in order.rotations] == [order.accuracy.value] * 4
    assert order.gain.low <= 0 <= order.gain.high
    assert all(0.2 < share < 0.3 for share in order.prior[4].values())
    assert question.options_over_letter.p > 0.05
    assert question.over_options.p < 0.001  # it uses the question


def test_a_preferred_letter_is_seen_and_taken_out(project: Path) -> None:
    results = project / "results"
    task = exam(project)
    unbiased = probes_of(run(planted(task, "none"), project / "other")).order
    order = probes_of(run(planted(task, "letter"), results)).order
    assert order
    assert unbiased
    assert order.preference_p < 0.001
    assert order.preferred == "D"
    assert order.preferred_share > 0.4
    assert order.spread.low > 0.2
    assert order.changed.value > 0.3
    assert order.consistent.value < order.accuracy.value
    assert order.gain.low > 0
    assert order.without_prior.value == pytest.approx(unbiased.accuracy.value, abs=0.03)
    assert published_p(order) > 0.05  # a letter that is preferred is no memory of the order
    agree = sum(a == b for a, b in zip(order.answers, unbiased.answers, strict=True))
    assert agree > 0.9 * MANY


def test_a_model_that_ignores_the_question_is_seen(project: Path) -> None:
    question = probes_of(run(planted(exam(project), "options"), project / "results")).question
    assert question
    assert question.over_options.p == 1.0
    assert question.options_alone == question.accuracy
    assert question.both == question.accuracy.correct
    assert question.options_over_letter.p < 0.001


def test_a_model_that_memorised_the_order_is_seen(project: Path) -> None:
    order = probes_of(run(planted(exam(project), "memory"), project / "results")).order
    assert order
    assert published_p(order) < 0.001
    assert order.published > 0.2
    assert order.preference_p > 0.05


def test_a_model_that_cannot_say_none_loses_what_one_that_can_keeps(project: Path) -> None:
    task = exam(project)
    cannot = probes_of(run(planted(task, "none"), project / "a")).nota
    can = probes_of(run(planted(task, "nota"), project / "b")).nota
    assert cannot
    assert can
    assert cannot.drop.low > 0.3
    assert can.drop.high < 0


def test_one_that_knows_but_is_too_sure_is_seen_by_its_confidence_alone(project: Path) -> None:
    from bench.board.when_right import when_right
    from bench.results.answers import Answered, read_answered

    results = project / "results"
    shown = probes_of(run(planted(exam(project), "sure"), results)).order
    [answered] = read_answered(results)
    assert shown
    assert isinstance(answered, Answered)
    assert shown.preference_p > 0.05
    known = when_right(answered)
    assert known
    assert known.numbers.error > 3 * known.numbers.floor
    assert known.numbers.fitted_error < known.numbers.error / 3


def test_without_a_fault_one_is_claimed_at_the_stated_rate(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "DRAWS", 199)
    p: list[float] = []
    for sample in range(40):
        cell = planted(exam(project, 60, first=60 * sample), "none")
        engine = open_engine(cell.opening, prepare(cell.opening.card, cell.weights))
        records = [record for batch in evaluate(cell.asking, cell.items, engine) for record in batch.records]
        probed = [record for _, batch in ask_left(cell, engine, ("order",), records, []) for record in batch]
        shown = figures(records, probed, Probes(asked=PROBES))["order"]
        p += [shown.preference_p, published_p(shown)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / len(p))
