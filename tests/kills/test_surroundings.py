"""The commands where a disk is full, files cannot be written, a user has no rights, or texts are not UTF-8.

Each is a process. It ends with the right code and one message, and never with a traceback.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bench.results.store import read_runs
from bench.site_folder import replace_site
from bench.whole_folder import put
from conftest import ROOT

Words = tuple[str, ...]
BUILD = ("leaderboard", "build", "--out")


def bench_in(
    folder: Path, *words: str, code: int = 0, before: Words = (), utf8: bool = True, **variables: str | None
) -> str:
    """What the command prints, on both streams; a variable that is None is not set."""
    given = {name: value for name, value in (os.environ | variables).items() if value is not None}
    command = [*before, sys.executable, "-m", "bench", *words]
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True)
    output = (done.stdout + done.stderr).decode(errors="strict" if utf8 else "replace")
    assert "Traceback" not in output, output
    assert done.returncode == code, output
    return output


def copy_runs(results: Path) -> Path:
    for version in (3, 4):
        source = ROOT / "tests" / "golden" / f"schema-{version}"
        [run] = read_runs(source)
        shutil.copytree(source, results / "medqa_sample" / f"{run.result.model_name}-{version}")
    return results


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def results(project: Path) -> Path:
    return copy_runs(project / "results")


def fill(disk: Path) -> None:
    """Leave some pages' room."""
    (disk / "filler").write_bytes(b"x" * 100_000)


@pytest.mark.usefixtures("results")
def test_a_full_disk_leaves_the_old_site(project: Path, small_disk: Path) -> None:
    old = {"index.html": b"old", "runs/a.html": b"old"}
    for name in ("site", "public"):
        replace_site(small_disk / name, old, lambda folder: put(old, folder))
    fill(small_disk)
    before = files(small_disk)
    bench_in(project, *BUILD, "site")
    words = {"site": BUILD, "public": ("leaderboard", "publish", "--yes", "--to")}
    words["out"] = ("export", "lm-eval", "--out")
    for name, command in words.items():
        output = bench_in(project, *command, f"disk/{name}", code=1)
        message = (
            f"bench: disk/{name} cannot be written: No space left on device; make room, and run the command"
        )
        assert message in output
        assert files(small_disk) == before
        assert {path.name for path in small_disk.iterdir()} == {"filler", "public", "site"}


def test_a_full_disk_ends_a_sweep_and_an_import_with_one_message(
    quiz: Path, project: Path, small_disk: Path, results: Path
) -> None:
    bench_in(project, "export", "lm-eval", "--out", "theirs")
    for path in (project / "theirs").rglob("results_*.json"):
        path.write_text(path.read_text("utf-8").replace('"slm-bench"', '"hf"'), encoding="utf-8")
    (small_disk / "filler").write_bytes(b"x" * 118_000)
    for words in (("run", "-m", "chance", "-t", "quiz"), ("import", "lm-eval", "theirs")):
        output = bench_in(project, *words, "--results", "disk/results", code=1)
        assert (
            "No space left on device; earlier answers are safe: make room, and run the same command" in output
        )
    assert list(read_runs(small_disk / "results")) == []
    (small_disk / "filler").unlink()
    for words in (("run", "-m", "chance", "-t", "quiz"), ("import", "lm-eval", "theirs")):
        bench_in(project, *words, "--results", "disk/results")
    assert len(list(read_runs(small_disk / "results"))) == 3


READERS: dict[str, Words] = {
    "list": ("results", "list"),
    "show": ("leaderboard", "show"),
    "build": (*BUILD, "{out}/site"),
    "figures": ("leaderboard", "figures", "--no-png", "--out", "{out}/figures"),
    "export": ("export", "lm-eval", "--out", "{out}/export"),
    "strip": ("results", "strip", "--out", "{out}/stripped"),
}
WRITERS: dict[str, Words] = {
    "run": ("run", "-m", "chance", "-t", "anatomy"),
    "import": ("import", "lm-eval", "{out}/export"),
    "prune": ("results", "prune", "partial"),
}


def read_and_write(project: Path, out: Path, **settings: object) -> None:
    """Commands that read the results work, and those that write there say that they cannot."""
    for words in READERS.values():
        bench_in(project, *(word.format(out=out) for word in words), **settings)  # type: ignore[arg-type]
    for path in (out / "export").rglob("results_*.json"):
        path.write_text(path.read_text("utf-8").replace('"slm-bench"', '"hf"'), encoding="utf-8")
    for name, words in WRITERS.items():
        given = (word.format(out=out) for word in words)
        output = bench_in(project, *given, code=1 if name == "prune" else 2, **settings)  # type: ignore[arg-type]
        assert "results" in output
        assert "ead-only file system" in output or "Permission denied" in output, name


def test_results_on_a_read_only_disk_are_read_and_not_written(anatomy: Path, project: Path) -> None:
    folder = copy_runs(project / "results")
    bind = [["mount", "--bind", str(folder), str(folder)], ["mount", "-o", "remount,bind,ro", str(folder)]]
    if any(subprocess.run(words, capture_output=True).returncode for words in bind):
        pytest.skip("needs the right to mount a folder")
    before = files(folder)
    try:
        read_and_write(project, project / "out")
        output = bench_in(project, *BUILD, "results/site", code=1)
        assert "bench: results/site cannot be written: Read-only file system; correct that, or give" in output
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    assert files(folder) == before


NOBODY = "65534"


@pytest.fixture
def others(anatomy: Path) -> Iterator[Path]:
    """A working folder that other users may read."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(anatomy.parent, folder / "tasks")
        yield folder


def test_a_user_who_may_only_read_reads_results_and_site(others: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root, to be another user")
    user = ("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups")
    homeless = {"HOME": "/nonexistent", "BENCH_CACHE_DIR": None, "XDG_CACHE_HOME": None}
    if subprocess.run([*user, sys.executable, "-c", "import bench, torch"], capture_output=True).returncode:
        pytest.skip("another user cannot start this Python")
    copy_runs(others / "results")
    bench_in(others, *BUILD, "site")
    with TemporaryDirectory() as name:
        os.chown(name, int(NOBODY), int(NOBODY))
        read_and_write(others, Path(name), before=user, **homeless)
        assert files(Path(name) / "site") == files(others / "site")
        bench_in(others, "leaderboard", "publish", "--to", f"{name}/public", "--yes", before=user, **homeless)
        assert files(Path(name) / "public") == files(others / "site")
        output = bench_in(others, *BUILD, "site", before=user, code=1, **homeless)
        assert (
            "bench: site cannot be written: Permission denied; correct that, or give another folder" in output
        )
        theirs = Path(name) / "site"
        mine = files(theirs)
        (others / "given").mkdir()
        os.chown(others / "given", int(NOBODY), int(NOBODY))
        bench_in(others, *BUILD, "given", before=user, **homeless)  # the folder around it cannot be written
        bench_in(others, *BUILD, "given", before=user, **homeless)
        assert files(others / "given") == mine


ENCODINGS: dict[str, dict[str, str]] = {
    "C": {"LC_ALL": "C"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "strict ASCII": {"PYTHONIOENCODING": "ascii:strict"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
}


def test_a_terminal_without_our_characters_gets_others(results: Path, project: Path) -> None:
    whole = bench_in(project, "leaderboard", "show", LC_ALL="C.UTF-8", PYTHONIOENCODING="utf-8")
    assert "\u202f%" in whole
    for name, variables in ENCODINGS.items():
        shown = bench_in(project, "leaderboard", "show", utf8=False, **variables)
        assert ("\u202f" in shown) == (name == "C"), "Python takes LC_ALL=C for UTF-8"
        assert "?" not in shown
        assert [len(line) for line in shown.splitlines()] == [len(line) for line in whole.splitlines()]


def test_a_site_is_the_same_in_every_locale_and_time_zone(results: Path, project: Path) -> None:
    bench_in(project, *BUILD, "here", TZ="UTC", LC_ALL="C.UTF-8")
    ascii_only = ENCODINGS["ASCII"] | {"TZ": "Asia/Kathmandu"}
    bench_in(project, *BUILD, "there", utf8=False, **ascii_only)
    bench_in(project, *BUILD, "far", TZ="Pacific/Kiritimati", LC_ALL="tr_TR.UTF-8", LANG="tr_TR.UTF-8")
    assert files(project / "here") == files(project / "there") == files(project / "far")


def test_a_run_is_dated_in_utc_and_read_in_any_time_zone(anatomy: Path, project: Path) -> None:
    words = ("run", "-m", "chance", "-t", "anatomy")
    bench_in(project, *words, TZ="Pacific/Kiritimati")
    [run] = read_runs(project / "results")
    assert run.result.provenance.finished.endswith("+00:00")
    assert "done before" in bench_in(project, *words, TZ="America/Adak")


@pytest.mark.parametrize(
    ("name", "output"), [("no\udce9 text", "utf-8:strict"), ("with ünï spaces", "ascii:strict")]
)
def test_folders_may_have_any_name(anatomy: Path, project: Path, name: str, output: str) -> None:
    folder = project / name
    shutil.copytree(anatomy.parent, folder / "tasks")
    copy_runs(folder / name / "results")

    def call(*words: str, code: int = 0) -> str:
        return bench_in(folder, *words, utf8=False, code=code, PYTHONIOENCODING=output)

    inside = f"./{name}"
    at = ("--results", f"{inside}/results")
    ran = call("run", "-m", "chance", "-t", f"{inside}/../tasks/anatomy.yaml", *at)
    assert "to build the site: bench leaderboard build --results '" in ran
    call("results", "list", *at)
    call("leaderboard", "show", *at)
    assert "for 3 runs" in call(*BUILD, f"{inside}/site", *at)
    call("leaderboard", "publish", "--out", f"{inside}/site", "--to", f"{inside}/public", "--yes")
    assert files(folder / name / "site") == files(folder / name / "public")
    call("export", "lm-eval", "--out", f"{inside}/theirs", *at)
    for path in (folder / name / "theirs").rglob("results_*.json"):
        path.write_text(path.read_text("utf-8").replace('"slm-bench"', '"hf"'), encoding="utf-8")
    call("import", "lm-eval", f"{inside}/theirs", "--results", f"{inside}/imported")
    assert "there is no results folder" in call("results", "list", "--results", f"{inside}/none", code=2)
