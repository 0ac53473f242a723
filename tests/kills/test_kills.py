"""A site, a publication and an import that are killed anywhere: the old files or the new ones, whole."""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.errors import FileError
from bench.results.store import read_runs
from conftest import ROOT
from ended import Ended, ended, spread

TRIES = 20


def files(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, also hidden ones."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def golden(results: Path, *versions: int) -> None:
    for version in versions:
        shutil.copytree(ROOT / "tests" / "golden" / f"schema-{version}", results / f"schema-{version}")


def build(out: Path, results: Path) -> None:
    from bench.inputs.cards import all_cards
    from leaderboard.build import make_site, write_site

    write_site(make_site(results, all_cards()), out)


def kill_everywhere(
    command: Ended, old: Path, there: Path, steps: list[int], look: Callable[[Path], object] = files
) -> list[bool]:
    """Kill the command at each step, with a copy of `old` at `there`; gives for each whether it was done.

    After a kill the same command does all the work, and leaves no file of the killed one.
    """
    before = look(old)
    replace(old, there)
    command.steps()
    after, whole = look(there), files(there)
    assert before != after
    came: list[bool] = []
    for step in steps:
        replace(old, there)
        assert command.at(step) == -signal.SIGKILL
        assert look(there) in (before, after), f"a mixture after a kill at step {step} of {steps[-1]}"
        came.append(look(there) == after)
        if step in steps[::4] and not came[-1]:
            command.steps()
            assert files(there) == whole, f"after a kill at step {step} of {steps[-1]}"
    assert came == sorted(came)
    return came


def replace(old: Path, there: Path) -> None:
    shutil.rmtree(there)
    shutil.copytree(old, there)


def site(there: Path) -> dict[str, bytes]:
    """The files of the folder in it, without what a killed command left beside it."""
    return files(there / "site")


def test_a_build_that_is_killed_leaves_the_old_site_or_the_new_one(project: Path) -> None:
    golden(project / "results", 4)
    build(project / "old" / "site", project / "results")
    (project / "old" / "site" / "mine").mkdir()
    (project / "old" / "site" / "mine" / "notes.txt").write_text("kept", encoding="utf-8")
    golden(project / "results", 3)
    shutil.copytree(project / "old", project / "there")
    words = ("leaderboard", "build", "--out", "there/site")
    with ended(project, project / "log", *words) as command:
        replace(project / "old", project / "there")
        steps = spread(command.steps(), TRIES)
        assert {*kill_everywhere(command, project / "old", project / "there", steps, site)} == {False, True}
        command.steps()
        assert (project / "there" / "site" / "mine" / "notes.txt").read_text("utf-8") == "kept"
        assert [path.name for path in (project / "there").iterdir()] == ["site"]
        replace(project / "old", project / "there")
        assert command.at(steps[3], signal.SIGTERM) == -signal.SIGTERM
        assert site(project / "there") == files(project / "old" / "site")
        assert command.at(steps[3], signal.SIGINT) == 130
        assert files(project / "there") == files(project / "old"), "it clears up, also after the other"
        assert "Traceback" not in (project / "log").read_text("utf-8")


def test_a_publication_that_is_killed_leaves_the_old_site_or_the_new_one(project: Path) -> None:
    golden(project / "results", 4)
    build(project / "old" / "site", project / "results")
    golden(project / "results", 3)
    build(project / "site", project / "results")
    shutil.copytree(project / "old", project / "there")
    words = ("leaderboard", "publish", "--to", "there/site", "--yes")
    with ended(project, project / "log", *words) as command:
        replace(project / "old", project / "there")
        steps = spread(command.steps(), TRIES)
        assert {*kill_everywhere(command, project / "old", project / "there", steps, site)} == {False, True}
    assert site(project / "there") == files(project / "site")


def test_a_push_that_is_killed_leaves_the_old_branch_or_the_new_one(project: Path) -> None:
    git = ("git", "-c", "user.name=A", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-C")
    subprocess.run([*git, ".", "init", "--quiet"], check=True)
    subprocess.run([*git, ".", "init", "--quiet", "--bare", "there"], check=True)
    for key in ("name", "email"):
        subprocess.run([*git, ".", "config", f"user.{key}", "a@b"], check=True)
    subprocess.run([*git, ".", "remote", "add", "origin", "there"], check=True)
    shutil.copytree(project / "there", project / "old")
    golden(project / "results", 4)
    build(project / "site", project / "results")

    def branch(there: Path) -> str:
        listing = subprocess.run([*git, there, "ls-tree", "-r", "gh-pages"], capture_output=True, text=True)
        return listing.stdout

    words = ("leaderboard", "publish", "--to", "gh-pages", "--yes")
    with ended(project, project / "log", *words) as command:
        published = branch(project / "there")
        assert len(published.splitlines()) == len(files(project / "site"))
        replace(project / "old", project / "there")
        steps = spread(command.steps(), 8)
        for step in steps:
            replace(project / "old", project / "there")
            assert command.at(step) == -signal.SIGKILL
            assert branch(project / "there") in ("", published)
        command.steps()
        assert branch(project / "there") == published


def test_an_import_that_is_killed_leaves_whole_runs_and_goes_on(project: Path) -> None:
    golden(project / "golden", 3, 4)
    with ended(project, project / "log", "export", "lm-eval", "--out", "out", "--results", "golden"):
        for path in (project / "out").rglob("results_*.json"):
            content = json.loads(path.read_text(encoding="utf-8"))
            content["config"]["model"] = "hf"  # an export of ours has less in it than the run, and is refused
            path.write_text(json.dumps(content), encoding="utf-8")
    (project / "nothing").mkdir()
    with ended(project, project / "log", "import", "lm-eval", "out") as command:
        whole = runs(project / "results")
        assert len(whole) == 2
        replace(project / "nothing", project / "results")
        counts: list[int] = []
        for step in range(1, command.steps() + 1):
            replace(project / "nothing", project / "results")
            assert command.at(step) == -signal.SIGKILL
            kept = runs(project / "results")
            assert kept.items() <= whole.items()
            counts.append(len(kept))
            command.steps()
            assert runs(project / "results") == whole
            assert not [path for path in project.rglob(".*json*") if not path.name.startswith(".slm-bench")]
    assert counts == sorted(counts)
    assert {*counts} == {0, 1, 2}


def runs(results: Path) -> dict[Path, bytes]:
    """The summary of each run, all of which are whole."""
    read = list(read_runs(results))
    assert not [run for run in read if isinstance(run, FileError)]
    return {path: path.read_bytes() for path in results.rglob("result.json")}
