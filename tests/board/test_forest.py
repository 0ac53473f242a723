"""Every model less a reference: the numbers are those of the paired tests, and the drawing shows them."""

from itertools import pairwise, permutations

import numpy as np
import pytest

from bench.board.board import Board, TaskBoard
from bench.board.candidates import candidates
from bench.board.citing import citation, short_citation
from bench.board.forest import contrasts_across, contrasts_on, forest
from bench.board.profile import standings_of
from bench.board.profile_charts import letters_chart, strip_chart, subjects_chart
from bench.board.reading import read_board
from bench.board.row_chart import END, START, ChartRow, steps
from bench.stats.across import across, shown_by
from bench.stats.paired import paired
from bench.stats.ranking import holm
from bench.wording import MINUS
from conftest import ROOT


@pytest.fixture(scope="module")
def board() -> Board:
    return read_board(ROOT / "results", [])[0]


@pytest.fixture(scope="module")
def sample(board: Board) -> TaskBoard:
    return next(table for table in board.tasks if table.task.name == "medqa_sample")


def test_on_a_task_every_pair_has_the_numbers_of_the_paired_test(sample: TaskBoard) -> None:
    rows = {row.run.folder: row for row in sample.rows}
    compared = 0
    for reference, own in enumerate(sample.rows):
        contrasts = contrasts_on(sample, reference)
        assert len(contrasts.others) == len(sample.rows) - 1
        for each in contrasts.others:
            pair = paired(own.answers.right, rows[each.folder].answers.right, clusters=None)
            assert (each.difference, each.low, each.high) == (
                pair.difference,
                pair.interval.low,
                pair.interval.high,
            )
            assert each.p == pair.p
            compared += 1
        adjusted = holm(np.array([each.p for each in contrasts.others]))
        assert [each.adjusted for each in contrasts.others] == adjusted.tolist()
        assert contrasts.detectable > 0.05
    assert compared == len(sample.rows) * (len(sample.rows) - 1)


def test_over_all_tasks_every_pair_has_the_numbers_of_the_stratified_comparison(board: Board) -> None:
    weights = {table.task.name: at + 1.0 for at, table in enumerate(board.tasks)}
    models = [each for each in candidates(board.tasks) if not each.lacks(tuple(weights))]
    right = [np.array([each.rows[table.task.name].answers.right for each in models]) for table in board.tasks]
    chance = np.array([table.chance for table in board.tasks])
    compared = across(right, chance, np.array([*weights.values()]), clusters=[None] * len(right))
    places = {each.name: at for at, each in enumerate(models)}
    assert len(models) > 5
    for own in models:
        contrasts = contrasts_across(board.tasks, weights, own.name)
        assert contrasts is not None
        margins = []
        for each in contrasts.others:
            pair = places[each.name], places[own.name]
            margin = compared.margin[pair]
            assert each.difference == compared.difference[pair]
            assert (each.low, each.high) == (each.difference - margin, each.difference + margin)
            assert each.p == compared.p[pair]
            margins.append(margin)
        assert contrasts.detectable == shown_by(float(np.median(margins)), len(margins))
    best = contrasts_across(board.tasks, weights)
    assert best is not None
    assert best.reference == models[int(np.argmax(compared.scores))].name
    assert all(each.difference <= 0 for each in best.others)


def test_over_one_task_or_without_the_reference_nothing_is_compared_over_all(board: Board) -> None:
    weights = dict(board.weights)
    assert contrasts_across(board.tasks[:1], {board.tasks[0].task.name: 1.0}) is None
    assert contrasts_across(board.tasks, weights, "nobody") is None
    assert contrasts_across(board.tasks, {**weights, "not measured": 1.0}) is None


def test_the_drawing_has_each_difference_at_its_place_and_marks_what_is_significant(
    sample: TaskBoard,
) -> None:
    contrasts = contrasts_on(sample)
    assert any(each.is_significant for each in contrasts.others)
    assert not all(each.is_significant for each in contrasts.others)
    chart = forest(contrasts, "name", "on a task")
    zero = chart.guides[0].at
    ticks = {float(tick.text.replace(MINUS, "-")): tick.at for tick in chart.ticks}
    scale = (ticks[0.0] - min(ticks.values())) / (0.0 - min(ticks))
    for row, each in zip(chart.rows, contrasts.others, strict=True):
        assert row.at == pytest.approx(zero + 100 * each.difference * scale, abs=0.02)
        assert row.low == pytest.approx(zero + 100 * each.low * scale, abs=0.02)
        assert row.high == pytest.approx(zero + 100 * each.high * scale, abs=0.02)
        assert START <= row.low <= row.at <= row.high <= END
        assert row.strong == (each.adjusted <= 0.05) == (each.verdict != "not separable")
    differences = [each.difference for each in contrasts.others]
    assert differences == sorted(differences, reverse=True)


@pytest.mark.parametrize(("low", "high"), [(-0.02, 0.02), (-0.17, 0.11), (0.0, 1.0), (-0.6, 0.3), (0.0, 0.2)])
def test_an_axis_has_few_round_numbers_within_its_ends(low: float, high: float) -> None:
    numbers = steps(low, high)
    assert 2 <= len(numbers) <= 7
    assert low <= numbers[0]
    assert numbers[-1] <= high
    assert len({round(b - a, 9) for a, b in pairwise(numbers)}) == 1


def test_a_long_name_loses_its_middle_and_keeps_the_variant() -> None:
    row = ChartRow("A model with a very long name indeed (16-bit, chat, 5 solved examples)", "", 0.0)
    assert len(row.label) <= 44
    assert row.label.startswith("A model wit")
    assert row.label.endswith("…16-bit, chat, 5 solved examples)")
    assert ChartRow("Short", "", 0.0).label == "Short"


def test_a_citation_names_data_engine_and_the_newest_run(sample: TaskBoard) -> None:
    newest = max(row.result.provenance.finished for row in sample.rows)[:10]
    line = citation([sample])
    assert line == (
        f"SLM Bench, medqa_sample, data {sample.data_sha256[:10]}, "
        f"engine {sample.rows[0].result.cell.engine_version}, newest run of {newest}"
    )
    assert short_citation([sample] * 8) == f"SLM Bench, 8 tasks, newest run of {newest}"


def test_a_place_is_what_the_pairs_between_models_leave_open(board: Board) -> None:
    standings = standings_of(board.tasks, board.weights)
    models = [
        each for each in candidates(board.tasks) if each.name in standings.places and not each.is_baseline
    ]
    assert len(models) == len(standings.places) > 3
    right = [np.array([each.rows[table.task.name].answers.right for each in models]) for table in board.tasks]
    chance = np.array([table.chance for table in board.tasks])
    compared = across(right, chance, np.ones(len(board.tasks)), clusters=[None] * len(right))
    rows, columns = np.triu_indices(len(models), 1)
    adjusted = dict(zip(zip(rows, columns, strict=True), holm(compared.p[rows, columns]), strict=True))
    above = dict.fromkeys(range(len(models)), 0)
    below = dict(above)
    for first, second in permutations(range(len(models)), 2):
        p = adjusted[min(first, second), max(first, second)]
        if p <= 0.05 and compared.difference[first, second] > 0:
            above[second] += 1
            below[first] += 1
    for at, model in enumerate(models):
        place = standings.places[model.name]
        assert (place.best, place.worst) == (above[at] + 1, len(models) - below[at])
        assert place.among == len(models)


def test_a_profile_draws_the_numbers_of_its_runs_beside_the_board(board: Board, sample: TaskBoard) -> None:
    standings = standings_of(board.tasks, board.weights)
    name = "smollm2-135m-instruct-q4_1"
    lead = standings.models[name][0]
    strip = strip_chart(lead, standings.tables, standings.levels)
    place = {float(tick.text.split("\u202f")[0]): tick.at for tick in strip.ticks}
    scale = (place[20.0] - place[0.0]) / 0.2
    for row, table in zip(strip.rows, board.tasks, strict=True):
        rate = lead.rows[table.task.name].result.metrics.accuracy
        chance, median, best = (mark.at for mark in row.marks)
        models = [each for each in table.rows if not each.result.cell.model.is_baseline]
        assert row.at == pytest.approx(place[0.0] + rate.value * scale, abs=0.02)
        assert chance == pytest.approx(place[0.0] + table.chance * scale, abs=0.02)
        assert (
            best
            == median
            == pytest.approx(
                place[0.0] + max(each.result.metrics.accuracy.value for each in models) * scale, abs=0.02
            )
        )
    row = next(each for each in sample.rows if each.result.cell.model.name == name)
    levels = standings.levels["medqa_sample"]
    subjects = subjects_chart(row, levels)
    assert subjects is not None
    groups = row.result.metrics.groups
    gaps = [
        groups[label].accuracy.value - levels.groups[label]
        for label in (each.name.rpartition(" (")[0] for each in subjects.rows)
    ]
    assert gaps == sorted(gaps, reverse=True)
    assert {each.soft for each in subjects.rows} == {True}  # none has 20 questions
    letters = letters_chart(row)
    assert [each.name[0] for each in letters.rows] == ["A", "B", "C", "D"]
    counts = row.result.metrics.chosen
    assert [each.text for each in letters.rows] == [
        f"{100 * counts.get(letter, 0) / 100:.1f}\u202f%" for letter in "ABCD"
    ]
