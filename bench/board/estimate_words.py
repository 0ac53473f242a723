"""Estimates in words and as values for JSON. Pure."""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from bench.board.choice_words import NAMED
from bench.board.estimates import Estimated, Estimates
from bench.board.fits import Fit
from bench.stats.prediction import Predicted
from bench.wording import counted, latency, percent, seconds, size

Facts = dict[str, object]


def estimate_lines(estimates: Estimates) -> list[str]:
    """What is estimated, at most `NAMED` models by name; why nothing is, where that is so."""
    if estimates.reason:
        return [f"Not measured, and not estimated: {estimates.reason}."]
    return [*_models(estimates), *_without(estimates)]


def _models(estimates: Estimates) -> Iterator[str]:
    may_fit = [each for each in estimates.models if each.may_fit]
    for each in may_fit[:NAMED]:
        yield f"Not measured here, estimated: {describe(each)}: may fit."
    more = [f"{len(may_fit) - NAMED} more may fit"] if len(may_fit) > NAMED else []
    if beyond := len(estimates.models) - len(may_fit):
        more.append(f"{beyond} {'is' if beyond == 1 else 'are'} probably beyond the limits")
    if more:
        yield f"Not measured here, estimated: {', and '.join(more)}."
    for command in commands(may_fit[:NAMED]):
        yield f"  {command}"


def _without(estimates: Estimates) -> Iterator[str]:
    for reason, names in (estimates.without or {}).items():
        yield f"Not estimated: {counted(len(names), 'model')}: {reason}."


def describe(estimated: Estimated) -> str:
    """ "NAME about 2.1 GB (1.9–2.4), about 310 ms (250–400)"."""
    memory = _about(estimated.memory, lambda value: size(round(value)))
    times = [_about(estimated.p50, latency)] if estimated.p50 else []
    return ", ".join([f"{estimated.name} {memory}", *times])


def _about(predicted: Predicted, words: Callable[[float], str]) -> str:
    """The unit stands once, where all three values have it."""
    value, low, high = (words(each) for each in (predicted.value, predicted.low, predicted.high))
    number, _, unit = value.rpartition("\u202f")
    if number and all(each.endswith(f"\u202f{unit}") for each in (low, high)):
        low, high = (each.removesuffix(f"\u202f{unit}") for each in (low, high))
    return f"about {value} ({low}–{high})"


def commands(models: Sequence[Estimated]) -> list[str]:
    """The commands that measure these models; one for those of which only the name differs."""
    groups: dict[str, list[str]] = {}
    for each in models:
        words = [re.sub(f"^{re.escape(each.model)}$", "\0", word) for word in shlex.split(each.command)]
        groups.setdefault("\n".join(words), []).append(each.model)
    return [
        shlex.join(",".join(names) if word == "\0" else word for word in words.split("\n"))
        for words, names in groups.items()
    ]


def inputs(estimates: Estimates) -> list[str]:
    """What the estimates rest on, a line each."""
    lines = [line for fit in estimates.fits for line in _fit(fit)]
    return lines + [
        f"{each.name}: {size(each.weights.bytes)} of weights in memory, by {each.basis}"
        for each in estimates.models
    ]


def _fit(fit: Fit) -> Iterator[str]:
    setting = fit.setting
    how = f"{setting.task}, {setting.dtype or 'no dtype'}, {counted(len(fit.models), 'model')}"
    memory = fit.memory
    yield (
        f"{how}: memory is {size(round(memory.intercept))} + {memory.slope:.2f} × weights in memory"
        f"{' + keys and values' if fit.kept and fit.kept.high else ''} "
        f"(error {percent(memory.error)})"
    )
    if fit.p50:
        rate = (
            "" if not fit.p50.slope else f" + weights × tokens ÷ {size(round(1 / fit.p50.slope))} per second"
        )
        start = latency(fit.p50.intercept) if fit.p50.intercept < 1 else seconds(fit.p50.intercept)
        yield (
            f"{how}: one answer takes {start}{rate}, with {fit.tokens:.0f} tokens in a prompt "
            f"(error {percent(fit.p50.error)})"
        )


def estimate_facts(estimates: Estimates) -> Facts:
    """The estimates: bytes and seconds, each with its 95 % interval."""
    return {
        "machine": estimates.machine,
        "reason": estimates.reason,
        "models": [asdict(each) for each in estimates.models],
        "not_estimated": {reason: list(names) for reason, names in (estimates.without or {}).items()},
        "fits": [_fit_facts(fit) for fit in estimates.fits],
    }


def _fit_facts(fit: Fit) -> Facts:
    lines = {"memory": fit.memory, "p50": fit.p50, "p95": fit.p95}
    facts: Facts = asdict(fit.setting)
    return facts | {
        "models": list(fit.models),
        "largest": fit.largest,
        "tokens": fit.tokens,
        "lines": {
            name: line
            and {"intercept": line.intercept, "slope": line.slope, "error": line.error, "n": line.n}
            for name, line in lines.items()
        },
    }
