"""`bench results`: what is there, whether it is sound, what may go."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sealing import sealed

from bench.cli.results import KINDS as COMMANDED
from bench.results import journal
from bench.results.check import check, entries
from bench.results.files import digest
from bench.results.prune import KINDS
from bench.sweeps.events import Skipped
from conftest import ROOT
from played import cell_of, fake_card, journal_of, run_to_end, sweep


def only(results: Path, name: str) -> Path:
    [path] = results.rglob(name)
    return path


def test_committed_runs_are_sound() -> None:
    assert list(check(ROOT / "results")) == []


def test_a_list_has_every_run_with_its_state(quiz: Path, project: Path, bench: Callable[..., Result]) -> None:
    results = project / "results"
    run_to_end(cell_of(quiz, fake_card("whole")), results)
    cut = journal.read_journal(journal_of(cell_of(quiz, fake_card("cut", seconds=0.05)), results, keep=3))
    assert cut is not None
    assert len(cut.records) >= 6
    bench("run", "-m", "chance", "-t", "quiz", "--limit", "4")
    rows = json.loads(bench("results", "list", "--json").stdout)
    assert {(row["model"], row["state"]) for row in rows} == {
        ("whole", "done"),
        ("cut", "unfinished"),
        ("chance", "done"),
    }
    text = bench("results", "list").stdout
    assert f"unfinished, {len(cut.records)} of 40 answered" in text
    assert "baseline, 4 drawn" in text


def test_a_run_is_shown_with_its_cost(quiz: Path, project: Path, bench: Callable[..., Result]) -> None:
    cell = cell_of(quiz, fake_card("whole", seconds=0.002))
    run_to_end(cell, project / "results")
    output = bench("results", "show", cell.facts.id[:8]).stdout
    for words in (
        "Questions/s",
        "Latency in batches, p50 and p95",
        "Peak memory",
        "Energy",
        "Processor",
    ):
        assert words in output
    assert "no counter (" in output or "counters of " in output
    assert bench("results", "show", str(cell.folder)).stdout == output
    assert json.loads(bench("results", "show", cell.facts.id, "--json").stdout)["status"] == "done"
    wrong = bench("results", "show", "zzz")
    assert wrong.exit_code == 2
    assert "no run matches 'zzz'" in wrong.output


def rewrite(path: Path, change: Callable[[list[dict[str, object]]], object]) -> None:
    """Change the records, and vouch for them: what only their content can betray."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    change(records)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    vouch(path)


def vouch(path: Path) -> None:
    result = json.loads((path.parent / "result.json").read_text())
    result["records_sha256"] = digest(path.read_bytes())
    (path.parent / "result.json").write_text(sealed(result))


def first_is_wrong(records: list[dict[str, object]]) -> None:
    records[0]["is_correct"] = not records[0]["is_correct"]


def first_answers_otherwise(records: list[dict[str, object]]) -> None:
    first = records[0]
    output = first["model_output"]
    assert isinstance(output, dict)
    output["final_answer"] = "A" if output["final_answer"] != "A" else "B"
    first["is_correct"] = output["final_answer"] == first["answer_gt"]


DAMAGE = {
    "is missing one": (lambda records: records.pop(), "39 records, but 40 questions were asked"),
    "has one twice": (
        lambda records: records.append(records[0]),
        "answered more than once: the questions of lines 1, 41",
    ),
    "has one in place of another": (
        lambda records: records.__setitem__(1, records[0]),
        "answered more than once: the questions of lines 1, 2",
    ),
    "is wrong": (first_is_wrong, "line 1: is_correct does not follow from its answers"),
    "answers otherwise": (first_answers_otherwise, "the answer is not the option that its scores rank first"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_check_names_what_is_wrong_with_which_file(
    quiz: Path, project: Path, bench: Callable[..., Result], damage: str
) -> None:
    run_to_end(cell_of(quiz, fake_card("whole")), project / "results")
    sound = bench("results", "check")
    assert (sound.exit_code, sound.stdout) == (0, "sound: 1 done\n")
    change, words = DAMAGE[damage]
    path = only(project / "results", "records.jsonl")
    rewrite(path, change)
    checked = bench("results", "check")
    assert checked.exit_code == 3
    assert words in checked.output
    assert str(path.relative_to(project)) in checked.output
    shown = bench("leaderboard", "show")
    assert "there are no runs in results" in shown.stdout
    assert f"not shown: {path.relative_to(project)}" in shown.stderr


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("records_sha256", "not the records that result.json was made from"),
        ("id", "cell.id: not the identity that the cell's facts give"),
        ("values", "metrics.values: not what its records give"),
    ],
)
def test_a_check_finds_a_changed_summary(
    quiz: Path, project: Path, bench: Callable[..., Result], key: str, words: str
) -> None:
    run_to_end(cell_of(quiz, fake_card("whole")), project / "results")
    path = only(project / "results", "result.json")
    result = json.loads(path.read_text())
    match key:
        case "id":
            result["cell"]["variant"]["seed"] = 7
        case "values":
            result["metrics"]["values"]["macro_f1"]["value"] += 0.001
        case _:
            result[key] = "0" * 64
    path.write_text(sealed(result))
    checked = bench("results", "check")
    assert checked.exit_code == 3
    assert words in checked.output


def test_a_folder_in_the_wrong_place_is_found(quiz: Path, project: Path) -> None:
    results = project / "results"
    cell = cell_of(quiz, fake_card("whole"))
    run_to_end(cell, results)
    (results / cell.folder).rename(results / "moved")
    [(_, text)] = check(results)
    assert text.endswith(f"not in the folder that this run belongs in, {cell.folder}; move it there")


def test_a_leftover_of_a_finished_run_goes_with_the_next_sweep(quiz: Path, project: Path) -> None:
    results = project / "results"
    cell = cell_of(quiz, fake_card("whole", seconds=0.05))
    journal_of(cell, results, keep=2)
    kept = (results / cell.folder / journal.NAME).read_bytes()
    whole = run_to_end(cell, results)
    (results / cell.folder / journal.NAME).write_bytes(kept)
    assert list(check(results)) == []
    [*_, (_, last)] = sweep([cell], results)
    assert last == Skipped(whole)
    assert not (results / cell.folder / journal.NAME).exists()


def test_prune_takes_only_a_run_s_own_files(quiz: Path, project: Path, bench: Callable[..., Result]) -> None:
    """A damaged file that stands above good runs may not take them along."""
    results = project / "results"
    cell = cell_of(quiz, fake_card("whole"))
    run_to_end(cell, results)
    (results / "quiz" / "result.json").write_text("{")
    assert bench("results", "prune", "damaged").stdout.count("removed") == 1
    assert [(entry.folder, entry.state) for entry in entries(results)] == [(cell.folder, "done")]


def test_records_that_were_changed_are_damage_to_list_prune_and_check(
    quiz: Path, project: Path, bench: Callable[..., Result]
) -> None:
    results = project / "results"
    cell = cell_of(quiz, fake_card("whole"))
    run_to_end(cell, results)
    records = results / cell.folder / "records.jsonl"
    records.write_bytes(records.read_bytes().replace(b"true", b"false", 1))
    [row] = json.loads(bench("results", "list", "--json").stdout)
    assert (row["state"], row["model"], row["right"]) == ("damaged", "whole", None)
    assert "not the records that result.json was made from" in row["reason"]
    assert "not the records" in bench("results", "show", row["id"]).stdout
    checked = bench("results", "check")
    assert checked.exit_code == 3
    assert checked.output.count("not the records") == 1
    assert bench("results", "prune", "outdated", "partial", "unfinished").stdout.count("removed") == 0
    assert bench("results", "prune", "damaged").stdout.count("removed") == 1
    assert list(entries(results)) == []


def test_the_kinds_of_prune_are_those_of_the_command() -> None:
    assert COMMANDED == KINDS


def test_prune_removes_what_is_named_and_nothing_else(
    quiz: Path, project: Path, bench: Callable[..., Result]
) -> None:
    results = project / "results"
    run_to_end(cell_of(quiz, fake_card("whole")), results)
    journal_of(cell_of(quiz, fake_card("cut", seconds=0.05)), results, keep=3)
    *_, _last = list(run(cell_of(quiz, fake_card("faulty", fault="memory")), results))
    bench("run", "-m", "chance", "-t", "quiz", "--limit", "4")
    before = sorted(results.rglob("*"))
    output = bench("results", "prune", "failed", "unfinished", "partial", "--dry-run").stdout
    assert output.count("would remove") == 3
    assert sorted(path for path in results.rglob("*") if path.suffix != ".lock") == [
        path for path in before if path.suffix != ".lock"
    ]
    assert bench("results", "prune", "failed", "unfinished", "partial").stdout.count("removed") == 3
    assert [(entry.cell.model.name, entry.state) for entry in entries(results) if entry.cell] == [
        ("whole", "done")
    ]
    assert not (results / "quiz" / "cut").exists()
    assert bench("results", "prune", "outdated").stdout == "nothing to remove\n"
    quiz.write_text(quiz.read_text().replace("version: 1", "version: 2"))
    run_to_end(cell_of(quiz, fake_card("whole")), results)
    assert bench("results", "prune", "outdated").stdout.count("removed") == 1
    assert [entry.cell.task.version for entry in entries(results) if entry.cell] == [2]


def run(cell: object, results: Path) -> list[object]:
    from bench.sweeps.supervise import run_cell

    return list(run_cell(cell, results))  # type: ignore[arg-type]
