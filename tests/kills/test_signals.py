"""Commands of several processes that get signals: Ctrl-C again and again, a stop and its end, a kill."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from bench.results.answers import MANY
from bench.results.files import read_result
from conftest import ROOT
from played import (
    add_fake,
    answers_on_disk,
    cell_of,
    fake_card,
    lines,
    run_to_end,
    wait_for,
    without_provenance,
)


@contextmanager
def sweep_under_way(project: Path) -> Iterator["subprocess.Popen[str]"]:
    """`bench run` in a process group of its own, when it has some answers."""
    add_fake(project, "played", seconds=0.05)
    command = [sys.executable, "-m", "bench", "run", "-m", "played", "-t", "quiz"]
    with subprocess.Popen(
        command,
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        wait_for(lambda: answers_on_disk(project / "results") >= 4)
        yield process


def assert_same_numbers(quiz: Path, project: Path) -> None:
    whole = run_to_end(cell_of(quiz, fake_card(seconds=0.05)), project / "whole")
    [path] = (project / "results").rglob("result.json")
    assert without_provenance(read_result(path)) == without_provenance(whole)
    assert lines(project / "results") == lines(project / "whole")


def test_ctrl_c_again_and_again_ends_a_sweep_without_a_traceback_and_the_answers_are_kept(
    quiz: Path, project: Path
) -> None:
    with sweep_under_way(project) as process:
        while process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        assert process.stderr is not None
        output = process.stderr.read()
    assert process.returncode in (130, -signal.SIGINT), output
    assert "Traceback" not in output
    assert "bench: stopped\n" in output
    assert answers_on_disk(project / "results") >= 4
    words = [sys.executable, "-m", "bench", "run", "-m", "played", "-t", "quiz"]
    again = subprocess.run(words, cwd=project, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert_same_numbers(quiz, project)


def test_a_sweep_that_is_stopped_and_continued_gives_the_same_numbers(quiz: Path, project: Path) -> None:
    with sweep_under_way(project) as process:
        os.killpg(process.pid, signal.SIGSTOP)
        every = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        wait_for(lambda: {each.status() for each in every} == {psutil.STATUS_STOPPED})
        answers = answers_on_disk(project / "results")
        os.killpg(process.pid, signal.SIGCONT)
        assert process.wait(120) == 0
    assert answers < 40
    assert_same_numbers(quiz, project)


def test_the_workers_of_a_build_that_is_killed_end_with_it(project: Path) -> None:
    for number in range(MANY):
        shutil.copytree(ROOT / "tests" / "golden" / "schema-3", project / "results" / f"copy-{number}")
    command = [sys.executable, "-m", "bench", "leaderboard", "build"]
    with subprocess.Popen(
        command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        parent = psutil.Process(process.pid)
        wait_for(lambda: len(parent.children()) > 1)  # one of them keeps the others' semaphores
        workers = parent.children()
        process.kill()
    gone, alive = psutil.wait_procs(workers, timeout=60)
    assert len(gone) > 1
    assert alive == []
