"""Probes: changed questions beside a run's own, and what they show of planted faults."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from planted import ALL, exam, planted, probes_of, run
from sealing import sealed

from bench.cells.cell import Cell
from bench.inputs.task import NOTA
from bench.results import journal
from bench.results.check import check
from bench.results.files import read_probed, read_records, read_result
from bench.results.result import DoneResult
from bench.results.store import Run, read_runs
from bench.results.strip import strip
from bench.results.summary import summary_bytes
from bench.scoring.probing import ALIKE, CHOICES_ONLY, NO_TEXT, PROBES, REFER, WITHOUT_RIGHT
from bench.scoring.record import Record, by_change
from bench.sweeps.events import Progress, Skipped, Terms
from bench.sweeps.probe_run import UNSCORED
from bench.sweeps.supervise import run_cell
from conftest import QUESTIONS, write_lines
from played import cell_of, fake_card, sweep
from tiny import save_causal, save_t5, tiny_card


@pytest.fixture
def tiny(quiz: Path, project: Path) -> Cell:
    return tiny_cell(quiz, save_causal(project / "m", "llama"))


def tiny_cell(task: Path, weights: Path, **facts: object) -> Cell:
    return cell_of(task, tiny_card(weights, **facts))


def test_probes_move_no_number_of_the_run(tiny: Cell, project: Path) -> None:
    without = run(tiny, project / "a", Terms())
    probed = run(tiny, project / "b")
    assert without.probes is None
    assert (without.cell, without.metrics) == (probed.cell, probed.metrics)
    records = [
        read_records(project / at / tiny.folder / "records.jsonl", result)
        for at, result in (("a", without), ("b", probed))
    ]
    assert [record.scores for record in records[0]] == [record.scores for record in records[1]]
    assert without.cost.prompt_tokens == probed.cost.prompt_tokens
    assert not (project / "a" / tiny.folder / "probes.jsonl").exists()
    assert not list(check(project / "b"))


def test_each_changed_question_is_a_record(tiny: Cell, project: Path) -> None:
    result = run(tiny, project / "results")
    records = read_records(project / "results" / tiny.folder / "records.jsonl", result)
    changed = by_change(read_probed(project / "results" / tiny.folder, result))
    assert len(changed) == QUESTIONS * (2 + 1 + 1)
    for record in records:
        turned = changed[record.question_id, "rotation 1"]
        assert turned.options == (*record.options[1:], record.options[0])
        assert turned.options[turned.letters.index(turned.answer_gt)] == right_option(record)
        assert f"A. {record.options[1]}\n" in turned.prompt
        alone = changed[record.question_id, CHOICES_ONLY]
        assert (alone.question, alone.options) == ("", record.options)
        assert alone.prompt == record.prompt.replace(record.question, "")
        replaced = changed[record.question_id, WITHOUT_RIGHT]
        assert right_option(replaced) == NOTA
        assert replaced.answer_gt == record.answer_gt
    assert all(set(record.scores) == {"letter"} for record in changed.values())


def right_option(record: Record) -> str:
    return record.options[record.letters.index(record.answer_gt)]


@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
def test_probes_of_a_finished_run_are_those_of_a_new_one(quiz: Path, project: Path, kind: str) -> None:
    if kind == "decoder":
        cell = tiny_cell(quiz, save_causal(project / "m", "qwen3"))
    else:
        cell = tiny_cell(quiz, save_t5(project / "m"), architecture="encoder-decoder")
    fresh, later = project / "fresh", project / "later"
    at_once = run(cell, fresh)
    first = run(cell, later, Terms(probes=("order",)))
    assert probes_of(first).asked == ("order",)
    assert probes_of(first).question is None
    both = run(cell, later)
    assert (both.cost, both.provenance) == (first.cost, first.provenance)
    assert probes_of(both).asked == PROBES
    [(_, last)] = sweep([cell], later, ALL)
    assert last == Skipped(both)
    assert probes_of(both).seconds > probes_of(first).seconds
    values = [
        by_change(read_probed(at / cell.folder, done)) for at, done in ((fresh, at_once), (later, both))
    ]
    assert values[0].keys() == values[1].keys()
    for key, record in values[0].items():
        assert record.scores["letter"] == pytest.approx(values[1][key].scores["letter"], abs=1e-4, rel=0)


def test_a_run_that_was_stopped_keeps_its_changed_questions(tiny: Cell, project: Path) -> None:
    results = project / "results"
    events = run_cell(tiny, results, ALL)
    for event in events:
        kept = journal.read_journal(results / tiny.folder / journal.NAME)
        if isinstance(event, Progress) and kept and len(kept.probed) > 20:
            break
    events.close()  # type: ignore[attr-defined]
    kept = journal.read_journal(results / tiny.folder / journal.NAME)
    assert kept
    before = kept.probed
    result = run(tiny, results)
    after = by_change(read_probed(results / tiny.folder, result))
    assert len(after) == QUESTIONS * 4
    assert {key: after[key] for key in before} == before
    assert not list(check(results))


def test_options_that_speak_of_one_another_are_left_out_and_named(project: Path) -> None:
    task = exam(project, 60)
    rows = [json.loads(line) for line in (project / "tasks" / "test.jsonl").read_text().splitlines()]
    rows[3]["options"][3] = "All of the above"
    rows[5]["options"][0] = "Both A and C"
    write_lines(project / "tasks" / "test.jsonl", rows)
    shown = probes_of(run(planted(task, "none"), project / "results"))
    assert shown.left_out == {"order": {REFER: ("q3", "q5")}, "question": {}, "nota": {REFER: ("q3", "q5")}}
    assert shown.order
    assert shown.question
    assert shown.nota
    assert (shown.order.questions, shown.question.questions, shown.nota.questions) == (58, 60, 58)
    assert len(shown.order.answers) == 60


def test_equal_options_and_questions_in_a_language_without_a_text_are_left_out(project: Path) -> None:
    task = exam(project, 60)
    rows = [json.loads(line) for line in (project / "tasks" / "test.jsonl").read_text().splitlines()]
    rows[3]["options"][3] = rows[3]["options"][2]
    write_lines(project / "tasks" / "test.jsonl", rows)
    task.write_text(task.read_text() + 'nota_text: ""\n')
    shown = probes_of(run(planted(task, "none"), project / "results"))
    assert shown.left_out["order"] == {ALIKE: ("q3",)}
    assert len(shown.left_out["nota"][NO_TEXT]) == 60
    assert shown.nota is None


def test_where_probes_do_not_apply_they_say_why(quiz: Path, project: Path) -> None:
    shown = probes_of(run(cell_of(quiz, fake_card()), project / "results"))
    assert shown.inapplicable.startswith("a baseline reads no prompt")
    assert (shown.order, shown.question, shown.nota, shown.seconds) == (None, None, None, 0)
    assert not list((project / "results").rglob("probes.jsonl"))
    text = quiz.read_text() + "scoring: {view: text, letters: false}\n"
    quiz.write_text(text.replace("letter }}. {{", "letter }} {{"), encoding="utf-8")
    shown = probes_of(run(planted(quiz, "none"), project / "texts"))
    assert shown.inapplicable == "the task ranks by 'text': probes compare the scores of letters"


def test_published_and_later_runs_lose_texts_and_old_probes(tiny: Cell, project: Path) -> None:
    results, out = project / "results", project / "out"
    result = run(tiny, results)
    list(strip(results, out))
    stripped = read_result(out / tiny.folder / "result.json")
    assert isinstance(stripped, DoneResult)
    assert probes_of(stripped).order == probes_of(result).order
    assert "Which number" not in (out / tiny.folder / "probes.jsonl").read_text()
    assert not list(check(out))
    again = run(tiny, results, Terms(fresh=True))
    assert again.probes is None
    assert not (results / tiny.folder / "probes.jsonl").exists()


def test_probes_that_were_changed_by_hand_are_refused(tiny: Cell, project: Path) -> None:
    results = project / "results"
    result = run(tiny, results)
    path = results / tiny.folder / "result.json"
    raw = json.loads(path.read_text())
    raw["probes"]["order"]["changed"]["value"] = 0.0
    path.write_text(sealed(raw))
    assert [text for _, text in check(results)] == ["probes.order: not what its records give"]
    path.write_bytes(summary_bytes(result))
    file = results / tiny.folder / "probes.jsonl"
    file.write_text(file.read_text().replace('"rotation 1"', '"rotation 2"', 1))
    assert [place for place, _ in check(results)] == [file]


def test_a_task_a_sweep_file_and_a_flag_ask_for_probes(project: Path, bench: Callable[..., Result]) -> None:
    task = exam(project, 20)
    task.write_text(task.read_text() + "probes: [order]\n", encoding="utf-8")
    sweep_file = project / "sweep.yaml"
    sweep_file.write_text("models: [chance]\ntasks: [exam]\nprobes: [nota]\n")
    assert bench("run", "--sweep", str(sweep_file)).exit_code == 0
    done = read_result(next((project / "results").rglob("result.json")))
    assert isinstance(done, DoneResult)
    assert probes_of(done).asked == ("order", "nota")
    dry = bench("run", "-m", "chance", "-t", "exam", "--probe", "question", "--dry-run")
    assert "probes to do" in dry.output
    wrong = bench("run", "-m", "chance", "-t", "exam", "--probe", "ordr")
    assert wrong.exit_code == 2
    assert "no probe is named 'ordr'; did you mean 'order'?" in wrong.output


def test_forms_that_begin_differently_are_asked_apart(quiz: Path, project: Path) -> None:
    """Without its question, a prompt that begins with it has another first token: nothing is shared."""
    quiz.write_text(quiz.read_text().replace("Question: {{", "{{"), encoding="utf-8")
    result = run(tiny_cell(quiz, save_causal(project / "m", "llama")), project / "results")
    assert (
        len(by_change(read_probed(next((project / "results").rglob("probes.jsonl")).parent, result))) == 160
    )
    shown = probes_of(result)
    assert shown.question
    assert shown.order
    assert (shown.question.questions, shown.order.questions) == (QUESTIONS, QUESTIONS)


def test_a_template_that_needs_the_question_leaves_the_options_alone_out(quiz: Path, project: Path) -> None:
    quiz.write_text(quiz.read_text().replace("{{ question }}", "{{ question.split()[0] }}"), encoding="utf-8")
    shown = probes_of(run(tiny_cell(quiz, save_causal(project / "m", "llama")), project / "results"))
    assert shown.question is None
    assert {reason: len(ids) for reason, ids in shown.left_out["question"].items()} == {UNSCORED: QUESTIONS}
    assert shown.order
    assert shown.nota


def test_a_probe_that_was_stopped_and_not_asked_for_again_is_not_shown(tiny: Cell, project: Path) -> None:
    results = project / "results"
    events = run_cell(tiny, results, Terms(probes=("order", "question")))
    for _ in events:
        kept = journal.read_journal(results / tiny.folder / journal.NAME)
        if kept and len(kept.probed) > 20:
            break
    events.close()  # type: ignore[attr-defined]
    shown = probes_of(run(tiny, results, Terms(probes=("question",))))
    assert shown.asked == ("question",)
    assert shown.question
    assert shown.order is None
    assert not list(check(results))
    assert probes_of(run(tiny, results, Terms(probes=("order",)))).order


def test_damaged_records_of_probes_cost_the_probes_alone(tiny: Cell, project: Path) -> None:
    results = project / "results"
    before = run(tiny, results)
    path = results / tiny.folder / "probes.jsonl"
    path.unlink()
    assert "probes.jsonl" in " ".join(str(file) for file, _ in check(results))
    [found] = read_runs(results)
    assert isinstance(found, Run)
    assert found.result == before.model_copy(update={"probes": None})
    again = run(tiny, results)
    assert again.provenance == before.provenance  # not scored again
    assert probes_of(again).order
    assert not list(check(results))
