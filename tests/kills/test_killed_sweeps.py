"""A sweep that is killed while it writes a run; `tests/sweeps/test_survival.py` kills it between answers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import FileError
from bench.results.files import read_result
from bench.results.store import read_runs
from conftest import ROOT
from played import add_fake, lines, without_provenance

WATCH = """
import os, sys
sys.path.append(os.environ["TESTS"])
import ended

taken = 0

def watch(event, details):
    global taken
    if ended.is_change(event, details) and os.environ["RESULTS"] in str(details[0]):
        taken += 1
        if taken == int(os.environ["STEP"]):
            os.killpg(0, 9)
        if os.environ["STEP"] == "0":
            with open(os.environ["STEPS"], "a") as file:
                file.write(f"{event} {details[0]}\\n")

if "STEP" in os.environ:
    sys.addaudithook(watch)
"""
"""A `sitecustomize.py` that ends all processes of a sweep right before one of them changes a run's file."""


def run(project: Path, results: str, step: int | None = None) -> int:
    """`bench run`, whose processes count the changes of files in folders of runs."""
    path = os.pathsep.join([str(project / "watch"), os.environ["PYTHONPATH"]])
    given = {"PYTHONPATH": path, "TESTS": str(ROOT / "tests"), "STEPS": str(project / "steps")}
    given |= {"RESULTS": f"{results}/quiz/"}
    given |= {} if step is None else {"STEP": str(step)}
    words = [sys.executable, "-m", "bench", "run", "-m", "played", "-t", "quiz", "--results", results]
    return subprocess.run(
        words, cwd=project, env=os.environ | given, capture_output=True, start_new_session=True
    ).returncode


@pytest.mark.usefixtures("quiz")
def test_a_sweep_that_is_killed_while_it_writes_gives_the_same_numbers(project: Path) -> None:
    add_fake(project, "played", batch=20)
    (project / "watch").mkdir()
    (project / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    assert run(project, "whole", 0) == 0
    steps = (project / "steps").read_text("utf-8").splitlines()
    renames = [number for number, step in enumerate(steps, 1) if step.startswith("os.rename")]
    assert len(renames) == 3, "of the journal, the records and the result"
    [whole] = (project / "whole").rglob("result.json")
    for step in (*renames, len(steps)):
        results = f"killed-{step}"
        assert run(project, results, step) == -signal.SIGKILL, steps[step - 1]
        assert not [each for each in read_runs(project / results) if isinstance(each, FileError)]
        assert run(project, results) == 0
        [again] = (project / results).rglob("result.json")
        assert without_provenance(read_result(again)) == without_provenance(read_result(whole))
        assert lines(project / results) == lines(project / "whole")
        assert {path.name for path in again.parent.iterdir()} == {"records.jsonl", "result.json"}
