"""Results in a store: an S3-compatible server on this machine, and several machines that work on it."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result
from planted import ALL, exam, planted
from stores import Server, s3

from bench.results.identity import summary_in
from bench.results.lease import CellLocked, Leases
from bench.results.mirrored import MIRRORS, STORE, mirror_of, open_mirror
from bench.results.remote import Remote
from bench.results.result import DoneResult
from bench.results.whole import StoreError
from bench.sweeps.events import Terms
from bench.sweeps.supervise import run_cell
from conftest import QUESTIONS
from played import add_fake, lines, wait_for

Bench = Callable[..., Result]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with s3() as started:
        yield started


@pytest.fixture
def url(server: Server, project: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """An address of this test alone, whose mirrors are below the working folder."""
    server.requests.clear()
    yield f"s3://bench/{request.node.name}"
    server.before = lambda _method, _path: None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, project: Path) -> Callable[[str], Path]:
    """Goes on as a machine of this name, which has a cache of its own; returns it."""

    def use(name: str) -> Path:
        monkeypatch.setenv("BENCH_CACHE_DIR", str(project / name))
        return project / name

    use("first")
    return use


Machine = Callable[[str], Path]


def begin(*words: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-m", "bench", *words], stdout=pipe, stderr=pipe, text=True)


def keys_below(server: Server, url: str, ending: str = "") -> list[str]:
    """The objects below an address, by their names there."""
    top = url.removeprefix("s3://bench/") + "/"
    return [key.removeprefix(top) for key in server.objects() if key.startswith(top) and key.endswith(ending)]


def asked(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").split("\n")[:-1] if log.is_file() else []


def listed(bench: Bench, url: str) -> list[dict[str, object]]:
    done = bench("results", "list", "--results", url, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_store_holds_the_runs_of_a_local_folder(
    server: Server, url: str, machine: Machine, quiz: Path, project: Path, bench: Bench
) -> None:
    add_fake(project, "one")
    words = ("-m", "one,chance", "-t", "quiz")
    assert bench("run", *words, "--results", "local").exit_code == 0
    done = bench("run", *words, "--results", url)
    assert done.exit_code == 0, done.output
    assert f"saved in {url}; to build the site: bench leaderboard build --results {url}" in done.stderr
    keys = keys_below(server, url)
    assert len(keys) == 4
    assert len(keys_below(server, url, "result.json")) == 2
    machine("second")
    assert [row["state"] for row in listed(bench, url)] == ["done", "done"]
    [mirror] = (project / "second" / MIRRORS).iterdir()
    assert lines(mirror) == lines(project / "local")
    assert "sound: 2 done" in bench("results", "check", "--results", url).stdout
    assert bench("run", *words, "--results", url).stderr.count("done before") == 2
    assert "One" in bench("export", "csv", "--results", url).stdout
    assert bench("leaderboard", "build", "--results", url, "--out", "site").exit_code == 0
    assert (project / "site" / "index.html").is_file()
    assert keys_below(server, url) == keys


def test_no_name_is_written_after_its_summary_and_none_is_appended_to(
    server: Server, url: str, machine: Machine, quiz: Path, project: Path, bench: Bench
) -> None:
    add_fake(project, "one", batch=5)
    assert bench("run", "-m", "one", "-t", "quiz", "--results", url).exit_code == 0
    written = [path for method, path in server.requests if method == "PUT" and ".leases" not in path]
    assert [path.rpartition("/")[2].partition("-")[0] for path in written] == ["records", "result.json"]
    assert {method for method, _ in server.requests} <= {"GET", "HEAD", "PUT", "DELETE"}


@pytest.mark.parametrize("words", [(), ("--shard", "1/2")])
def test_a_kill_between_records_and_summary_loses_nothing(
    words: tuple[str, ...],
    server: Server,
    url: str,
    machine: Machine,
    quiz: Path,
    project: Path,
    bench: Bench,
) -> None:
    log, questions = project / "log", QUESTIONS // (2 if words else 1)
    summary = "part.json" if words else "result.json"
    add_fake(project, "one", log=str(log))
    command = ("run", "-m", "one", "-t", "quiz", *words, "--results", url)
    process: list[subprocess.Popen[str]] = []

    def kill(method: str, path: str) -> str | None:
        if method == "PUT" and path.endswith(summary):
            process[0].send_signal(signal.SIGKILL)
            return "503 Slow Down"
        return None

    server.before = kill
    process.append(begin(*command))
    process[0].communicate(timeout=60)
    assert process[0].returncode == -signal.SIGKILL
    server.before = lambda _method, _path: None
    assert keys_below(server, url, summary) == []
    assert len(keys_below(server, url, ".jsonl")) == 1
    assert len(asked(log)) == questions
    machine("second")
    assert listed(bench, url) == []
    machine("first")
    done = bench(*command)
    assert done.exit_code == 0, done.output
    assert len(asked(log)) == questions  # it was on disk, and is only sent
    assert len(keys_below(server, url, summary)) == 1
    machine("second")
    assert len(listed(bench, url)) == 1
    assert bench("results", "check", "--results", url).exit_code == 0


def test_another_machine_goes_on_after_a_kill(
    server: Server,
    url: str,
    machine: Machine,
    quiz: Path,
    project: Path,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bench.results.lease.LOOK_SECONDS", 0.2)
    add_fake(project, "slow", batch=1, seconds=0.05)
    command = ("run", "-m", "slow", "-t", "quiz", "--results", url)
    process = begin(*command)
    wait_for(lambda: bool(_leases(server, url)))
    process.kill()
    process.communicate()
    [lease] = _leases(server, url)
    top = url.removeprefix("s3://bench/")
    machine("second")
    until = time.time() + 3
    ended = json.loads(server.read(f"{top}/{lease}")) | {"until": until}
    server.write(f"{top}/{lease}", json.dumps(ended).encode())
    done = bench(*command)
    assert done.exit_code == 0, done.output
    assert time.time() > until
    assert [row["state"] for row in listed(bench, url)] == ["done"]
    assert _leases(server, url) == []


def _leases(server: Server, url: str) -> list[str]:
    return [key for key in keys_below(server, url) if key.startswith(".leases/") and "writable" not in key]


def test_two_machines_ask_each_question_once(
    server: Server, url: str, machine: Machine, quiz: Path, project: Path, bench: Bench
) -> None:
    log = project / "log"
    for name in ("one", "two"):
        add_fake(project, name, batch=1, seconds=0.02, log=str(log))
    both = []
    for name in ("first", "second"):
        machine(name)
        both.append(begin("run", "-m", "one,two", "-t", "quiz", "--results", url))
    ends = [process.communicate(timeout=90) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert len(asked(log)) == 2 * QUESTIONS
    machine("third")
    assert [row["state"] for row in listed(bench, url)] == ["done", "done"]


def test_answers_are_kept_where_the_store_fails_and_sent_later(
    server: Server, url: str, machine: Machine, quiz: Path, project: Path, bench: Bench
) -> None:
    log = project / "log"
    add_fake(project, "one", log=str(log))
    command = ("run", "-m", "one", "-t", "quiz", "--results", url)
    server.before = lambda method, path: (
        "403 Forbidden" if method == "PUT" and path.endswith("result.json") else None
    )
    done = bench(*command)
    assert done.exit_code == 1
    assert f"bench: {url} cannot be written: " in done.stderr
    assert "run the same command again" in done.stderr
    told = bench("results", "list", "--results", url)
    assert f"1 run cannot be sent to {url} now" in told.stderr
    server.before = lambda _method, _path: None
    assert bench(*command).exit_code == 0
    assert len(asked(log)) == QUESTIONS
    assert len(keys_below(server, url, "result.json")) == 1
    assert not bench("results", "list", "--results", url).stderr


DONE, ANEW = b'{"status": "done"}', b'{"status": "done", "n": 2}'
FAILED, AGAIN = b'{"status": "failed"}', b'{"status": "failed", "n": 2}'
CUT = b'{"status": "do'
SUMMARY = Path("quiz", "one", "baseline-0123456789", "result.json")


@pytest.mark.parametrize(
    ("here", "sent", "stored", "then"),
    [
        (None, None, DONE, DONE),
        (DONE, DONE, None, None),  # removed on another machine
        (ANEW, DONE, None, ANEW),  # removed there, and made anew here
        (ANEW, DONE, DONE, ANEW),
        (DONE, DONE, ANEW, ANEW),
        (DONE, DONE, CUT, DONE),  # another machine was killed while it wrote
        (DONE, None, CUT, DONE),
        (DONE, None, FAILED, DONE),
        (FAILED, None, DONE, DONE),
        (FAILED, None, AGAIN, AGAIN),
        (FAILED, FAILED, DONE, DONE),
        (AGAIN, FAILED, DONE, DONE),
        (None, None, None, None),
    ],
)
def test_what_is_finished_stays_on_both_sides(
    here: bytes | None,
    sent: bytes | None,
    stored: bytes | None,
    then: bytes | None,
    server: Server,
    url: str,
    machine: Machine,
) -> None:
    mirror = open_mirror(url)
    path = mirror.folder / SUMMARY
    path.parent.mkdir(parents=True)
    key = f"{url.removeprefix('s3://bench/')}/{SUMMARY}"
    if sent:
        path.write_bytes(sent)
        mirror.send(SUMMARY)
        mirror.remote.remove([SUMMARY.as_posix()])
    for data, write in ((stored, partial(server.write, key)), (here, path.write_bytes)):
        if data:
            write(data)
    mirror.fetch_all()
    assert (path.read_bytes() if path.is_file() else None) == then
    assert mirror.send_all() == 0
    assert keys_below(server, url) == ([SUMMARY.as_posix()] if then else [])
    assert then is None or server.read(key) == then


def test_a_failure_takes_no_finished_run_s_place(server: Server, url: str, machine: Machine) -> None:
    mirror = open_mirror(url)
    path = mirror.folder / SUMMARY
    path.parent.mkdir(parents=True)
    key = f"{url.removeprefix('s3://bench/')}/{SUMMARY}"
    path.write_bytes(FAILED)
    mirror.send(SUMMARY)
    server.write(key, DONE)  # another machine has finished it
    path.write_bytes(AGAIN)
    mirror.send(SUMMARY)
    assert server.read(key) == path.read_bytes() == DONE


def test_a_summary_that_was_lost_here_is_fetched_again(
    server: Server, url: str, machine: Machine, quiz: Path, project: Path, bench: Bench
) -> None:
    add_fake(project, "one")
    command = ("run", "-m", "one", "-t", "quiz", "--results", url)
    assert bench(*command).exit_code == 0
    [summary] = (project / "first" / MIRRORS).rglob("result.json")
    for name in ("records.jsonl", "result.json"):
        summary.with_name(name).unlink()
        assert [row["state"] for row in listed(bench, url)] == ["done"]
        assert summary.with_name(name).is_file()
    assert "done before" in bench(*command).stderr


def test_a_merged_run_that_could_not_be_sent_is_sent_with_the_next_command(
    server: Server, url: str, machine: Machine, quiz: Path, project: Path, bench: Bench
) -> None:
    add_fake(project, "one")
    for shard in ("1/2", "2/2"):
        assert bench("run", "-m", "one", "-t", "quiz", "--shard", shard, "--results", url).exit_code == 0
    server.before = lambda method, path: (
        "403 Forbidden" if method == "PUT" and path.endswith("result.json") else None
    )
    assert bench("results", "merge", "--results", url).exit_code == 1
    assert bench("results", "merge", "--results", url).exit_code == 1
    server.before = lambda _method, _path: None
    assert "there already" in bench("results", "merge", "--results", url).stdout
    assert len(keys_below(server, url, "result.json")) == 1


def test_a_store_that_does_not_answer_is_noticed_before_anything_is_computed(
    server: Server, url: str, machine: Machine, quiz: Path, project: Path, bench: Bench
) -> None:
    log = project / "log"
    add_fake(project, "one", log=str(log))
    words = ("run", "-m", "one", "-t", "quiz", "--results")
    server.before = lambda _method, _path: "403 Forbidden"
    done = bench(*words, url)
    assert done.exit_code == 1
    assert "cannot be written" in done.stderr
    server.before = lambda _method, _path: None
    done = bench(*words, "s3://no-such-bucket/runs")
    assert done.exit_code == 1
    assert "The specified bucket does not exist" in done.stderr
    done = bench("results", "list", "--results", "s3://no-such-bucket/runs")
    assert "there is no bucket no-such-bucket" in done.stderr
    assert not log.exists()


def test_parts_of_several_machines_are_merged_on_another(
    server: Server, url: str, machine: Machine, quiz: Path, project: Path, bench: Bench
) -> None:
    add_fake(project, "one")
    assert bench("run", "-m", "one", "-t", "quiz", "--results", "local").exit_code == 0
    for name, shard in (("first", "2/3"), ("second", "3/3")):
        machine(name)
        assert bench("run", "-m", "one", "-t", "quiz", "--shard", shard, "--results", url).exit_code == 0
    cache = machine("third")
    assert "missing: 1/3" in bench("results", "merge", "--results", url).stderr
    assert bench("run", "-m", "one", "-t", "quiz", "--shard", "1/3", "--results", url).exit_code == 0
    done = bench("results", "merge", url, "--results", url)
    assert done.exit_code == 0, done.output
    [mirror] = (cache / MIRRORS).iterdir()
    [whole] = (path.parent for path in mirror.rglob("result.json"))
    shutil.copytree(whole, project / "merged" / whole.relative_to(mirror), ignore=lambda *_: ["parts"])
    assert lines(project / "merged") == lines(project / "local")
    assert len(keys_below(server, url, "result.json")) == 1
    assert bench("results", "prune", "parts", "--results", url).exit_code == 0
    assert keys_below(server, url, "part.json") == []
    assert len(keys_below(server, url)) == 2
    machine("first")
    assert [row["shards"] for row in listed(bench, url)] == [None]
    assert not list((project / "first" / MIRRORS).rglob("part.json"))


def test_what_is_removed_on_one_machine_is_gone_on_all(
    server: Server, url: str, machine: Machine, quiz: Path, project: Path, bench: Bench
) -> None:
    add_fake(project, "one")
    add_fake(project, "broken", fault="error")
    command = ("run", "-m", "one,broken", "-t", "quiz", "--limit", "9", "--results", url)
    assert bench(*command).exit_code == 1
    machine("second")
    assert [row["state"] for row in listed(bench, url)] == ["failed", "done"]
    assert bench("results", "prune", "failed", "--results", url).exit_code == 0
    machine("first")
    assert "failed" not in {row["state"] for row in listed(bench, url)}
    assert bench("results", "prune", "partial", "--results", url).exit_code == 0
    assert keys_below(server, url) == []
    machine("second")
    assert listed(bench, url) == []


def test_a_run_that_was_made_anew_is_read_anew(
    server: Server, url: str, machine: Machine, quiz: Path, project: Path, bench: Bench
) -> None:
    add_fake(project, "one")
    command = ("run", "-m", "one", "-t", "quiz", "--results", url)
    assert bench(*command).exit_code == 0
    machine("second")
    [before] = listed(bench, url)
    assert bench(*command, "--fresh").exit_code == 0
    machine("first")
    [now] = listed(bench, url)
    assert str(now["finished"]) > str(before["finished"])
    assert bench("results", "check", "--results", url).exit_code == 0


def test_records_of_probes_come_and_go_with_their_run(
    server: Server, url: str, machine: Machine, project: Path, bench: Bench
) -> None:
    cell = planted(exam(project, 20), "none")
    mirror = open_mirror(url)
    *_, run = run_cell(cell, mirror.folder, ALL)
    assert isinstance(run, DoneResult)
    assert any("/probes-" in key for key in keys_below(server, url))
    machine("second")
    other = open_mirror(url)
    other.fetch_all()
    assert lines(other.folder) == lines(mirror.folder)
    [probed] = other.folder.rglob("probes.jsonl")
    assert probed.read_bytes() == next(mirror.folder.rglob("probes.jsonl")).read_bytes()
    assert bench("results", "check", "--results", url).exit_code == 0
    *_, again = run_cell(cell, other.folder, Terms(fresh=True))
    assert isinstance(again, DoneResult)
    mirror.fetch_all()
    assert not list(mirror.folder.rglob("probes.jsonl"))
    mirror.forget(summary_in(cell.folder))
    assert keys_below(server, url) == []


def test_records_that_are_missing_or_changed_in_the_store_are_damage(
    server: Server, url: str, machine: Machine, quiz: Path, project: Path, bench: Bench
) -> None:
    add_fake(project, "one")
    assert bench("run", "-m", "one", "-t", "quiz", "--results", url).exit_code == 0
    [records] = keys_below(server, url, ".jsonl")
    key = f"{url.removeprefix('s3://bench/')}/{records}"
    server.write(key, server.read(key).replace(b'"B"', b'"A"'))
    machine("second")
    done = bench("results", "check", "--results", url)
    assert done.exit_code == 3
    assert "not the records that result.json was made from" in done.stderr
    assert [row["state"] for row in listed(bench, url)] == ["damaged"]


def test_names_that_lead_elsewhere_are_not_followed(server: Server, url: str, machine: Machine) -> None:
    mirror = open_mirror(url)
    server.write(f"{url.removeprefix('s3://bench/')}/../../outside/result.json", b"{}")
    server.write(f"{url.removeprefix('s3://bench/')}/inside/result.json", b"{}")
    mirror.fetch_all()
    assert (mirror.folder / "inside" / "result.json").is_file()
    assert not list(mirror.folder.parent.parent.rglob("outside"))


def test_a_lease_is_of_one_owner_until_it_ends(
    server: Server, url: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = Remote(url)
    mine, same, other = (Leases(remote, owner) for owner in ("me", "me", "other"))
    with mine.lease("cell"):
        assert other.is_taken("cell")
        assert not same.is_taken("cell")
        with pytest.raises(CellLocked), other.lease("cell"):
            pass
        with same.lease("cell"):
            pass
    assert not Leases(remote, "other").is_taken("cell")
    ended = json.dumps({"owner": "me", "token": "", "until": 0}).encode()
    assert remote.create(".leases/cell", ended)
    assert not remote.create(".leases/cell", ended)
    with other.lease("cell"):
        assert json.loads(remote.get([".leases/cell"])[".leases/cell"])["owner"] == "other"
    remote.put(".leases/cell", b"no lease")
    assert not Leases(remote, "other").is_taken("cell")


def test_one_of_several_has_a_lease_that_has_ended(server: Server, url: str, machine: Machine) -> None:
    Remote(url).put(".leases/cell", json.dumps({"owner": "lost", "token": "", "until": 0}).encode())
    has: list[str] = []
    together = threading.Barrier(4)

    def take(owner: str) -> None:
        leases = Leases(Remote(url), owner)
        together.wait()
        with suppress(CellLocked), leases.lease("cell"):
            has.append(owner)
            time.sleep(2)

    threads = [threading.Thread(target=take, args=(f"machine {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(has) == 1


@pytest.mark.parametrize("status", ["412 Precondition Failed", "409 Conflict", "501 Not Implemented"])
def test_any_refusal_of_a_conditional_write_is_a_lease_that_may_be_taken(
    status: str, server: Server, url: str, machine: Machine
) -> None:
    """MinIO says in another way than S3 that a file exists, and some stores write nothing conditionally."""
    remote = Remote(url)
    leases = Leases(remote, "me")
    refused: list[str] = []

    def refuse(method: str, path: str) -> str | None:
        if method == "PUT" and not refused:
            refused.append(path)
            return status
        return None

    server.before = refuse
    with leases.lease("cell"):
        assert Leases(remote, "other").is_taken("cell")
    remote.put(".leases/cell", json.dumps({"owner": "other", "until": time.time() + 60}).encode())
    refused.clear()
    with pytest.raises(CellLocked), leases.lease("cell"):
        pass


def test_a_lease_is_renewed(
    server: Server, url: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.results.lease.SECONDS", 0.4)
    remote = Remote(url)

    def until() -> float:
        return float(json.loads(remote.get([".leases/cell"])[".leases/cell"])["until"])

    with Leases(remote, "me").lease("cell"):
        first = until()
        wait_for(lambda: until() > first)
    assert remote.names(".leases") == {}


def test_a_mirror_that_has_lost_its_address_says_so(
    server: Server, url: str, machine: Machine, quiz: Path, project: Path, bench: Bench
) -> None:
    add_fake(project, "one")
    assert bench("run", "-m", "one", "-t", "quiz", "--results", url).exit_code == 0
    [mirror] = (project / "first" / MIRRORS).iterdir()
    copy = mirror.with_name("copy")
    shutil.copytree(mirror, copy)
    (copy / STORE).unlink()
    with pytest.raises(StoreError, match=r"\.store\.json is gone"):
        mirror_of(copy)
    assert mirror_of(project / "results") is None


def test_other_stores_of_fsspec(machine: Machine, quiz: Path, project: Path, bench: Bench) -> None:
    add_fake(project, "one")
    share = f"file://{project}/share"
    assert bench("run", "-m", "one", "-t", "quiz", "--results", share).exit_code == 0
    machine("second")
    assert [row["state"] for row in listed(bench, share)] == ["done"]
    assert len(list((project / "share").rglob("*.json*"))) == 2


@pytest.mark.parametrize(
    ("address", "text", "code"),
    [
        ("gs://bucket/results", "pip install 'slm-bench[gcs]'", 1),
        ("nowhere://bucket", "Protocol not known: nowhere", 2),
        ("s3://name:secret@bucket/results", "keep it in the environment", 2),
        ("s3://", "names a place, such as s3://bucket/results", 2),
        ("file:///", "names a place", 2),
        ("memory://runs", "lost when this command ends", 2),
        ("s3:/bucket/results", "begins with two slashes", 2),
    ],
)
@pytest.mark.parametrize("words", [("run", "-m", "chance", "-t", "quiz"), ("results", "list")])
def test_an_address_that_cannot_be_used_is_one_clear_message(
    words: tuple[str, ...], address: str, text: str, code: int, quiz: Path, machine: Machine, bench: Bench
) -> None:
    done = bench(*words, "--results", address)
    assert done.exit_code == code
    assert text in done.stderr
    assert "secret" not in done.output
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("leaderboard", "build", "--out", "s3://bucket/site"),
        ("results", "strip", "--out", "s3://bucket/results"),
        ("import", "lm-eval", "s3://bucket/folder"),
        ("run", "-m", "chance", "--data-dir", "gs://bucket"),
    ],
)
def test_an_address_is_refused_where_a_path_is_needed(
    words: tuple[str, ...], project: Path, bench: Bench
) -> None:
    done = bench(*words)
    assert done.exit_code == 2
    assert "addresses are for --results" in done.stderr
    assert not list(project.iterdir())
