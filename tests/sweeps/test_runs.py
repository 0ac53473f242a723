"""Cells: their identity, their files, and what happens when one goes wrong."""

import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from sealing import sealed

from bench.cells.cell import Cell
from bench.cells.plan import plan
from bench.cells.wish import DEFAULTS, Settings, Wish
from bench.errors import BenchError, FileError, UsageError
from bench.inputs.cards import CardFile, all_cards, select_cards
from bench.inputs.choices import Choices
from bench.inputs.task import read_task
from bench.inputs.tasks import find_tasks
from bench.inputs.weights import Trust
from bench.results.files import read_records, read_result
from bench.results.identity import identity
from bench.results.result import SCHEMA_VERSION, DoneResult, FailedResult
from bench.results.store import Run, check_writable, read_runs
from bench.results.summary import summary_bytes
from bench.scoring.metrics import installed_metrics, measure
from bench.sweeps.events import Loading, Retry, Skipped, Terms
from bench.sweeps.supervise import run_cell
from conftest import ITEMS, ROOT, TASK, TRAIN, write_lines
from played import sweep
from tiny import save_causal, save_t5, tiny_card

OPEN = Choices()


def cells(
    task: Path,
    models: str = "family:baseline",
    settings: Settings = DEFAULTS,
    choices: Choices = OPEN,
) -> list[Cell]:
    cards = select_cards(models, all_cards(), lambda _file: True)
    planned, _ = plan([read_task(task)], cards, [Wish(choices)], settings, data_dir=None, offline=True)
    return planned


def path_cell(task: Path, weights: Path, **facts: object) -> Cell:
    [cell], _ = plan(
        [read_task(task)],
        [CardFile(card=tiny_card(weights, **facts), path=task)],
        [Wish(Choices(dtype="float32"))],
        data_dir=None,
        offline=True,
    )
    return cell


def test_a_run_is_two_files_that_can_be_read_back(anatomy: Path, project: Path) -> None:
    [cell] = cells(anatomy, "majority")
    *_, last = run_cell(cell, project / "results")
    folder = project / "results" / cell.folder
    assert isinstance(last, DoneResult)
    assert folder.parent == project / "results" / "anatomy" / "majority"
    assert sorted(path.name for path in folder.iterdir()) == ["records.jsonl", "result.json"]
    assert read_result(folder / "result.json") == last
    records = read_records(folder / "records.jsonl", last)
    assert [record.question_id for record in records] == ["q1", "q2", "q3"]
    assert [record.model_output.final_answer for record in records] == ["C", "C", "C"]
    assert last.metrics.accuracy.correct == 1
    assert last.cost.peak_memory_bytes is not None
    assert last.cost.weights_bytes is None
    assert last.cell.command == "bench run --models majority --tasks anatomy --fresh"
    assert last.cell.data["train"].rows == 3


def test_an_identity_holds_still_and_moves_with_all_that_can_change_a_number(anatomy: Path) -> None:
    [before] = cells(anatomy, "majority")
    identities = {before.facts.id}

    def moved(settings: Settings = DEFAULTS) -> bool:
        [cell] = cells(anatomy, "majority", settings)
        new = cell.facts.id not in identities
        identities.add(cell.facts.id)
        return new

    assert not moved()
    anatomy.write_text(TASK.replace("title: Anatomy", "title: Bones"), encoding="utf-8")
    assert not moved(), "words about the task change no number"
    anatomy.write_text(TASK + "metrics: [accuracy]\n", encoding="utf-8")
    assert not moved(), "nor does a metric more or less"
    assert not moved(Settings(limit=3)), "a limit of everything is no limit"
    assert moved(Settings(seed=1))
    assert moved(Settings(limit=2))
    assert moved(Settings(limit=2, limit_order="file"))
    anatomy.write_text(TASK.replace("Answer:", "Reply:"), encoding="utf-8")
    assert moved()
    anatomy.write_text(TASK.replace("version: 1", "version: 2"), encoding="utf-8")
    assert moved()
    write_lines(anatomy.parent / "train.jsonl", TRAIN[:2])
    assert moved()
    write_lines(anatomy.parent / "test.jsonl", ITEMS[:2])
    assert moved()


@pytest.mark.parametrize("path", sorted((ROOT / "results").rglob("result.json")), ids=str)
def test_the_identity_of_a_run_that_was_made_before_holds(path: Path) -> None:
    facts = read_result(path).cell
    assert identity(facts) == facts.id


def test_each_quantisation_is_a_variant_of_every_model_with_weights(anatomy: Path, project: Path) -> None:
    weights = save_causal(project / "m", "llama")
    [whole] = [path_cell(anatomy, weights)]
    card = CardFile(card=whole.facts.model, path=anatomy)
    variants = [Choices(dtype="float32", quantize="none"), Choices(dtype="float32", quantize="nf4")]
    wishes = [Wish(choices) for choices in variants]
    planned, _ = plan([read_task(anatomy)], [card], wishes, data_dir=None, offline=True)
    assert [cell.facts.variant.quantize for cell in planned] == ["none", "nf4"]
    assert planned[0].facts.id == whole.facts.id != planned[1].facts.id
    assert "--quantize nf4" in planned[1].facts.command
    chance = select_cards("chance", all_cards(), lambda _file: True)
    once, _ = plan([read_task(anatomy)], chance, wishes, data_dir=None, offline=True)
    assert len(once) == 1
    *_, last = run_cell(planned[1], project / "results")
    assert isinstance(last, DoneResult)
    assert last.cost.model_bytes
    *_, before = run_cell(whole, project / "results")
    assert isinstance(before, DoneResult)
    assert before.cost.model_bytes
    assert last.cost.model_bytes < before.cost.model_bytes


def test_pickles_are_read_only_when_allowed_and_the_run_says_so(anatomy: Path, project: Path) -> None:
    weights = save_causal(project / "m", "llama")
    torch.save(load_file(weights / "model.safetensors"), weights / "pytorch_model.bin")
    (weights / "model.safetensors").unlink()
    card = CardFile(card=tiny_card(weights), path=anatomy)
    tasks = [read_task(anatomy)]
    wishes = [Wish(Choices(dtype="float32"))]
    [failing], [] = plan(tasks, [card], wishes, data_dir=None, offline=True)
    assert "pickles, which can run any code" in failing.reason
    settings = Settings(trust=Trust(pickle=True))
    [cell], _ = plan(tasks, [card], wishes, settings, data_dir=None, offline=True)
    *_, last = run_cell(cell, project / "results")
    assert isinstance(last, DoneResult), last
    assert last.engine.pickle
    assert "--allow-pickle" in last.cell.command


def test_a_cell_of_other_weights_is_another_cell(anatomy: Path, project: Path) -> None:
    first = path_cell(anatomy, save_causal(project / "m", "llama"))
    second = path_cell(anatomy, save_causal(project / "n", "qwen2"))
    assert first.facts.id != second.facts.id


@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
def test_a_real_model_runs_in_a_process_of_its_own(anatomy: Path, project: Path, kind: str) -> None:
    weights = save_causal(project / "m", "qwen3") if kind == "decoder" else save_t5(project / "m")
    cell = path_cell(anatomy, weights, architecture=kind)
    *_, last = run_cell(cell, project / "results")
    assert isinstance(last, DoneResult)
    assert last.metrics.accuracy.total == 3
    assert last.cost.tokens_per_second is not None
    assert last.cost.weights_bytes == (weights / "model.safetensors").stat().st_size


def test_a_finished_cell_is_not_run_again_unless_asked(anatomy: Path, project: Path) -> None:
    [cell] = cells(anatomy, "chance")
    results = project / "results"
    first = [event for _, event in sweep([cell], results)]
    second = [event for _, event in sweep([cell], results)]
    third = [event for _, event in sweep([cell], results, Terms(fresh=True))]
    assert isinstance(first[-1], DoneResult)
    assert second == [Skipped(first[-1])]
    assert isinstance(third[0], Loading)


def test_a_damaged_run_is_made_again(anatomy: Path, project: Path) -> None:
    [cell] = cells(anatomy, "chance")
    path = project / "results" / cell.folder / "result.json"
    path.parent.mkdir(parents=True)
    path.write_text("{", encoding="utf-8")
    *_, (_, last) = sweep([cell], project / "results")
    assert isinstance(last, DoneResult)
    assert read_result(path) == last


def test_a_cell_that_fails_leaves_its_reason_and_the_next_one_runs(anatomy: Path, project: Path) -> None:
    weights = save_causal(project / "m", "llama")
    (weights / "model.safetensors").write_bytes(b"not a tensor")
    failing = path_cell(anatomy, weights)
    results = project / "results"
    ends = [
        event
        for _, event in sweep([failing, *cells(anatomy, "chance")], results)
        if isinstance(event, (DoneResult, FailedResult))
    ]
    assert [end.status for end in ends] == ["failed", "done"]
    stored = read_result(results / failing.folder / "result.json")
    assert isinstance(stored, FailedResult)
    assert stored.reason.startswith("the weights cannot be loaded")


def test_a_mistake_of_ours_in_a_worker_is_kept_with_its_traceback(anatomy: Path, project: Path) -> None:
    weights = save_causal(project / "m", "llama")
    cell = path_cell(anatomy, weights)
    broken = replace(cell, opening=replace(cell.opening, dtype="no such dtype"))
    *_, last = run_cell(broken, project / "results")
    assert isinstance(last, FailedResult)
    assert "Traceback" in last.traceback


def test_weights_without_a_tokenizer_are_one_message(anatomy: Path, project: Path) -> None:
    weights = save_causal(project / "m", "llama")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (weights / name).unlink()
    *_, last = run_cell(path_cell(anatomy, weights), project / "results")
    assert isinstance(last, FailedResult)
    assert last.reason.startswith("the tokenizer cannot be loaded: ")
    assert last.traceback == ""


def test_code_that_comes_with_weights_is_not_run(anatomy: Path, project: Path) -> None:
    weights = save_causal(project / "m", "llama")
    config = json.loads((weights / "config.json").read_text(encoding="utf-8"))
    config |= {
        "model_type": "stranger",
        "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"},
    }
    (weights / "config.json").write_text(json.dumps(config), encoding="utf-8")
    marker = project / "it-ran"
    (weights / "code.py").write_text(f"open({str(marker)!r}, 'w')\n", encoding="utf-8")
    *_, last = run_cell(path_cell(anatomy, weights), project / "results")
    assert isinstance(last, FailedResult)
    assert last.reason == (
        "the weights cannot be loaded: it needs Python code that comes with it, which is not run: read its "
        "*.py files and, if you trust them, give bench run --trust-remote-code, or choose another model"
    )
    assert not marker.exists()


def test_scores_that_are_not_numbers_fail_the_cell(anatomy: Path, project: Path) -> None:
    weights = save_causal(project / "m", "llama")
    tensors = load_file(weights / "model.safetensors")
    save_file(
        {name: t * 1e25 if "norm" in name else t for name, t in tensors.items()},
        weights / "model.safetensors",
        {"format": "pt"},
    )
    *_, last = run_cell(path_cell(anatomy, weights), project / "results")
    assert isinstance(last, FailedResult)
    assert "scores are not finite numbers; try another --dtype" in last.reason


def test_a_failure_never_takes_the_place_of_a_good_run(anatomy: Path, project: Path) -> None:
    cell = path_cell(anatomy, save_causal(project / "m", "llama"))
    *_, good = run_cell(cell, project / "results")
    (project / "m" / "model.safetensors").unlink()
    *_, (_, last) = sweep([cell], project / "results", Terms(fresh=True))
    assert isinstance(last, FailedResult)
    assert read_result(project / "results" / cell.folder / "result.json") == good


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(sealed(json.loads(text.replace(old, new, 1))), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"correct": 1', '"correct": 2', "says 2 of 3, its records say 1 of 3"),
        ('"unread": 0', '"unread": 1', "metrics.unread: not what its records give"),
        ('"test": {', '"exam": {', "not a result file"),
    ],
)
def test_a_summary_that_was_changed_is_damaged_and_made_again(
    anatomy: Path, project: Path, old: str, new: str, message: str
) -> None:
    [cell] = cells(anatomy, "majority")
    results = project / "results"
    first = list(sweep([cell], results))[-1][1]
    change(results / cell.folder / "result.json", old, new)
    [error] = read_runs(results)
    assert isinstance(error, FileError)
    assert message in str(error)
    last = list(sweep([cell], results))[-1][1]
    assert isinstance(first, DoneResult)
    assert isinstance(last, DoneResult)
    assert last.metrics == first.metrics


def test_a_run_without_records_or_with_a_bottomless_summary_is_damaged(anatomy: Path, project: Path) -> None:
    [cell] = cells(anatomy, "majority")
    results = project / "results"
    list(sweep([cell], results))
    folder = results / cell.folder
    digest = hashlib.sha256((folder / "records.jsonl").read_bytes()).hexdigest()
    (folder / "records.jsonl").write_bytes(b"")
    change(folder / "result.json", digest, hashlib.sha256(b"").hexdigest())
    assert "a finished run without records" in str(next(iter(read_runs(results))))
    (folder / "result.json").write_text("[" * 200_000, encoding="utf-8")
    assert "not JSON" in str(next(iter(read_runs(results))))


def test_a_metric_that_a_task_names_later_is_added_without_scoring_again(
    anatomy: Path, project: Path
) -> None:
    anatomy.write_text(TASK + "metrics: [accuracy]\n", encoding="utf-8")
    list(sweep(cells(anatomy, "majority"), project / "results"))
    anatomy.write_text(TASK, encoding="utf-8")
    [(_, event)] = sweep(cells(anatomy, "majority"), project / "results")
    assert isinstance(event, Skipped)
    assert event.result.metrics.values.keys() == {"accuracy", "macro_f1"}
    [stored] = read_runs(project / "results")
    assert isinstance(stored, Run)
    assert stored.result == event.result


def test_a_metric_that_is_code_runs_only_when_allowed_and_its_failure_costs_no_run(
    anatomy: Path, project: Path
) -> None:
    list(sweep(cells(anatomy, "majority"), project / "results"))
    anatomy.write_text(TASK + "metrics: [accuracy, 'evaluate:broken.py']\n", encoding="utf-8")
    (anatomy.parent / "broken.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
    with pytest.raises(
        UsageError, match=r"task anatomy: its metric evaluate:broken.py is Python code; allow it with --allow"
    ):
        cells(anatomy, "majority")
    allowed = cells(anatomy, "majority,chance", Settings(allow_code=True))
    by_model = {cell.facts.model.name: event for cell, event in sweep(allowed, project / "results")}
    assert isinstance(by_model["majority"], Skipped)
    failed = by_model["chance"]
    assert isinstance(failed, FailedResult)
    assert "metric evaluate:broken.py cannot be loaded" in failed.reason


def test_two_sweeps_that_write_the_same_run_leave_a_whole_one(anatomy: Path, project: Path) -> None:
    command = [sys.executable, "-m", "bench", "run", "-m", "family:baseline", "-t", "anatomy", "--fresh"]
    for _ in range(2):
        both = [subprocess.Popen(command, cwd=project, stderr=subprocess.DEVNULL) for _ in range(2)]
        assert [process.wait(timeout=120) for process in both] == [0, 0]
        assert all(isinstance(run, Run) for run in read_runs(project / "results"))


def test_a_registered_task_named_by_its_path_is_the_registered_task(anatomy: Path) -> None:
    [by_path] = cells(Path("tasks/anatomy.yaml"), "chance")
    assert "--tasks anatomy --fresh" in by_path.facts.command
    assert len(find_tasks(["anatomy", "tasks/anatomy.yaml"])) == 1
    other = anatomy.parent.parent / "anatomy.yaml"
    other.write_text(
        TASK.replace("test.jsonl", "tasks/test.jsonl").replace("train.jsonl", "tasks/train.jsonl")
    )
    with pytest.raises(UsageError, match="two tasks are named 'anatomy'"):
        find_tasks(["anatomy", "anatomy.yaml"])


def test_a_run_whose_records_are_gone_is_made_again(anatomy: Path, project: Path) -> None:
    [cell] = cells(anatomy, "chance")
    list(sweep([cell], project / "results"))
    (project / "results" / cell.folder / "records.jsonl").unlink()
    *_, (_, last) = sweep([cell], project / "results")
    assert isinstance(last, DoneResult)


def test_a_result_of_a_newer_version_is_not_written_over(anatomy: Path, project: Path) -> None:
    [cell] = cells(anatomy, "chance")
    list(sweep([cell], project / "results"))
    path = project / "results" / cell.folder / "result.json"
    path.write_text('{"schema_version": 99}', encoding="utf-8")
    with pytest.raises(FileError, match="written by a newer version"):
        list(sweep([cell], project / "results", Terms(fresh=True)))
    assert path.read_text(encoding="utf-8") == '{"schema_version": 99}'


def test_a_run_folder_that_cannot_be_written_is_one_failed_cell(anatomy: Path, project: Path) -> None:
    [first] = cells(anatomy, "chance")
    [second] = cells(anatomy, "majority")
    blocked = project / "results" / first.folder.parent
    blocked.parent.mkdir(parents=True)
    blocked.write_text("in the way", encoding="utf-8")
    ends = [event for _, event in sweep([first, second], project / "results")]
    failed = [event for event in ends if isinstance(event, FailedResult)]
    assert len(failed) == 1
    assert "cannot be written: Not a directory" in failed[0].reason
    assert isinstance(ends[-1], DoneResult)


def test_speeds_count_only_the_prompts_that_were_scored(anatomy: Path, project: Path) -> None:
    cell = path_cell(anatomy, save_causal(project / "m", "llama"), context=5)
    *_, last = run_cell(cell, project / "results")
    assert isinstance(last, DoneResult)
    assert last.metrics.unread == 3
    assert (last.cost.items_per_second, last.cost.tokens_per_second, last.cost.prompt_tokens) == (
        None,
        None,
        0,
    )


def test_a_worker_that_is_killed_twice_is_a_failed_cell(anatomy: Path, project: Path) -> None:
    events = run_cell(path_cell(anatomy, save_causal(project / "m", "llama")), project / "results")
    for _ in range(2):
        assert isinstance(next(event for event in events if not isinstance(event, Retry)), Loading)
        [worker] = multiprocessing.active_children()
        assert worker.pid
        os.kill(worker.pid, 9)
    *_, last = events
    assert isinstance(last, FailedResult)
    assert last.reason == "killed from outside (signal 9), not by the system for memory"


def test_what_is_not_on_this_machine_is_missing_and_the_rest_is_planned(anatomy: Path) -> None:
    cards = select_cards("phi-2,chance", all_cards(), lambda _file: True)
    planned, missing = plan([read_task(anatomy)], cards, [Wish(Choices())], data_dir=None, offline=True)
    assert [cell.facts.model.name for cell in planned] == ["chance"]
    assert [(one.what, one.remedy.split(", or: ")[1]) for one in missing] == [
        ("model phi-2", "hf download microsoft/phi-2")
    ]


def test_exemplars_belong_to_language_models_and_are_the_same_for_every_question(
    anatomy: Path, project: Path
) -> None:
    [baseline] = cells(anatomy, "chance", choices=Choices(exemplars=2))
    assert baseline.asking.exemplars.count == 0
    card = path_cell(anatomy, save_causal(project / "m", "llama")).opening.card
    [cell], _ = plan(
        [read_task(anatomy)], [CardFile(card=card, path=anatomy)],
        [Wish(Choices(dtype="float32", exemplars=2))],
        data_dir=None, offline=True,
    )  # fmt: skip
    shown = cell.asking.exemplars.pool
    assert len(shown) == 2
    assert cell.facts.exemplar_ids == tuple(item.id for item in shown)
    assert cell.facts.variant.slug == "float32-2shot"
    assert "--exemplars 2" in cell.facts.command


def test_exemplars_without_a_split_or_too_many_are_one_missing_cell(anatomy: Path, project: Path) -> None:
    card = CardFile(card=path_cell(anatomy, save_causal(project / "m", "llama")).opening.card, path=anatomy)

    def missing(choices: Choices) -> list[tuple[str, str]]:
        cells, missing = plan([read_task(anatomy)], [card], [Wish(choices)], data_dir=None, offline=True)
        assert cells == []
        return [(one.reason, one.remedy) for one in missing]

    too_many = "9 exemplars are needed, but the exemplars split has 3 items"
    assert missing(Choices(dtype="float32", exemplars=9)) == [(too_many, "ask for fewer")]
    anatomy.write_text(TASK.replace(", exemplars: train", ""), encoding="utf-8")
    no_split = "the task names no exemplars split", "add data.splits.exemplars to it"
    assert missing(Choices(dtype="float32", exemplars=1)) == [no_split]


def test_an_encoder_decoder_does_not_run_in_float16(anatomy: Path, project: Path) -> None:
    weights = save_t5(project / "m")
    card = path_cell(anatomy, weights, architecture="encoder-decoder").opening.card
    files = [read_task(anatomy)], [CardFile(card=card, path=anatomy)]
    planned, [missing] = plan(*files, [Wish(Choices(dtype="float16"))], data_dir=None, offline=True)
    assert planned == []
    assert "T5's activations overflow in float16" in missing.reason


def test_how_a_model_is_asked_is_part_of_its_identity(anatomy: Path, project: Path) -> None:
    weights = save_causal(project / "m", "llama")
    task = TASK + "generate: {prompt: '{{ question }} Think.'}\n"
    anatomy.write_text(task, encoding="utf-8")
    chat = path_cell(anatomy, weights, chat=True).opening.card

    def cell(choices: Choices, seed: int = 0) -> Cell:
        files = [read_task(anatomy)], [CardFile(card=chat, path=anatomy)]
        wish = Wish(choices.model_copy(update={"dtype": "float32"}))
        [cell], _ = plan(*files, [wish], Settings(seed=seed), data_dir=None, offline=True)
        return cell

    variants = [
        (Choices(), 0),
        (Choices(prompt="plain"), 0),
        (Choices(exemplars=2), 0),
        (Choices(exemplars=2), 1),
        (Choices(exemplars=2, exemplar_choice="per_question"), 0),
        (Choices(generate=True), 0),
        (Choices(generate=True, max_new_tokens=9), 0),
        (Choices(generate=True, temperature=0.5), 0),
        (Choices(generate=True, temperature=0.5, samples=3), 0),
        (Choices(generate=True, temperature=0.5, samples=3), 1),
    ]
    cells = [cell(choices, seed) for choices, seed in variants]
    assert len({one.facts.id for one in cells}) == len(variants)
    assert cells[0].facts.variant.slug == "float32-chat"
    assert cells[-1].facts.variant.slug == "float32-chat-generate-3samples"
    assert cell(Choices(), seed=5).facts.id == cells[0].facts.id, "nothing is drawn, so the seed is none"
    anatomy.write_text(task + "system: Be brief.\n", encoding="utf-8")
    assert cell(Choices()).facts.id != cells[0].facts.id
    anatomy.write_text(task.replace("Think.", "Think well."), encoding="utf-8")
    assert cell(Choices()).facts.id == cells[0].facts.id, "what is written changes no score"
    assert cell(Choices(generate=True)).facts.id != cells[5].facts.id


def test_a_task_without_a_train_split_stops_only_the_baselines_that_learn(anatomy: Path) -> None:
    anatomy.write_text(TASK.replace("train: train, ", ""), encoding="utf-8")
    cards = select_cards("family:baseline", all_cards(), lambda _file: True)
    planned, missing = plan([read_task(anatomy)], cards, [Wish(Choices())], data_dir=None, offline=True)
    assert [cell.facts.model.name for cell in planned] == ["chance"]
    assert [one.what for one in missing] == ["model majority on task anatomy", "model tfidf on task anatomy"]


def test_training_items_that_are_tested_too_are_refused(anatomy: Path) -> None:
    write_lines(anatomy.parent / "train.jsonl", [*TRAIN, ITEMS[0] | {"id": "t4"}])
    with pytest.raises(FileError, match=r"train.jsonl:4: item t4: is also in the test split"):
        cells(anatomy, "majority")
    assert len(cells(anatomy, "chance")) == 1


def test_a_results_folder_that_cannot_be_written_is_told_before_anything_runs(project: Path) -> None:
    (project / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(BenchError, match=r"cannot be written: .*give another with --results"):
        check_writable(project / "file" / "results")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a result file"),
        ('{"schema_version": 1, "status": "odd"}', "not a result file"),
        (
            '{"schema_version": 99}',
            f"written by a newer version (schema 99, this one reads {SCHEMA_VERSION}); update SLM Bench",
        ),
    ],
)
def test_a_result_that_cannot_be_read_says_why(project: Path, damage: str, message: str) -> None:
    path = project / "result.json"
    path.write_text(damage, encoding="utf-8")
    with pytest.raises(FileError) as caught:
        read_result(path)
    assert "result.json" in str(caught.value)
    assert message in str(caught.value)


def test_records_that_were_changed_by_hand_are_not_trusted(anatomy: Path, project: Path) -> None:
    [cell] = cells(anatomy, "chance")
    results = project / "results"
    list(sweep([cell], results))
    path = results / cell.folder / "records.jsonl"
    path.write_text(path.read_text().replace('"is_correct":false', '"is_correct":true'), encoding="utf-8")
    [error] = read_runs(results)
    assert isinstance(error, FileError)
    assert "not the records that result.json was made from" in str(error)


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_golden_result_of_every_schema_is_still_read(version: int) -> None:
    folder = ROOT / "tests" / "golden" / f"schema-{version}"
    [path] = folder.rglob("result.json")
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["schema_version"] == version
    [run] = read_runs(folder)
    assert isinstance(run, Run)
    result = run.result
    assert isinstance(result, DoneResult)
    assert result.metrics.accuracy.total == len(run.records)
    assert result.metrics == measure(run.records, installed_metrics(written["metrics"]["values"]))
    if version == SCHEMA_VERSION:
        assert json.loads(summary_bytes(result)) == written
