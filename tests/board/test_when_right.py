"""What a run's scores say of when it is right, on planted models."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.board.when_right import WhenRight, answerable_sentence, when_right
from bench.results.answers import UNREAD, Answered
from bench.stats.confidence import Answerable, Floats, probabilities
from bench.types import LETTERS

COUNT = 1_000


def planted(base: Answered, scores: Floats, truth: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Answered:
    """A run with these scores, whose right options are `truth`."""
    unread = np.isnan(scores).all(axis=1)
    chosen = np.where(unread, 0, np.nan_to_num(scores, nan=-np.inf).argmax(axis=1))
    answers = replace(
        base.answers,
        chosen="".join(UNREAD if none else LETTERS[at] for none, at in zip(unread, chosen, strict=True)),
        truth="".join(LETTERS[at] for at in truth),
        right=(chosen == truth) & ~unread,
        scores=scores.astype(np.float32),
        starts=np.zeros(len(truth), dtype=np.int64),
    )
    return replace(base, answers=answers)


def model(sharp: float, seed: int = 0) -> tuple[Floats, "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    """One that knows its chances, and is over-confident where `sharp` is above 1."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=2, size=(COUNT, 4))
    truth = np.array([rng.choice(4, p=row) for row in probabilities(scores)])
    return scores * sharp, truth


def known(run: Answered) -> WhenRight:
    result = when_right(run)
    assert result
    return result


def test_an_over_confident_model_is_told_and_mended(base: Answered) -> None:
    calibrated, over = (known(planted(base, *model(sharp))).numbers for sharp in (1.0, 5.0))
    assert calibrated.error < 2 * calibrated.floor
    assert over.error > 4 * over.floor
    assert over.fitted_error < 2 * over.floor
    assert over.temperature == pytest.approx(5 * calibrated.temperature, rel=0.02)
    assert calibrated.temperature == pytest.approx(1, rel=0.1)


def test_a_model_that_knows_when_it_is_right_can_answer_a_part(base: Answered) -> None:
    shown = known(planted(base, *model(1.0)))
    by_target = {one.target: one.coverage for one in shown.numbers.answerable}
    assert 1 >= by_target[0.5] > by_target[0.8] > by_target[0.9] > 0
    assert shown.sentences[0] == answerable_sentence(shown.numbers.answerable[-1])
    assert "not shown" not in shown.sentences[-1]
    assert shown.numbers.area < 1 - shown.numbers.accuracy - 0.1
    reliability, coverage = shown.curves
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in (*reliability.points, *coverage.points))
    assert coverage.points[-1] == pytest.approx((1, shown.numbers.accuracy))
    assert coverage.points[0][1] > shown.numbers.accuracy + 0.2


def test_a_model_that_always_prefers_a_letter_knows_nothing(base: Answered) -> None:
    rng = np.random.default_rng(4)
    scores = np.tile([5.0, 0.0, 0.0, 0.0], (COUNT, 1)) + rng.normal(scale=0.1, size=(COUNT, 4))
    shown = known(planted(base, scores, rng.integers(4, size=COUNT)))
    assert shown.sentences[0] == "For no part of the questions is an accuracy of 50\u202f% shown."
    assert shown.sentences[-1] == "Its confidence is not shown to tell right answers from wrong ones."
    assert shown.numbers.parts.discrimination < 0.02


def test_questions_without_an_answer_are_never_answered(base: Answered) -> None:
    scores, truth = model(1.0)
    whole = known(planted(base, scores, truth)).numbers
    scores[::2] = np.nan
    half = known(planted(base, scores, truth)).numbers
    assert half.questions == COUNT // 2
    assert half.answerable[0].coverage < 0.6 * whole.answerable[0].coverage


def test_options_that_are_not_there_have_no_probability(base: Answered) -> None:
    scores, truth = model(1.0)
    scores[:, 3] = np.nan
    shown = known(planted(base, scores, truth % 3))
    assert 0 < shown.numbers.brier < 2


def test_it_is_said_of_language_models_with_enough_scores_only(base: Answered) -> None:
    run = planted(base, *model(1.0))
    few = planted(base, *(values[:40] for values in model(1.0)))
    written = replace(run, answers=replace(run.answers, written=True))
    card = run.result.cell.model.model_copy(update={"architecture": "baseline"})
    cell = run.result.cell.model_copy(update={"model": card})
    baseline = replace(run, result=run.result.model_copy(update={"cell": cell}))
    assert [when_right(each) for each in (few, written, baseline)] == [None] * 3


def test_the_sentence_names_the_share_and_the_accuracy() -> None:
    text = answerable_sentence(Answerable(0.8, 0.314, 0.7))
    assert (
        text
        == "It answers 31\u202f% of the questions at 80\u202f% accuracy or better (95\u202f%, one-sided)."
    )


def test_a_run_shows_it_on_its_page_and_in_the_terminal(site: Path) -> None:
    pages = {path.stem: path.read_text("utf-8") for path in (site / "runs" / "medqa").rglob("*.html")}
    model_page = next(text for name, text in pages.items() if name.startswith("bfloat16-chat-c5a"))
    assert "<h2>When it is right</h2>" in model_page
    assert model_page.count('class="curve"') == 2
    assert not any("When it is right" in text for name, text in pages.items() if name.startswith("baseline"))
