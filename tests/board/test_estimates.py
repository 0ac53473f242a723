"""Estimates for models that did not run, against models that did: each is left out in turn.

The measured models are those of docs/estimate_models.py: 24 of real classes with random weights.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.board.board import TaskBoard, make_board
from bench.board.candidates import hardware
from bench.board.choice import Choice, choose
from bench.board.choice_facts import facts_of
from bench.board.choice_words import sentence
from bench.board.estimate_words import estimate_facts, estimate_lines, inputs
from bench.board.estimates import NO_SIZE, OTHERWISE, TOO_LARGE, Estimates, estimates
from bench.board.fits import Costs, Fit, Setting, Weights, cache_bytes, costs_of, fits, kept_bytes, tokens_of
from bench.board.limits import Limits
from bench.inputs.cards import CardFile
from bench.inputs.file_sizes import FileSize, file_size
from bench.inputs.model_card import ModelCard
from bench.inputs.task import Generate
from bench.results.answers import Answered, AnyRun, read_answered
from bench.results.result import RESULT, DoneResult
from bench.results.upgrade import upgrade_result
from bench.types import CacheShape
from conftest import ROOT
from tiny import save_causal, tiny_card

FILE = Path(__file__).with_name("models_of_many_sizes.jsonl")
MB = 10**6


@pytest.fixture(scope="module")
def measured() -> list[DoneResult]:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    results = [RESULT.validate_python(upgrade_result(json.loads(line)), strict=False) for line in lines]
    return [result for result in results if isinstance(result, DoneResult)]


@pytest.fixture(scope="module")
def answered(measured: list[DoneResult]) -> list[Answered]:
    """The measured runs, with answers to other questions: costs do not depend on them."""
    runs = read_answered(ROOT / "results" / "medqa_sample" / "smollm2-135m-instruct-q4_1")
    base = next(run for run in runs if isinstance(run, Answered))
    return [Answered(Path(result.model_name), result, base.answers) for result in measured]


def left_out(measured: Sequence[DoneResult], at: int) -> Costs:
    """The estimate of one model by all others, which know only the size of its files."""
    result = measured[at]
    (fit,) = fits([each for each in measured if each is not result]).values()
    size = result.cost.weights_bytes or 0
    costs = costs_of(fit, Weights(size, size))
    assert costs is not None
    return costs


def test_memory_is_estimated_within_a_tenth_for_95_of_100_models(measured: list[DoneResult]) -> None:
    peaks = [result.cost.peak_memory_bytes or 0 for result in measured]
    errors = [abs(left_out(measured, at).memory.value / peak - 1) for at, peak in enumerate(peaks)]
    assert len(errors) == 24
    assert sum(error <= 0.1 for error in errors) >= 0.95 * len(errors)


@pytest.mark.parametrize("name", ["p50", "p95"])
def test_the_interval_of_the_latency_holds_it_for_90_of_100_models(
    measured: list[DoneResult], name: str
) -> None:
    within: list[bool] = []
    for at, result in enumerate(measured):
        estimated, time = getattr(left_out(measured, at), name), getattr(result.cost.alone, name)
        within.append(estimated.low <= time <= estimated.high)
    assert sum(within) >= 0.9 * len(within)


def test_the_interval_of_the_latency_says_something(measured: list[DoneResult]) -> None:
    """One from zero to infinity would hold every time."""
    widths = [(p50.high - p50.low) / p50.value for at in range(24) if (p50 := left_out(measured, at).p50)]
    assert len(widths) == 24
    assert sorted(widths)[12] < 1.0


def chosen(runs: Sequence[AnyRun], limits: Limits, *cards: ModelCard) -> tuple[Choice, tuple[TaskBoard, ...]]:
    tables = make_board(list(runs), cards, []).tasks
    return choose(tables, {"sizes": 1.0}, limits), tables


def estimated(
    runs: Sequence[AnyRun], limits: Limits, sizes: dict[str, FileSize], *others: str, machine: str = ""
) -> Estimates:
    choice, tables = chosen(runs, limits, *(card(name) for name in (*sizes, *others)))
    return estimates(tables, choice, sizes, machine)


def card(name: str, **facts: object) -> ModelCard:
    return tiny_card(Path("weights"), name=name, title=name.title(), **facts)


def text_of(made: Estimates) -> str:
    return "\n".join(estimate_lines(made)).replace("\u202f", " ")


def test_a_model_that_did_not_run_is_named_with_its_interval_and_the_command(
    answered: list[Answered],
) -> None:
    made = estimated(answered, Limits(memory=2000 * MB), {"new": FileSize(600 * MB, 2)})
    (new,) = made.models
    assert new.memory.low < new.memory.value < new.memory.high
    assert new.memory.value == pytest.approx(1.13e9, rel=0.1)
    first, command = text_of(made).splitlines()
    assert first.startswith("Not measured here, estimated: New about 1.1")
    assert first.endswith(": may fit.")
    assert command == "  bench run --models new --tasks sizes --latency"
    assert "weights in memory, by the size of its files" in "\n".join(inputs(made))


def test_files_of_32_bits_take_half_as_much_in_memory(answered: list[Answered]) -> None:
    made = estimated(answered, Limits(), {"b": FileSize(600 * MB, 2), "a": FileSize(1200 * MB, 4)})
    first, second = made.models
    assert (first.memory, first.p50) == (second.memory, second.p50)


def test_what_files_may_hold_twice_widens_the_interval_downwards(answered: list[Answered]) -> None:
    sizes = {"once": FileSize(600 * MB, 2), "twice": FileSize(600 * MB, 2, least=450 * MB)}
    by_name = {each.model: each.memory for each in estimated(answered, Limits(), sizes).models}
    assert by_name["twice"].low < by_name["once"].low - 100 * MB
    assert by_name["twice"].high == by_name["once"].high


def test_three_are_named_and_the_rest_is_counted(answered: list[Answered]) -> None:
    sizes = {f"m{at}": FileSize(at * 100 * MB, 2) for at in range(1, 9)}
    lines = text_of(estimated(answered, Limits(memory=1050 * MB), sizes)).splitlines()
    assert [line[30:32] for line in lines[:3]] == ["M5", "M4", "M3"]
    assert lines[3].startswith("Not measured here, estimated: 2 more may fit, and 3 are probably beyond")
    assert lines[4] == "  bench run --models m5,m4,m3 --tasks sizes --latency"
    assert len(lines) == 5


def test_an_estimate_never_changes_the_answer(answered: list[Answered]) -> None:
    without, _ = chosen(answered, Limits(memory=1000 * MB))
    beside, tables = chosen(answered, Limits(memory=1000 * MB), card("new"))
    assert estimates(tables, beside, {"new": FileSize(MB, 2)}).models
    assert beside.unmeasured
    assert sentence(beside) == sentence(without)
    assert {**facts_of(beside), "not_measured": []} == {**facts_of(without), "not_measured": []}


def test_what_cannot_be_estimated_is_counted_with_the_reason(answered: list[Answered]) -> None:
    made = estimated(answered, Limits(), {"huge": FileSize(40_000 * MB, 2)}, "unknown")
    assert made.models == ()
    assert made.without == {TOO_LARGE: ("huge",), NO_SIZE: ("unknown",)}
    assert "Not estimated: 1 model: more than four times as large" in text_of(made)


def test_too_few_models_give_no_estimate_and_say_how_many_it_takes(answered: list[Answered]) -> None:
    made = estimated(answered[:4], Limits(), {"new": FileSize(600 * MB, 2)})
    assert text_of(made) == (
        "Not measured, and not estimated: that takes 5 models of different sizes run in the same way on one "
        "machine, and there are 4."
    )
    assert estimate_facts(made)["models"] == []
    assert estimated(answered[:5], Limits(), {"new": FileSize(60 * MB, 2)}).models


def on(run: Answered, processor: str) -> Answered:
    where = run.result.provenance.model_copy(update={"processor": processor})
    return replace(run, result=run.result.model_copy(update={"provenance": where}))


def test_a_model_that_ran_on_another_machine_is_estimated_by_its_weights(answered: list[Answered]) -> None:
    there = on(answered[3], "elsewhere")
    runs = [*answered[:3], there, *answered[4:]]
    with_machine = estimated(runs, Limits(), {}, machine=machine_of(answered[0]))
    (one,) = with_machine.models
    assert one.basis.startswith("its run on elsewhere, ")
    assert one.command.endswith("--tasks sizes --dtype bfloat16 --latency --fresh")
    (fit,) = fits([run.result for run in runs if run is not there]).values()
    held = there.result.cost.model_bytes or 0
    expected = costs_of(fit, Weights(held, held), tokens_of(there.result))
    assert expected is not None
    assert (one.memory, one.p50) == (expected.memory, expected.p50)
    assert estimated(runs, Limits(), {}).reason == "runs are from several machines: name one with --machine"


def test_where_only_baselines_ran_no_machine_is_asked_for(answered: list[Answered]) -> None:
    result = answered[0].result
    card = result.cell.model.model_copy(update={"architecture": "baseline"})
    cell = result.cell.model_copy(update={"model": card})
    baseline = replace(answered[0], result=result.model_copy(update={"cell": cell}))
    assert estimated([baseline], Limits(), {}, "other").reason.endswith("on one machine, and there are none")


def machine_of(run: Answered) -> str:
    return hardware(run.result.provenance)


def test_a_quantised_run_elsewhere_is_not_estimated_by_unquantised_ones(answered: list[Answered]) -> None:
    there = on(answered[3], "elsewhere")
    variant = there.result.cell.variant.model_copy(update={"quantize": "nf4"})
    cell = there.result.cell.model_copy(update={"variant": variant})
    there = replace(there, result=there.result.model_copy(update={"cell": cell}))
    made = estimated([*answered[:3], there, *answered[4:]], Limits(), {}, machine=machine_of(answered[0]))
    assert list(made.without or {}) == [OTHERWISE]


def test_runs_side_by_side_and_with_other_threads_say_nothing(measured: list[DoneResult]) -> None:
    def changed(result: DoneResult, **facts: int) -> DoneResult:
        slow = result.cost.model_copy(update={"peak_memory_bytes": 9 * 10**9})
        where = result.provenance.model_copy(update=facts)
        return result.model_copy(update={"cost": slow, "provenance": where})

    others = [
        *(changed(each, jobs=2) for each in measured),
        *(changed(each, threads=7) for each in measured[:9]),
    ]
    assert only(fits([*measured, *others])).memory.slope == only(fits(measured)).memory.slope


SHAPE = CacheShape(layers=10, heads=4, head_size=64)


def test_keys_and_values_are_layers_x_heads_x_size_of_a_head_within_the_window() -> None:
    assert cache_bytes(SHAPE, 1000, 100, "bfloat16") == 2 * 2 * 10 * 4 * 64 * 1000
    assert cache_bytes(SHAPE, 1000, 100, "float32") == 2 * cache_bytes(SHAPE, 1000, 100, "bfloat16")
    windowed = CacheShape(layers=2, heads=4, head_size=64, windowed=8, window=25)
    assert cache_bytes(windowed, 1000, 100, "bfloat16") == 2 * 2 * (2 + 8 * 0.25) * 4 * 64 * 1000
    assert cache_bytes(windowed, 1000, 20, "bfloat16") == cache_bytes(SHAPE, 1000, 20, "bfloat16")


def with_replies(result: DoneResult, shape: CacheShape | None) -> DoneResult:
    """As if it had written replies: 12,288 tokens a batch, with the keys and values in its memory."""
    generate = Generate(prompt="x", max_new_tokens=100)
    variant = result.cell.variant.model_copy(update={"generate": generate})
    cell = result.cell.model_copy(update={"variant": variant})
    engine = result.engine.model_copy(update={"batch_tokens": 12288, "cache": shape})
    kept = cache_bytes(shape, 12288, 244, "bfloat16") if shape else 0.0
    peak = int((result.cost.peak_memory_bytes or 0) + kept)
    cost = result.cost.model_copy(update={"peak_memory_bytes": peak})
    return result.model_copy(update={"cell": cell, "engine": engine, "cost": cost})


def test_keys_and_values_of_a_run_are_added_to_the_line_of_the_others(measured: list[DoneResult]) -> None:
    """The measured models keep little, and the one that ran elsewhere has ten times the layers."""
    fit = only(fits(with_replies(each, SHAPE) for each in measured[:23]))
    deep = with_replies(measured[23], CacheShape(layers=100, heads=4, head_size=64))
    size, peak = deep.cost.model_bytes or 0, deep.cost.peak_memory_bytes or 0
    kept = kept_bytes(deep)
    assert kept == pytest.approx(2 * 2 * 100 * 4 * 64 * 12288)
    known = costs_of(fit, Weights(size, size), tokens_of(deep), kept)
    unknown = costs_of(fit, Weights(size, size), tokens_of(deep))
    assert known is not None
    assert unknown is not None
    assert known.memory.value == pytest.approx(peak, rel=0.05)
    assert unknown.memory.value < 0.7 * peak


def test_without_keys_and_values_in_the_results_the_line_is_of_all_memory(
    measured: list[DoneResult],
) -> None:
    results = [with_replies(each, None) for each in measured]
    assert kept_bytes(results[0]) is None
    assert only(fits(results)).kept is None
    assert kept_bytes(measured[0]) == 0.0  # scored without exemplars, it keeps none


def only(made: dict[Setting, Fit]) -> Fit:
    (fit,) = made.values()
    return fit


@pytest.mark.parametrize(
    ("size", "parameters", "expected"),
    [
        (1000, 500, FileSize(1000, 2, 1000)),
        (1250, 500, FileSize(1250, 2, 1000)),
        (2000, 500, FileSize(2000, 4, 2000)),
        (400, 500, None),  # quantised
        (None, 500, None),
        (1000, None, None),
    ],
)
def test_the_number_of_weights_tells_the_format_of_the_files_alone(
    size: int | None, parameters: int | None, expected: FileSize | None
) -> None:
    facts = {"download_bytes": size, "parameters": parameters, "source": {"hub": "org/name"}}
    assert file_size(CardFile(card("new", **facts), Path("new.yaml"))) == expected


def test_files_here_are_measured_on_the_disk(tmp_path: Path) -> None:
    folder = save_causal(tmp_path / "weights", "llama")
    size = file_size(CardFile(card("new", source={"path": "weights"}), tmp_path / "new.yaml"))
    assert size == FileSize((folder / "model.safetensors").stat().st_size, 4)
