"""The drawings of when a run is right: what is drawn is what was measured, and is seen."""

import re
from dataclasses import replace

import numpy as np
import pytest

from bench.board.curve_chart import BOTTOM, LEFT, RIGHT, STRIP, TOP, CurveChart, Line, axis_of
from bench.board.curves import coverage, reliability
from bench.stats.confidence import Confidence, confidence_of, probabilities


def numbers_of(sharp: float, count: int = 1_000, scale: float = 2.0) -> Confidence:
    """Of a model that knows its chances, and is over-confident where `sharp` is above 1."""
    rng = np.random.default_rng(0)
    scores = rng.normal(scale=scale, size=(count, 4))
    truth = np.array([rng.choice(4, p=row) for row in probabilities(scores)])
    return confidence_of(scores * sharp, truth, count, clusters=None)


def line(chart: CurveChart, kind: str) -> Line:
    [own] = [each for each in chart.lines if each.kind == kind]
    return own


def places(own: Line) -> list[tuple[float, float]]:
    pairs = [pair.split() for pair in own.path[1:].split("L")]
    return [(float(x), float(y)) for x, y in pairs]


@pytest.mark.parametrize(
    ("values", "least", "expected"),
    [
        ([0.253, 0.255], 0.0, (0.253, 0.255, 0.0005)),
        ([0.253, 0.255], 0.01, (0.248, 0.26, 0.002)),
        ([0.27, 0.99], 0.1, (0.2, 1.0, 0.2)),
        ([1.0, 1.0], 0.01, (0.995, 1.0, 0.001)),
        ([0.0, 1.0], 0.1, (0.0, 1.0, 0.2)),
    ],
)
def test_an_axis_shows_all_values_between_round_ends(
    values: list[float], least: float, expected: tuple[float, float, float]
) -> None:
    axis = axis_of(values, least)
    assert (axis.low, axis.high, axis.step) == pytest.approx(expected)
    assert axis.low <= min(values) <= max(values) <= axis.high
    assert len({axis.text(mark) for mark in axis.marks}) == len(axis.marks) <= 7


@pytest.mark.parametrize("sharp", [0.2, 1.0, 5.0, 60.0])
def test_every_point_lies_in_the_square(sharp: float) -> None:
    numbers = numbers_of(sharp)
    for chart in (reliability(numbers, "a run", "a"), coverage(numbers, "a run", "a")):
        for own in chart.lines:
            assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in (*places(own), *own.ends))
        assert all(BOTTOM <= bar.y < bar.y + bar.height <= BOTTOM + STRIP + 0.01 for bar in chart.bars)
        assert all(TOP <= each.high <= each.low <= BOTTOM for each in chart.intervals)


def test_confidence_is_drawn_as_it_is_and_rescaled() -> None:
    chart = reliability(numbers_of(60.0, scale=0.1), "a run", "a")
    own, rescaled = (places(line(chart, kind)) for kind in ("curve", "rescaled"))
    assert own[-1][0] - own[0][0] > 0.6 * (RIGHT - LEFT)
    assert rescaled[-1][0] - rescaled[0][0] < 0.3 * (RIGHT - LEFT)
    assert line(chart, "rescaled").ends == (rescaled[0], rescaled[-1]), "circles make a short line visible"
    assert "Dash-dotted between circles: after rescaling" in chart.caption


def test_a_few_answers_at_an_end_do_not_bend_the_lines() -> None:
    """The surest answer is right, so the regression itself ends at 100 %."""
    numbers = numbers_of(1.0, scale=0.05)
    right = numbers.right.copy()
    right[numbers.confidence.argmax()] = right[numbers.fitted.argmax()] = True
    chart = reliability(replace(numbers, right=right), "a run", "a")
    for kind in ("curve", "rescaled"):
        assert min(y for _, y in places(line(chart, kind))) > TOP + 0.3 * (BOTTOM - TOP)


def test_the_axis_is_cut_to_where_there_are_answers() -> None:
    ticks = [tick.text for tick in reliability(numbers_of(1.0, scale=0.05), "a run", "a").across]
    assert ticks[0] != "0\u202f%"
    assert ticks[-1] != "100\u202f%"


def test_the_numbers_count_every_answer_twice_as_it_is_and_rescaled() -> None:
    numbers = numbers_of(5.0)
    shown = reliability(numbers, "a run", "a").numbers
    assert shown.head[-1] == "95\u202f% interval"
    for scale in ("as it is", "rescaled"):
        rows = [row for row in shown.rows if row[0] == scale]
        assert sum(int(row[3].replace(",", "")) for row in rows) == numbers.questions
        right = sum(float(row[4].split("\u202f")[0]) / 100 * int(row[3]) for row in rows)
        assert right == pytest.approx(numbers.right.sum(), rel=0.002)
    assert shown.words.count(" at ") == len([row for row in shown.rows if row[0] == "as it is"])


def test_of_questions_in_clusters_no_interval_is_drawn() -> None:
    chart = reliability(replace(numbers_of(5.0), clusters=80), "a run", "a")
    assert chart.intervals == ()
    assert "interval" not in chart.caption
    assert chart.numbers.head[-1] == "Right"
    assert {len(row) for row in chart.numbers.rows} == {5}


def test_coverage_ends_at_the_accuracy_and_its_risk_is_the_rest() -> None:
    numbers = numbers_of(1.0)
    chart = coverage(numbers, "a run", "a")
    *_, last = chart.numbers.rows
    assert last == ("100\u202f%", f"{numbers.accuracy:.1%}"[:-1] + "\u202f%", last[2])
    assert [row[0] for row in chart.numbers.rows] == [f"{at}\u202f%" for at in range(10, 101, 10)]
    for _, accuracy, risk in chart.numbers.rows:
        assert float(accuracy[:-2]) + float(risk[:-2]) == pytest.approx(100, abs=0.11)
    assert "Risk is 1 − accuracy" in chart.caption
    assert re.fullmatch(
        r"Accuracy by .*: [\d.]+\u202f% at 10\u202f%; .* at 100\u202f%\.", chart.numbers.words
    )
