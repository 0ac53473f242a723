"""A metric of another package: named in a task, computed, kept, shown, checked, and missed politely."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sealing import sealed
from sklearn.metrics import cohen_kappa_score

from bench.errors import BenchError, FileError
from bench.inputs.task import read_task
from bench.results.result import DoneResult
from bench.results.store import Run, read_runs
from bench.scoring.metrics import installed_metrics, load_metrics
from bench.stats.metrics import Estimate, metric_title
from outside import install

Bench = Callable[..., Result]
KAPPA = '''
import numpy as np

from bench.stats.metrics import Metric, bootstrapped


def _statistic(counts):
    """Cohen's kappa (1960) of confusion matrices: (..., classes, answers) -> (...)."""
    total = counts.sum(axis=(-2, -1))
    classes = counts.shape[-2]
    agreed = np.diagonal(counts, axis1=-2, axis2=-1).sum(axis=-1) / total
    chance = (counts.sum(axis=-1) * counts[..., :classes].sum(axis=-2)).sum(axis=-1) / total**2
    return (agreed - chance) / (1 - chance)


def kappa(truth, answers):
    return bootstrapped(truth, answers, _statistic)


KAPPA = Metric("kappa", "Cohen's kappa", kappa, bounds=(-1.0, 1.0), interval="bootstrap")
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the metric `kappa`, on the path."""
    folder = tmp_path / "packages"
    install(folder, monkeypatch, {"bench.metrics": {"kappa": "extras:KAPPA"}}, KAPPA)
    return folder


def name_metrics(task: Path, names: str) -> None:
    task.write_text(f"{task.read_text(encoding='utf-8')}metrics: [{names}]\n", encoding="utf-8")


def finished_run() -> tuple[DoneResult, Run]:
    [run] = read_runs(Path("results"))
    assert isinstance(run, Run)
    assert isinstance(run.result, DoneResult)
    return run.result, run


def page_of_run(bench: Bench) -> str:
    assert bench("leaderboard", "build").exit_code == 0
    [page] = Path("site/runs").rglob("*.html")
    return page.read_text(encoding="utf-8")


def test_a_metric_of_another_package_is_computed_kept_shown_and_checked(
    bench: Bench, quiz: Path, package: Path
) -> None:
    name_metrics(quiz, "accuracy, kappa")
    ran = bench("run", "-m", "chance", "-t", "quiz")
    assert ran.exit_code == 0, ran.output
    result, run = finished_run()
    truth = [record.answer_gt for record in run.records]
    kappa = result.metrics.values["kappa"]
    answers = [record.model_output.final_answer for record in run.records]
    assert kappa.value == pytest.approx(cohen_kappa_score(truth, answers))
    assert kappa.low is not None
    assert kappa.high is not None
    assert kappa.low < kappa.value < kappa.high
    assert f"<dt>Cohen&#39;s kappa</dt><dd>{kappa.value:.3f} (" in page_of_run(bench)
    assert bench("results", "check").exit_code == 0
    assert bench("export", "every-eval-ever", "--out", "out").exit_code == 0
    [summary] = Path("out").rglob("*.json")
    [_, theirs] = json.loads(summary.read_bytes())["evaluation_results"]
    config, score = theirs["metric_config"], theirs["score_details"]
    assert (config["metric_id"], config["metric_name"]) == ("kappa", "Cohen's kappa")
    assert (config["min_score"], config["max_score"], score["score"]) == (-1.0, 1.0, kappa.value)
    assert score["uncertainty"]["confidence_interval"]["method"] == "percentile bootstrap"


def test_a_changed_value_of_a_metric_of_another_package_is_found_by_check(
    bench: Bench, quiz: Path, package: Path
) -> None:
    name_metrics(quiz, "kappa")
    assert bench("run", "-m", "chance", "-t", "quiz").exit_code == 0
    [path] = Path("results").rglob("result.json")
    stored = json.loads(path.read_bytes())
    stored["metrics"]["values"]["kappa"]["value"] += 0.001
    path.write_text(sealed(stored), encoding="utf-8")
    checked = bench("results", "check")
    assert checked.exit_code == 3
    assert "metrics.values: not what its records give" in checked.stderr


def test_a_result_with_a_metric_that_is_not_installed_is_read_shown_and_checked(
    bench: Bench, quiz: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_metrics(quiz, "kappa, macro_f1")
    assert bench("run", "-m", "chance", "-t", "quiz").exit_code == 0
    before = finished_run()
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(package)])
    assert installed_metrics(["kappa"]) == {}
    assert finished_run() == before
    assert "<dt>Kappa</dt>" in page_of_run(bench)
    assert bench("results", "check").exit_code == 0
    [path] = Path("results").rglob("result.json")
    stored = json.loads(path.read_bytes())
    stored["metrics"]["values"]["macro_f1"]["value"] += 0.001
    path.write_text(sealed(stored), encoding="utf-8")
    assert bench("results", "check").exit_code == 3, "the others are still checked"


def test_an_unknown_metric_is_a_mistake_with_file_line_key_and_the_nearest_name(anatomy: Path) -> None:
    name_metrics(anatomy, "accuracy, macro_f2")
    with pytest.raises(FileError) as caught:
        read_task(anatomy)
    assert str(caught.value) == (
        "tasks/anatomy.yaml:13: metrics.1: no metric is named 'macro_f2'; did you mean 'macro_f1'? "
        "(there are accuracy, balanced_accuracy, evaluate:PATH, macro_f1)"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise KeyError('x')", "metric odd of extras 0.1 fails on a small example: KeyError"),
        ("return 0.5", "metric odd of extras 0.1 fails on a small example: AttributeError"),
    ],
)
def test_a_metric_of_another_package_that_fails_is_reported_before_anything_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, message: str
) -> None:
    source = f"from bench.stats.metrics import Metric\ndef odd(truth, answers):\n    {body}\n"
    source += "ODD = Metric('odd', 'Odd', odd)\n"
    install(tmp_path / "packages", monkeypatch, {"bench.metrics": {"odd": "extras:ODD"}}, source)
    with pytest.raises(BenchError, match=message):
        load_metrics(["odd"], tmp_path)


def test_a_metric_of_another_package_that_fails_later_or_gives_no_number_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "from bench.stats.metrics import Estimate, Metric\n"
        "def odd(truth, answers):\n"
        "    low = [float('nan'), 1 / (len(truth) - 2), 0.5, float('-inf')][len(truth) - 1]\n"
        "    return Estimate(value=max(low, 0.75), low=low, high=1.0)\n"
        "ODD = Metric('odd', 'Odd', odd)\n"
    )
    install(tmp_path / "packages", monkeypatch, {"bench.metrics": {"odd": "extras:ODD"}}, source)
    odd = load_metrics(["odd"], tmp_path)["odd"]
    lacking, bounded = Estimate(value=None), Estimate(value=0.75, low=0.5, high=1.0)
    assert [odd("A" * n, "A" * n, None) for n in range(1, 6)] == [
        lacking, lacking, bounded, Estimate(value=0.75), lacking
    ]  # fmt: skip
    assert installed_metrics(["odd"])["odd"]("AA", "AA", None) == lacking


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("accuracy", "Accuracy"),
        ("balanced_accuracy", "Balanced accuracy"),
        ("macro_f1", "Macro F1"),
        ("evaluate:ORG/brier_score", "brier_score"),
        ("evaluate:share.py", "share.py"),
        ("top_two", "Top two"),
    ],
)
def test_a_metric_is_called_by_its_title_and_without_one_by_its_name(name: str, title: str) -> None:
    assert metric_title(name) == title
