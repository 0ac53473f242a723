"""What probes show, where people read it: words, tags, ranks, columns, the terminal and the page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from planted import exam, planted, probes_of, run

from bench.board.board import TaskBoard, make_board
from bench.board.column import Measured
from bench.board.columns import columns_of
from bench.board.probe_words import probe_facts, probe_sections, probe_tags
from bench.errors import FileError
from bench.results.answers import read_answered
from bench.results.probes import Probes
from bench.results.result import DoneResult
from bench.sweeps.events import Terms
from played import cell_of, fake_card

FAULTS = ("none", "letter", "options", "memory", "nota")


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, DoneResult]]:
    """The results folder of planted models on one task."""
    folder = tmp_path_factory.mktemp("planted")
    task = exam(folder, 300)
    return folder / "results", {fault: run(planted(task, fault), folder / "results") for fault in FAULTS}


def table_of(results: Path) -> TaskBoard:
    runs = [run for run in read_answered(results) if not isinstance(run, FileError)]
    [table] = make_board(runs, [], []).tasks
    return table


def words(probes: Probes) -> str:
    return " ".join(sentence for _, sentences in probe_sections(probes) for sentence in sentences)


def test_words_say_the_fault_and_no_other(faulty: tuple[Path, dict[str, DoneResult]]) -> None:
    said = {fault: words(probes_of(result)) for fault, result in faulty[1].items()}
    assert "It prefers the letter D (p <" in said["letter"]
    assert "it chose D in" in said["letter"]
    assert "No benefit from the question is shown: " in said["options"]
    assert "a higher probability in the published order" in said["memory"]
    assert "This is evidence and no proof" in said["memory"]
    for fault in ("none", "nota"):
        assert "No preference for a letter is shown" in said[fault]
        assert "The question adds +" in said[fault]
        assert "no sign that it saw these options in their published order" in said[fault]
    assert all("no clinician has checked it" in each for each in said.values())
    assert all(" = <" not in each and "−0.0 " not in each for each in said.values())


def test_a_tag_stands_where_it_changes_the_reading(faulty: tuple[Path, dict[str, DoneResult]]) -> None:
    tags = {fault: list(probe_tags(result.probes)) for fault, result in faulty[1].items()}
    assert tags["none"] == tags["nota"] == []
    [changes] = tags["letter"]
    assert changes.endswith("% of its answers change with the order")
    assert tags["options"] == ["no benefit from the question shown"]
    assert list(probe_tags(None)) == []


def test_ranks_without_letter_preference_are_given_where_all_models_were_probed(
    faulty: tuple[Path, dict[str, DoneResult]], project: Path
) -> None:
    table = table_of(faulty[0])
    by_name = {row.result.model_name: row for row in table.rows}
    unbiased, biased = by_name["none"].standing, by_name["letter"].standing
    assert unbiased is not None
    assert biased is not None
    assert biased.best > unbiased.best  # its letter costs it places
    assert biased.without_preference == unbiased.without_preference
    [column] = [one for one in columns_of("export") if one.name == "rank_without_preference"]
    row: Measured = by_name["letter"]
    assert column.value(row) == biased.without_preference
    task = exam(project, 60)
    for fault, terms in (("none", Terms(probes=("order",))), ("letter", Terms())):
        run(planted(task, fault), project / "results", terms)
    table = table_of(project / "results")
    assert [row.standing and row.standing.without_preference for row in table.rows] == [None, None]
    assert "1 of 2 were not asked in every order" in table.preference_note


def test_the_terminal_exports_and_pages_show_them(
    faulty: tuple[Path, dict[str, DoneResult]], project: Path, bench: Callable[..., Result]
) -> None:
    results, made = str(faulty[0]), faulty[1]["letter"]
    shown = bench("results", "show", made.cell.id[:12], "--results", results).output
    assert "order of the options" in shown
    assert "times one pass" in shown
    board = bench("leaderboard", "show", "--results", results).output
    assert "order changes" in board
    rows = bench("export", "csv", "--task", "exam", "--results", results).output.splitlines()
    assert {"order_changed", "options_alone", "nota_drop", "letter_preference_p"} < {*rows[0].split(",")}
    assert bench("leaderboard", "build", "--results", results, "--out", "site").exit_code == 0
    page = next((project / "site" / "runs" / "exam" / "letter").glob("*.html")).read_text()
    assert "<h2>What the accuracy means</h2>" in page
    assert page.count('<svg class="chart"') == 4
    assert (
        "does not choose the same option in all 4 orders"
        in (project / "site" / "models" / "letter.html").read_text()
    )


def test_a_board_without_probes_has_no_word_of_them(
    quiz: Path, project: Path, bench: Callable[..., Result]
) -> None:
    run(cell_of(quiz, fake_card()), project / "results", Terms())
    assert "order_changed" not in bench("export", "csv").output
    assert bench("leaderboard", "build").exit_code == 0
    [page] = (project / "site" / "runs" / "quiz" / "played").glob("*.html")
    assert "What the accuracy means" not in page.read_text()


def test_why_probes_do_not_apply_is_shown(quiz: Path, project: Path, bench: Callable[..., Result]) -> None:
    result = run(cell_of(quiz, fake_card()), project / "results")
    assert "Not asked: a baseline reads no prompt" in words(probes_of(result))
    assert probe_facts(result) == ()
    assert "Not asked: " in bench("results", "show", result.cell.id[:12]).output
    assert bench("leaderboard", "build").exit_code == 0
