"""Views: a row each, computed for engines that read prompts, and never taken for one another."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from sealing import reseal

from bench.engines.engine import LanguageModel
from bench.errors import FileError
from bench.evaluate import evaluate
from bench.inputs.data import load_split
from bench.inputs.task import read_task
from bench.results.summary import KEY
from bench.scoring.asking import Asking
from bench.scoring.record import Record
from bench.types import Branch, Encoded, Reads, ScoredBatch, ScoreRequest, Scores, Tree
from bench.views import VIEWS, OptionScores, View
from conftest import TASK
from outside import install

Bench = Callable[..., Result]


@dataclass(frozen=True)
class Scorer:
    """Scores options and cannot write: it likes the letter A, and the longest text."""

    reads: Reads = "prompt"
    path: str = "plain"
    model_bytes: int | None = None

    def encode(self, request: ScoreRequest) -> Encoded:
        sets = tuple(tuple(Branch((0,)) for _ in texts) for texts in request.continuations)
        return Encoded(request, Tree((0,), sets))

    def score(self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()) -> Iterator[ScoredBatch]:
        asked = [at for at in range(len(requests)) if at not in skip]
        yield ScoredBatch(tuple(asked), tuple(self._reply(requests[at].request) for at in asked), 1)

    def _reply(self, request: ScoreRequest) -> Scores:
        sets = request.continuations
        values = tuple(tuple(_likelihood(text.strip()) for text in texts) for texts in sets)
        return Scores(request.prompt, 1, values, tuple(tuple(1 for _ in texts) for texts in sets))

    def close(self) -> None:
        """Nothing is held."""


def _likelihood(text: str) -> float:
    return -float(ord(text)) if len(text) == 1 else -100.0 + len(text)


def records_of(task: Path) -> list[Record]:
    file = read_task(task)
    split = load_split(file, "test", data_dir=None, offline=True)
    assert split is not None
    return [
        record for batch in evaluate(Asking(file.task), split.items, Scorer()) for record in batch.records
    ]


def test_an_engine_that_scores_and_cannot_write_is_read_in_the_view_of_the_task(anatomy: Path) -> None:
    assert not isinstance(Scorer(), LanguageModel)
    anatomy.write_text(TASK + "scoring: {view: text}\n", encoding="utf-8")
    by_text = {record.question_id: record for record in records_of(anatomy)}
    assert by_text["q1"].model_output.final_answer == "B"  # Pancreas, the longest text; by letters it is A
    assert set(by_text["q1"].scores) == set(VIEWS.names())
    anatomy.write_text(TASK, encoding="utf-8")
    assert [record.model_output.final_answer for record in records_of(anatomy)] == ["A", "A", "A"]


def test_without_letters_no_text_score_is_stored_as_a_letter(anatomy: Path) -> None:
    anatomy.write_text(TASK + "scoring: {view: text, letters: false}\n", encoding="utf-8")
    for record in records_of(anatomy):
        assert "letter" not in record.scores
        assert record.scores["text"] == tuple(_likelihood(text) for text in record.options)


def test_a_baseline_has_its_weights_in_the_view_that_the_task_ranks_by(bench: Bench, anatomy: Path) -> None:
    anatomy.write_text(TASK + "scoring: {view: text, letters: false}\n", encoding="utf-8")
    assert bench("run", "--models", "chance", "--tasks", "anatomy", "--offline").exit_code == 0
    [path] = Path("results").rglob("records.jsonl")
    records = [Record.model_validate_json(line) for line in path.read_text().splitlines()]
    assert [set(record.scores) for record in records] == [{"text"}] * 3
    assert bench("results", "check").exit_code == 0


def test_a_record_without_the_view_that_ranks_is_an_error_and_no_other_view_stands_in(
    bench: Bench, anatomy: Path
) -> None:
    bench("run", "--models", "chance", "--tasks", "anatomy", "--offline")
    [path] = Path("results").rglob("result.json")
    reseal(path, lambda text: text.replace('"view": "letter"', '"view": "text"'))
    checked = bench("results", "check")
    assert checked.exit_code == 3
    assert "no scores by the view that the task ranks by (text)" in checked.stderr
    assert "no scores by the view that the task ranks by" in bench("leaderboard", "show").stderr


def test_an_older_baseline_on_a_task_without_letters_is_still_read(bench: Bench, anatomy: Path) -> None:
    """Before schema 6 a baseline's weights were kept under `letter`, whatever the task ranked by."""
    anatomy.write_text(TASK + "scoring: {view: text, letters: false}\n", encoding="utf-8")
    bench("run", "--models", "chance", "--tasks", "anatomy", "--offline")
    [path] = Path("results").rglob("result.json")
    records = path.with_name("records.jsonl")
    older = records.read_text().replace('"scores":{"text":', '"scores":{"letter":')
    records.write_text(older, encoding="utf-8")
    result = json.loads(path.read_text())
    views = result["metrics"]["views"]
    del result[KEY]
    result |= {"schema_version": 5, "records_sha256": hashlib.sha256(older.encode()).hexdigest()}
    result["metrics"]["views"] = {"letter": views["text"]}
    model = result["cell"]["model"]
    model |= {"source": {"engine": model.pop("engine"), "settings": model.pop("settings")}}
    path.write_text(json.dumps(result), encoding="utf-8")
    assert bench("results", "check").exit_code == 0
    shown = bench("leaderboard", "show")
    assert shown.stderr == ""
    assert "Chance" in shown.stdout


def _shortest(scores: OptionScores) -> list[float]:
    return [-float(len(option)) for option in scores.options]


SHORTEST = View("shortest", "Shortest option", _shortest)
LOST = View("lost", "Lost", lambda scores: scores.texts[1:])


def test_a_view_of_another_package_can_rank_a_task(
    anatomy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anatomy.write_text(TASK + "scoring: {view: shortest}\n", encoding="utf-8")
    with pytest.raises(FileError, match="no view is named 'shortest'"):
        read_task(anatomy)
    install(tmp_path, monkeypatch, {"bench.views": {"shortest": "test_views:SHORTEST"}})
    records = records_of(anatomy)
    assert [record.model_output.final_answer for record in records] == ["A", "A", "C"]
    assert records[0].scores["shortest"] == (-5.0, -8.0, -6.0)


def test_a_view_that_does_not_score_every_option_is_an_error(
    anatomy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, {"bench.views": {"lost": "test_views:LOST"}})
    with pytest.raises(Exception, match="the view 'lost' does not give a score for each option"):
        records_of(anatomy)
