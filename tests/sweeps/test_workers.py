"""Workers: what they have imported, what their memory is, what they take over, and what they leave."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from click.testing import Result
from worker_targets import (
    attributes,
    hold,
    imported_by_work,
    leave,
    modules,
    surroundings,
    wait_for_ever,
    write,
)

from bench.results.store import read_results
from bench.sweeps import warm
from bench.sweeps.preload import BY_NUMPY
from bench.sweeps.process import KEPT_OUTPUT, Exit, Limits, run_in_process
from conftest import TASK, write_lines
from outside import install

HEAVY = {
    "numpy",
    "scipy",
    "sklearn",
    "torch",
    "transformers",
    "datasets",
    "pandas",
    "huggingface_hub",
    "lm_eval",
}
CELLS = """\
import sys
from pathlib import Path

from bench.engines.baseline import CHANCE
from bench.engines.kinds import EngineKind, Standalone


def _open(opening):
    engine = CHANCE.opens.open(opening)
    Path(opening.card.name).write_text(" ".join(sorted(sys.modules)))
    return engine


SPY = EngineKind(reads="item", architectures=frozenset({"baseline"}), opens=Standalone(_open))
"""


@pytest.fixture(params=["from a server", "anew"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "anew":
        monkeypatch.setattr("bench.sweeps.warm.HAS_SERVERS", False)


def test_a_baselines_worker_imports_no_library_that_it_does_not_use(
    anatomy: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(project / "site", monkeypatch, {"bench.engines": {"spy": "extras:SPY"}}, CELLS)
    card = "{title: T, family: f, license: mit, architecture: baseline, engine: spy, name: "
    (project / "model_cards").mkdir()
    (project / "model_cards" / "spy.yaml").write_text(f"{card}spy}}", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    anatomy.write_text(anatomy.read_text() + "metrics: [accuracy]\n")
    words = ["run", "-m", "tfidf,spy", "-t", "anatomy", "--offline"]
    done = subprocess.run([sys.executable, "-m", "bench", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = (project / "spy").read_text().split()
    assert "bench.sweeps.work" in loaded
    assert HEAVY & set(loaded) == set()
    assert {name for name in loaded if name.startswith(("bench.board", "bench.lm_eval", "rich"))} == set()
    small, large = (
        next(
            each.cost.peak_memory_bytes
            for each in read_results(project / "results")
            if each.model_name == name
        )
        for name in ("spy", "tfidf")
    )
    assert small is not None
    assert large is not None
    assert small < large


@pytest.mark.skipif(not warm.HAS_SERVERS, reason="needs servers of workers")
def test_a_baselines_cell_imports_nothing_that_its_server_has_not(
    bench: Callable[..., Result], anatomy: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.sweeps.supervise.work", imported_by_work)
    anatomy.write_text(anatomy.read_text() + "metrics: [accuracy, macro_f1]\n")
    assert bench("run", "-m", "chance,majority", "-t", "anatomy").exit_code == 0
    assert (project / "imported.txt").read_text() == "\n\n"


def test_cells_that_need_less_imported_come_first(bench: Callable[..., Result], anatomy: Path) -> None:
    text = anatomy.read_text()
    anatomy.with_name("bones.yaml").write_text(text.replace("name: anatomy", "name: bones"))

    def models(*words: str) -> list[str]:
        lines = bench("run", "-m", "chance,tfidf", "-t", "anatomy,bones", "--fresh", *words).stderr
        cells = [line.split() for line in lines.splitlines() if " items, " in line]
        return [model for _, model, *_ in sorted(cells)]

    assert models() == ["chance", "chance", "tfidf", "tfidf"]
    assert models("--jobs", "2") == ["chance", "tfidf", "chance", "tfidf"]


def test_results_are_in_the_planned_order_whatever_ran_first(
    bench: Callable[..., Result], anatomy: Path
) -> None:
    anatomy.with_name("bones.yaml").write_text(anatomy.read_text().replace("name: anatomy", "name: bones"))
    words = ("run", "-m", "chance,tfidf", "-t", "anatomy,bones")
    assert [line for line in bench(*words).stdout.split() if line in ("anatomy", "bones")] == [
        "anatomy",
        "bones",
    ]
    listed = [
        (each["cell"]["task"]["name"], each["cell"]["model"]["name"])
        for each in json.loads(bench(*words, "--json").stdout)
    ]
    assert listed == [(task, model) for task in ("anatomy", "bones") for model in ("chance", "tfidf")]


@pytest.mark.skipif(not warm.HAS_SERVERS, reason="needs servers of workers")
def test_a_stop_does_not_wait_for_a_server_that_still_imports(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "slow_to_import.py").write_text("import time; time.sleep(300)", encoding="utf-8")
    monkeypatch.syspath_prepend(project)
    stop, events = threading.Event(), []
    limits = Limits(stop=stop)

    def work() -> None:
        events.extend(run_in_process(surroundings, 0, name="w", limits=limits, preload=("slow_to_import",)))

    waiting = threading.Thread(target=work, daemon=True)
    waiting.start()
    time.sleep(2)
    assert waiting.is_alive()
    stop.set()
    warm.kill_idle()
    waiting.join(60)
    assert not waiting.is_alive()
    assert events == []


@pytest.mark.skipif(not warm.HAS_SERVERS, reason="needs servers of workers")
def test_a_worker_whose_server_was_killed_is_ended(project: Path) -> None:
    stop = threading.Event()
    events = run_in_process(wait_for_ever, 0, name="wait", limits=Limits(stop=stop))
    assert next(events) == "here"
    [worker] = warm._WORKERS
    running = psutil.Process(worker)
    warm._WORKERS[worker].kill()
    assert isinstance(next(events), Exit)
    running.wait(60)


def test_a_worker_has_imported_what_its_server_was_asked_for() -> None:
    plain, _ = run_in_process(modules, 0, name="plain")
    numpy, _ = run_in_process(modules, 0, name="numpy", preload=BY_NUMPY)
    assert HEAVY.isdisjoint(plain)
    assert HEAVY & set(numpy) == {"numpy"}


def test_the_peak_memory_of_a_worker_is_its_own(each_way: None) -> None:
    parents = bytearray(os.urandom(1)) * 300_000_000
    (before, held, after), _ = run_in_process(hold, 100_000_000, name="hold")
    assert before < 120_000_000
    assert 0.98 * held < after - before < held + 20_000_000
    (again, *_), _ = run_in_process(hold, 1, name="again")
    assert abs(again - before) < 10_000_000, "the peak of one worker must not reach the next"
    assert len(parents) == 300_000_000


def test_a_worker_takes_over_environment_and_folder_of_the_moment(
    each_way: None, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("one", "two"):
        monkeypatch.setenv("OF_THE_PARENT", value)
        (given, folder, process), _ = run_in_process(surroundings, 0, name="x")
        assert (given, folder) == (value, str(project))
        assert process != os.getpid()


def test_the_last_of_what_a_worker_prints_is_kept(each_way: None, capfd: pytest.CaptureFixture[str]) -> None:
    [end] = run_in_process(write, 5_000_000, name="write")
    assert isinstance(end, Exit)
    assert len(end.output) == KEPT_OUTPUT
    assert end.output.endswith("x last")
    assert capfd.readouterr().out == ""


def test_a_process_that_a_worker_leaves_is_ended_and_not_waited_for() -> None:
    start = time.monotonic()
    [end] = run_in_process(leave, 0, name="leave")
    assert isinstance(end, Exit)
    assert end.code == 4
    assert time.monotonic() - start < 60
    if warm.HAS_SERVERS:
        left = [
            each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "2000"]
        ]
        assert left == []


def test_a_worker_is_ended_from_outside(each_way: None) -> None:
    stop = threading.Event()
    events = run_in_process(wait_for_ever, 0, name="wait", limits=Limits(stop=stop))
    assert next(events) == "here"
    stop.set()
    assert list(events) == []
    first, end = run_in_process(wait_for_ever, 0, name="late", limits=Limits(seconds=3))
    assert first == "here"
    assert end.timed_out


def test_a_server_does_not_import_what_lies_in_the_working_folder(project: Path) -> None:
    """As with any command, a file of the user's is data until it is named."""
    for name in ("click", "yaml", "psutil", "bench"):
        (project / f"{name}.py").write_text(f"open('{name} was run', 'w')", encoding="utf-8")
    write_lines(project / "tasks" / "test.jsonl", [{"question": "?", "options": ["a", "b"], "answer": 0}])
    write_lines(project / "tasks" / "train.jsonl", [])
    text = TASK.replace("  columns: {id: id}\n", "")
    (project / "tasks" / "anatomy.yaml").write_text(text, encoding="utf-8")
    code = "import sys; sys.path.remove(''); from bench.cli import main; main()"
    words = ["run", "-m", "chance", "-t", "anatomy", "--offline"]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(project.glob("* was run")) == []


@pytest.mark.skipif(not warm.HAS_SERVERS, reason="needs servers of workers")
def test_what_a_library_reads_when_it_is_imported_is_of_the_worker_s_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "reads_early.py").write_text(
        "import os; VALUE, SERVER = os.environ.get('READ_EARLY'), os.getpid()", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(project)

    def read() -> tuple[str, int]:
        return next(run_in_process(attributes, "reads_early", name="w", preload=("reads_early",)))

    monkeypatch.setenv("READ_EARLY", "first")
    value, server = read()
    assert value == "first"
    assert read() == ("first", server)
    monkeypatch.setenv("READ_EARLY", "second")
    value, other = read()
    assert value == "second"
    assert other != server
    assert not psutil.pid_exists(server)


def test_to_preload_a_library_of_models_uses_no_accelerator_and_starts_no_thread() -> None:
    code = """
import threading
import torch

def refuse(*_):
    raise SystemExit("an accelerator was used")

torch.cuda.is_available = torch.cuda.device_count = torch.cuda._lazy_init = refuse
from importlib import import_module
from bench.engines.kinds import TRANSFORMERS

for module in TRANSFORMERS.preload:
    import_module(module)
print(len(TRANSFORMERS.preload), threading.active_count())
"""
    assert _python(code) in ("6 1", "0 1")  # none where there is an accelerator
    without = "import bench.engines.device as device; from pathlib import Path; device._DRIVER = Path('/')\n"
    assert _python(without + code) == "0 1"


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(not warm.HAS_SERVERS, reason="needs servers of workers")
def test_a_module_that_ends_its_server_ends_no_sweep(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "ends_its_server.py").write_text("raise RuntimeError", encoding="utf-8")
    monkeypatch.syspath_prepend(project)
    events = [*run_in_process(surroundings, 0, name="w", limits=Limits(), preload=("ends_its_server",))]
    assert [type(event) for event in events] == [tuple, Exit]


@pytest.mark.skipif(not warm.HAS_SERVERS, reason="needs servers of workers")
def test_where_the_path_of_a_socket_is_too_long_a_sweep_runs(anatomy: Path, project: Path) -> None:
    temporary = project / ("long" * 30)
    temporary.mkdir()
    command = [sys.executable, "-m", "bench", "run", "-m", "chance", "-t", "anatomy", "--offline"]
    env = os.environ | {"TMPDIR": str(temporary)}
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
