"""What people write, made hostile: tasks, data, cards, sweep and suite files, policies, boards, adapters."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fuzzing import CASES, SEED, fuzzed, made_once, run_case
from kinds import INPUTS, KINDS

from bench.errors import FileError, Mistake
from conftest import ROOT


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with made_once(tmp_path_factory.mktemp("inputs")) as folder:
        yield folder


@pytest.mark.parametrize("name", INPUTS)
def test_hostile_inputs_end_in_one_clear_message(project: Path, name: str) -> None:
    assert list(map(str, fuzzed(KINDS[name], CASES, SEED, project))) == []


def _lookup(_path: Path, _model: object) -> None:
    raise KeyError("q2")


def _endless(_path: Path, _model: object) -> None:
    while True:
        pass


def _leaves(_path: Path, _model: object) -> None:
    raise SystemExit(7)


def _strays(path: Path, _model: object) -> None:
    if not path.absolute().is_relative_to(ROOT):  # the project's own suites are read, too
        path.absolute().parent.parent.with_name("stray").write_text("x", encoding="utf-8")
    raise FileError([Mistake(str(path), 1, "", "wrong")])


def _somewhere(path: Path, _model: object) -> None:
    raise FileError([Mistake(str(path), 0, "", "wrong")])


def _elsewhere(_path: Path, _model: object) -> None:
    raise FileError([Mistake("another file", 1, "", "wrong")])


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (_lookup, "traceback"),
        (_endless, "hang"),
        (_leaves, "exit code 7"),
        (_strays, "wrote outside"),
        (_elsewhere, "no file named"),
        (_somewhere, "no line and no key"),
    ],
)
def test_the_fuzzer_sees_faults(
    project: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Path, object], None], what: str
) -> None:
    monkeypatch.setattr("bench.inputs.suite.read_yaml", fault)
    monkeypatch.setattr("fuzzing.SECONDS", 0.5)
    failures = [failure for seed in range(3) for failure in run_case(KINDS["suites"], seed, project)]
    (project.parent / "stray").unlink(missing_ok=True)
    assert what in {failure.what for failure in failures}
