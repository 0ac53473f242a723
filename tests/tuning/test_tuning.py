"""Tuning: real small models learn, what is tested is kept out, and what was made is what is scored."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from bench.board.changes import changes, describe_change
from bench.cells.adapted import QUICK, tuning_job
from bench.cells.cell import Cell
from bench.cells.plan import plan
from bench.cells.wish import UNTOUCHED, Change, Quick, Wish
from bench.engines.engine import in_order
from bench.engines.loading import open_transformers
from bench.engines.transformer import TransformerEngine
from bench.errors import BenchError, FileError
from bench.evaluate import evaluate
from bench.inputs.adapter import CARD, Adapter, AdapterCard, Method, Recipe, read_adapter
from bench.inputs.cards import CardFile
from bench.inputs.choices import Choices
from bench.inputs.data import Split, load_split
from bench.inputs.model_card import Architecture, ModelCard
from bench.inputs.task import read_task
from bench.inputs.weights import Weights, find_weights
from bench.results.answers import Answered, read_answered
from bench.results.result import DoneResult, FailedResult
from bench.stats.paired import mcnemar, paired
from bench.sweeps.events import Skipped
from bench.sweeps.tune_first import run_tuning
from bench.tuning.examples import hold_out, limit_options
from bench.tuning.job import Job, Prepared, Step
from bench.tuning.leakage import leaks
from bench.tuning.pace import Pace
from bench.tuning.training import tune
from bench.types import Item, Quantization, ScoreRequest
from conftest import TASK, write_lines
from played import sweep
from tiny import ITEM, prompts, save_causal, save_t5

pytestmark = pytest.mark.usefixtures("torch_imported_once")
WORDS = ["scurvy", "insulin", "fever", "cough", "liver", "pancreas", "spleen", "kidney", "vitamin"]


def questions(count: int, start: int = 0) -> list[dict[str, object]]:
    """Questions that share few words, with answers that follow from nothing: to be learnt by heart."""
    return [
        {
            "id": f"n{number}",
            "question": " ".join(4 * [WORDS[number % 9]] + 4 * [WORDS[number * 5 % 11 % 9]]) + f" {number}?",
            "options": ["Liver", "Pancreas", "Spleen"],
            "answer": number % 3,
        }
        for number in range(start, start + count)
    ]


@pytest.fixture
def task(project: Path) -> Path:
    folder = project / "tasks"
    write_lines(folder / "train.jsonl", questions(12))
    write_lines(folder / "test.jsonl", questions(12, start=100))
    (folder / "anatomy.yaml").write_text(TASK, encoding="utf-8")
    return folder / "anatomy.yaml"


def model_card(folder: Path, name: str = "tiny") -> ModelCard:
    architecture: Architecture = "encoder-decoder" if (folder / "spiece.model").is_file() else "decoder"
    values = {"name": name, "title": "Tiny", "family": "tiny", "license": "mit", "context": 512}
    return ModelCard.model_validate(values | {"architecture": architecture, "source": {"path": str(folder)}})


def base(folder: Path, family: str) -> Path:
    return save_t5(folder, factor=1.0) if family == "t5" else save_causal(folder, family)


def cell_of(task: Path, weights: Path, quantize: Quantization = "none", change: Change = UNTOUCHED) -> Cell:
    card = CardFile(card=model_card(weights), path=task)
    wish = Wish(Choices(dtype="float32", quantize=quantize), change)
    [cell], _ = plan([read_task(task)], [card], [wish], data_dir=None, offline=True)
    return cell


def split(task: Path, role: Any) -> Split:
    loaded = load_split(read_task(task), role, data_dir=None, offline=True)
    assert loaded
    return loaded


def job_of(task: Path, weights: Path, out: Path, **recipe: Any) -> Job:
    given = {"steps": 60, "learning_rate": 1e-2, "held_out": 0.0, "dtype": "float32", "prompt": "plain"}
    cell = cell_of(task, weights, quantize=recipe.get("quantize", "none"))
    made = Recipe.model_validate(given | recipe)
    return tuning_job(cell, made, split(task, "train"), split(task, "test"), out)


def local(job: Job) -> Weights:
    assert isinstance(job.weights, Weights)
    return job.weights


def tuned(job: Job, said: list[Prepared | Step] | None = None) -> AdapterCard:
    return tune(job, local(job), (said if said is not None else []).append, lambda: (None, None))


def opened(job: Job, adapter: Adapter | None = None) -> TransformerEngine:
    """The model with the adapter, as a cell opens it."""
    return open_transformers(replace(job.opening, adapter=adapter or read_adapter(job.out)), local(job))


def untouched(job: Job) -> TransformerEngine:
    return open_transformers(job.opening, local(job))


def letters(engine: TransformerEngine, texts: list[str]) -> list[float]:
    requests = [ScoreRequest(ITEM, text, ((" A", " B", " C"),)) for text in texts]
    replies = in_order(engine.score([engine.encode(request) for request in requests]))
    return [value for scores in replies for value in scores.logprobs[0]]


def right(engine: TransformerEngine, job: Job) -> int:
    batches = evaluate(job.asking, job.train, engine)
    return sum(record.is_correct for answered in batches for record in answered.records)


def scored_by_the_library(job: Job, texts: list[str]) -> list[float]:
    """The same scores with the adapter as peft or transformers load it themselves."""
    seq2seq = job.opening.card.architecture == "encoder-decoder"
    auto = AutoModelForSeq2SeqLM if seq2seq else AutoModelForCausalLM
    folder = local(job).path
    if job.recipe.method == "full":
        model = auto.from_pretrained(job.out, dtype=torch.float32)
    else:
        model = PeftModel.from_pretrained(auto.from_pretrained(folder, dtype=torch.float32), job.out)
        model = model.get_base_model()
    engine = untouched(job)
    return letters(replace(engine, model=model.eval(), path="plain"), texts)


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("family", ["qwen2", "phi", "t5"])
def test_a_tuned_model_knows_its_questions_and_scores_as_the_library_loads_it(
    task: Path, tmp_path: Path, family: str, method: Method
) -> None:
    weights = base(tmp_path / "m", family)
    rate = 1e-2 if method == "lora" else 3e-3
    steps = 200 if family == "t5" else 60
    job = job_of(task, weights, tmp_path / "a", method=method, learning_rate=rate, steps=steps)
    before = right(untouched(job), job)
    card = tuned(job)
    engine = opened(job)
    assert right(engine, job) >= 11 > before
    assert card.outcome.train_loss_last < 0.75 * card.outcome.train_loss_first
    assert card.outcome.steps == steps
    texts = prompts(4)
    assert letters(engine, texts) == pytest.approx(scored_by_the_library(job, texts), abs=1e-3)
    assert letters(opened(job), texts) == letters(engine, texts)


@pytest.mark.parametrize(("family", "quantize"), [("llama", "nf4"), ("llama", "int8"), ("t5", "nf4")])
def test_an_adapter_is_trained_over_a_quantised_base(
    task: Path, tmp_path: Path, family: str, quantize: Quantization
) -> None:
    steps = 200 if family == "t5" else 60
    job = job_of(task, base(tmp_path / "m", family), tmp_path / "a", quantize=quantize, steps=steps)
    tuned(job)
    engine = opened(job)
    assert right(engine, job) >= 11
    assert engine.model.is_quantized


@pytest.mark.parametrize("method", ["lora", "full"])
def test_activations_are_computed_again_where_memory_asks_for_it(
    task: Path, tmp_path: Path, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = save_causal(tmp_path / "m", "llama")
    rate = 1e-2 if method == "lora" else 3e-3
    whole = job_of(task, weights, tmp_path / "a", method=method, learning_rate=rate, steps=10)
    assert not tuned(whole).outcome.gradient_checkpointing
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1e6))
    again = replace(whole, out=tmp_path / "b")
    assert tuned(again).outcome.gradient_checkpointing
    texts = prompts(4)
    assert letters(opened(again), texts) == pytest.approx(letters(opened(whole), texts), abs=1e-3)


def test_the_best_checkpoint_by_questions_held_out_is_kept(task: Path, tmp_path: Path) -> None:
    job = job_of(task, save_causal(tmp_path / "m", "llama"), tmp_path / "a", held_out=0.25, steps=80)
    said: list[Prepared | Step] = []
    outcome = tuned(job, said).outcome
    assert isinstance(said[0], Prepared)
    assert (said[0].train, said[0].held_out) == (9, 3)
    losses = dict(outcome.held_out_losses)
    trained = {step: loss for step, loss in losses.items() if step}
    assert 0 in losses
    assert trained[outcome.best_step] == min(trained.values())
    # What was learnt by heart says nothing of the others: more training made it worse, and ended it.
    assert outcome.stopped == "no better"
    assert outcome.steps < 80


def test_a_tuning_that_was_stopped_goes_on_and_ends_as_if_it_had_not(task: Path, tmp_path: Path) -> None:
    weights = save_causal(tmp_path / "m", "llama")
    whole = job_of(task, weights, tmp_path / "whole", steps=20)
    tuned(whole)
    torn = job_of(task, weights, tmp_path / "torn", steps=20)

    def stop_at_nine(event: Prepared | Step) -> None:
        if isinstance(event, Step) and event.step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(torn, local(torn), stop_at_nine, lambda: (None, None))
    assert not torn.out.exists()
    said: list[Prepared | Step] = []
    tuned(torn, said)
    steps = [event.step for event in said if isinstance(event, Step)]
    assert steps[0] == 9
    assert steps[-1] == 20
    a, b = (load_file(job.out / "adapter_model.safetensors") for job in (whole, torn))
    assert all(torch.allclose(a[name], b[name], atol=1e-5) for name in a)
    assert [path.name for path in tmp_path.glob(".*tuning")] == []


def test_another_recipe_does_not_go_on_with_what_was_left(task: Path, tmp_path: Path) -> None:
    weights = save_causal(tmp_path / "m", "llama")

    def stop(event: Prepared | Step) -> None:
        if isinstance(event, Step) and event.step == 9:
            raise KeyboardInterrupt

    stopped = job_of(task, weights, tmp_path / "a", steps=20)
    with pytest.raises(KeyboardInterrupt):
        tune(stopped, local(stopped), stop, lambda: (None, None))
    said: list[Prepared | Step] = []
    tuned(job_of(task, weights, tmp_path / "a", steps=20, rank=4), said)
    assert next(event.step for event in said if isinstance(event, Step)) == 1


VIGNETTE = (
    "A 45-year-old woman comes to the clinic with six weeks of tiredness, weight gain and a feeling of cold "
    "in both hands. She takes no medicines. Her pulse is 54 a minute, her skin is dry and her reflexes are "
    "slow to relax. Blood tests show a high level of thyrotropin. What is the best first treatment for her?"
)
EDITED = VIGNETTE.replace("45", "52").replace("six weeks", "two months").replace("dry", "coarse")


def test_training_questions_that_are_tested_are_dropped_verbatim_and_with_small_edits(
    task: Path, tmp_path: Path
) -> None:
    tested = {"id": "v", "question": VIGNETTE, "options": ["Levothyroxine", "Iodine", "Rest"], "answer": 0}
    planted = [
        tested | {"id": "same"},
        tested | {"id": "spaced", "question": VIGNETTE.upper().replace(" ", "  ")},
        tested | {"id": "edited", "question": EDITED, "options": ["Rest", "Levothyroxine", "Surgery"]},
    ]
    write_lines(task.parent / "test.jsonl", [*questions(5, start=100), tested])
    write_lines(task.parent / "train.jsonl", [*questions(12), *planted])
    job = job_of(task, save_causal(tmp_path / "m", "llama"), tmp_path / "a", steps=2)
    said: list[Prepared | Step] = []
    card = tuned(job, said)
    assert {leak.train_id for leak in card.learnt.leaks} == {"same", "spaced", "edited"}
    assert {leak.test_id for leak in card.learnt.leaks} == {"v"}
    assert card.learnt.rows == 12
    assert isinstance(said[0], Prepared)
    assert said[0].leaks == card.learnt.leaks
    assert "edited, like v" in (job.out / "README.md").read_text(encoding="utf-8")


def test_short_questions_that_differ_in_a_word_are_two_questions() -> None:
    options = ("Liver", "Pancreas", "Spleen")
    test = [Item("a", "Which organ makes insulin?", options, 1)]
    train = [
        Item("b", "Which organ makes bile?", options, 0),
        Item("c", "which organ makes INSULIN", options, 1),
    ]
    assert [leak.train_id for leak in leaks(train, test)] == ["c"]
    assert leaks([], test) == leaks(train, []) == []


def test_an_adapter_for_another_model_is_refused(task: Path, tmp_path: Path) -> None:
    job = job_of(task, save_causal(tmp_path / "m", "llama"), tmp_path / "a", steps=2)
    tuned(job)
    adapter = read_adapter(job.out)

    def missing(weights: Path, name: str) -> str:
        file = CardFile(card=model_card(weights, name), path=task)
        wish = Wish(Choices(dtype="float32"), adapter)
        cells, [one] = plan([read_task(task)], [file], [wish], data_dir=None, offline=True)
        assert cells == []
        return one.reason

    assert missing(tmp_path / "m", "other") == "the adapter a was made for tiny, not for other"
    other = save_causal(tmp_path / "q", "phi")
    assert missing(other, "tiny") == "the adapter a was made for other weights of tiny"
    # Without our card nobody says what it was made for, and its weights have to tell.
    stranger = replace(adapter, card=None)
    weights = find_weights(CardFile(card=model_card(other), path=task), offline=True)
    assert isinstance(weights, Weights)
    with pytest.raises(BenchError, match=r"the adapter a \(made for tiny\) does not fit this model: "):
        open_transformers(replace(job.opening, adapter=stranger), weights)


def damaged(adapter: Path, to: Path, change: Any) -> Adapter:
    shutil.copytree(adapter, to)
    path = to / "adapter_model.safetensors"
    save_file(change(load_file(path)), path)
    return read_adapter(to)


def test_an_adapter_that_does_nothing_or_is_not_whole_is_an_error(task: Path, tmp_path: Path) -> None:
    job = job_of(task, save_causal(tmp_path / "m", "llama"), tmp_path / "a", steps=4)
    tuned(job)

    def opens(adapter: Adapter) -> None:
        opened(job, adapter)

    zero = damaged(job.out, tmp_path / "zero", lambda w: {name: tensor * 0 for name, tensor in w.items()})
    with pytest.raises(BenchError, match="the adapter zero changes no score"):
        opens(zero)
    half = damaged(job.out, tmp_path / "half", lambda w: dict(list(w.items())[2:]))
    with pytest.raises(BenchError, match=r"the adapter half \(made for tiny\) does not fit .* lacks "):
        opens(half)
    more = damaged(
        job.out, tmp_path / "more", lambda w: w | {"base_model.model.x.lora_A.weight": torch.ones(1)}
    )
    with pytest.raises(BenchError, match="has no place for"):
        opens(more)
    (tmp_path / "more" / "adapter_model.safetensors").unlink()
    with pytest.raises(FileError, match="no adapter_model"):
        read_adapter(tmp_path / "more")
    (tmp_path / "half" / "slm-bench.json").write_text("{}", encoding="utf-8")
    with pytest.raises(FileError, match=r"slm-bench\.json: bench_version: not an adapter card"):
        read_adapter(tmp_path / "half")


def test_a_quick_tuning_is_scored_beside_the_untouched_model_and_used_again(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    weights, results = save_causal(tmp_path / "m", "llama"), tmp_path / "results"
    file = CardFile(card=model_card(weights), path=task)
    choices = Choices(dtype="float32")
    wishes = [Wish(choices), Wish(choices, Quick(minutes=0.5))]

    def cells() -> list[Cell]:
        planned, _ = plan([read_task(task)], [file], wishes, data_dir=None, offline=True)
        return planned

    events = list(sweep(cells(), results))
    assert any(isinstance(event, Prepared) for _, event in events)
    assert not [event for _, event in events if isinstance(event, FailedResult)]
    before, after = (event for _, event in events if isinstance(event, DoneResult))
    assert before.cell.variant.adapter is None
    adapter = after.cell.variant.adapter
    assert adapter
    assert (adapter.name, adapter.seen) == (QUICK, 0)
    assert adapter.outcome
    assert after.cell.command.endswith(" --lora quick --lora-minutes 0.5 --fresh")
    assert after.cell.id != before.cell.id
    again = [event for _, event in sweep(cells(), results)]
    assert [type(event) for event in again] == [Skipped, Skipped]
    [change] = changes([run for run in read_answered(results) if isinstance(run, Answered)])
    assert change.name == "LoRA"
    assert describe_change(change).startswith(f"LoRA: {100 * before.metrics.accuracy.value:.1f}\u202f% → ")
    assert "tuning took" in describe_change(change)


def test_a_tuning_that_fails_is_a_failed_cell_and_the_next_one_runs(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    write_lines(task.parent / "train.jsonl", questions(12, start=100))  # all of it is tested
    file = CardFile(card=model_card(save_causal(tmp_path / "m", "llama")), path=task)
    choices = Choices(dtype="float32")
    wishes = [Wish(choices, Quick(minutes=0.05)), Wish(choices)]
    cells, _ = plan([read_task(task)], [file], wishes, data_dir=None, offline=True)
    ends = [e for _, e in sweep(cells, tmp_path / "r") if isinstance(e, (DoneResult, FailedResult))]
    failed, done = ends
    assert isinstance(failed, FailedResult)
    assert failed.reason.startswith("tuning failed: no training example is left")
    assert isinstance(done, DoneResult)


def test_questions_that_an_adapter_was_trained_on_are_counted_where_they_are_asked(
    task: Path, tmp_path: Path
) -> None:
    weights = save_causal(tmp_path / "m", "llama")
    job = job_of(task, weights, tmp_path / "a", steps=2)
    tuned(job)
    write_lines(task.parent / "test.jsonl", [*questions(5), *questions(3, start=200)])
    seen = cell_of(task, weights, change=read_adapter(job.out)).facts.variant.adapter
    assert seen
    assert seen.seen == 5


def test_extra_wrong_options_are_dropped_by_seed_and_the_answer_stays() -> None:
    items = [Item(f"q{n}", f"question {n}", ("a", "b", "c", "d", "e"), n % 5) for n in range(200)]
    limited, fewer = limit_options(items, 4, 0)
    assert fewer == 200
    assert all(len(item.options) == 4 for item in limited)
    assert all(
        new.options[new.answer] == old.options[old.answer] for new, old in zip(limited, items, strict=True)
    )
    assert limited == limit_options(items, 4, 0)[0]
    assert limited != limit_options(items, 4, 1)[0]
    dropped = [
        next(o for o in old.options if o not in new.options) for new, old in zip(limited, items, strict=True)
    ]
    assert set(dropped) == set("abcde")
    assert limit_options(items, 5, 0) == (items, 0)


def test_what_is_held_out_is_a_part_drawn_by_seed() -> None:
    items = [Item(f"q{n}", "", (), 0) for n in range(100)]
    kept, held = hold_out(items, 0.1, 64, 0)
    assert sorted([*kept, *held], key=items.index) == items
    assert len(held) == 10
    assert held != hold_out(items, 0.1, 64, 1)[1]
    assert len(hold_out(items, 0.5, 8, 0)[1]) == 8
    assert hold_out(items, 0.0, 64, 0) == (items, [])


@pytest.mark.parametrize("save_seconds", [0.1, 4.0])
@pytest.mark.parametrize("step_seconds", [0.5, 3.0, 11.0])
@pytest.mark.parametrize("minutes", [1.0, 10.0])
def test_a_budget_of_minutes_is_kept_within_a_tenth(
    minutes: float, step_seconds: float, save_seconds: float, tmp_path: Path
) -> None:
    clock = SimpleNamespace(now=20.0)  # loading took that long
    check_seconds = 6.0
    recipe = Recipe(minutes=minutes, learning_rate=1.0, dtype="float32", prompt="plain")
    pace = Pace(recipe, 0.0, True, lambda _step: None, lambda: clock.now)
    state: Any = SimpleNamespace(global_step=0, max_steps=10**9, best_model_checkpoint=None)
    control: Any = SimpleNamespace(should_evaluate=False, should_save=False, should_training_stop=False)
    args: Any = SimpleNamespace(output_dir=str(tmp_path))
    group = {"lr": 0.0}
    rates: list[float] = []

    def check() -> None:
        clock.now += check_seconds
        pace.on_evaluate(args, state, control, metrics={"eval_runtime": check_seconds, "eval_loss": 1.0})

    check()
    while not control.should_training_stop:
        pace.on_step_begin(args, state, control, optimizer=SimpleNamespace(param_groups=[group]))
        rates.append(group["lr"])
        clock.now += step_seconds
        state.global_step += 1
        pace.on_step_end(args, state, control)
        if control.should_evaluate:
            check()
        if control.should_save:
            clock.now += save_seconds
            pace.on_save(args, state, control)
        control.should_evaluate = control.should_save = False
    clock.now += save_seconds  # the adapter itself
    assert 0.9 * 60 * minutes - step_seconds - 2 * save_seconds <= clock.now <= 1.1 * 60 * minutes
    assert max(rates) > 0.5
    assert rates[-1] < 0.5 < 2 * max(rates) - rates[-1]


def test_the_paired_test_is_the_binomial_one() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    # 2 · (1 + 12 + 66) / 2^12: at most two of twelve fall on one side.
    assert mcnemar(2, 10) == pytest.approx(158 / 4096)
    first = np.array([True] * 30 + [False] * 70)
    second = np.array([True] * 20 + [False] * 10 + [True] * 25 + [False] * 45)
    comparison = paired(first, second, clusters=None)
    assert (comparison.both, comparison.only_first, comparison.only_second, comparison.neither) == (
        20,
        10,
        25,
        45,
    )
    assert comparison.difference == pytest.approx(0.15)
    assert comparison.interval.low < 0.15 < comparison.interval.high
    # The normal interval of a paired difference, within a step of the bootstrap.
    half = 1.96 * ((35 / 100 - 0.15**2) / 100) ** 0.5
    assert comparison.interval.low == pytest.approx(0.15 - half, abs=0.02)
    assert comparison.interval.high == pytest.approx(0.15 + half, abs=0.02)


def test_tune_and_run_from_the_command_line(
    task: Path, tmp_path: Path, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_causal(tmp_path / "weights", "llama")
    card = model_card(tmp_path / "weights").model_dump(mode="json", exclude_defaults=True)
    (tmp_path / "model_cards").mkdir()
    (tmp_path / "model_cards" / "tiny.yaml").write_text(json.dumps(card), encoding="utf-8")
    words = ["tune", "-m", "tiny", "-t", "anatomy", "--dtype", "float32", "--steps", "3", "--out", "mine"]
    done = bench(*words)
    assert done.exit_code == 0, done.output
    assert "tuning on 11 examples, 1 held out" in done.stderr
    assert "score it: bench run --models tiny --tasks anatomy --lora none --adapter mine" in done.stdout
    assert "mine already holds an adapter" in bench(*words).stderr
    run = ["run", "-m", "tiny", "-t", "anatomy", "--dtype", "float32"]
    both = bench(*run, "--lora", "none", "--adapter", "mine")
    assert both.exit_code == 0, both.output
    assert "tiny, LoRA: " in both.stdout
    assert "McNemar's p = " in both.stdout
    assert bench(*run, "--adapter", "nowhere").stderr == "bench: there is no adapter folder nowhere\n"
    assert "'nf5' is not one of 'none', 'int8'" in bench(*run, "--quantize", "nf5").stderr
    assert "give only one of --minutes" in bench(*words, "--minutes", "1").stderr


def run_to_the_end(job: Job) -> Iterator[object]:
    yield from run_tuning(job)


def test_a_tuning_runs_in_a_process_of_its_own(task: Path, tmp_path: Path) -> None:
    job = job_of(task, save_causal(tmp_path / "m", "llama"), tmp_path / "a", steps=2)
    *_, last = run_to_the_end(job)
    assert isinstance(last, Adapter)
    assert last.card
    assert last.card.outcome.peak_memory_bytes
    wrong = replace(
        job, out=tmp_path / "b", recipe=job.recipe.model_copy(update={"target": "no_such_layer"}), key="other"
    )
    *_, failed = run_to_the_end(wrong)
    assert "--target no_such_layer does not fit this model" in str(failed)


def test_a_short_question_that_is_tested_is_not_trained_on() -> None:
    question = "Which of the following vitamins is required for the synthesis of clotting factors?"
    test = [Item("a", question, ("Vitamin K", "Vitamin C", "Vitamin E"), 0)]
    train = [
        Item("other-options", question, ("Folate", "Thiamine", "Vitamin K"), 2),
        Item("one-word", question.replace("synthesis", "production"), test[0].options, 0),
        Item("another", "Which vitamin is missing in scurvy?", test[0].options, 1),
    ]
    assert [leak.train_id for leak in leaks(train, test)] == ["other-options", "one-word"]


def test_what_an_adapters_configuration_makes_of_its_weights_is_part_of_its_digest(
    task: Path, tmp_path: Path
) -> None:
    job = job_of(task, save_causal(tmp_path / "m", "llama"), tmp_path / "a", steps=2)
    tuned(job)
    before = read_adapter(job.out)
    path = job.out / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"base_model_name_or_path": "elsewhere"}), encoding="utf-8")
    assert read_adapter(job.out).sha256 == before.sha256
    path.write_text(json.dumps(config | {"lora_alpha": 64}), encoding="utf-8")
    assert read_adapter(job.out).sha256 != before.sha256
    path.write_text(json.dumps(config | {"peft_type": "PROMPT_TUNING"}), encoding="utf-8")
    with pytest.raises(FileError, match="only LoRA adapters are supported"):
        read_adapter(job.out)


def test_a_full_tuning_that_is_the_model_itself_or_not_whole_is_an_error(task: Path, tmp_path: Path) -> None:
    weights = save_causal(tmp_path / "m", "llama")
    job = job_of(task, weights, tmp_path / "a", method="full", steps=2)
    tuned(job)
    own = load_file(weights / "model.safetensors")
    save_file(own, job.out / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BenchError, match="the adapter a changes no score: its weights are the model's own"):
        opened(job)
    own.popitem()
    save_file(own, job.out / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BenchError, match=r"the weights cannot be loaded: .* is not in them"):
        opened(job)


def test_a_full_tuning_with_added_tokens_is_scored_as_the_library_loads_it(
    task: Path, tmp_path: Path
) -> None:
    job = job_of(task, save_causal(tmp_path / "m", "llama"), tmp_path / "a", method="full", steps=2)
    tuned(job)
    before = read_adapter(job.out)
    model: Any = AutoModelForCausalLM.from_pretrained(job.out, dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(job.out)
    tokenizer.add_tokens(["<one>", "<two>"])
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(job.out)
    tokenizer.save_pretrained(job.out)
    engine = opened(job)
    assert engine.tokenizer("<two>")["input_ids"] == [len(tokenizer) - 1]
    texts = [*prompts(2), "<one> Which organ <two>?"]
    library = replace(engine, model=model.eval(), path="plain")
    assert letters(engine, texts) == pytest.approx(letters(library, texts), abs=1e-3)
    assert read_adapter(job.out).sha256 != before.sha256


def test_the_tokenizer_of_a_full_tuning_counts_once_it_is_edited(task: Path, tmp_path: Path) -> None:
    job = job_of(task, save_causal(tmp_path / "m", "llama"), tmp_path / "a", method="full", steps=2)
    tuned(job)
    path = job.out / CARD
    now = read_adapter(job.out)
    earlier = json.loads(path.read_text(encoding="utf-8"))
    assert earlier.pop("tokenizer")
    path.write_text(json.dumps(earlier), encoding="utf-8")
    assert read_adapter(job.out).sha256 == now.sha256, "an older card says nothing of the tokenizer"
    assert now.card
    path.write_text(now.card.model_dump_json(), encoding="utf-8")
    (job.out / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    assert read_adapter(job.out).sha256 != now.sha256


def test_a_checkpoint_that_a_kill_tore_is_not_gone_on_with(task: Path, tmp_path: Path) -> None:
    job = job_of(task, save_causal(tmp_path / "m", "llama"), tmp_path / "a", steps=20)

    def stop_at_nine(event: Prepared | Step) -> None:
        if isinstance(event, Step) and event.step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(job, local(job), stop_at_nine, lambda: (None, None))
    [work] = tmp_path.glob(".*.tuning")
    (work / "checkpoint-8" / "trainer_state.json").write_text('{"half', encoding="utf-8")
    said: list[Prepared | Step] = []
    tuned(job, said)
    assert next(event.step for event in said if isinstance(event, Step)) == 7


def test_a_loss_that_is_no_number_fails_and_leaves_no_adapter(task: Path, tmp_path: Path) -> None:
    weights = save_causal(tmp_path / "m", "llama")
    job = job_of(task, weights, tmp_path / "a", method="full", steps=5, learning_rate=1e18)
    with pytest.raises(BenchError, match="try a smaller --learning-rate"):
        tuned(job)
    assert not job.out.exists()


def test_what_was_spent_before_a_stop_counts_once(tmp_path: Path) -> None:
    clock = SimpleNamespace(now=100.0)
    recipe = Recipe(minutes=1, learning_rate=1.0, dtype="float32", prompt="plain", held_out=0.0)
    pace = Pace(recipe, 100.0, False, lambda _step: None, lambda: clock.now)
    (tmp_path / "elapsed.json").write_text("30.0", encoding="utf-8")
    args: Any = SimpleNamespace(output_dir=str(tmp_path))
    state: Any = SimpleNamespace(global_step=4, max_steps=10**9, best_model_checkpoint=None)
    for _ in range(2):  # the second attempt, after the first ran out of memory
        pace.on_train_begin(args, state, SimpleNamespace())  # type: ignore[arg-type]
        assert pace.elapsed == 30.0
