"""The test of the published order on a model: each order of each shard is scored, in a process of its own."""

import math
import time
import traceback
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.cells.cell import Cell
from bench.engines import checked
from bench.engines.engine import Engine, WithBuild, WithServer, in_order
from bench.engines.kinds import engine_kind, open_engine, prepare, told_of
from bench.errors import BenchError, PromptTooLong, UsageError, shown_line
from bench.inputs.data import items_digest
from bench.inputs.model_card import ModelCard
from bench.results import contamination as store
from bench.results.contamination import Asked, ContaminationTest, Shard, id_of, tested
from bench.results.journal import lock_cell
from bench.results.lease import CellLocked
from bench.results.machine import this_machine
from bench.results.provenance import provenance
from bench.results.store import begin, keep_trace
from bench.scoring.orders import Run, neighbours_of_one_group, orders_of, request_of, runs_of
from bench.stats.contamination import DRAWS, order_test, smallest_p
from bench.stats.ranking import ALPHA
from bench.sweeps.events import Loading, Progress
from bench.sweeps.process import Exit, run_in_process
from bench.types import Item, ScoreRequest
from bench.wording import counted

FEWEST = 20
"""Questions that a task must have."""
CHARACTERS = 3
"""Characters of a token, few enough for most texts, where a server makes the tokens."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A cell whose questions are asked in many orders."""

    cell: Cell
    asked: Asked


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no test; `trace` is "" for an error that a person can act on."""

    reason: str
    trace: str = ""


def check_model(card: ModelCard) -> None:
    """Raises a UsageError where a model gives no log-probability of a text."""
    why = ""
    if engine_kind(card).reads == "item":
        why = "is a baseline, which reads no text"
    elif card.architecture == "encoder-decoder":
        why = "is an encoder-decoder, which has no log-probability of a text alone"
    if why:
        raise UsageError(f"{card.name} {why}: the test of the published order needs a decoder-only model")


def probe_of(cell: Cell, shuffles: int, shard_tokens: int, seed: int, command: str) -> Probe:
    """The probe of a cell that asks its questions in published order, by `command`.

    Raises a UsageError where there are too few questions.
    """
    if len(cell.items) < FEWEST:
        has = f"{cell.task.name}: {counted(len(cell.items), 'question')}"
        raise UsageError(f"{has}, too few for an order to be seen: the test needs {FEWEST} or more")
    asked = Asked(
        id="",
        cell=cell.facts.model_copy(update={"command": command}),
        order_sha256=items_digest(cell.items),
        shuffles=shuffles,
        shard_tokens=shard_tokens,
        seed=seed,
    )
    return Probe(cell, asked.model_copy(update={"id": id_of(asked)}))


def run_probe(
    probe: Probe, results: Path, *, fresh: bool = False
) -> Generator[Loading | Progress | ContaminationTest]:
    """Run a probe; yields its progress, in questions, and at the end the test, which is on disk then.

    Shards that an interrupted one has finished are not scored again, unless `fresh`. Raises a BenchError
    where the test cannot be made, with all finished shards kept.
    """
    begin(results)
    last: ContaminationTest | None = None
    name = f"bench probe {probe.asked.file_name}"
    with closing(run_in_process(work, probe, results, fresh, name=name)) as process:
        for event in process:
            match event:
                case Failed(reason=reason, trace=trace):
                    kept = keep_trace(
                        store.file_of(results, probe.asked).with_suffix(".traceback.txt"), trace
                    )
                    raise BenchError(f"{shown_line(reason)}{kept}")
                case Exit(text=text) if last is None:
                    again = "run the same command to continue"
                    raise BenchError(f"its process died with {text}; finished shards are kept: {again}")
                case Exit():
                    pass
                case _:
                    last = event if isinstance(event, ContaminationTest) else last
                    yield event


def work(probe: Probe, results: Path, fresh: bool, events: Any) -> None:
    """The process's main function."""
    with suppress(BrokenPipeError):
        try:
            with lock_cell(results, probe.asked.id):
                last = _tested(probe, results, events, fresh=fresh)
        except CellLocked:
            last = Failed("another process makes this test now")
        except BrokenPipeError:
            raise
        except BaseException as error:  # noqa: BLE001 (an engine may also exit, or interrupt)
            trace = "" if isinstance(error, BenchError) else traceback.format_exc()
            last = Failed(told_of(error, probe.cell.opening.card), trace)
        events.send(last)
        events.close()


def _tested(probe: Probe, results: Path, events: Any, *, fresh: bool) -> ContaminationTest:
    cell, asked = probe.cell, probe.asked
    if fresh:
        store.forget(results, asked)
    done = store.resume(results, asked, this_machine())
    before = sum(shard.questions for shard in done.values())
    events.send(Loading(before, len(cell.items), cell.slug))
    engine = open_engine(cell.opening, prepare(cell.opening.card, cell.weights))
    _check_server(engine)
    runs = _runs(engine, cell.items, asked.shard_tokens)
    _check_power(runs, asked)
    shards: list[Shard] = []
    for run in runs:
        shard = done.get(run.first)
        if shard is None or (shard.questions, shard.server) != (run.questions, _answers_as(engine)):
            shard = _shard(engine, cell.items, run, asked)
            store.append(results, asked, shard)
        shards.append(shard)
        events.send(Progress(run.first + run.questions, len(cell.items)))
    test = _finished(asked, shards, engine, _group_p(cell.items, runs, asked))
    store.save(results, test)
    checked.close(engine)
    return test


def _group_p(items: Sequence[Item], runs: Sequence[Run], asked: Asked) -> float | None:
    """As `group_p` in the test's file."""
    if not any(item.group for item in items):
        return None
    orders = [orders_of(run, asked.shuffles, asked.seed) for run in runs]
    counts = [[float(neighbours_of_one_group(items, order)) for order in each] for each in orders]
    return order_test(np.array(counts), asked.seed).p


def _finished(
    asked: Asked, shards: Sequence[Shard], engine: Engine, group_p: float | None
) -> ContaminationTest:
    outcome = tested(shards, asked.seed, DRAWS)
    return ContaminationTest(
        **{name: getattr(asked, name) for name in Asked.model_fields},
        shards=tuple(shards),
        draws=DRAWS,
        statistic=outcome.statistic,
        p=outcome.p,
        t_test_p=outcome.t_test_p,
        group_p=group_p,
        provenance=provenance(
            threads=checked.fact(engine, "threads", WithBuild),
            server=checked.fact(engine, "server_facts", WithServer),
        ),
    )


def _check_server(engine: Engine) -> None:
    """Raises a BenchError where a server gives no log-probability of a text."""
    if isinstance(engine, WithServer) and engine.letters_only:
        why = "; ".join(engine.limits) or "only letters are asked for (settings.views)"
        raise BenchError(f"{why}: the test needs the log-probability of a given text")


def _answers_as(engine: Engine) -> str:
    return checked.fact(engine, "answers_as", WithServer) or ""


def _runs(engine: Engine, items: Sequence[Item], most: int) -> list[Run]:
    """The shards, of at most `most` tokens, or fewer where the model's window is smaller."""
    sizes = [_tokens(engine, request_of([item])) for item in items]
    while True:
        runs = runs_of(sizes, most)
        try:
            for run in runs:
                checked.encode(engine, request_of(items[run.first : run.first + run.questions]))
        except PromptTooLong as error:
            most = min(most, error.window) - max(1, error.tokens - max(most, error.window))
        else:
            return runs


def _tokens(engine: Engine, request: ScoreRequest) -> int | None:
    """The tokens of a text, estimated where a server makes them; None where it does not fit the model."""
    try:
        tree = checked.encode(engine, request).tree
    except PromptTooLong:
        return None
    [[text]] = request.continuations
    return sum(branch.scored for branch in tree.flat) or -(-len(text) // CHARACTERS)


def _check_power(runs: Sequence[Run], asked: Asked) -> None:
    """Raises a BenchError where no outcome could be evidence."""
    if len(runs) < 2 or smallest_p(len(runs), asked.shuffles) > ALPHA:
        shards = counted(len(runs), "shard")
        raise BenchError(
            f"{asked.cell.task.name}: {shards} of two questions or more and {asked.shuffles} shuffles cannot "
            f"give a p of {ALPHA} or less; ask more questions, or change --shard-tokens or --shuffles"
        )


def _shard(engine: Engine, items: Sequence[Item], run: Run, asked: Asked) -> Shard:
    """Each order is scored alone, so that no order has another place in a batch than the others."""
    start = time.perf_counter()
    scores = list(_scores(engine, items, run, asked))
    return Shard(
        first=run.first,
        questions=run.questions,
        tokens=scores[0][1],
        logprobs=tuple(logprob for logprob, _ in scores),
        seconds=time.perf_counter() - start,
        server=_answers_as(engine),
    )


def _scores(engine: Engine, items: Sequence[Item], run: Run, asked: Asked) -> Iterator[tuple[float, int]]:
    """The log-probability of each order, and its tokens."""
    for order in orders_of(run, asked.shuffles, asked.seed):
        request = request_of([items[at] for at in order])
        try:
            replies = in_order(checked.score(engine, [checked.encode(engine, request)]))
        except PromptTooLong as error:
            raise BenchError(f"{error}; give a smaller --shard-tokens") from error
        if not replies:
            raise BenchError("the server takes no text of this length; give a smaller --shard-tokens")
        [[logprob]], [[tokens]] = replies[0].logprobs, replies[0].tokens
        if not math.isfinite(logprob):
            where = f"the questions from number {run.first + 1} on"
            raise BenchError(f"{where} have a log-probability of {logprob}; try another --dtype")
        yield logprob, tokens
