"""The engine of docs/plugin, installed as a package of its own: its card, its weights, its identity."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from bench.inputs.cards import BrokenCard, read_any_card, read_card
from bench.results.result import DoneResult
from bench.results.store import Run, read_runs
from bench.scoring.record import Record
from bench.views import VIEWS
from conftest import ITEMS, ROOT

Bench = Callable[..., Result]
PLUGIN = ROOT / "docs" / "plugin"


@pytest.fixture(scope="module")
def site_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(PLUGIN, source)
    words = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(folder), str(source)]
    subprocess.run([sys.executable, "-m", "pip", "install", *words], check=True)
    return folder


@pytest.fixture
def plugin(site_packages: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package installed, its card and weights in the user's folder; returns the card."""
    packages = project / "packages"
    shutil.copytree(site_packages, packages)
    monkeypatch.syspath_prepend(packages)
    (project / "model_cards").mkdir()
    shutil.copy(PLUGIN / "words.json", project)
    yield Path(shutil.copy(PLUGIN / "model_cards" / "unigram.yaml", project / "model_cards"))
    sys.modules.pop("slm_bench_unigram", None)


def run(bench: Bench, *more: str) -> Result:
    return bench("run", "--models", "unigram", "--tasks", "anatomy", "--offline", *more)


def runs() -> list[DoneResult]:
    found = [run.result for run in read_runs(Path("results")) if isinstance(run, Run)]
    return [result for result in found if isinstance(result, DoneResult)]


def test_a_plugin_fits_on_a_screen() -> None:
    assert len((PLUGIN / "slm_bench_unigram.py").read_text(encoding="utf-8").splitlines()) < 80


def test_a_model_of_a_plugin_is_scored_in_every_view_and_stands_on_the_board(
    bench: Bench, plugin: Path, anatomy: Path
) -> None:
    # Words that it does not know are the same tokens, and views have no answer for such options.
    known = {word.casefold(): 5 for item in ITEMS for option in item["options"] for word in option.split()}
    Path("words.json").write_text(json.dumps(known), encoding="utf-8")
    ran = run(bench)
    assert ran.exit_code == 0, ran.output
    [result] = runs()
    assert result.cell.engine_package == "slm-bench-unigram 0.1.0"
    assert result.cell.variant.slug == "unigram"
    assert result.cell.weights is not None
    assert result.cell.weights.startswith("sha256:")
    assert result.cost.weights_bytes == Path("words.json").stat().st_size
    [path] = Path("results").rglob("records.jsonl")
    for line in path.read_text(encoding="utf-8").splitlines():
        assert set(Record.model_validate_json(line).scores) == set(VIEWS.names())
    assert bench("results", "check").exit_code == 0
    assert bench("leaderboard", "build").exit_code == 0
    assert "Unigram" in Path("site/tasks/anatomy.html").read_text(encoding="utf-8")


def test_the_command_of_a_run_names_the_choices_that_shape_the_prompt(
    bench: Bench, plugin: Path, anatomy: Path
) -> None:
    assert run(bench, "--exemplars", "2").exit_code == 0
    [result] = runs()
    assert result.cell.variant.slug == "unigram-2shot"
    assert result.cell.command.startswith("bench run --models unigram --tasks anatomy --exemplars 2 ")


def test_other_weights_are_another_run(bench: Bench, plugin: Path, anatomy: Path) -> None:
    run(bench)
    assert "done before" in run(bench).stderr
    Path("words.json").write_text(json.dumps({"pancreas": 90, "liver": 1}), encoding="utf-8")
    again = run(bench)
    assert again.exit_code == 0
    assert "done before" not in again.stderr
    assert len({result.cell.id for result in runs()}) == 2


def test_other_settings_and_another_version_of_the_package_are_another_run(
    bench: Bench, plugin: Path, anatomy: Path, project: Path
) -> None:
    run(bench)
    plugin.write_text(plugin.read_text().replace("smoothing: 0.5", "smoothing: 2.0"), encoding="utf-8")
    run(bench)
    assert len({result.cell.id for result in runs()}) == 2
    [info] = (project / "packages").glob("*.dist-info")
    metadata = (info / "METADATA").read_text(encoding="utf-8").replace("Version: 0.1.0", "Version: 0.2.0")
    newer = project / "newer"
    shutil.copytree(project / "packages", newer)
    (newer / info.name / "METADATA").write_text(metadata, encoding="utf-8")
    sys.path.remove(str(project / "packages"))
    sys.path.insert(0, str(newer))
    try:
        run(bench)
    finally:
        sys.path.remove(str(newer))
        sys.path.insert(0, str(project / "packages"))
    assert {result.cell.engine_package for result in runs()} == {
        "slm-bench-unigram 0.1.0",
        "slm-bench-unigram 0.2.0",
    }
    assert len({result.cell.id for result in runs()}) == 3
    assert bench("results", "check").exit_code == 0


@pytest.mark.parametrize(
    ("line", "other", "mistake"),
    [
        (
            "settings: {smoothing: 0.5}",
            "settings: {smoothing: 0}",
            "5: settings.smoothing: expected a number above 0",
        ),
        (
            "settings: {smoothing: 0.5}",
            "settings: {smothing: 1}",
            "5: settings.smothing: unknown key",
        ),
        (
            "architecture: decoder",
            "architecture: encoder-decoder",
            "7: architecture: the engine unigram",
        ),
        (
            "source: {path: ../words.json}",
            "source: {hub: a/b}",
            "6: source: the engine unigram takes",
        ),
        ("source: {path: ../words.json}\n", "", "1: source: missing: the engine unigram needs weights"),
        (
            "engine: unigram",
            "engine: unigran",
            "4: engine: no engine is named 'unigran'",
        ),
    ],
)
def test_what_an_engine_does_not_take_is_a_mistake_of_the_card(
    plugin: Path, line: str, other: str, mistake: str
) -> None:
    plugin.write_text(plugin.read_text(encoding="utf-8").replace(line, other), encoding="utf-8")
    broken = read_any_card(plugin)
    assert isinstance(broken, BrokenCard)
    assert f"model_cards/unigram.yaml:{mistake}" in broken.mistake


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (("--quantize", "none,nf4"), "--quantize"),
        (("--dtype", "float32"), "--dtype"),
        (("--lora", "quick"), "--lora"),
    ],
)
def test_a_choice_that_an_engine_does_not_take_is_unavailable_and_the_rest_runs(
    bench: Bench, plugin: Path, anatomy: Path, words: tuple[str, str], flag: str
) -> None:
    ran = run(bench, *words)
    assert f"unigram's engine, unigram, does not support {flag}; leave {flag} out for it" in ran.stderr
    assert ran.exit_code == (0 if "none" in words[1] else 5)


def test_without_its_package_a_card_is_a_mistake_and_its_runs_are_still_shown(
    bench: Bench, plugin: Path, anatomy: Path, project: Path
) -> None:
    run(bench)
    sys.path.remove(str(project / "packages"))
    try:
        assert isinstance(read_any_card(plugin), BrokenCard)
        assert "Unigram" in bench("leaderboard", "show").stdout
        assert bench("results", "check").exit_code == 0
        missing = run(bench)
        assert missing.exit_code == 1
        assert "no engine is named 'unigram' (there are chance, " in missing.stdout
        assert "; is its package installed?" in missing.stdout
    finally:
        sys.path.insert(0, str(project / "packages"))


def test_a_card_may_still_name_its_engine_in_the_source(project: Path) -> None:
    path = project / "chance.yaml"
    path.write_text(
        "name: chance\ntitle: C\nfamily: f\nsource: {engine: chance, settings: {}}\n"
        "architecture: baseline\nlicense: mit\n"
    )
    card = read_card(path).card
    assert card.engine == "chance"
    assert card.source is None
    path.write_text(path.read_text().replace("settings: {}", "revision: main"))
    broken = read_any_card(path)
    assert isinstance(broken, BrokenCard)
    assert "source.revision: cannot be combined with source.engine" in broken.mistake
