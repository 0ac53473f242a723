"""What a run's scores say of when it is right, on planted models."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from bench.board.curves import confidence_charts
from bench.board.when_right import STATED, WhenRight, answerable_sentence, not_given, when_right
from bench.results.answers import UNREAD, Answered
from bench.stats.confidence import TARGETS, Answerable, Confidence, Floats, answerable, probabilities
from bench.types import LETTERS
from conftest import ROOT

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
    assert shown.sentences[0] == answerable_sentence(shown.numbers.answerable[1])
    assert "not shown" not in shown.sentences[-1]
    assert shown.numbers.area < 1 - shown.numbers.accuracy - 0.1


def test_a_model_that_always_prefers_a_letter_knows_nothing(base: Answered) -> None:
    rng = np.random.default_rng(4)
    scores = np.tile([5.0, 0.0, 0.0, 0.0], (COUNT, 1)) + rng.normal(scale=0.1, size=(COUNT, 4))
    shown = known(planted(base, scores, rng.integers(4, size=COUNT)))
    none = "No share of the questions is shown to be answered at 80\u202f% accuracy or better."
    assert shown.sentences[0] == none
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


def test_it_is_given_of_language_models_with_enough_scores_only_and_else_why_not(base: Answered) -> None:
    run = planted(base, *model(1.0))
    few, one = (planted(base, *(values[:count] for values in model(1.0))) for count in (40, 1))
    written = replace(run, answers=replace(run.answers, written=True))
    card = run.result.cell.model.model_copy(update={"architecture": "baseline"})
    cell = run.result.cell.model_copy(update={"model": card})
    baseline = replace(run, result=run.result.model_copy(update={"cell": cell}))
    without = (few, one, written, baseline)
    assert [when_right(each) for each in without] == [None] * 4
    assert [confidence_charts(each) for each in without] == [()] * 4
    assert not_given(run) == ""
    assert [not_given(each) for each in without] == [
        "When it is right: not given, because only 40 questions have scores (50 are needed).",
        "When it is right: not given, because only 1 question has scores (50 are needed).",
        "When it is right: not given, because the answers were written.",
        "When it is right: not given, because a baseline has no probabilities.",
    ]


def test_the_sentence_names_the_share_and_the_accuracy() -> None:
    before = "If it answers only the questions that it is surest of, it answers "
    after = " of all questions at 80\u202f% accuracy or better (95\u202f% confidence, one-sided)."
    assert answerable_sentence(Answerable(0.8, 0.314, 0.7)) == f"{before}31\u202f%{after}"
    assert answerable_sentence(Answerable(0.8, 0.0041, 0.7)) == f"{before}0.4\u202f%{after}"


GROUPS = {0.95: (400, 0.8999), 0.85: (400, 0.6999), 0.55: (1_200, 0.2999)}
"""Answers by confidence, and how often they are right: a little too seldom for 90, 80 and 50 %."""


def is_false(sentence: str) -> bool:
    """Whether so many of the surest planted answers are right less often than a sentence says."""
    stated = re.search(r"answers (\d+)\u202f% of all questions at (\d+)\u202f%", sentence)
    if stated is None:
        return False
    chances = np.repeat([rate for _, rate in GROUPS.values()], [count for count, _ in GROUPS.values()])
    surest = chances[: int(stated[1]) * len(chances) // 100]
    return bool(surest.mean() < int(stated[2]) / 100)


def test_the_sentence_is_false_in_at_most_5_of_100_samples(base: Answered) -> None:
    """One that stated the highest accuracy that is shown would be false more often."""
    numbers: Confidence = known(planted(base, *model(1.0))).numbers
    counts = [count for count, _ in GROUPS.values()]
    confidence = np.repeat(list(GROUPS), counts)
    chances = np.repeat([rate for _, rate in GROUPS.values()], counts)
    rng, draws = np.random.default_rng(0), 3_000
    false, false_of_highest, stated = 0, 0, 0
    for _ in range(draws):
        right = rng.random(len(chances)) < chances
        shown = tuple(answerable(confidence, right, target) for target in TARGETS)
        sentence = WhenRight(replace(numbers, answerable=shown)).sentences[0]
        assert f"at {STATED:.0%}"[:-1] in sentence
        highest = max((one for one in shown if one.coverage), key=lambda one: one.target, default=shown[0])
        stated += "If it answers" in sentence
        false += is_false(sentence)
        false_of_highest += is_false(answerable_sentence(highest))
    error = 3 * (0.05 * 0.95 / draws) ** 0.5
    assert stated > 0.9 * draws, "the planted groups let it be stated"
    assert 0.02 < false / draws <= 0.05 + error
    assert false_of_highest / draws > 0.05 + error


def test_how_far_off_its_confidence_is_is_said_with_the_temperature(base: Answered) -> None:
    sure, unsure, fitting = (
        WhenRight(replace(known(planted(base, *model(1.0))).numbers, error=0.53, temperature=temperature))
        for temperature in (87.421, 0.5, 1.004)
    )
    assert sure.sentences[1].startswith(
        "How sure it is differs from how often it is right by 53.0 percentage points on average, and by "
    )
    assert sure.sentences[1].endswith(" after rescaling (temperature 87.42; above 1: it is too sure).")
    assert unsure.sentences[1].endswith("(temperature 0.50; below 1: it is not sure enough).")
    assert fitting.sentences[1].endswith("(temperature 1.00).")
    floor = f"{100 * sure.numbers.floor:.1f}"
    assert sure.sentences[2] == f"On 1,000 questions even a perfectly calibrated model would show {floor}."
    clustered = WhenRight(replace(sure.numbers, answerable=(), clusters=80))
    assert clustered.sentences[0] == (
        "How many questions it can answer at a given accuracy is not stated: the guarantee needs independent "
        "questions, and these come in 80 clusters."
    )
    assert clustered.sentences[2].startswith("On 1,000 independent questions even")


def test_the_parts_of_the_error_add_up_and_are_named(base: Answered) -> None:
    shown = known(planted(base, *model(3.0)))
    facts = dict(shown.facts)
    split = facts["Brier score of the chosen answer, after rescaling"]
    total, bad, good, rest = map(float, re.findall(r"[\d.]+", split))
    assert re.sub(r"[\d.]+", "N", split) == "N = N (miscalibration) − N (discrimination) + N (uncertainty)"
    assert total == pytest.approx(bad - good + rest, abs=0.0002)
    numbers = shown.numbers
    assert total == pytest.approx(float(((numbers.fitted - numbers.right) ** 2).mean()), abs=0.0001)
    assert list(facts)[:3] == [f"Answerable at {at}\u202f% (guaranteed alone)" for at in (50, 80, 90)]
    assert facts["Area under risk and coverage"].endswith("if its confidence told nothing")


def test_a_run_shows_it_on_its_page_and_in_the_terminal(site: Path, bench: Callable[..., Result]) -> None:
    pages = {path.stem: path.read_text("utf-8") for path in (site / "runs" / "medqa").rglob("*.html")}
    of_model = next(text for name, text in pages.items() if name.startswith("bfloat16-chat-c5a"))
    assert "<h2>When it is right</h2>" in of_model
    assert of_model.count('class="curve"') == 2
    baselines = [text for name, text in pages.items() if name.startswith("baseline")]
    assert len(baselines) > 1
    reason = "When it is right: not given, because a baseline has no probabilities."
    assert all(reason in text and "<h2>When it is right" not in text for text in baselines)
    folder = next((ROOT / "results" / "medqa" / "chance").iterdir())
    assert reason in bench("results", "show", str(folder), "--results", str(ROOT / "results")).output
