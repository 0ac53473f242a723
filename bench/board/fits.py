"""What one machine's runs say of the costs of models that it has not run. Pure.

Memory is the engine's overhead plus so many copies of the weights, and the time of an answer an overhead
plus bytes of weights x tokens of the prompt ÷ a rate. Both are learnt from the models that ran there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.board.standing import memory
from bench.inputs.engine_rules import Architecture
from bench.results.result import DoneResult
from bench.stats.prediction import LEAST, Line, Predicted, fit_line
from bench.types import CacheShape, Dtype

REACH = 4.0
"""Up to this many times the bytes of the largest measured model, costs are estimated."""

_NUMBER: dict[Dtype | None, int] = {"bfloat16": 2, "float16": 2}
"""Bytes of a key's or value's number, where it is not 4."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What runs must have in common to say something of each other's costs.

    `precision` is the format of quantised weights, "" for others; `new_tokens` is 0 where nothing is written.
    """

    task: str
    architecture: Architecture
    dtype: Dtype | None
    precision: str
    exemplars: int
    new_tokens: int

    @property
    def is_plain(self) -> bool:
        """Whether the weights are as published, and options are scored."""
        return not self.precision and not self.new_tokens


@dataclass(frozen=True, slots=True)
class Fit:
    """The lines through the costs of `models`, one run each, by bytes of weights in memory.

    `memory` is bytes by bytes; `p50` and `p95` are seconds by bytes x tokens of a prompt, None where too few
    have them. `tokens` is the median of the prompts' mean lengths, `largest` the bytes of the largest model.
    `kept` are the median, least and most bytes of keys and values, and `memory` is without them; None where
    they are not known of all runs.
    """

    setting: Setting
    models: tuple[str, ...]
    largest: int
    tokens: float
    kept: Predicted | None
    memory: Line
    p50: Line | None
    p95: Line | None


@dataclass(frozen=True, slots=True)
class Costs:
    """Estimated costs: bytes, and seconds of a question asked alone; None where they cannot be estimated."""

    memory: Predicted
    p50: Predicted | None
    p95: Predicted | None


@dataclass(frozen=True, slots=True)
class Weights:
    """How many bytes a model's weights take in memory: as far as is known, and at least."""

    bytes: int
    least: int


def cache_bytes(shape: CacheShape, tokens: float, longest: float, dtype: Dtype | None) -> float:
    """The bytes of keys and values of `tokens` tokens in rows of `longest`.

    2 x bytes of a number x layers x heads x size of a head, of layers with a window for min(window, longest)
    of each row.
    """
    held = shape.layers + shape.windowed * min(1.0, shape.window / longest if longest else 0.0)
    return 2 * _NUMBER.get(dtype, 4) * held * shape.heads * shape.head_size * tokens


def kept_bytes(result: DoneResult) -> float | None:
    """The keys and values that a run kept; None where its result does not say.

    Scoring keeps those of the exemplars, at most a prompt, and writing those of a batch.
    """
    setting, longest = setting_of(result), tokens_of(result) or 0.0
    if not setting.exemplars and not setting.new_tokens:
        return 0.0
    shape, batch = result.engine.cache, result.engine.batch_tokens
    if shape is None or batch is None:
        return None
    longest += setting.new_tokens
    return cache_bytes(shape, batch if setting.new_tokens else longest, longest, setting.dtype)


def setting_of(result: DoneResult) -> Setting:
    """The setting of a run."""
    variant = result.cell.variant
    return Setting(
        task=result.cell.task.name,
        architecture=result.cell.model.architecture,
        dtype=variant.dtype,
        precision=variant.quantize if variant.quantize != "none" else variant.weights_format,
        exemplars=variant.exemplars,
        new_tokens=variant.generate.max_new_tokens * variant.generate.samples if variant.generate else 0,
    )


def tokens_of(result: DoneResult) -> float | None:
    """The mean number of a prompt's tokens."""
    tokens = result.cost.prompt_tokens
    return tokens / result.measured_questions if tokens else None


def says_costs(result: DoneResult) -> bool:
    """Whether the costs of a run are those of a model alone, as our engine runs it on its own."""
    cell, cost = result.cell, result.cost
    known = bool(cost.model_bytes and memory(result) and tokens_of(result))
    alone = result.provenance.jobs == 1 and not cell.variant.adapter
    return known and alone and not result.imported and not cell.model.is_baseline


def fits(results: Iterable[DoneResult]) -> dict[Setting, Fit]:
    """The fits of one machine's runs, for each setting with at least `LEAST` models.

    Of several runs of a model in a setting the newest counts; of runs with different numbers of threads,
    those with the number that most models have.
    """
    groups: dict[tuple[Setting, int | None], dict[str, DoneResult]] = {}
    for result in sorted(results, key=lambda each: each.provenance.finished):
        if says_costs(result):
            key = setting_of(result), result.provenance.threads
            groups.setdefault(key, {})[result.model_name] = result
    made: dict[Setting, Fit] = {}
    for (setting, _), by_model in sorted(groups.items(), key=lambda group: len(group[1])):
        if fit := _fit(setting, list(by_model.values())):
            made[setting] = fit
    return made


def _fit(setting: Setting, results: Sequence[DoneResult]) -> Fit | None:
    sizes = [float(result.cost.model_bytes or 0) for result in results]
    kept = [kept_bytes(result) for result in results]
    known = [each for each in kept if each is not None]
    with_kept = len(known) == len(kept)
    peaks = [float(memory(result) or 0) for result in results]
    held = fit_line(sizes, [a - b for a, b in zip(peaks, known, strict=True)] if with_kept else peaks)
    if held is None:
        return None
    timed = [(each, each.cost.alone) for each in results]
    work = [(each.cost.model_bytes or 0) * (tokens_of(each) or 0) for each, alone in timed if alone]
    return Fit(
        setting=setting,
        models=tuple(sorted(result.model_name for result in results)),
        largest=int(max(sizes)),
        tokens=median(tokens_of(result) or 0.0 for result in results),
        kept=Predicted(median(known), min(known), max(known)) if with_kept else None,
        memory=held,
        p50=fit_line(work, [alone.p50 for _, alone in timed if alone]),
        p95=fit_line(work, [alone.p95 for _, alone in timed if alone]),
    )


def costs_of(
    fit: Fit, weights: Weights, tokens: float | None = None, kept: float | None = None
) -> Costs | None:
    """The costs of a model with such weights; None where it is far larger than those that were measured.

    `tokens` is the mean length of its prompts, and `kept` are the bytes of its keys and values as by
    `kept_bytes`; where they are not known, those of the measured models are taken.
    """
    exact = Predicted(kept, kept, kept) if kept is not None else fit.kept
    if weights.bytes > REACH * fit.largest:
        return None
    length = tokens or fit.tokens
    return Costs(
        memory=_plus(_between(fit.memory, weights.least, weights.bytes), exact if fit.kept else None),
        p50=fit.p50 and _between(fit.p50, weights.least * length, weights.bytes * length),
        p95=fit.p95 and _between(fit.p95, weights.least * length, weights.bytes * length),
    )


def _between(line: Line, least: float, most: float) -> Predicted:
    """The value at `most`, with an interval that also holds those for less."""
    upper = line.at(most)
    return Predicted(upper.value, line.at(least).low, upper.high)


def _plus(predicted: Predicted, more: Predicted | None) -> Predicted:
    if more is None:
        return predicted
    return Predicted(predicted.value + more.value, predicted.low + more.low, predicted.high + more.high)


def few(results: Iterable[DoneResult]) -> str:
    """Why a machine's runs allow no estimates: there are too few models."""
    groups: dict[Setting, set[str]] = {}
    for result in results:
        if says_costs(result):
            groups.setdefault(setting_of(result), set()).add(result.model_name)
    most = max(map(len, groups.values()), default=0)
    there = "there is 1" if most == 1 else f"there are {most or 'none'}"
    return f"that takes {LEAST} models of different sizes run in the same way on one machine, and {there}"
