"""Where cells run: executors by name, and what a sweep asks of them."""

import ast
import json
import pickle
import random
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

import bench.sweeps.sweep
from bench.cells.cell import Cell
from bench.cells.forecast import bytes_to_download, weights_bytes
from bench.inputs.model_card import ModelCard
from bench.inputs.weights import RemoteWeights
from bench.results import journal
from bench.results.provenance import provenance
from bench.results.result import DoneResult, FailedResult
from bench.results.store import Run, begin, read_runs
from bench.sweeps.events import DEFAULT_TERMS, Busy, Event, Last, Loading, Terms
from bench.sweeps.executor import ExecutorKind
from bench.sweeps.local import LocalProcesses
from bench.sweeps.supervise import run_cell
from bench.sweeps.sweep import run_sweep, sweep
from outside import install as install_package
from played import add_fake, cell_of, fake_card

Bench = Callable[..., Result]


class OneByOne:
    """A stranger's executor: a process at a time, and only pickled values pass, as between machines."""

    started: list[str] = []  # noqa: RUF012 (the sweep makes the object, the test reads this)

    def __init__(self, results: Path, terms: Terms) -> None:
        self.results = results
        self.terms = terms
        self.running: tuple[bytes, Generator[Event]] | None = None

    def has_room(self, cell: Cell) -> bool:
        return self.running is None

    def start(self, cell: Cell) -> None:
        self.started.append(cell.facts.model.name)
        sent = pickle.dumps(cell)
        self.running = sent, run_cell(pickle.loads(sent), self.results, self.terms)

    def next_event(self, seconds: float | None) -> tuple[Cell, Event] | None:
        assert self.running, "a sweep waits for events only while something runs"
        sent, events = self.running
        event = next(events)
        if isinstance(event, Last):
            self.close()
        return pickle.loads(sent), pickle.loads(pickle.dumps(event))

    def close(self) -> None:
        if self.running:
            self.running[1].close()
        self.running = None


ONE_BY_ONE = ExecutorKind("one process at a time", OneByOne)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a package on the path that declares executors, each by name and value."""

    def put(**points: str) -> None:
        install_package(tmp_path, monkeypatch, {"bench.executors": points}, package="halls 3.0")
        monkeypatch.setattr(OneByOne, "started", [])

    return put


def kept(results: Path) -> list[tuple[str, dict[str, object], list[dict[str, object]]]]:
    """Every run with its records, without what differs from one run to the next."""
    runs = [run for run in read_runs(results) if isinstance(run, Run)]
    varying = {"cost", "provenance", "records_sha256", "reason", "public_reason", "traceback"}
    return [
        (
            str(run.folder),
            run.result.model_dump(exclude=varying),
            [record.model_dump(exclude={"seconds"}) for record in run.records],
        )
        for run in runs
    ]


def test_an_executor_of_another_package_gives_the_records_of_the_local_one(
    quiz: Path, project: Path, bench: Bench, install: Callable[..., None]
) -> None:
    install(**{"one-by-one": "test_executors:ONE_BY_ONE"})
    add_fake(project, "good")
    add_fake(project, "faulty", fault="memory", after=10)
    run = ("run", "-m", "chance,faulty,good", "-t", "quiz", "--offline")
    outside = bench(*run, "--results", "outside", "--executor", "one-by-one")
    assert outside.exit_code == 1, outside.output
    assert OneByOne.started == ["chance", "faulty", "good"]
    local = bench(*run)
    assert OneByOne.started == ["chance", "faulty", "good"], "local is the default"
    runs = kept(project / "outside")
    assert [len(records) for _, _, records in runs] == [40, 0, 40]
    assert runs == kept(project / "results")
    assert outside.stderr.count(" of 40 items\n") == local.stderr.count(" of 40 items\n") > 0
    again = bench(*run, "--results", "outside", "--executor", "one-by-one")
    assert OneByOne.started[3:] == ["faulty"], "what is done is not started again"
    assert again.stderr.count("done before") == 2


def test_the_doctor_names_every_executor_and_what_is_wrong_with_one(
    project: Path, bench: Bench, install: Callable[..., None]
) -> None:
    install(**{"one-by-one": "test_executors:ONE_BY_ONE", "lost": "no_such_module:KIND"})
    done = bench("doctor", "--offline", "--json")
    findings = [
        (row["verdict"], row["found"]) for row in json.loads(done.stdout) if row["name"] == "executors"
    ]
    assert ("good", "local: processes on this machine, --jobs of them at a time") in findings
    assert ("good", "one-by-one: one process at a time") in findings
    [text] = [text for verdict, text in findings if verdict == "bad"]
    assert text.startswith("the executor 'lost' of halls 3.0 cannot be loaded: ModuleNotFoundError")


def test_an_unknown_executor_is_named_before_anything_is_planned(project: Path, bench: Bench) -> None:
    done = bench("run", "-m", "chance", "--executor", "lokal")
    assert done.exit_code == 2
    assert "no executor is named 'lokal'; did you mean 'local'?" in done.stderr


class Played:
    """Holds cells up to a total size; one of those that run ends, drawn, whenever an event is asked for."""

    def __init__(self, sizes: dict[str, int], capacity: int, seed: int = 0) -> None:
        self.sizes = sizes
        self.capacity = capacity
        self.draw = random.Random(seed)
        self.running: list[Cell] = []
        self.started: list[str] = []
        self.ended: list[str] = []
        self.busy: set[str] = set()
        """Cells that another sweep takes in the moment that they start."""
        self.provenance = provenance()

    def has_room(self, cell: Cell) -> bool:
        names = [other.facts.model.name for other in (*self.running, cell)]
        return not self.running or sum(self.sizes[name] for name in names) <= self.capacity

    def start(self, cell: Cell) -> None:
        assert self.has_room(cell), "a cell was started without room"
        self.running.append(cell)
        self.started.append(cell.facts.model.name)

    def next_event(self, seconds: float | None) -> tuple[Cell, Event]:
        cell = self.running.pop(self.draw.randrange(len(self.running)))
        name = cell.facts.model.name
        if name in self.busy:
            self.busy.remove(name)
            return cell, Busy()
        self.ended.append(name)
        return cell, FailedResult(cell=cell.facts, reason="played", traceback="", provenance=self.provenance)

    def close(self) -> None:
        self.running.clear()


def kind(executor: Played) -> ExecutorKind:
    return ExecutorKind("played", lambda _results, _terms: executor)


def cells_named(task: Path, names: str) -> list[Cell]:
    return [cell_of(task, fake_card(name)) for name in names]


def test_a_cell_is_started_in_its_turn_and_only_where_it_has_room(quiz: Path, project: Path) -> None:
    cells = cells_named(quiz, "abcdef")
    side_by_side = 0
    for seed in range(40):
        draw = random.Random(seed)
        sizes = {name: draw.randrange(1, 8) for name in "abcdef"}
        executor = Played(sizes, capacity=7, seed=seed)
        results = run_sweep(cells, project / "results", DEFAULT_TERMS, kind(executor), lambda *_: None)
        assert executor.started == list("abcdef"), "no cell overtakes one that waits for room"
        assert sorted(executor.ended) == list("abcdef")
        assert [result.cell.model.name for result in results] == list("abcdef"), "however they ended"
        side_by_side += executor.ended != executor.started
    assert side_by_side > 0


def test_a_cell_that_another_sweep_takes_first_is_run_when_that_is_done(quiz: Path, project: Path) -> None:
    executor = Played(dict.fromkeys("ab", 1), capacity=1)
    executor.busy = {"a"}
    events = list(sweep(cells_named(quiz, "ab"), project / "results", DEFAULT_TERMS, executor))
    assert executor.started == ["a", "b", "a"]
    assert [(cell.facts.model.name, type(event)) for cell, event in events] == [
        ("b", FailedResult),
        ("a", FailedResult),
    ]


def test_a_cell_that_another_sweep_works_on_is_reported_once_and_others_run_meanwhile(
    quiz: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.sweeps.events.RETRY_SECONDS", 0.01)
    cells = cells_named(quiz, "abc")
    executor = Played(dict.fromkeys("abc", 1), capacity=1)
    begin(project / "results")
    events = sweep(cells, project / "results", DEFAULT_TERMS, executor)
    with journal.lock_cell(project / "results", cells[0].facts.id):
        assert next(events) == (cells[0], Busy())
        assert [next(events)[0].facts.model.name for _ in "bc"] == ["b", "c"]
        assert executor.started == ["b", "c"]
    [(cell, event)] = events
    assert (cell, type(event)) == (cells[0], FailedResult)


def test_an_error_of_the_watcher_ends_what_runs(quiz: Path, project: Path) -> None:
    executor = Played(dict.fromkeys("abc", 1), capacity=3)

    def watch(_cell: Cell, _event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(cells_named(quiz, "abc"), project / "results", DEFAULT_TERMS, kind(executor), watch)
    assert executor.started == ["a", "b", "c"]
    assert executor.running == []


def test_the_last_event_of_a_cell_says_that_its_room_is_free(quiz: Path, project: Path) -> None:
    cell = cell_of(quiz, fake_card())
    executor = LocalProcesses(project / "results", DEFAULT_TERMS)
    executor.start(cell)
    events: list[Event] = []
    while not (events and isinstance(events[-1], Last)):
        assert not executor.has_room(cell)
        report = executor.next_event(None)
        assert report
        events.append(report[1])
    assert executor.has_room(cell)
    assert isinstance(events[0], Loading)
    assert isinstance(events[-1], DoneResult)
    assert executor.next_event(0.0) is None
    executor.close()


def test_a_forecast_counts_the_text_part_in_memory_and_the_files_for_the_download(quiz: Path) -> None:
    facts = {"name": "m", "title": "M", "family": "f", "license": "mit", "architecture": "decoder"}
    card = ModelCard.model_validate(
        facts | {"parameters": 10_000_000, "context": 512, "source": {"path": "."}}
    )
    plain = replace(cell_of(quiz, fake_card("played")), weights=RemoteWeights("o/m", "main", "c0ffee"))

    def forecast(weights: RemoteWeights, **more: int) -> tuple[int, int | None]:
        variant = plain.facts.variant.model_copy(update={"dtype": "float32"})
        update = {"variant": variant, "model": card.model_copy(update=more)}
        cell = replace(plain, facts=plain.facts.model_copy(update=update), weights=weights)
        return weights_bytes(cell), bytes_to_download(cell)

    silent = RemoteWeights("o/m", "main", "c0ffee")
    assert forecast(silent) == (40_000_000, None)
    assert forecast(silent, text_parameters=8_000_000, download_bytes=25_000_000) == (32_000_000, 25_000_000)
    exact = RemoteWeights("o/m", "main", "c0ffee", bytes=26_000_000)
    assert forecast(exact, download_bytes=25_000_000) == (40_000_000, 26_000_000), "the hub knows best"


def test_the_scheduler_does_not_ask_for_memory() -> None:
    tree = ast.parse(Path(bench.sweeps.sweep.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "bench.sweeps.executor" in froms
    assert not {"psutil", "bench.sweeps.local", "bench.cells.forecast", "bench.sweeps.supervise"} & (
        names | froms
    )
