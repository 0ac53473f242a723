"""Sweep files, offline machines, bundles and the doctor."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from bench.inputs.cards import all_cards
from bench.inputs.sweep_file import read_sweep
from bench.results.files import read_result
from bench.sweeps.energy import Meter, describe_counters, rapl
from conftest import ROOT
from tiny import add_card, save_causal


def planned(done: Result) -> list[tuple[str, str]]:
    assert done.exit_code == 0, done.output
    return [(row["model"], row["variant"]) for row in json.loads(done.stdout)]


def test_a_sweep_file_says_models_tasks_and_variants(
    anatomy: Path, project: Path, bench: Callable[..., Result]
) -> None:
    add_card(project, "mine", save_causal(project / "weights", "llama"))
    sweep = project / "sweep.yaml"
    sweep.write_text(
        "models: [mine, chance]\ntasks: [anatomy]\nlimit: 2\n"
        "variants:\n  - {dtype: float32}\n  - {dtype: float32, quantize: nf4}\n"
        "  - {dtype: float32, exemplars: 2}\n"
    )
    run = ("run", "--sweep", "sweep.yaml", "--dry-run", "--json", "--offline")
    assert planned(bench(*run)) == [
        ("chance", "baseline"),
        ("mine", "float32"),
        ("mine", "float32-nf4"),
        ("mine", "float32-2shot"),
    ]
    # What is given as a flag overrides the file, in all its variants.
    assert planned(bench(*run, "-m", "mine", "--exemplars", "1")) == [
        ("mine", "float32-1shot"),
        ("mine", "float32-nf4-1shot"),
    ]
    assert [row["items"] for row in json.loads(bench(*run, "--limit", "1").stdout)] == [1, 1, 1, 1]
    assert json.loads(bench(*run).stdout)[1]["items"] == 2


def test_mistakes_of_a_sweep_file_come_together_with_their_lines(
    project: Path, bench: Callable[..., Result]
) -> None:
    (project / "sweep.yaml").write_text("models: [chance]\nvariants:\n  - {quantise: nf4}\njobs: 0\n")
    done = bench("run", "--sweep", "sweep.yaml")
    assert done.exit_code == 3
    assert "sweep.yaml:3: variants.0.quantise: unknown key; did you mean 'quantize'?" in done.output
    assert "sweep.yaml:4: jobs: " in done.output


@pytest.mark.parametrize("path", sorted((ROOT / "sweeps").glob("*.yaml")), ids=str)
def test_the_projects_own_sweeps_can_be_read(path: Path) -> None:
    assert read_sweep(path).models


def test_a_plan_says_memory_and_time_from_runs_before(
    anatomy: Path, project: Path, bench: Callable[..., Result]
) -> None:
    [before] = json.loads(bench("run", "-m", "chance", "-t", "anatomy", "--dry-run", "--json").stdout)
    assert (before["state"], before["seconds"]) == ("to do", None)
    bench("run", "-m", "chance", "-t", "anatomy", "--limit", "2")
    [after] = json.loads(bench("run", "-m", "chance", "-t", "anatomy", "--dry-run", "--json").stdout)
    [result] = [read_result(path) for path in (project / "results").rglob("result.json")]
    assert result.status == "done"
    each = result.cost.scoring_seconds / 2
    assert after["seconds"] == pytest.approx(result.cost.load_seconds + 3 * each)
    assert after["memory_bytes"] == result.cost.peak_memory_bytes


CLOSED = """\
import os, socket
connect = socket.socket.connect
def refuse(*args, **kwargs):
    if isinstance(args[0], socket.socket) and args[0].family == socket.AF_UNIX:  # to a process, not a host
        return connect(*args)
    with open(os.environ["TOUCHED"], "a") as file:
        file.write(f"{args}\\n")
    raise OSError("sockets are closed")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse
"""


def closed(project: Path) -> dict[str, str]:
    """An environment in which no process can look up or reach a host, and which tells when one tried."""
    (project / "closed").mkdir()
    (project / "closed" / "sitecustomize.py").write_text(CLOSED)
    (project / "touched").write_text("")
    environment = {name: value for name, value in os.environ.items() if "OFFLINE" not in name}
    environment |= {"PYTHONPATH": str(project / "closed"), "TOUCHED": str(project / "touched")}
    return environment | {"HF_HOME": str(project / "hf")}


def test_offline_touches_no_network(anatomy: Path, project: Path) -> None:
    environment = closed(project)
    add_card(project, "mine", save_causal(project / "weights", "llama"))
    command = [sys.executable, "-m", "bench", "run", "-m", "all", "-t", "anatomy,medqa", "--offline"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "mine" in done.stdout
    assert (project / "touched").read_text() == ""
    # The trap works: without the flag the hub is asked.
    command[-1:] = ["--dry-run"]
    subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)
    assert "huggingface.co" in (project / "touched").read_text()


def test_a_bundle_runs_on_a_machine_that_is_never_online(
    anatomy: Path, project: Path, bench: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_card(project, "mine", save_causal(project / "weights", "llama"))
    run = ("run", "-m", "mine,majority", "-t", "anatomy", "--dtype", "float32", "--offline")
    assert bench(*run).exit_code == 0
    result = bench("bundle", "out", "-m", "mine,majority", "-t", "anatomy", "--offline")
    assert result.exit_code == 0, result.output
    assert bench("bundle", "out", "-m", "mine", "-t", "anatomy").exit_code == 2  # never over another
    for name in ("tasks", "model_cards", "weights"):  # the machine elsewhere has none of them
        (project / name).rename(project / f"gone-{name}")
    monkeypatch.chdir(project / "out")
    sums = [line.split("  ") for line in Path("SHA256SUMS").read_text().splitlines()]
    assert all(hashlib.sha256(Path(name).read_bytes()).hexdigest() == digest for digest, name in sums)
    assert bench("bundle", ".", "--check").stdout == f"{len(sums)} files match their checksums\n"
    done = subprocess.run(
        [sys.executable, "-m", "bench", *run],
        env=closed(project), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (project / "touched").read_text() == ""

    def ids(folder: Path) -> list[str]:
        return sorted(read_result(path).cell.id for path in folder.rglob("result.json"))

    assert ids(Path("results")) == ids(project / "results"), "the same cells, by content"
    [weights] = Path("weights").rglob("*.safetensors")
    weights.write_bytes(b"other")
    Path("tasks/anatomy.yaml").unlink()
    broken = bench("bundle", ".", "--check")
    assert broken.exit_code == 3
    assert "model.safetensors: was changed" in broken.output
    assert "anatomy.yaml: is missing" in broken.output


@pytest.mark.model
def test_a_bundle_holds_the_embedded_model_under_the_same_identity(
    anatomy: Path, project: Path, bench: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "smollm2-135m-instruct-q4_1"
    run = ("run", "-m", name, "-t", "anatomy", "--dry-run", "--json", "--offline")
    [before] = json.loads(bench(*run).stdout)
    assert bench("bundle", "out", "-m", name, "-t", "anatomy", "--offline").exit_code == 0
    monkeypatch.chdir(project / "out")
    [after] = json.loads(bench(*run).stdout)
    assert Path(after["folder"]).name == Path(before["folder"]).name


def test_the_doctor_says_what_this_machine_can_run(project: Path, bench: Callable[..., Result]) -> None:
    done = bench("doctor", "--offline", "--json")
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    wanted = {"hub", "versions", "memory", "cores", "GPU", "dtype auto", "cache", "models", "energy"}
    assert findings.keys() >= wanted
    assert "nf4" in findings["quantising"]["found"]
    assert f"of {len(all_cards())} are on this machine" in findings["models"]["found"]
    (project / "model_cards").mkdir()
    (project / "model_cards" / "odd.yaml").write_text("name: [")
    bad = bench("doctor", "--offline")
    assert bad.exit_code == 1
    assert "BAD  models" in bad.stdout
    assert "odd.yaml:1" in bad.stdout


def test_a_bundle_carries_nothing_from_outside_and_writes_nothing_there(
    anatomy: Path, project: Path, bench: Callable[..., Result]
) -> None:
    (project / "secret").mkdir()
    text = anatomy.read_text()
    anatomy.write_text(text + "metrics: ['evaluate:../secret']\n")
    done = bench("bundle", "out", "-m", "chance", "-t", "anatomy", "--offline")
    assert done.exit_code == 2
    assert "evaluate:../secret is not a file below tasks" in done.output
    odd = text.replace("{test: test.jsonl, ", "{'../../test': test.jsonl, ")
    anatomy.write_text(odd.replace("splits: {test: test", "splits: {test: '../../test'"))
    assert bench("bundle", "out2", "-m", "chance", "-t", "anatomy", "--offline").exit_code == 0
    assert sorted(path.name for path in (project / "out2" / "tasks" / "data").iterdir()) == [
        "anatomy-test.jsonl",
        "anatomy-train.jsonl",
    ]
    assert bench("bundle", "out2", "--check").exit_code == 0
    (project / "out2" / "model_cards" / "more.yaml").write_text("")
    assert "more.yaml: does not belong to the bundle" in bench("bundle", "out2", "--check").output


def test_energy_is_read_from_the_kernel_s_counters_also_when_they_wrap(tmp_path: Path) -> None:
    for zone, name, value in (("0", "package-0", 5_000_000), ("0:0", "core", 7), ("0:1", "dram", 1_000_000)):
        folder = tmp_path / f"intel-rapl:{zone}"
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "energy_uj").write_text(f"{value}\n")
        (folder / "max_energy_range_uj").write_text("10000000\n")
    counters = tuple(rapl(tmp_path))
    assert [counter.name for counter in counters] == ["package-0", "dram"]
    meter = Meter(counters)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("8000000\n")
    assert meter.lap()[1] == pytest.approx(3.0)
    meter.begin()
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("1000000\n")
    (tmp_path / "intel-rapl:0:1" / "energy_uj").write_text("1500000\n")
    assert meter.lap()[1] == pytest.approx(3.0 + 0.5)
    assert Meter(()).lap()[1] is None
    assert describe_counters().startswith(("counters of ", "no counter ("))


def test_a_bundle_leaves_out_what_is_not_here_and_leaves_no_half_folder(
    anatomy: Path, project: Path, bench: Callable[..., Result]
) -> None:
    done = bench("bundle", "out", "-m", "phi-2,chance", "-t", "anatomy", "--offline")
    assert done.exit_code == 0, done.output
    assert "left out: model phi-2: the weights are not on this machine" in done.stdout
    assert [path.name for path in (project / "out" / "model_cards").iterdir()] == ["chance.yaml"]
    none = bench("bundle", "none", "-m", "phi-2", "-t", "anatomy", "--offline")
    assert none.exit_code == 2
    assert "none of the models is on this machine" in none.output
    assert not (project / "none").exists()
