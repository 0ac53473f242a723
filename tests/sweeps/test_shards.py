"""Shards: cut by a fixed rule, answered apart in any order, and merged into the run that all would be."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from planted import ALL
from sealing import reseal

from bench.cells.cell import Cell
from bench.cells.shards import dealt, shards_of
from bench.errors import FileError
from bench.results.check import check, entries
from bench.results.journal import lock_cell
from bench.results.merge import Merged, by_cell, complete, merge
from bench.results.parts import Part, part_files, read_parts
from bench.results.result import DoneResult
from bench.results.store import Run, read_run, read_runs, write_run
from bench.scoring.metrics import installed_metrics
from bench.sweeps.events import DEFAULT_TERMS, Skipped, Terms
from bench.sweeps.supervise import run_cell
from bench.types import Item
from conftest import QUESTIONS
from played import add_fake, cell_of, fake_card, lines, run_to_end
from tiny import save_causal, save_t5, tiny_card

Bench = Callable[..., Result]
TEXTS = st.lists(st.text(max_size=30), min_size=1, max_size=60, unique=True)


def items_of(texts: Sequence[str]) -> list[Item]:
    return [Item(f"q{number}", text, ("yes", "no"), 0) for number, text in enumerate(texts)]


@given(texts=TEXTS, count=st.integers(1, 60))
def test_each_question_is_in_one_shard_whatever_its_id_and_place(texts: list[str], count: int) -> None:
    count = min(count, len(texts))
    items = items_of(texts)
    shards = dealt(items, count)
    assert sorted(number for shard in shards for number in shard) == list(range(len(items)))
    moved = [replace(item, id=f"other {item.id}") for item in reversed(items)]
    again = dealt(moved, count)
    texts_of = [{items[number].question for number in shard} for shard in shards]
    assert texts_of == [{moved[number].question for number in shard} for shard in again]


@given(lengths=st.lists(st.integers(1, 5000), min_size=20, max_size=300), count=st.integers(1, 10))
def test_shards_have_nearly_as_many_questions_and_characters(lengths: list[int], count: int) -> None:
    items = [Item(f"q{at}", f"{at:04d}" + "x" * length, ("y", "n"), 0) for at, length in enumerate(lengths)]
    shards = dealt(items, count)
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 1
    characters = [sum(len(items[number].question) for number in shard) for shard in shards]
    assert max(characters) - min(characters) <= max(lengths) + 4


def answered(cell: Cell, count: int, results: Path, terms: Terms = DEFAULT_TERMS) -> Iterator[DoneResult]:
    for part in shards_of(cell, count):
        *_, last = run_cell(part, results, terms)
        assert isinstance(last, DoneResult), last
        yield last


def parts_in(*folders: Path) -> list[Part]:
    parts = list(read_parts(part_files(folders)))
    assert all(isinstance(part, Part) for part in parts), parts
    return [part for part in parts if isinstance(part, Part)]


def merged(*folders: Path) -> Merged:
    [group] = by_cell(parts_in(*folders)).values()
    parts = complete(group)
    return merge(parts, installed_metrics(parts[0].result.metrics.values))


def store(run: Merged, cell: Cell, results: Path) -> None:
    results.mkdir(exist_ok=True)
    write_run(results, cell.folder, run.result, run.records, run.probed)


def test_the_same_bytes_where_batches_are_the_same(quiz: Path, project: Path) -> None:
    cell = cell_of(quiz, fake_card(batch=1))
    run_to_end(cell, project / "whole")
    list(answered(cell, 3, project / "parts"))
    store(merged(project / "parts"), cell, project / "merged")
    assert lines(project / "merged") == lines(project / "whole")
    [entry] = entries(project / "merged")
    assert entry.state == "done"
    assert not list(check(project / "merged"))
    whole = read_run(project / "whole", project / "whole" / cell.folder / "result.json").result
    again = read_run(project / "merged", project / "merged" / cell.folder / "result.json").result
    assert isinstance(whole, DoneResult)
    assert isinstance(again, DoneResult)
    assert (again.cell, again.metrics, again.engine) == (whole.cell, whole.metrics, whole.engine)
    assert again.cost.measured is None
    assert again.cost.prompt_tokens == whole.cost.prompt_tokens
    assert [group.shards for group in again.merged] == [3]


@pytest.mark.parametrize("architecture", ["decoder", "encoder-decoder"])
def test_scores_of_shards_are_those_of_the_whole(architecture: str, quiz: Path, project: Path) -> None:
    weights = save_causal(project / "m", "llama") if architecture == "decoder" else save_t5(project / "m")
    cell = cell_of(quiz, tiny_card(weights, architecture=architecture))
    *_, whole = run_cell(cell, project / "whole", ALL)
    assert isinstance(whole, DoneResult)
    list(answered(cell, 3, project / "parts", ALL))
    store(merged(project / "parts"), cell, project / "merged")
    runs = [read_run(project / at, project / at / cell.folder / "result.json") for at in ("whole", "merged")]
    for own, other in zip(runs[0].records, runs[1].records, strict=True):
        assert (own.question_id, own.model_output) == (other.question_id, other.model_output)
        for view, scores in own.scores.items():
            assert other.scores[view] == pytest.approx(scores, abs=1e-5)
    assert not list(check(project / "merged"))
    first, second = (run.result for run in runs)
    assert isinstance(first, DoneResult)
    assert isinstance(second, DoneResult)
    assert first.probes
    assert second.probes
    assert first.probes.asked == second.probes.asked
    assert first.probes.left_out == second.probes.left_out
    assert len(runs[0].probed) == len(runs[1].probed)


def test_parts_of_several_folders_in_any_order_are_one_run(quiz: Path, project: Path, bench: Bench) -> None:
    add_fake(project, "played")
    orders = {"".join(map(str, order)): order for order in permutations((1, 2, 3))}
    for name, order in orders.items():
        for index in order:
            folder = f"{name}-{index}"
            done = bench("run", "-m", "played", "-t", "quiz", "--shard", f"{index}/3", "--results", folder)
            assert done.exit_code == 0, done.stderr
            assert f"shard {index}/3: 13 of 40" in done.stdout or "14 of 40" in done.stdout
        folders = [f"{name}-{index}" for index in order]
        done = bench("results", "merge", *folders, "--results", name)
        assert done.exit_code == 0, done.output
        assert "3 parts" in done.stdout
        assert "there already" in bench("results", "merge", *folders, "--results", name).stdout
    runs = [lines(project / name) for name in orders]
    assert all(run == runs[0] for run in runs)
    assert [record["question_id"] for record in runs[0]] == [f"q{number}" for number in range(QUESTIONS)]


@pytest.fixture
def parts(quiz: Path, project: Path) -> Path:
    """A results folder with the three parts of a run; returns that of the parts."""
    cell = cell_of(quiz, fake_card())
    list(answered(cell, 3, project / "results"))
    return project / "results" / cell.folder / "parts"


def move(path: Path, to: Path) -> Path:
    """The folder of a part in another results folder."""
    target = to.joinpath(*path.parts[-5:])
    target.parent.mkdir(parents=True, exist_ok=True)
    return path.rename(target)


def remove_second(parts: Path, _other: Path) -> str:
    for file in (parts / "2-of-3").iterdir():
        file.unlink()
    return "missing: 2/3"


def repeat_first(parts: Path, other: Path) -> str:
    import shutil

    copy = move(parts / "1-of-3", other)
    shutil.copytree(copy, parts / "1-of-3")
    return "part 1/3 in results"


def take_foreign(parts: Path, other: Path) -> str:
    """The second part is of a cell with other data."""
    task = Path("tasks/test.jsonl")
    task.write_text(task.read_text().replace("Which number is 3?", "Which number is three?"))
    remove_second(parts, other)
    cell = cell_of(Path("tasks/quiz.yaml"), fake_card())
    *_, last = run_cell(shards_of(cell, 3)[1], other)
    assert isinstance(last, DoneResult)
    return "part 2/3 in other/quiz/played"


def take_other_library(parts: Path, _other: Path) -> str:
    def older(text: str) -> str:
        raw: dict[str, Any] = json.loads(text)
        raw["provenance"]["libraries"]["scikit-learn"] = "0.1"
        return json.dumps(raw)

    reseal(parts / "3-of-3" / "part.json", older)
    return "scikit-learn 0.1"


def share_a_question(parts: Path, _other: Path) -> str:
    def shifted(text: str) -> str:
        raw: dict[str, Any] = json.loads(text)
        first = json.loads((parts / "1-of-3" / "part.json").read_text())["shard"]["positions"][0]
        raw["shard"]["positions"] = sorted({first, *raw["shard"]["positions"][1:]})
        return json.dumps(raw)

    reseal(parts / "2-of-3" / "part.json", shifted)
    return "is also in part 1/3"


def cut_otherwise(parts: Path, other: Path) -> str:
    remove_second(parts, other)
    cell = cell_of(Path("tasks/quiz.yaml"), fake_card())
    *_, last = run_cell(shards_of(cell, 2)[1], other)
    assert isinstance(last, DoneResult)
    return "2/2, 1/3, 3/3"


def damage_records(parts: Path, _other: Path) -> str:
    with (parts / "3-of-3" / "records.jsonl").open("ab") as file:
        file.write(b"{}\n")
    return "parts/3-of-3/records.jsonl"


@pytest.mark.parametrize(
    "harm",
    [
        remove_second,
        repeat_first,
        take_foreign,
        take_other_library,
        share_a_question,
        cut_otherwise,
        damage_records,
    ],
)
def test_parts_that_are_no_run_are_refused_by_name(
    harm: Callable[[Path, Path], str], parts: Path, project: Path, bench: Bench
) -> None:
    (project / "other").mkdir()
    named = harm(parts, Path("other"))
    done = bench("results", "merge", "results", "other")
    assert done.exit_code == 3, done.output
    assert named in done.stderr
    assert not (parts.parent / "result.json").exists()


def test_costs_are_those_of_one_class_of_machines(parts: Path, project: Path, bench: Bench) -> None:
    def elsewhere(text: str) -> str:
        raw: dict[str, Any] = json.loads(text)
        raw["provenance"]["processor"] = "Another"
        raw["cost"] |= {"scoring_seconds": 1000.0, "peak_memory_bytes": 10**12}
        return json.dumps(raw)

    reseal(parts / "2-of-3" / "part.json", elsewhere)
    done = bench("results", "merge")
    assert done.exit_code == 0, done.output
    assert "costs measured on 2 of 3 shards" in done.stdout
    [run] = [read_run(Path("results"), path) for path in Path("results").rglob("result.json")]
    assert isinstance(run.result, DoneResult)
    cost = run.result.cost
    assert cost.measured
    assert cost.measured.questions == run.result.measured_questions < QUESTIONS
    assert cost.scoring_seconds is not None
    assert cost.scoring_seconds < 1000
    assert cost.peak_memory_bytes is not None
    assert cost.peak_memory_bytes < 10**12
    assert [group.shards for group in run.result.merged] == [2, 1]
    shown = bench("results", "show", run.result.cell.id[:8])
    assert "2 of 3 shards" in shown.stdout
    assert "Another" in shown.stdout
    assert "2 of 3 shards" in bench("export", "csv").stdout
    assert bench("leaderboard", "build", "--out", "site").exit_code == 0
    assert "costs of 2 of 3 shards" in (project / "site" / "index.html").read_text(encoding="utf-8")


def test_parts_are_listed_checked_and_pruned(parts: Path, project: Path, bench: Bench) -> None:
    assert "3 of 3 shards" in bench("results", "list").stdout
    assert "sound: 1 parts" in bench("results", "check").stdout
    assert "bench results merge" in bench("leaderboard", "show").output
    assert bench("results", "merge").exit_code == 0
    assert "done" in bench("results", "list").stdout
    [run] = read_runs(Path("results"))
    assert isinstance(run, Run)
    assert isinstance(run.result, DoneResult)
    with lock_cell(Path("results"), f"2-of-3-{run.result.cell.id}"):  # as the process of a shard does
        assert "nothing to remove" in bench("results", "prune", "parts").stdout
    assert bench("results", "prune", "parts").exit_code == 0
    assert not parts.exists()
    assert "done" in bench("results", "list").stdout
    damaged = parts / "1-of-3"
    damaged.mkdir(parents=True)
    (damaged / "part.json").write_text("{}")
    assert bench("results", "check").exit_code == 3


def test_a_shard_that_is_done_or_whose_run_is_done_is_skipped(
    quiz: Path, project: Path, bench: Bench
) -> None:
    add_fake(project, "played")
    words = ("run", "-m", "played", "-t", "quiz", "--shard")
    assert bench(*words, "1/2").exit_code == 0
    assert "done before" in bench(*words, "1/2").stderr
    assert "to do" in bench(*words, "2/2", "--dry-run").stdout
    assert bench("run", "-m", "played", "-t", "quiz").exit_code == 0
    assert "0 of 1 cells to do" in bench(*words, "2/2", "--dry-run").stderr
    assert "done before" in bench(*words, "2/2").stderr
    assert not list(project.rglob("2-of-2/part.json"))


def test_a_shard_that_fails_is_a_failure_of_its_run_until_all_are_merged(
    quiz: Path, project: Path, bench: Bench
) -> None:
    add_fake(project, "played", fault="error")
    words = ("run", "-m", "played", "-t", "quiz", "--shard")
    assert bench(*words, "1/2").exit_code == 1
    [path] = project.rglob("result.json")
    assert "shard 1/2" in json.loads(path.read_text())["reason"]
    add_fake(project, "played")
    cell = cell_of(quiz, fake_card())
    assert [bench(*words, share).exit_code for share in ("1/2", "2/2")] == [0, 0]
    assert bench("results", "merge").exit_code == 0
    assert (project / "results" / cell.folder / "result.json").is_file()


def test_more_shards_than_questions_are_as_many_as_there_are(
    anatomy: Path, project: Path, bench: Bench
) -> None:
    add_fake(project, "played")
    for index in range(1, 6):
        done = bench("run", "-m", "played", "-t", "anatomy", "--shard", f"{index}/5")
        assert done.exit_code == 0
        assert ("nothing to do" in done.stderr) == (index > 3)
    assert bench("results", "merge").exit_code == 0


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/1000000000", "-1/3", "1/3/5", ""])
def test_a_shard_that_is_none_is_refused(text: str, anatomy: Path, bench: Bench) -> None:
    done = bench("run", "-m", "chance", "-t", "anatomy", "--shard", text)
    assert done.exit_code == 2
    assert "--shard" in done.stderr


def test_many_parts_are_one_run(project: Path, quiz: Path) -> None:
    cell = cell_of(quiz, fake_card())
    list(answered(cell, QUESTIONS, project / "parts"))
    run = merged(project / "parts")
    assert len(run.parts) == QUESTIONS
    with pytest.raises(FileError, match="missing: 2/40, 3/40"):
        complete([part for part in run.parts if part.shard.index in (1, 40)])


def test_a_shard_is_not_asked_where_its_run_is_there(quiz: Path, project: Path) -> None:
    log = project / "log"
    cell = cell_of(quiz, fake_card(log=str(log)))
    whole = run_to_end(cell, project / "results")
    *_, last = run_cell(shards_of(cell, 2)[0], project / "results")
    assert isinstance(last, Skipped)
    assert last.result == whole
    assert len(log.read_text(encoding="utf-8").split()) == 2 * QUESTIONS
    assert not list(project.rglob("part.json"))


def test_of_two_complete_cuts_the_later_one_is_merged(quiz: Path, project: Path, bench: Bench) -> None:
    add_fake(project, "one", accuracy=0.2)
    words = ("run", "-m", "one", "-t", "quiz", "--shard")
    for shard in ("1/2", "2/2"):
        assert bench(*words, shard).exit_code == 0
    time.sleep(1.1)  # results are dated in seconds
    for shard in ("1/4", "2/4", "3/4", "4/4"):
        assert bench(*words, shard, "--fresh").exit_code == 0
    assert "merged" in bench("results", "merge").stdout
    [run] = [read_run(Path("results"), path) for path in Path("results").rglob("result.json")]
    assert isinstance(run.result, DoneResult)
    assert run.result.merged[0].shards == 4
    time.sleep(1.1)
    assert "there already" in bench("results", "merge").stdout
    for shard in ("1/2", "2/2"):
        assert bench(*words, shard, "--fresh").exit_code == 0
    assert "merged" in bench("results", "merge").stdout
