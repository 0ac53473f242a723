"""Sweeps on a real Ray cluster of three nodes on this machine."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result
from clusters import asked, begin, cluster, kill_workers, sweep, workers
from stores import Server, s3

from bench.engines.kinds import engine_package
from bench.errors import Unavailable, UsageError
from bench.results.check import check
from bench.results.mirrored import MIRRORS
from bench.results.result import DoneResult, FailedResult
from bench.results.store import Run, read_runs
from bench.sweeps.events import Placement
from bench.sweeps.ray_cluster import Needs, answers, needs_of, room
from bench.sweeps.ray_worker import Place, Worker
from conftest import QUESTIONS
from played import add_fake, cell_of, fake_card, lines, wait_for

pytestmark = pytest.mark.ray
Bench = Callable[..., Result]
KILLS = 19
"""Of workers; another is of a head with all its workers."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with s3() as started:
        yield started


@pytest.fixture(scope="module")
def address(server: Server) -> Iterator[str]:
    """Of a cluster whose nodes reach the server."""
    with cluster() as started:
        yield started.address


def runs_in(results: Path) -> list[Run]:
    assert not list(check(results))
    runs = list(read_runs(results))
    assert all(isinstance(run, Run) for run in runs), runs
    return [run for run in runs if isinstance(run, Run)]


def done_in(results: Path) -> dict[str, DoneResult]:
    return {run.result.cell.id: run.result for run in runs_in(results) if isinstance(run.result, DoneResult)}


def has_parts(results: Path, least: int) -> bool:
    return len(list(results.rglob("part.json"))) >= least


def assert_same(results: Path, local: Path) -> None:
    assert lines(results) == lines(local)
    here, there = done_in(results), done_in(local)
    assert {key: one.metrics for key, one in here.items()} == {key: one.metrics for key, one in there.items()}
    assert not list(results.rglob("part.json"))


def test_a_sweep_has_the_records_and_metrics_of_the_local_one(
    address: str, quiz: Path, project: Path, bench: Bench
) -> None:
    for name in ("one", "two", "three"):
        add_fake(project, name)
    words = ("-m", "one,two,three,chance", "-t", "quiz")
    assert bench("run", *words, "--results", "local").exit_code == 0
    done = sweep(address, *words, "--shard-items", "10", "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 4
    assert "/4] one on quiz: 40 items" in done.stderr
    assert_same(project / "results", project / "local")
    assert {one.merged[0].shards for one in done_in(project / "results").values()} == {4}
    again = sweep(address, *words, "--shard-items", "10")
    assert again.stderr.count("done before") == 4


def test_nodes_that_share_only_a_store_make_the_local_runs(
    address: str, server: Server, quiz: Path, project: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_fake(project, "one")
    add_fake(project, "broken", fault="error")
    words = ("-m", "one,broken,chance", "-t", "quiz")
    assert bench("run", *words, "--results", "local").exit_code == 1
    monkeypatch.setenv("BENCH_CACHE_DIR", str(project / "driver"))
    done = sweep(address, *words, "--shard-items", "10", results="s3://bench/ray")
    assert done.returncode == 1, done.stderr
    assert "saved in s3://bench/ray" in done.stderr
    [mirror] = (project / "driver" / MIRRORS).iterdir()
    assert_same(mirror, project / "local")
    monkeypatch.setenv("BENCH_CACHE_DIR", str(project / "reader"))
    checked = bench("results", "check", "--results", "s3://bench/ray").stdout
    assert checked.strip() == "sound: 2 done, 1 failed"
    names = [name for name in server.objects() if name.startswith("ray/")]
    assert names
    assert [name for name in names if "parts" in name or ".leases" in name] == []


@pytest.mark.model
def test_a_model_has_the_scores_of_the_local_run(address: str, project: Path, bench: Bench) -> None:
    words = ("-m", "smollm2-135m-instruct-q4_1", "-t", "medqa_sample", "--limit", "6", "--dtype", "float32")
    assert bench("run", *words, "--results", "local").exit_code == 0
    done = sweep(address, *words, "--shard-items", "3")
    assert done.returncode == 0, done.stderr
    [here], [there] = runs_in(project / "results"), runs_in(project / "local")
    assert isinstance(here.result, DoneResult)
    assert isinstance(there.result, DoneResult)
    assert here.result.metrics == there.result.metrics
    assert here.result.cost.prompt_tokens == there.result.cost.prompt_tokens
    for own, other in zip(here.records, there.records, strict=True):
        assert own.question_id == other.question_id
        for view, scores in own.scores.items():
            assert other.scores[view] == pytest.approx(scores, abs=1e-4)


def test_killed_workers_cost_a_shard_each_and_no_number(
    address: str, quiz: Path, project: Path, bench: Bench
) -> None:
    log = project / "log"
    models = ("one", "two", "three")
    for name in models:
        add_fake(project, name, seconds=0.1, batch=1, log=str(log))
    draw, killed, code = random.Random(0), 0, 1
    while code:  # a shard that was lost three times has failed its cell, and the same command continues
        process = begin(address, "-m", ",".join(models), "-t", "quiz", "--shard-items", "4")
        killed += kill_workers(KILLS - killed, draw, process, 0.8)
        _, stderr = process.communicate(timeout=150)
        code = process.returncode
        assert code == 0 or "lost 3 times" in stderr
    assert killed == KILLS
    assert len(asked(log)) <= len(models) * QUESTIONS + 4 * killed
    assert {line.split()[1] for line in asked(log)} == {f"q{number}" for number in range(QUESTIONS)}
    assert bench("run", "-m", ",".join(models), "-t", "quiz", "--results", "local").exit_code == 0
    assert_same(project / "results", project / "local")


def test_a_worker_without_memory_fails_its_own_cell(address: str, quiz: Path, project: Path) -> None:
    add_fake(project, "sound")
    add_fake(project, "full", fault="memory")
    add_fake(project, "killed", fault="killed")
    done = sweep(address, "-m", "full,killed,sound", "-t", "quiz", "--shard-items", "20")
    assert done.returncode == 1, done.stderr
    results = {run.result.model_name: run.result for run in runs_in(project / "results")}
    assert isinstance(results["sound"], DoneResult)
    full, killed = results["full"], results["killed"]
    assert isinstance(full, FailedResult)
    assert isinstance(killed, FailedResult)
    assert "out of memory" in full.reason
    assert "lost 3 times" in killed.reason
    assert "Traceback" not in done.stderr


def test_two_sweeps_on_one_folder_do_no_harm(address: str, quiz: Path, project: Path, bench: Bench) -> None:
    log = project / "log"
    for name in ("one", "two"):
        add_fake(project, name, seconds=0.02, batch=1, log=str(log))
    words = ("-m", "one,two", "-t", "quiz", "--shard-items", "10")
    both = [begin(address, *words) for _ in range(2)]
    ends = [process.communicate(timeout=150)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert len(lines(project / "results")) == 2 * QUESTIONS
    assert bench("run", *words[:4], "--results", "local").exit_code == 0
    assert_same(project / "results", project / "local")


def test_a_run_that_another_sweep_makes_ends_its_cell(
    address: str, quiz: Path, project: Path, bench: Bench
) -> None:
    log = project / "log"
    for name in ("slow", "other"):
        add_fake(project, name, seconds=0.1, batch=1, log=str(log))
    assert bench("run", "-m", "slow", "-t", "quiz", "--results", "local").exit_code == 0
    process = begin(address, "-m", "slow,other", "-t", "quiz", "--shard-items", "4")
    wait_for(partial(has_parts, project / "results" / "quiz" / "slow", 1))
    [summary] = (project / "local").rglob("result.json")
    for name in ("records.jsonl", "result.json"):
        place = project / "results" / summary.relative_to(project / "local").with_name(name)
        place.write_bytes(summary.with_name(name).read_bytes())
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert len(asked(log)) < 3 * QUESTIONS
    assert done_in(project / "results").items() > done_in(project / "local").items()


def test_ctrl_c_ends_a_sweep_and_its_workers(address: str, quiz: Path, project: Path) -> None:
    add_fake(project, "slow", seconds=0.3, batch=1)
    words = ("-m", "slow", "-t", "quiz", "--shard-items", "5")
    process = begin(address, *words)
    wait_for(lambda: bool(list(project.rglob("part.json"))))
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "run the same command to resume" in stderr
    wait_for(lambda: not workers())
    assert not list((project / "results" / ".locks").glob("ray-*"))


def test_the_head_is_lost_and_the_same_command_does_what_is_missing(quiz: Path, project: Path) -> None:
    log = project / "log"
    add_fake(project, "slow", seconds=0.3, batch=1, log=str(log))
    words = ("-m", "slow", "-t", "quiz", "--shard-items", "4")
    with cluster(nodes=1, cpus=2) as started:
        process = begin(started.address, *words)
        wait_for(partial(has_parts, project, 2))
        time.sleep(random.Random(0).random())
        started.head_node.kill_all_processes(check_alive=False)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1, stderr
    assert "does not answer any more" in stderr
    with cluster(nodes=1, cpus=2) as started:
        done = sweep(started.address, *words)
    assert done.returncode == 0, done.stderr
    assert len(lines(project / "results")) == QUESTIONS
    assert len(asked(log)) <= QUESTIONS + 2 * 4  # two workers are lost with the head


def test_without_a_cluster_there_is_one_clear_message(
    anatomy: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("run", "-m", "chance", "-t", "anatomy", "--executor", "ray")
    for address in ("127.0.0.1:1", "nowhere", "ray://127.0.0.1:1"):
        done = bench(*words, "--address", address)
        assert done.exit_code == 2, done.output
        assert f"no Ray cluster answers at {address}" in done.stderr
        assert "ray start --head" in done.stderr
    monkeypatch.setitem(sys.modules, "ray", None)
    done = bench(*words)
    assert done.exit_code != 0
    assert "slm-bench[cluster]" in done.stderr


def test_options_of_clusters_are_refused_elsewhere(anatomy: Path, bench: Bench) -> None:
    done = bench("run", "-m", "chance", "-t", "anatomy", "--shard-items", "5", "--address", "auto")
    assert done.exit_code == 2
    assert "--address, --shard-items" in done.stderr


def test_ray_is_imported_by_its_executor_alone() -> None:
    code = (
        "import sys, bench.cli.run, bench.sweeps.executor, bench.results.check, bench.board.reading;"
        "sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_node_that_cannot_take_part_says_why(project: Path) -> None:
    from bench import __version__

    results = project / "results"
    place = Place(results, results / ".locks" / "sign")
    card = fake_card()
    package = engine_package(card)
    with pytest.raises(UsageError, match=f"has {package}, and the engine fake here is of slm-bench-played 9"):
        Worker().ready(place, __version__, card, "slm-bench-played 9")
    foreign = card.model_copy(update={"engine": "elsewhere"})
    with pytest.raises(UsageError, match="does not have slm-bench-elsewhere 1"):
        Worker().ready(place, __version__, foreign, "slm-bench-elsewhere 1")
    with pytest.raises(UsageError, match=r"does not see the results folder .*results: give one that all"):
        Worker().ready(place, __version__, card, package)
    with pytest.raises(UsageError, match="and this is 99"):
        Worker().ready(place, "99", card, package)
    with pytest.raises(Unavailable, match=r"node .*: results in gs:// need a package .*slm-bench\[gcs\]"):
        Worker().ready(replace(place, url="gs://bucket"), __version__, card, package)


def test_what_a_worker_needs(quiz: Path, project: Path) -> None:
    baseline = cell_of(quiz, fake_card())
    each = [{"CPU": 8.0, "GPU": 2.0}, {"CPU": 4.0}]
    assert needs_of(baseline, Placement(), each) == Needs(1, 0)
    assert room(Needs(1, 0), each) == 12
    assert room(Needs(1, 0.5), each) == 4
    assert room(Needs(3, 1), each) == 2
    assert needs_of(baseline, Placement(cpus_per_cell=2, gpus_per_cell=0.5), each) == Needs(2, 0.5)
    assert not answers("127.0.0.1:1")
