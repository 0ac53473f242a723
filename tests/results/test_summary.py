"""The digest of a summary, and one verdict: what `bench results check` refuses, the board does not show."""

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sealing import reseal, sealed

from bench.board.reading import read_board
from bench.results.check import check
from bench.results.files import digest, read_result
from bench.results.identity import CANNOT_RUN, folder_of
from bench.results.result import CannotRunResult, DoneResult, FailedResult
from bench.results.store import begin, write_run
from conftest import ROOT

Bench = Callable[..., Result]
Raw = dict[str, Any]
MODELS = {"done": "chance", "failed": "tfidf", "cannot-run": "lost", "whole": "majority"}
"""The model of each run of `runs`."""
CHANGED = "not the digest of this file: it was changed after it was written; restore it, or run it again"
GOLDEN = ROOT / "tests" / "golden"


@pytest.fixture
def runs(project: Path) -> dict[str, Path]:
    """The `result.json` of a run of each status, and of one that no test changes."""
    results, committed = project / "results", ROOT / "results"
    begin(results)
    paths: dict[str, Path] = {}
    for key in ("done", "failed", "whole"):
        [path] = (committed / "medqa_sample" / MODELS[key]).glob("*/result.json")
        paths[key] = results / path.relative_to(committed)
        if key != "failed":
            shutil.copytree(path.parent, paths[key].parent)
            continue
        done = read_result(path)
        assert isinstance(done, DoneResult)
        facts: Raw = {"reason": "no room", "provenance": done.provenance}
        write_run(results, folder_of(done.cell), FailedResult(cell=done.cell, traceback="", **facts), None)
        folder = Path(done.task.name) / MODELS["cannot-run"] / CANNOT_RUN
        names = {"model_name": folder.parts[1], "model_title": "Lost"}
        write_run(results, folder, CannotRunResult(task=done.task, test=done.test, **names, **facts), None)
        paths["cannot-run"] = results / folder / "result.json"
    assert list(check(results)) == []
    assert on_the_board(results) == {*MODELS.values()}
    return paths


def on_the_board(results: Path) -> set[str]:
    """The models whose runs the board has, failed ones included."""
    return {run.result.model_name for run in read_board(results, [])[1]}


def put(raw: Raw, key: str, value: object) -> Raw:
    """The summary with a value at a key such as `cell.task.title`."""
    *parents, last = key.split(".")
    inner = raw
    for parent in parents:
        inner = inner[parent]
    assert last in inner
    assert inner[last] != value
    inner[last] = value
    return raw


def read(path: Path) -> Raw:
    return json.loads(path.read_text(encoding="utf-8"))


OF_CELL = [f"cell.{key}" for key in ("model.title", "model.license", "model.note", "command")]
OF_TASK = ["title", "license", "notice", "description"]
MADE = ["provenance.processor", "provenance.finished", "provenance.git"]
WORDS = {
    "done": [*OF_CELL, *(f"cell.task.{key}" for key in OF_TASK), *MADE, "imported", "cost.joules_note"],
    "failed": [*OF_CELL, *(f"cell.task.{key}" for key in OF_TASK), *MADE, "reason", "traceback"],
    "cannot-run": ["model_title", *(f"task.{key}" for key in OF_TASK), *MADE, "reason"],
}


@pytest.mark.parametrize("status", WORDS)
def test_a_changed_word_is_found_by_the_check_and_by_the_board(runs: dict[str, Path], status: str) -> None:
    results, path = Path("results").absolute(), runs[status]
    before = path.read_text(encoding="utf-8")
    for key in WORDS[status]:
        value = "2020-01-01T00:00:00+00:00" if key == "provenance.finished" else "Another"
        changed = put(json.loads(before), key, value)
        path.write_text(json.dumps(changed), encoding="utf-8")
        [(folder, text)] = check(results)
        assert folder == path.parent
        assert text.endswith(f"result.json: summary_sha256: {CHANGED}"), key
        assert read_board(results, [])[0].damaged == (text,)
        assert on_the_board(results) == {*MODELS.values()} - {MODELS[status]}
        path.write_text(sealed(changed), encoding="utf-8")
        assert list(check(results)) == [], "the digest alone shows that it was changed"


@pytest.mark.parametrize("status", WORDS)
@pytest.mark.parametrize("value", [None, "", "0" * 64, 7], ids=["removed", "empty", "another", "a number"])
def test_a_digest_that_is_missing_or_wrong_is_damage(
    runs: dict[str, Path], status: str, value: object
) -> None:
    results, path = Path("results").absolute(), runs[status]
    raw = put(read(path), "summary_sha256", value)
    if value is None:
        del raw["summary_sha256"]
    path.write_text(json.dumps(raw), encoding="utf-8")
    [(_, text)] = check(results)
    assert text.endswith(f"summary_sha256: {CHANGED}")
    assert read_board(results, [])[0].damaged == (text,)


def test_layout_is_no_part_of_the_digest(runs: dict[str, Path]) -> None:
    raw = read(runs["done"])
    runs["done"].write_text(json.dumps(dict(sorted(raw.items())), indent=4), encoding="utf-8")
    assert list(check(Path("results"))) == []


def test_a_stranger_can_compute_the_digest() -> None:
    """By the words of `bench/results/summary.py`, without its code."""
    paths = [*(ROOT / "results").rglob("*.json"), *(GOLDEN / "schema-7").rglob("*.json")]
    sealed_ones = [path for path in paths if read(path).get("schema_version") == 7]
    assert any(path.parent.name == "contamination" for path in sealed_ones)
    assert len(sealed_ones) > 20
    for path in sealed_ones:
        *others, (key, stated) = read(path).items()
        text = json.dumps(dict(others), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert (key, stated) == ("summary_sha256", hashlib.sha256(text.encode()).hexdigest()), path


@pytest.mark.parametrize("status", WORDS)
def test_a_summary_of_an_older_schema_needs_no_digest(
    bench: Bench, runs: dict[str, Path], status: str
) -> None:
    """Schema 6 had the same keys, without the digest."""
    raw = read(runs[status])
    del raw["summary_sha256"]
    runs[status].write_text(json.dumps(raw | {"schema_version": 6}), encoding="utf-8")
    checked = bench("results", "check")
    assert checked.exit_code == 0, checked.output
    assert "1 of an older version have no digest: titles and licences in them are not checked" in (
        checked.stdout
    )
    assert on_the_board(Path("results")) == {*MODELS.values()}


@pytest.mark.parametrize("version", range(1, 7))
def test_golden_files_of_older_schemas_are_sound_and_on_the_board(version: int) -> None:
    folder = GOLDEN / f"schema-{version}"
    [path] = folder.rglob("result.json")
    assert "summary_sha256" not in read(path)
    assert list(check(folder)) == []
    board, [run] = read_board(folder, [])
    assert board.damaged == ()
    assert run.folder == path.parent.relative_to(folder)


def test_a_file_that_says_it_is_older_but_has_a_digest_is_damaged(runs: dict[str, Path]) -> None:
    raw = put(read(runs["done"]), "cell.task.license", "Another")
    runs["done"].write_text(json.dumps(raw | {"schema_version": 6}), encoding="utf-8")
    [(_, text)] = check(Path("results"))
    assert "summary_sha256" in text
    assert read_board(Path("results"), [])[0].damaged == (text,)


Change = Callable[[Path], object]


def with_value(key: str, value: object) -> Change:
    """Set a value, and give the summary the digest of what it says then; 1e999 stays so in the file."""

    def change(path: Path) -> None:
        text = sealed(put(read(path), key, value))
        path.write_text(text.replace("Infinity", "1e999"), encoding="utf-8")

    return change


def with_records(change: Callable[[list[str]], list[str]]) -> Change:
    """Change the lines of the records, and vouch for them in the summary."""

    def changed(path: Path) -> None:
        file = path.with_name("records.jsonl")
        lines = change(file.read_text(encoding="utf-8").splitlines())
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        path.write_text(sealed(read(path) | {"records_sha256": digest(file.read_bytes())}), encoding="utf-8")

    return changed


def with_line_ends(end: bytes) -> Change:
    """End the lines of the records in another way, and vouch for them in the summary."""

    def changed(path: Path) -> None:
        file = path.with_name("records.jsonl")
        file.write_bytes(file.read_bytes().replace(b"\n", end))
        path.write_text(sealed(read(path) | {"records_sha256": digest(file.read_bytes())}), encoding="utf-8")

    return changed


def moved(*parts: str) -> Change:
    """Move the run to a folder of `results/`."""

    def move(path: Path) -> None:
        folder = Path("results", *parts)
        folder.parent.mkdir(parents=True, exist_ok=True)
        path.parent.rename(folder)

    return move


def without_last_record(path: Path) -> None:
    file = path.with_name("records.jsonl")
    file.write_bytes(file.read_bytes().rsplit(b"\n", 2)[0] + b"\n")


def other_answer(lines: list[str]) -> list[str]:
    first = json.loads(lines[0])
    return [json.dumps(first | {"is_correct": not first["is_correct"]}), *lines[1:]]


ID = "cell.id: not the identity that the cell's facts give"
PLACE = "not in the folder that this run belongs in, medqa_sample/chance/baseline-d5bf035875; move it there"
NOT_READ = "not a result file"
DAMAGE: dict[str, tuple[Change, str]] = {
    "an id of its own": (with_value("cell.id", "d5bf035875" + "0" * 54), ID),
    "facts of another id": (with_value("cell.variant.seed", 7), ID),
    "weights of another id": (with_value("cell.weights", "main"), ID),
    "a wrong folder": (moved("medqa_sample", "chance", "baseline-0000000000"), PLACE),
    "a folder of another model": (moved("medqa_sample", "guess", "baseline-d5bf035875"), PLACE),
    "a folder of another task": (moved("medqa", "chance", "baseline-d5bf035875"), PLACE),
    "no folders": (moved("baseline-d5bf035875"), PLACE),
    "a record less": (without_last_record, "not the records that result.json was made from"),
    "no records": (
        lambda path: path.with_name("records.jsonl").unlink(),
        "records.jsonl: No such file or directory",
    ),
    "a record less, vouched for": (
        with_records(lambda lines: lines[:-1]),
        "99 records, but 100 questions were asked",
    ),
    "a record twice": (with_records(lambda lines: [*lines[:-1], lines[0]]), "answered more than once"),
    "old line ends": (with_line_ends(b"\r"), "not a record"),
    "empty lines": (with_line_ends(b"\n\n"), "not a record"),
    "a contradiction": (with_records(other_answer), "is_correct does not follow from its answers"),
    "another accuracy": (with_value("metrics.accuracy.correct", 99), "metrics.accuracy"),
    "another share": (with_value("metrics.accuracy.value", 0.99), "not what its records give"),
    "another count": (with_value("metrics.unread", 1), "not what its records give"),
    "another digest": (
        lambda path: path.write_text(json.dumps(read(path) | {"summary_sha256": "0" * 64}), "utf-8"),
        CHANGED,
    ),
    "another word": (
        lambda path: path.write_text(path.read_text("utf-8").replace("Apache", "MIT"), "utf-8"),
        CHANGED,
    ),
    "a cost of NaN": (with_value("cost.scoring_seconds", math.nan), NOT_READ),
    "an infinite cost": (with_value("cost.scoring_seconds", math.inf), NOT_READ),
    "a cost below 0": (with_value("cost.items_per_second", -1), NOT_READ),
    "a cost beyond all": (with_value("cost.scoring_seconds", 10**400), NOT_READ),
    "bytes below 0": (with_value("cost.peak_memory_bytes", -1), NOT_READ),
    "bytes beyond all": (with_value("cost.peak_memory_bytes", 10**400), NOT_READ),
    "an infinite latency": (with_value("cost.alone.p50", math.inf), NOT_READ),
    "a latency of NaN": (with_value("cost.alone.p95", math.nan), NOT_READ),
    "parameters beyond all": (with_value("cell.model.parameters", 10**400), NOT_READ),
    "a share of NaN": (with_value("metrics.accuracy.low", math.nan), NOT_READ),
    "a share above 1": (with_value("metrics.accuracy.high", 1.5), NOT_READ),
    "a metric of NaN": (with_value("metrics.values.macro_f1.value", math.nan), NOT_READ),
    "rows beyond all": (with_value("cell.data.test.rows", 10**400), NOT_READ),
    "memory of NaN": (with_value("provenance.memory_bytes", math.nan), NOT_READ),
    "no JSON": (lambda path: path.write_text("{", "utf-8"), "not JSON"),
    "a list": (lambda path: path.write_text("[]", "utf-8"), NOT_READ),
    "a newer schema": (with_value("schema_version", 8), "written by a newer version"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_check_and_the_board_refuse_the_same_run_and_the_site_shows_the_others(
    bench: Bench, runs: dict[str, Path], damage: str
) -> None:
    change, words = DAMAGE[damage]
    change(runs["done"])
    checked, built = bench("results", "check"), bench("leaderboard", "build")
    assert (checked.exit_code, built.exit_code) == (3, 0)
    assert built.stderr.count("not shown: ") == 1
    for said in (checked.stderr, built.stderr):
        assert words in said
        assert "baseline-" in said
        assert MODELS["whole"] not in said, "only that run is named"
    pages = {path.parent.name for path in Path("site/runs").rglob("*.html")}
    assert pages == {*MODELS.values()} - {MODELS["done"]}
    assert "Majority letter" in Path("site/tasks/medqa_sample.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("status", ["failed", "cannot-run"])
def test_a_failure_in_a_wrong_folder_is_refused_with_the_same_words(
    runs: dict[str, Path], status: str
) -> None:
    results = Path("results").absolute()
    runs[status].parent.rename(runs[status].parent.with_name("elsewhere"))
    [(_, text)] = check(results)
    assert "not in the folder that this run belongs in" in text
    assert read_board(results, [])[0].damaged == (text,)


def test_a_run_below_folders_of_a_user_s_own_is_in_its_place(runs: dict[str, Path]) -> None:
    own = Path("results/of-2026/gpu")
    own.mkdir(parents=True)
    Path("results/medqa_sample").rename(own / "medqa_sample")
    assert list(check(Path("results"))) == []
    assert on_the_board(Path("results")) == {*MODELS.values()}


def test_a_changed_contamination_test_is_found_by_the_check_and_by_the_board(runs: dict[str, Path]) -> None:
    results = Path("results").absolute()
    shutil.copytree(ROOT / "results" / "contamination", results / "contamination")
    [path] = (results / "contamination").iterdir()
    assert list(check(results)) == []
    changed = put(read(path), "cell.model.title", "Another")
    path.write_text(json.dumps(changed), encoding="utf-8")
    [(file, text)] = check(results)
    assert (file, text) == (path, f"summary_sha256: {CHANGED}")
    [damaged] = read_board(results, [])[0].damaged
    assert damaged.endswith(f"{path.name}: {text}")
    reseal(path)
    assert list(check(results)) == []
