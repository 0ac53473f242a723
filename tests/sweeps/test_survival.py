"""Sweeps that are killed, filled up, crowded and crashed: what is kept, and what the next one makes of it."""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from sealing import sealed

from bench.cells.cell import Cell
from bench.inputs.model_card import ModelCard
from bench.results import journal
from bench.results.files import read_result
from bench.results.result import CannotRunResult, DoneResult, FailedResult, Unsuccessful
from bench.results.store import Run, begin, read_runs
from bench.results.whole import StoreError
from bench.sweeps.events import Busy, Loading, Progress, Retry, Skipped, Terms
from bench.sweeps.supervise import run_cell
from conftest import QUESTIONS
from played import (
    add_fake,
    answers_on_disk,
    cell_of,
    fake_card,
    journal_of,
    lines,
    run_to_end,
    sweep,
    wait_for,
    without_provenance,
)  # fmt: skip
from tiny import save_causal

WHOLE: dict[str, tuple[dict[str, object], list[dict[str, object]]]] = {}


def uninterrupted(cell: Cell, folder: Path) -> tuple[dict[str, object], list[dict[str, object]]]:
    """What the cell comes to in one go: its result and its records; made once a cell."""
    if cell.facts.id not in WHOLE:
        result = without_provenance(run_to_end(cell, folder / "whole" / cell.facts.id))
        WHOLE[cell.facts.id] = result, lines(folder / "whole" / cell.facts.id)
    return WHOLE[cell.facts.id]


@pytest.mark.parametrize("seed", range(10))
def test_a_worker_that_is_killed_anywhere_goes_on_and_the_numbers_are_the_same(
    quiz: Path, project: Path, seed: int
) -> None:
    cell = cell_of(quiz, fake_card(seconds=0.005))
    whole, records = uninterrupted(cell, project)
    stop = random.Random(seed).randrange(QUESTIONS // 2)
    seen: list[object] = []
    for event in run_cell(cell, project / "killed"):
        seen.append(event)
        if isinstance(event, Progress) and event.done == 2 * stop + 2 and Retry not in map(type, seen):
            kill_worker(cell)
    assert Counter(map(type, seen))[Retry] == 1
    assert without_provenance(seen[-1]) == whole
    assert lines(project / "killed") == records


def kill_worker(cell: Cell) -> None:
    import multiprocessing

    for child in multiprocessing.active_children():
        if child.name == f"bench {cell.folder}" and child.pid:
            os.kill(child.pid, signal.SIGKILL)


@pytest.mark.parametrize("seed", range(10))
def test_a_sweep_that_is_killed_anywhere_goes_on_and_the_numbers_are_the_same(
    quiz: Path, project: Path, seed: int
) -> None:
    """The parent is killed: its worker must end by itself, and the next sweep takes over."""
    draw = random.Random(seed)
    cards = [fake_card("played", seconds=0.01), fake_card("other", seconds=0.01)]
    cells = [cell_of(quiz, card) for card in cards]
    for card in cards:
        add_fake(project, card.name, seconds=0.01)
    command = [sys.executable, "-m", "bench", "run", "-m", "played,other", "-t", "quiz", "--jobs", "2"]
    with subprocess.Popen(
        command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as parent:
        wanted = draw.randrange(2, QUESTIONS)
        wait_for(lambda: answers_on_disk(project / "results") >= wanted or parent.poll() is not None)
        time.sleep(draw.random() * 0.03)
        parent.kill()
    again = list(sweep(cells, project / "results", Terms(jobs=2)))
    kept = sum(event.done for _, event in again if isinstance(event, Loading))
    kept += sum(len(cell.items) for cell, event in again if isinstance(event, Skipped))
    assert kept >= wanted - 2, "what was answered is not asked again"
    ended = {c.folder: e for c, e in again if isinstance(e, (DoneResult, Skipped))}
    for cell in cells:
        whole, records = uninterrupted(cell, project)
        last = ended[cell.folder]
        assert without_provenance(last.result if isinstance(last, Skipped) else last) == whole
        assert lines(project / "results" / cell.folder) == records
    assert not list((project / "results").rglob(journal.NAME))


def test_a_real_model_that_was_cut_off_gives_the_same_scores(quiz: Path, project: Path) -> None:
    facts = {"name": "tiny", "title": "Tiny", "family": "tiny", "license": "mit", "context": 512}
    source = {"path": str(save_causal(project / "m", "llama"))}
    cell = cell_of(quiz, ModelCard.model_validate(facts | {"architecture": "decoder", "source": source}))
    cell = replace(cell, opening=replace(cell.opening, batch=0.1))  # several batches
    whole = run_to_end(cell, project / "whole")
    path = journal_of(cell, project / "cut", keep=2)
    done = journal.read_journal(path)
    assert done is not None
    assert 0 < len(done.records) < QUESTIONS
    events = list(run_cell(cell, project / "cut"))
    assert events[0] == Loading(len(done.records), QUESTIONS, cell.slug)
    assert without_provenance(events[-1]) == without_provenance(whole)
    assert lines(project / "cut") == lines(project / "whole")
    assert isinstance(events[-1], DoneResult)
    assert events[-1].provenance.stops == 1


@pytest.mark.parametrize("damage", ["torn", "garbage", "twice", "other questions", "no head"])
def test_a_damaged_line_costs_its_batch_and_no_more(quiz: Path, project: Path, damage: str) -> None:
    cell = cell_of(quiz, fake_card(seconds=0.05))
    whole, records = uninterrupted(cell, project)
    path = journal_of(cell, project / "cut", keep=5)
    head, *batches = path.read_bytes().splitlines(keepends=True)
    match damage:
        case "torn":
            batches[-1] = batches[-1][:100]
        case "garbage":
            batches[1] = b"\x00\xff{]\n"
        case "twice":
            batches.append(batches[0])
        case "other questions":
            batches[1] = batches[1].replace(b"Which number", b"Which animal")
        case _:
            head = b"{}\n"
    path.write_bytes(head + b"".join(batches))
    events = list(run_cell(cell, project / "cut"))
    lost = {"torn": 1, "garbage": 1, "twice": 0, "other questions": 1, "no head": len(batches)}[damage]
    kept = len(batches) - lost - (damage == "twice")
    assert events[0] == Loading(2 * kept, QUESTIONS, cell.slug)
    assert without_provenance(events[-1]) == whole
    assert lines(project / "cut") == records


def test_a_fresh_run_takes_only_from_one_that_was_begun_fresh(quiz: Path, project: Path) -> None:
    cell = cell_of(quiz, fake_card(seconds=0.05))
    journal_of(cell, project / "cut", keep=3)
    fresh = run_cell(cell, project / "cut", Terms(fresh=True))
    assert next(fresh) == Loading(0, QUESTIONS, cell.slug)
    assert any(isinstance(event, Progress) and event.done == 4 for event in fresh)
    fresh.close()  # type: ignore[attr-defined]
    again = next(run_cell(cell, project / "cut", Terms(fresh=True)))
    assert isinstance(again, Loading)
    assert again.done >= 4


def test_what_was_begun_on_another_machine_is_begun_anew(quiz: Path, project: Path) -> None:
    """Its seconds may not be added to this one's."""
    cell = cell_of(quiz, fake_card(seconds=0.05))
    path = journal_of(cell, project / "cut", keep=3)
    head, *batches = path.read_text().splitlines()
    elsewhere = json.loads(head) | {"machine": "Cray-1, 1 cores, 8 MB, 1 side by side"}
    path.write_text("\n".join([json.dumps(elsewhere), *batches]) + "\n")
    assert next(iter(run_cell(cell, project / "cut"))) == Loading(0, QUESTIONS, cell.slug)


def test_an_unfinished_run_of_a_newer_version_is_not_written_over(quiz: Path, project: Path) -> None:
    cell = cell_of(quiz, fake_card(seconds=0.05))
    path = journal_of(cell, project / "cut", keep=3)
    head, *batches = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps(json.loads(head) | {"schema_version": 99}), *batches]) + "\n")
    before = path.read_bytes()
    *_, last = run_cell(cell, project / "cut")
    assert isinstance(last, FailedResult)
    assert "written by a newer version" in last.reason
    assert path.read_bytes() == before


def test_a_full_disk_is_one_clear_error_and_what_was_kept_is_whole(
    quiz: Path, project: Path, small_disk: Path
) -> None:
    cells = [cell_of(quiz, fake_card(name, seconds=0.002)) for name in ("played", "other")]
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 112_000)
    with pytest.raises(StoreError, match=r"No space left on device.*make room, and run the same command"):
        list(sweep(cells, small_disk))
    kept = journal.read_journal(small_disk / cells[0].folder / journal.NAME)
    assert kept is None or len(kept.records) < QUESTIONS
    filler.unlink()
    for cell in cells:
        whole, records = uninterrupted(cell, project)
        assert without_provenance(run_to_end(cell, small_disk)) == whole
        assert lines(small_disk / cell.folder) == records


def test_a_results_folder_that_vanishes_costs_the_cell_that_runs(quiz: Path, project: Path) -> None:
    cells = [cell_of(quiz, fake_card(name, seconds=0.02)) for name in ("played", "other")]
    ends: list[object] = []
    for cell, event in sweep(cells, project / "results"):
        if isinstance(event, Progress) and event.done == 4 and cell.model_name == "played":
            (project / "results").rename(project / "elsewhere")
        if isinstance(event, (DoneResult, FailedResult)):
            ends.append(event)
    failed, done = ends
    assert isinstance(failed, FailedResult)
    assert "cannot be written: No such file or directory" in failed.reason
    assert isinstance(done, DoneResult)
    assert read_result(next((project / "results" / "quiz" / "played").rglob("result.json"))) == failed
    kept = journal.read_journal(project / "elsewhere" / cells[0].folder / journal.NAME)
    assert kept is not None
    assert len(kept.records) >= 4


FAULTS = {
    "memory": "out of memory: ",
    "error": "RuntimeError: CUDA error: an illegal memory access was encountered",
    "killed": "killed from outside (signal 9), not by the system for memory",
    "crash": "its process died with signal 11, Segmentation fault",
    "hang": "not finished after 8 s (--timeout): 10 of 40 answered; run the same command to continue",
}


def test_each_fault_is_one_failed_cell_and_the_others_are_done(
    quiz: Path, project: Path, bench: Callable[..., Result]
) -> None:
    for fault in FAULTS:
        add_fake(project, f"faulty-{fault}", fault=fault, after=10)
    add_fake(project, "good")
    (project / "model_cards" / "unreadable.yaml").write_text("name: [", encoding="utf-8")
    lost = {"name": "lost", "title": "L", "family": "l", "license": "mit", "architecture": "decoder"}
    lost |= {"source": {"path": "nowhere"}}
    (project / "model_cards" / "lost.yaml").write_text(json.dumps(lost), encoding="utf-8")
    models = "faulty-*,good,unreadable,lost,chance"
    done = bench("run", "-m", models, "-t", "quiz", "--timeout", "8", "--jobs", "2", "--offline")
    assert done.exit_code == 1, done.output
    runs = [run for run in read_runs(project / "results") if isinstance(run, Run)]
    failed = {run.result.model_name: run.result for run in runs if isinstance(run.result, Unsuccessful)}
    assert {run.result.model_name for run in runs} - failed.keys() == {"good", "chance"}
    assert failed.keys() == {*(f"faulty-{fault}" for fault in FAULTS), "unreadable", "lost"}
    for fault, reason in FAULTS.items():
        assert failed[f"faulty-{fault}"].reason.startswith(reason)
        assert f"faulty-{fault}: {reason}" in done.stdout
    for fault, trace in (
        ("crash", "Fatal Python error: Segmentation fault"),
        ("memory", "MemoryError"),
        ("error", "RuntimeError"),
    ):
        result = failed[f"faulty-{fault}"]
        assert isinstance(result, FailedResult)
        assert trace in result.traceback
    assert isinstance(failed["lost"], CannotRunResult)
    assert "unreadable.yaml:1" in failed["unreadable"].reason
    assert "there is no folder" in failed["lost"].reason
    again = next(line for line in done.stdout.splitlines() if line.startswith("to retry: "))
    for name in failed:
        assert name in again
    assert "good" not in again
    bench("leaderboard", "build")
    [page] = [path.read_text("utf-8") for path in (project / "site" / "tasks").iterdir()]
    for fault, reason in FAULTS.items():
        assert f"Faulty-{fault}".title() in page.title()
        assert reason in page
    assert "0.0 %" not in page


def test_two_sweeps_on_one_folder_score_each_question_once(quiz: Path, project: Path) -> None:
    names = ["a", "b", "c", "d"]
    for name in names:
        add_fake(project, name, seconds=0.01)
    command = [sys.executable, "-m", "bench", "run", "-m", ",".join(names), "-t", "quiz"]
    sweeps = [
        subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in sweeps]
    assert [process.returncode for process in sweeps] == [0, 0], outputs
    assert len(list(read_runs(project / "results"))) == len(names)
    assert Counter(record["question_id"] for record in lines(project / "results")) == {
        f"q{n}": len(names) for n in range(QUESTIONS)
    }
    # Each sweep reports every cell as run or done before; no cell was run by both.
    ran = [
        sum(line.endswith(" s") and " right in " in line for line in err.splitlines()) for _, err in outputs
    ]
    assert sum(ran) == len(names), outputs
    assert all(out.count("/40") == len(names) for out, _ in outputs)


def test_cells_run_side_by_side_only_where_memory_holds_them(
    quiz: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [cell_of(quiz, fake_card(name, seconds=0.02)) for name in ("a", "b", "c")]

    def most_at_once(results: Path) -> int:
        running: set[str] = set()
        most = 0
        for cell, event in sweep(cells, results, Terms(jobs=2)):
            name = cell.facts.model.name
            if isinstance(event, (DoneResult, FailedResult)):
                running.discard(name)
            else:
                running.add(name)
            most = max(most, len(running))
        return most

    assert most_at_once(project / "many") == 2
    monkeypatch.setattr("bench.cells.forecast.BASELINE_BYTES", 10**15)
    assert most_at_once(project / "few") == 1
    one = read_result(next((project / "many").rglob("result.json")))
    assert one.provenance.jobs == 2


def test_weights_that_memory_cannot_hold_are_not_loaded(quiz: Path, project: Path) -> None:
    facts = {"name": "huge", "title": "Huge", "family": "huge", "license": "mit", "context": 512}
    source = {"path": str(save_causal(project / "m", "llama"))}
    card = facts | {"architecture": "decoder", "source": source, "parameters": 10**13}
    [last] = run_cell(cell_of(quiz, ModelCard.model_validate(card)), project / "results")
    assert isinstance(last, FailedResult)
    assert last.reason.startswith("not started: its weights alone need 4e+04\u202fGB of memory, ")


def test_a_card_that_was_mended_leaves_no_failure_behind(
    quiz: Path, project: Path, bench: Callable[..., Result]
) -> None:
    add_fake(project, "played")
    assert bench("run", "-m", "played", "-t", "quiz").exit_code == 0
    card = project / "model_cards" / "played.yaml"
    right = card.read_text()
    card.write_text("name: [")
    # Where no prompt, task or variant fits it, it is still one failed row, and no end of the sweep.
    command = ("run", "-m", "played,chance", "-t", "quiz,medqa", "--prompt", "chat", "--offline")
    done = bench(*command, "--quantize", "none,nf4")
    assert done.exit_code == 1, done.output
    assert done.stdout.count("failed: played: ") == 1
    assert (project / "results" / "quiz" / "played" / "cannot-run" / "result.json").is_file()
    card.write_text(right)
    assert bench("run", "-m", "played", "-t", "quiz").exit_code == 0
    assert not (project / "results" / "quiz" / "played" / "cannot-run").exists()


def test_latency_is_asked_of_a_finished_run_too(quiz: Path, project: Path) -> None:
    cell = cell_of(quiz, fake_card(seconds=0.01))
    results = project / "results"
    [*_, (_, first)] = sweep([cell], results)
    assert isinstance(first, DoneResult)
    assert first.cost.alone is None
    assert first.cost.batched is not None
    assert first.cost.batched.questions == QUESTIONS
    [*_, (_, second)] = sweep([cell], results, Terms(latency=True))
    assert isinstance(second, DoneResult)
    assert second.cost.alone is not None
    assert second.cost.alone.questions == 20
    assert 0.01 <= second.cost.alone.p50 <= second.cost.alone.p95
    assert list(second.cost.alone.seconds) == sorted(second.cost.alone.seconds)
    assert statistics.median(second.cost.alone.seconds) == pytest.approx(second.cost.alone.p50)
    assert second.cost.batched is not None
    assert second.cost.batched.seconds == ()
    [(_, third)] = sweep([cell], results, Terms(latency=True))
    assert third == Skipped(second)
    # Beside the costs of another machine this one's latency would mislead.
    path = next(results.rglob("result.json"))
    elsewhere = json.loads(path.read_text())
    elsewhere["cost"]["alone"] = None
    elsewhere["provenance"]["processor"] = "Cray-1"
    path.write_text(sealed(elsewhere), encoding="utf-8")
    [(_, fourth)] = sweep([cell], results, Terms(latency=True))
    assert isinstance(fourth, Skipped)
    assert fourth.result.cost.alone is None


def test_a_prompt_that_does_not_fit_has_no_latency(quiz: Path, project: Path) -> None:
    facts = {"name": "tiny", "title": "Tiny", "family": "tiny", "license": "mit", "context": 20}
    source = {"path": str(save_causal(project / "m", "llama"))}
    card = ModelCard.model_validate(facts | {"architecture": "decoder", "source": source})
    *_, last = run_cell(cell_of(quiz, card), project / "results", Terms(latency=True))
    assert isinstance(last, DoneResult)
    assert last.metrics.unread == QUESTIONS
    assert last.cost.alone is None


def test_a_cell_that_another_sweep_holds_waits_for_it(quiz: Path, project: Path) -> None:
    cell = cell_of(quiz, fake_card())
    begin(project / "results")
    with journal.lock_cell(project / "results", cell.facts.id):
        assert list(run_cell(cell, project / "results")) == [Busy()]
    assert isinstance(list(run_cell(cell, project / "results"))[-1], DoneResult)
