"""What `bench cluster` prints, run: under a scheduler that starts each element here."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from stores import s3

from conftest import QUESTIONS
from played import add_fake, lines

Bench = Callable[..., Result]
SBATCH = """\
#!/bin/sh
# Runs the script on stdin once, or once for each element of an array.
array= script=$(cat)
for word; do case $word in --array=1-*) array=${word#--array=1-};; esac; done
echo "$@" >>sbatch.log
if [ "$array" ]; then
  for index in $(seq 1 "$array"); do
    SLURM_ARRAY_TASK_ID=$index sh -c "$script" >>slurm.log 2>&1 || echo "failed $index" >>slurm.log
  done
  echo "4711;here"
else
  sh -c "$script" >>slurm.log 2>&1
fi
"""


@pytest.fixture
def sweep_of(quiz: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep file, and commands `sbatch` and `bench` on the path."""
    for name in ("one", "two"):
        add_fake(project, name)
    path = project / "My sweep.yaml"
    path.write_text("models: [one, two]\ntasks: [quiz]\n", encoding="utf-8")
    programs = {"sbatch": SBATCH, "bench": f'#!/bin/sh\nexec {sys.executable} -m bench "$@"\n'}
    for name, text in programs.items():
        program = project / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text, encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{project / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return path


def test_a_job_array_of_slurm_runs_all_shards_and_merges_them(
    sweep_of: Path, project: Path, bench: Bench
) -> None:
    words = ("--shards", "3", "--results", "shared results", "--memory", "8G", "--gpus", "1")
    done = bench("cluster", "slurm", "--sweep", sweep_of.name, *words, "--setup", "ulimit -c 0")
    assert done.exit_code == 0, done.output
    ran = subprocess.run(["sh"], input=done.stdout, text=True, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    log = (project / "slurm.log").read_text()
    assert log.count("merged: ") == 2, log
    assert len(lines(project / "shared results")) == 2 * QUESTIONS + 2 * QUESTIONS  # runs, and their parts
    first, second = (project / "sbatch.log").read_text().splitlines()
    assert "--array=1-3" in first
    assert "--mem=8G --gres=gpu:1" in first
    assert "--dependency=afterany:4711" in second


def test_manifests_of_kubernetes_run_all_shards_and_merge_them(
    sweep_of: Path, project: Path, bench: Bench
) -> None:
    results = str(project / "volume")
    words = ("--shards", "2", "--results", results, "--image", "slm-bench:1", "--claim", "shared")
    done = bench("cluster", "kubernetes", "--sweep", sweep_of.name, *words, "--memory", "8G")
    assert done.exit_code == 0, done.output
    configuration, shards, merging = yaml.safe_load_all(done.stdout)
    assert configuration["data"] == {"sweep.yaml": sweep_of.read_text(encoding="utf-8")}
    assert [one["metadata"]["name"] for one in (configuration, shards, merging)] == [
        "bench-my-sweep",
        "bench-my-sweep",
        "bench-my-sweep-merge",
    ]
    assert (shards["spec"]["completions"], shards["spec"]["completionMode"]) == (2, "Indexed")
    resources = container(shards)["resources"]
    assert resources["limits"] == resources["requests"] == {"cpu": "4", "memory": "8Gi"}
    for index in range(2):
        run_in_pod(shards, project, index)
    run_in_pod(merging, project, 0)
    assert len(list((project / "volume").rglob("result.json"))) == 2


def test_pods_that_share_only_a_store_merge_what_they_answered(
    sweep_of: Path, project: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(project / "cache"))
    with s3():
        words = (
            "--shards",
            "2",
            "--results",
            "s3://bench/pods",
            "--image",
            "slm-bench:1",
            "--secret",
            "keys",
        )
        done = bench("cluster", "kubernetes", "--sweep", sweep_of.name, *words)
        assert done.exit_code == 0, done.output
        _, shards, merging = yaml.safe_load_all(done.stdout)
        assert container(shards)["envFrom"] == [{"secretRef": {"name": "keys"}}]
        for job, index in ((shards, 0), (shards, 1), (merging, 0)):
            monkeypatch.setenv(
                "BENCH_CACHE_DIR", str(project / f"cache of {job['metadata']['name']} {index}")
            )
            run_in_pod(job, project, index, mounted={"/sweep"})
        assert "2 done" in bench("results", "check", "--results", "s3://bench/pods").stdout


def test_a_claim_is_given_for_a_folder_and_only_then(sweep_of: Path, bench: Bench) -> None:
    words = ("cluster", "kubernetes", "--sweep", sweep_of.name, "--shards", "2", "--image", "slm-bench:1")
    done = bench(*words)
    assert done.exit_code == 2
    assert "--claim is missing" in done.stderr
    done = bench(*words, "--claim", "shared", "--results", "s3://bench/pods")
    assert done.exit_code == 2
    assert "leave it out" in done.stderr


def container(job: dict[str, Any]) -> dict[str, Any]:
    [only] = job["spec"]["template"]["spec"]["containers"]
    return only


def run_in_pod(job: dict[str, Any], project: Path, index: int, mounted: set[str] | None = None) -> None:
    """Run a pod's command here, where the sweep file is in another folder."""
    words = [
        word.replace("/sweep/sweep.yaml", f"'{project}/My sweep.yaml'") for word in container(job)["command"]
    ]
    expected = mounted or {str(project / "volume"), "/sweep"}
    assert {mount["mountPath"] for mount in container(job)["volumeMounts"]} == expected
    environment = os.environ | {"JOB_COMPLETION_INDEX": str(index)}
    ran = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_mistakes_are_found_before_anything_is_submitted(sweep_of: Path, bench: Bench) -> None:
    words = ("cluster", "slurm", "--sweep", sweep_of.name, "--shards", "2")
    assert bench(*words, "--memory", "much").exit_code == 2
    assert bench(*words[:-1], "0").exit_code == 2
    sweep_of.write_text("models: [one]\nmodel: two\n", encoding="utf-8")
    done = bench(*words)
    assert done.exit_code == 3
    assert "My sweep.yaml:2: model" in done.stderr
