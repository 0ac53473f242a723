"""How the numbers of a choice came about, in lines of at most 79 characters. Pure."""

import textwrap
from collections.abc import Iterator, Sequence

from bench.board.explain import CostSource, Explanation, ModelPart, Pair, TaskPart, Test
from bench.wording import latency, percent, plain_points, points, size

WIDTH = 79
PAIRS = 10
"""How many pairs are shown; JSON has all."""


def explain_lines(explanation: Explanation, estimated: Sequence[str]) -> list[str]:
    """The models that fit, the pairs, and what estimates rest on."""
    lines = [line for model in explanation.models for line in _model(model)]
    if explanation.pairs:
        lines += ["", *_pairs(explanation.pairs)]
    if estimated:
        lines += ["", "Estimates, from the models that ran on that machine:"]
        lines += [line for text in estimated for line in _wrapped(text, 2)]
    return lines


def _wrapped(text: str, indent: int) -> list[str]:
    first, rest = " " * indent, " " * (indent + 2)
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _model(model: ModelPart) -> Iterator[str]:
    yield ""
    yield from _wrapped(model.name, 0)
    for part in model.tasks:
        yield from _wrapped(_score(part), 2)
        if part.costs is None:
            yield from _wrapped("Costs: not measured on the machine that was asked for.", 4)
        else:
            yield from _wrapped(_costs(part.costs), 4)
    terms = " + ".join(f"{percent(part.weight, 0)} × {percent(part.way)}" for part in model.tasks)
    yield from _wrapped(f"Score: {percent(model.score)} = {terms}", 2)
    tests = [model.guessing, *([model.baseline] if model.baseline else [])]
    for test in tests:
        yield from _wrapped(f"Against {test.against}: {_test(test)}", 2)


def _score(part: TaskPart) -> str:
    share = percent(part.right / part.questions)
    return (
        f"{part.task}, weight {percent(part.weight, 0)}: "
        f"{part.right:,} of {part.questions:,} right ({share}), "
        f"guessing {percent(part.guessing)}, so {percent(part.way)} of the way; run {part.run}"
    )


def _costs(costs: CostSource) -> str:
    where = "of the accelerator" if costs.on_device else "of the whole process"
    weights = "" if costs.weights is None else f", {size(costs.weights)} of it weights"
    facts = [f"{size(costs.memory)} peak memory {where}{weights}"]
    if costs.p50 is not None and costs.p95 is not None:
        asked = f"over {costs.timed} questions asked one at a time"
        facts.append(f"{latency(costs.p50)} (p50) and {latency(costs.p95)} (p95) {asked}")
    else:
        facts.append("time of one answer not measured")
    facts.append(f"{size(costs.disk)} on disk")
    return f"Costs: {'; '.join(facts)}; run {costs.run} of {costs.finished} on {costs.machine}"


def _test(test: Test) -> str:
    tests = "1 test" if test.tests == 1 else f"{test.tests} tests"
    return f"p {_p(test.p)}, {_p(test.adjusted)} by Holm's method over {tests}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _pairs(pairs: Sequence[Pair]) -> Iterator[str]:
    shown = sorted(pairs, key=lambda pair: pair.test.p)[:PAIRS]
    yield from _wrapped("Compared on the same questions, in points of the score (first minus second):", 0)
    for pair in shown:
        amount = f"{points(pair.difference)} (±{plain_points(pair.margin)})"
        yield from _wrapped(f"{pair.first} and {pair.second}: {amount}, {_test(pair.test)}", 2)
    if len(pairs) > PAIRS:
        yield f"  {len(pairs) - PAIRS} pairs more, with a larger p (--json lists them)"
