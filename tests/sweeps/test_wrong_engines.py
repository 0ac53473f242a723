"""Engines with a mistake, each in a real sweep: one failed cell, one line that says why, no other harm."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from bench.errors import LONGEST, LONGEST_REASON, LONGEST_TRACE
from bench.results.check import entries
from bench.results.result import DoneResult, FailedResult, Result
from bench.results.store import read_runs
from conftest import write_lines

TASK = """\
name: dozen
version: 1
title: A dozen
license: CC0-1.0
data:
  files: {test: test.jsonl}
  columns: {id: id}
prompt: "{{ question }}"
scoring: {letters: false, view: text}
generate: {prompt: "{{ question }}", max_new_tokens: 5}
"""
PACKAGE = "; it comes with slm-bench-played 1.0"
UNCLEAR = "its scores are not finite numbers; try another --dtype"
IN_SCORE = " (in score of engine wrong, which comes with slm-bench-played 1.0)"
MISTAKES = {
    "missing": "replied to 11 of 12 requests (missing: q5)",
    "twice": "replied twice to q0",
    "negative": "replied to a request with the index -1 (12 were asked, from index 0)",
    "beyond": "replied to a request with the index 12 (12 were asked, from index 0)",
    "far-beyond": "replied to a request with the index a number too large (12 were asked, from index 0)",
    "index-text": "gave 'q5' in place of the index of a request",
    "index-true": "gave True in place of the index of a request",
    "index-float": "gave 5.0 in place of the index of a request",
    "fewer-replies": "gave 4 replies to the 5 requests of a batch",
    "more-replies": "gave 6 replies to the 5 requests of a batch",
    "no-batch": "gave None in place of a batch of scores",
    "other-batch": "gave an object of the type dict in place of a batch of scores",
    "no-tuple": "gave a batch whose indices and replies are no tuples",
    "empty-batch": "gave a batch without any request that was left to answer",
    "endless": "replied twice to q0",
    "endless-empty": "gave a batch without any request that was left to answer",
    "no-reply": "gave None in place of the scores of q5",
    "no-sets": "gave 0 sets of numbers for q5, and 1 were asked",
    "more-sets": "gave 2 sets of numbers for q5, and 1 were asked",
    "fewer-numbers": "gave 1 numbers for the 2 continuations of q5",
    "more-numbers": "gave 3 numbers for the 2 continuations of q5",
    "array": "gave an object of the type ndarray in place of the numbers for q5",
    "nan": f"replied to q5 with nan: {UNCLEAR}",
    "infinite": f"replied to q5 with -inf: {UNCLEAR}",
    "huge-number": f"replied to q5 with a number too large: {UNCLEAR}",
    "true": "gave True in place of a log-probability of q5",
    "none": "gave None in place of a log-probability of q5",
    "text": "gave '-1.0' in place of a log-probability of q5",
    "complex": "gave 1j in place of a log-probability of q5",
    "array-number": "gave an object of the type ndarray in place of a log-probability of q5",
    "no-tokens": "gave 0 sets of numbers for q5, and 1 were asked",
    "negative-tokens": "counted -1 tokens in q5",
    "prompt-tokens": "counted True tokens in q5",
    "no-prompt": "gave None in place of the prompt of q5",
    "half-character": "gave '\\ud800' in place of the prompt of q5",
    "huge-text": "gave a text of 20,000,000 characters in place of the prompt of q5",
    "options": "named options of q5 that it does not have",
    "too-long": "replied to a request with the index 99 (12 were asked, from index 0)",
    "too-long-twice": "replied twice to q5",
    "batch-tokens": "planned a batch for nan tokens",
    "encode-none": "gave None in place of q0 in tokens",
    "encode-other": "changed q0 when it made tokens of it",
    "encode-tokens": "gave tokens of q0 that are no numbers from 0 on",
    "size-nan": "gave nan as its model_bytes",
    "size-negative": "gave -1 as its model_bytes",
    "size-huge": "gave a number too large as its model_bytes",
    "path-none": "gave None as its path",
}
ERRORS = {
    "key": f"KeyError: 'q2'{IN_SCORE}",
    "exit": f"SystemExit{IN_SCORE}",
    "interrupt": f"KeyboardInterrupt{IN_SCORE}",
    "base": f"BaseError: no Exception{IN_SCORE}",
    "recursion": f"RecursionError: maximum recursion depth exceeded{IN_SCORE}",
    "silent": f"SilentError{IN_SCORE}",
    "locked": f"LockedError: locked{IN_SCORE}",
    "signs": f"RuntimeError: aredbc d{IN_SCORE}",
    "encode-raises": "IndexError: string index out of range" + IN_SCORE.replace("score", "encode"),
    "open": "ZeroDivisionError: division by zero" + IN_SCORE.replace("score", "open"),
    "pipe": "OSError: call of an engine: score: [Errno 32] Broken pipe",
    "exit-now": "its process died with exit code 0",
    "abort": "its process died with signal 6, Aborted",
    "address": "its process died with signal 11, Segmentation fault",
    "close-files": "its process died with exit code 1",
    "leave-and-exit": "its process died with exit code 3",
}
BEGINNINGS = {"memory": "out of memory: ", "long": "RuntimeError: " + "x" * (LONGEST - 1)}
HARMLESS = ("good", "close", "print", "leave-children", "copy", "thread", "change-everything", "open-files")
"""Mistakes that are none in the answers: these cells are done, with the numbers of the good one."""
WRITTEN = {
    "missing": "replied to 11 of 12 requests (missing: q0)",
    "samples": "gave 2 replies to q0, and 1 were asked",
    "no-text": "gave None in place of a text in reply to q0",
    "counts": "counted -1 tokens in q0",
    "lengths": "gave 0 lengths of the 12 prompts of a batch",
    "prompt-tokens": "gave an object of the type tuple in place of the tokens of a prompt",
}


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep of wrong engines printed and left."""

    code: int
    stdout: str
    stderr: str
    results: dict[str, Result]
    folder: Path


def sweep(folder: Path, mistakes: Sequence[str], *more: str) -> Sweep:
    """Run `bench run` over cards of engines with these mistakes; "good" is the one without."""
    rows: list[dict[str, object]] = [
        {"id": f"q{n}", "question": f"Is {n} even?", "options": ["yes", "no"], "answer": n % 2}
        for n in range(12)
    ]
    write_lines(folder / "tasks" / "test.jsonl", rows)
    (folder / "tasks" / "dozen.yaml").write_text(TASK, encoding="utf-8")
    (folder / "model_cards").mkdir(exist_ok=True)
    for name in mistakes:
        card = {"name": name, "title": name, "family": "f", "license": "mit", "architecture": "decoder"}
        card |= {"engine": "wrong", "settings": {"mistake": "" if name.startswith("good") else name}}  # type: ignore[dict-item]
        (folder / "model_cards" / f"{name}.yaml").write_text(json.dumps(card), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "bench",
        "run",
        "-m",
        ",".join(mistakes),
        "-t",
        "dozen",
        "--offline",
        *more,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=500)
    runs = list(read_runs(folder / "results"))
    results = {run.result.model_name: run.result for run in runs if not isinstance(run, Exception)}
    return Sweep(done.returncode, done.stdout.decode(), done.stderr.decode(), results, folder)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """One sweep over all engines that leave the results folder alone; the last of them makes no mistake."""
    names = [*MISTAKES, *ERRORS, *BEGINNINGS, *HARMLESS[1:], "good"]
    return sweep(tmp_path_factory.mktemp("wrong"), names)


def reason(swept: Sweep, name: str) -> str:
    result = swept.results[name]
    assert isinstance(result, FailedResult), result
    return result.reason


@pytest.mark.parametrize("name", MISTAKES)
def test_a_reply_that_is_none_names_the_engine_its_package_and_the_question(
    everything: Sweep, name: str
) -> None:
    assert reason(everything, name) == f"engine wrong {MISTAKES[name]}{PACKAGE}"


@pytest.mark.parametrize("name", ERRORS)
def test_an_engine_that_raises_or_ends_is_one_line(everything: Sweep, name: str) -> None:
    assert reason(everything, name) == ERRORS[name]


@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_reason_has_a_stated_length(everything: Sweep, name: str) -> None:
    assert reason(everything, name).startswith(BEGINNINGS[name][: LONGEST - 20])
    assert len(reason(everything, name)) <= LONGEST_REASON


@pytest.mark.parametrize("name", HARMLESS)
def test_what_an_engine_does_beside_its_answers_changes_no_number(everything: Sweep, name: str) -> None:
    result = everything.results[name]
    assert isinstance(result, DoneResult), result
    assert (result.metrics.accuracy.correct, result.metrics.accuracy.total) == (6, 12)
    assert f"{name} on dozen: 6 of 12 right" in everything.stderr


def test_the_terminal_shows_a_line_for_each_cell_and_nothing_that_a_worker_printed(everything: Sweep) -> None:
    assert everything.code == 1
    failures = {*MISTAKES, *ERRORS, *BEGINNINGS}
    assert everything.results.keys() == failures | {*HARMLESS}
    assert everything.stdout.count("\nfailed: ") == len(failures)
    for text in (everything.stdout, everything.stderr):
        assert "Traceback" not in text
        assert "from a child" not in text
        assert "\x1b" not in text
    assert len(everything.stdout + everything.stderr) < 100_000
    assert "note: the engine could not be closed: RuntimeError: cannot close" in everything.stderr


def test_a_traceback_is_in_the_runs_folder_and_has_a_stated_length(everything: Sweep) -> None:
    for name, words in {
        "key": "KeyError: 'q2'",
        "twice": "EngineMistake",
        "abort": "Fatal Python error",
    }.items():
        result = everything.results[name]
        assert isinstance(result, FailedResult)
        assert words in result.traceback
    for path in everything.folder.rglob("result.json"):
        assert path.stat().st_size < 2 * LONGEST_TRACE + 20_000
    text = everything.results["signs"].model_dump_json()
    assert "red" in text
    assert not any(sign in text for sign in ("\\u001b", "\\u0000", "\u202e", "\\ud800"))


def test_no_process_outlives_a_sweep(everything: Sweep) -> None:
    left = [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "1000"]]
    assert left == []
    for process in psutil.process_iter(["cwd"]):
        assert process.info["cwd"] != str(everything.folder)


def test_the_board_of_wrong_engines_is_small(everything: Sweep) -> None:
    command = [sys.executable, "-m", "bench", "leaderboard", "build"]
    done = subprocess.run(command, cwd=everything.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = sorted((everything.folder / "site").rglob("*.html"), key=lambda path: path.stat().st_size)
    assert pages[-1].stat().st_size < 1_000_000
    assert any("KeyError: &#39;q2&#39;" in path.read_text("utf-8") for path in pages)


def test_json_is_the_only_thing_on_stdout(tmp_path: Path) -> None:
    swept = sweep(tmp_path, ["print", "key", "good"], "--json")
    assert swept.code == 1
    assert [each["status"] for each in json.loads(swept.stdout)] == ["done", "failed", "done"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_worker_that_takes_the_results_away_costs_its_own_cell(tmp_path: Path, jobs: str) -> None:
    names = ["good-1", "key", "remove-results", "good-2", "rename-results", "good-3"]
    swept = sweep(tmp_path, names, "--jobs", jobs)
    assert swept.code == 1
    good = {name: swept.results[name].status for name in names}
    assert good == {name: "done" if name.startswith("good") else "failed" for name in names}
    assert all(not isinstance(each, Exception) for each in entries(tmp_path / "results"))


def test_written_replies_are_checked_too(tmp_path: Path) -> None:
    swept = sweep(tmp_path, [*WRITTEN, "good"], "--generate")
    assert {name: reason(swept, name) for name in WRITTEN} == {
        name: f"engine wrong {text}{PACKAGE}" for name, text in WRITTEN.items()
    }
    assert isinstance(swept.results["good"], DoneResult)
