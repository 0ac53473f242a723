"""A folder is replaced as a whole wherever it is, and others' files in it and beside it stay."""

import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from bench.errors import BenchError, UsageError
from bench.publishing.sending import read_built
from bench.site_folder import MARK, replace_site
from bench.whole_folder import is_cut_off, listed, put
from ended import ended

OLD = {"index.html": b"old", "runs/a.html": b"old", "runs/old/b.html": b"old", "gone/c.html": b"old"}
NEW = {"index.html": b"new", "runs/a.html": b"new", "added/d.html": b"new"}


def write(out: Path, files: dict[str, bytes]) -> None:
    replace_site(out, files, partial(put, files))


def pages(folder: Path) -> dict[str, bytes]:
    """What is below the folder but its list: files, and b"" for empty folders and what is no file."""
    there = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.name != MARK}
    ends = {name: path for name, path in there.items() if path.is_symlink() or not any_in(path)}
    return {name: path.read_bytes() if path.is_file() else b"" for name, path in ends.items()}


def any_in(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


def fail(folder: Path) -> None:
    (folder / "index.html").write_bytes(b"ne")
    raise OSError(28, "No space left on device")


def test_others_files_stay_under_any_name_and_with_their_permissions(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write(out, OLD)
    out.chmod(0o750)
    mine = out / "runs" / "mine"
    mine.mkdir(mode=0o700)
    (mine / "no\udce9 text").write_bytes(b"kept")
    (mine / "link").symlink_to("nowhere")
    (mine / "folder").symlink_to(tmp_path)
    (out / "empty").mkdir()
    os.mkfifo(out / "pipe")
    write(out, NEW)
    assert pages(out).keys() - NEW.keys() == {
        "runs/mine/no\udce9 text", "runs/mine/link", "runs/mine/folder", "empty", "pipe",
    }  # fmt: skip
    assert (mine / "no\udce9 text").read_bytes() == b"kept"
    assert (mine / "link").readlink() == Path("nowhere")
    assert [path.stat().st_mode & 0o777 for path in (out, mine)] == [0o750, 0o700]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize(("name", "clash"), [("added/d.html", "added/d.html"), ("added", "added")])
def test_anothers_file_with_the_name_of_a_page_is_not_replaced(tmp_path: Path, name: str, clash: str) -> None:
    out = tmp_path / "site"
    write(out, OLD)
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_bytes(b"mine")
    with pytest.raises(UsageError, match=f"{clash} was not made by this command.*; move it"):
        write(out, NEW)
    assert pages(out) == OLD | {name: b"mine"}


def test_a_link_to_the_folder_stays_one(tmp_path: Path) -> None:
    write(tmp_path / "real", OLD)
    (tmp_path / "site").symlink_to("real")
    write(tmp_path / "site", NEW)
    assert (tmp_path / "site").readlink() == Path("real")
    assert pages(tmp_path / "real") == NEW


@pytest.mark.parametrize("where", ["a link to nothing", "a file", "in a file", "a loop"])
def test_a_place_where_no_folder_can_be_is_one_error(tmp_path: Path, where: str) -> None:
    out = tmp_path / "site"
    match where:
        case "a link to nothing":
            out.symlink_to("later/site")
            write(out, NEW)
            assert pages(tmp_path / "later" / "site") == NEW
            return
        case "a file":
            out.write_bytes(b"mine")
        case "in a file":
            out.write_bytes(b"mine")
            out = out / "site"
        case _:
            out.symlink_to("site")
    with pytest.raises(BenchError, match=r"site (was not made by this command|cannot be (written|read))"):
        write(out, NEW)


def test_a_full_disk_leaves_the_old_files_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write(out, OLD)
    with pytest.raises(BenchError, match="site cannot be written: No space left on device"):
        replace_site(out, NEW, fail)
    assert pages(tmp_path) == {f"site/{name}": data for name, data in OLD.items()}


@pytest.mark.parametrize("kind", ["bound", "tmpfs", "working folder"])
def test_a_folder_that_cannot_be_exchanged_is_filled_with_finished_files(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, there = tmp_path / "site", tmp_path / "there"
    out.mkdir()
    there.mkdir()
    mounts = {"bound": ["--bind", str(there)], "tmpfs": ["-t", "tmpfs", "tmpfs"]}
    if kind in mounts:
        if subprocess.run(["mount", *mounts[kind], str(out)], capture_output=True).returncode:
            pytest.skip("needs the right to mount a folder")
    else:
        monkeypatch.chdir(out)
    inode = out.stat().st_ino
    try:
        write(out, OLD)
        (out / "mine.txt").write_bytes(b"kept")
        with pytest.raises(BenchError, match="No space left on device"):
            replace_site(out, NEW, fail)
        assert pages(out) == OLD | {"mine.txt": b"kept"}
        write(out, NEW)
        assert pages(out) == NEW | {"mine.txt": b"kept"}
        assert out.stat().st_ino == inode
        assert read_built(out).files.keys() == {MARK, *NEW}
    finally:
        if kind in mounts:
            subprocess.run(["umount", "-l", str(out)], check=True)
    assert {path.name for path in tmp_path.iterdir()} == {"site", "there"}


@pytest.mark.parametrize("place", ["beside", "working folder"])
def test_names_that_no_file_in_the_folder_can_have_are_no_part_of_its_list(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is a file that anyone may have changed: the next build goes on, and touches nothing else."""
    out, secret = tmp_path / "site", tmp_path / "secret.txt"
    write(out, OLD)
    secret.write_bytes(b"mine")
    outside = ["", ".", "gone/..", "../secret.txt", str(secret)]
    added = ["a\0b", "x" * 5000, "x/" * 3000, f"{'é' * 200}.html", *outside]
    with (out / MARK).open("a", encoding="utf-8") as mark:
        mark.write("".join(f"{name}\n" for name in added))
    assert sorted(listed(out, MARK)) == sorted(OLD)
    assert read_built(out).files.keys() == {MARK, *OLD}
    if place == "working folder":
        monkeypatch.chdir(out)
    write(out, NEW)
    assert pages(tmp_path) == {"secret.txt": b"mine"} | {f"site/{name}": data for name, data in NEW.items()}
    assert (out / MARK).read_text(encoding="utf-8").split() == sorted(NEW)


FILL = """
import os, sys
from functools import partial
from pathlib import Path
from bench.site_folder import replace_site
from bench.whole_folder import put
moves = 0
def watch(event, details):
    global moves
    if event == "os.rename":
        moves += 1
        if moves == int(sys.argv[1]):
            os.kill(os.getpid(), 9)
sys.addaudithook(watch)
files = {"index.html": b"new", "runs/a.html": b"new", "added/d.html": b"new"}
replace_site(Path("."), files, partial(put, files))
"""


def test_a_folder_whose_filling_was_killed_is_not_published_until_the_next_build(tmp_path: Path) -> None:
    """In the working folder: whole before the first move, and after the last one."""
    out = tmp_path / "site"
    refused: list[int] = []
    for move in range(1, 7):
        shutil.rmtree(out, ignore_errors=True)
        write(out, OLD)
        killed = subprocess.run([sys.executable, "-c", FILL, str(move)], cwd=out, capture_output=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert ((out / "index.html").read_bytes() == b"old") == (move < 5), "the first page comes last"
        if is_cut_off(out, MARK):
            refused.append(move)
            with pytest.raises(BenchError, match="is not finished; run 'bench leaderboard build' again"):
                read_built(out)
        else:
            assert read_built(out).files == {**(OLD if move == 1 else NEW), MARK: (out / MARK).read_bytes()}
        write(out, NEW)
        assert pages(out) == NEW
    assert refused == [2, 3, 4, 5]


def test_where_folders_cannot_be_exchanged_at_once_the_next_command_brings_the_old_one_back(
    project: Path,
) -> None:
    write(project / "old", OLD)
    write(project / "site", NEW)
    shutil.copytree(project / "old", project / "there" / "site")
    words = ("leaderboard", "publish", "--to", "there/site", "--yes")
    missing = 0
    with ended(project, project / "log", *words, exchanges=False) as command:
        shutil.rmtree(project / "there")
        shutil.copytree(project / "old", project / "there" / "site")
        steps = command.steps()
        for step in range(1, steps + 1):
            shutil.rmtree(project / "there")
            shutil.copytree(project / "old", project / "there" / "site")
            assert command.at(step) == -signal.SIGKILL
            if (project / "there" / "site").exists():
                assert pages(project / "there" / "site") in (OLD, NEW)
                continue
            missing += 1
            with pytest.raises(BenchError, match="No space left on device"):
                replace_site(project / "there" / "site", NEW, fail)
            assert pages(project / "there" / "site") == OLD
            command.steps()
            assert pages(project / "there" / "site") == NEW
    assert missing == 1


def test_two_processes_at_once_leave_one_whole_folder_and_it_is_always_there(tmp_path: Path) -> None:
    code = """
import sys
from functools import partial
from pathlib import Path
from bench.site_folder import replace_site
from bench.whole_folder import put
for turn in range(30):
    files = {f"{sys.argv[1]}/{n}.html": sys.argv[1].encode() for n in range(5)}
    replace_site(Path("site"), files, partial(put, files))
"""
    both = [
        subprocess.Popen([sys.executable, "-c", code, name], cwd=tmp_path, stderr=subprocess.PIPE)
        for name in ("one", "two")
    ]
    seen = 0
    while any(process.poll() is None for process in both):
        is_there = (tmp_path / "site" / MARK).is_file()
        assert is_there or not seen, "readers find a site at every moment"
        seen += is_there
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert seen
    assert [process.returncode for process in both] == [0, 0], errors
    names = {path.parent.name for path in (tmp_path / "site").rglob("*.html")}
    assert len(names) == 1
    assert len(pages(tmp_path / "site")) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
