"""Files of schema 5, made from ones of today: read as this version has them, under the ids they had."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from bench.inputs.model_card import ProgramSource
from bench.results.files import read_result
from bench.results.identity import identity
from bench.results.journal import NAME, read_journal
from bench.results.result import CannotRunResult, CellFacts
from bench.results.upgrade import upgrade_result
from played import add_fake, cell_of, fake_card, journal_of

Bench = Callable[..., Result]


def older_card(card: dict[str, Any]) -> dict[str, Any]:
    """A card with its engine in the source, as schema 5 had it."""
    card = dict(card)
    engine, settings = card.pop("engine"), card.pop("settings")
    if card.get("source") is None:
        card["source"] = {"engine": engine, "settings": settings}
    return card


@pytest.fixture
def finished(bench: Bench, anatomy: Path) -> dict[str, Any]:
    bench("run", "--models", "majority", "--tasks", "anatomy", "--offline")
    [path] = Path("results").rglob("result.json")
    return json.loads(path.read_text(encoding="utf-8"))


def failed(finished: dict[str, Any], source: dict[str, Any], name: str) -> Path:
    """A failure of schema 5 in the folder of models that cannot run."""
    cell = finished["cell"]
    cell |= {
        "weights": None,
        "model": older_card(cell["model"]) | {"name": name, "title": "T", "source": source},
    }
    kept = {"schema_version": 5, "status": "failed", "cell": cell, "provenance": finished["provenance"]}
    path = Path("results/anatomy") / name / "cannot-run" / "result.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(kept | {"reason": "no such card", "traceback": ""}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "source",
    [{"engine": "none"}, {"path": "nowhere"}],
    ids=["an invented card", "weights that are not there"],
)
def test_a_failure_without_weights_is_of_a_model_that_cannot_run(
    bench: Bench, finished: dict[str, Any], source: dict[str, Any]
) -> None:
    path = failed(finished, source, "lost")
    result = read_result(path)
    assert isinstance(result, CannotRunResult)
    assert (result.model_name, result.model_title, result.reason) == ("lost", "T", "no such card")
    assert result.test.rows == 3
    assert bench("results", "check").exit_code == 0
    assert "failed: T: no such card" in bench("leaderboard", "show").stdout
    bench("leaderboard", "build")
    assert "no such card" in Path("site/runs/anatomy/lost/cannot-run.html").read_text(encoding="utf-8")


def test_an_imported_model_names_the_program_that_ran_it_and_keeps_its_id(finished: dict[str, Any]) -> None:
    cell = finished["cell"]
    cell["variant"] |= {"program": "lm-eval"}
    cell["model"] = older_card(cell["model"])
    cell["model"]["source"] = {"engine": "lm-eval", "settings": {"model": "hf", "pretrained": "a/b"}}
    facts = CellFacts.model_validate(upgrade_result(finished | {"schema_version": 5})["cell"])
    source = ProgramSource(program="lm-eval", arguments={"model": "hf", "pretrained": "a/b"})
    assert (facts.model.engine, facts.model.source) == (None, source)
    variant = facts.variant.model_dump(
        exclude={"quantize", "adapter"}
    )  # defaults of later fields do not count
    parts = {
        "task": [facts.task.name, facts.task.version, facts.task.sha256],
        "data": {role: split.sha256 for role, split in facts.data.items()},
        "model": [facts.model.name, facts.weights, facts.model.context, facts.model.architecture, "lm-eval"],
        "variant": variant,
        "limit": None,
        "engine": facts.engine_version,
        "settings": {"model": "hf", "pretrained": "a/b"},
    }
    assert identity(facts) == hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def test_what_an_older_version_began_is_gone_on_with(bench: Bench, quiz: Path, project: Path) -> None:
    add_fake(project, "played", seconds=0.0)
    cell = cell_of(quiz, fake_card("played", seconds=0.0))
    path = journal_of(cell, project / "results", keep=2)
    head, *batches = path.read_text(encoding="utf-8").splitlines()
    older = json.loads(head)
    older |= {"schema_version": 5, "cell": older["cell"] | {"model": older_card(older["cell"]["model"])}}
    path.write_text("\n".join([json.dumps(older), *batches]) + "\n", encoding="utf-8")
    assert path.name == NAME
    unfinished = read_journal(path)
    assert unfinished is not None
    assert unfinished.head.cell == cell.facts
    done = bench("run", "--models", "played", "--tasks", "quiz", "--offline")
    assert f"resuming after {len(unfinished.records)}" in done.stderr
