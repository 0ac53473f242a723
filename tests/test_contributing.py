"""The examples of CONTRIBUTING.md, installed as packages of other people and used."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from test_docs import blocks

from bench.results.result import DoneResult
from bench.results.store import Run, read_runs
from bench.views import VIEWS, OptionScores
from conftest import ROOT, TASK
from outside import install

Bench = Callable[..., Result]
EXAMPLES = [block for block in blocks("CONTRIBUTING.md") if block.note.startswith("bench.")]
CARD = "name: {0}\ntitle: {0}\nfamily: mine\nengine: {0}\narchitecture: baseline\nlicense: mit\n"


@pytest.fixture
def examples(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example as a package of its own, with a card for each engine among them."""
    for number, block in enumerate(EXAMPLES, start=1):
        words = block.note.split()
        points: dict[str, dict[str, str]] = {}
        for group, row in zip(words[::2], words[1::2], strict=True):
            name, attribute = row.split("=")
            points.setdefault(group, {})[name] = f"example{number}:{attribute}"
            if group == "bench.engines":
                card = project / "model_cards" / f"{name}.yaml"
                card.parent.mkdir(exist_ok=True)
                card.write_text(CARD.format(name), encoding="utf-8")
        install(project / f"package{number}", monkeypatch, points, block.text, f"example{number} 1.0")


def results() -> Iterator[DoneResult]:
    for run in read_runs(Path("results")):
        assert isinstance(run, Run)
        assert isinstance(run.result, DoneResult)
        yield run.result


def test_every_example_works_beside_the_others(bench: Bench, examples: None, anatomy: Path) -> None:
    anatomy.write_text(TASK + "metrics: [accuracy, answered]\n", encoding="utf-8")
    models = ("-m", "shortest,guess,chance", "-t", "anatomy", "--offline")
    ran = bench("run", *models, "--draw", "1,2", "--executor", "one-by-one")
    assert ran.exit_code == 0, ran.output
    variants = sorted(f"{each.cell.model.name} {each.cell.variant.slug}" for each in results())
    assert variants == [
        "chance baseline", "guess baseline-draw=1", "guess baseline-draw=2", "shortest baseline"
    ]  # fmt: skip
    assert {each.metrics.values["answered"].value for each in results()} == {1.0}
    assert bench("export", "titles").stdout.splitlines().count("guess") == 2
    head, *_ = bench("export", "csv").stdout.splitlines()
    assert head.endswith(",asked")
    options = OptionScores(("long", "no"), letters=(), texts=(-1.0, -2.0), tokens=(1, 1), bare=(0.0, 0.0))
    assert VIEWS.get("brief").score(options) == [-4.0, -2.0]
    assert bench("leaderboard", "build").exit_code == 0
    assert Path("site/counts.txt").read_text(encoding="utf-8") == "anatomy 4\n"


def test_the_engine_that_is_shown_is_the_file_of_the_plugin() -> None:
    shown = [block for block in blocks("CONTRIBUTING.md") if block.note.startswith("docs/plugin/")]
    assert len(shown) == 2
    for block in shown:
        assert block.text in (ROOT / block.note).read_text(encoding="utf-8")
