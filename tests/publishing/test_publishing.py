"""A built site is sent to a folder, a branch or a Space: said first, done with --yes, or refused."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from click.testing import Result

from bench.site_folder import MARK, replace_site
from bench.whole_folder import put

Bench = Callable[..., Result]
SITE = {
    "index.html": b"<p>board</p>\r\n",
    "runs/a.html": b"a run",
    ".nojekyll": b"",
    "data/t.csv": b"x" * 3000,
}
TOKEN = "hf_secretsecretsecret"
SPACE = "Org/board"


def built(project: Path, files: dict[str, bytes] | None = None) -> Path:
    """A site as the command builds one, and a file beside it that is none of the site's."""
    folder = project / "site"
    replace_site(folder, files or SITE, partial(put, files or SITE))
    (folder / "mine.txt").write_text("not sent", encoding="utf-8")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """Every file below the folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def without_mark(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name != MARK}


@pytest.mark.parametrize("to", ["there", "gh-pages", "hf-space:Org/board"])
def test_what_was_not_built_is_not_sent(project: Path, bench: Bench, to: str) -> None:
    (project / "site").mkdir()
    (project / "site" / "index.html").write_text("mine", encoding="utf-8")
    result = bench("leaderboard", "publish", "--to", to, "--yes")
    assert result.exit_code == 2
    assert "site holds no built site; run 'bench leaderboard build' first" in result.stderr
    assert not (project / "there").exists()


def test_a_site_that_lacks_a_file_is_not_sent(project: Path, bench: Bench) -> None:
    (built(project) / "runs" / "a.html").unlink()
    result = bench("leaderboard", "publish", "--to", "there", "--yes")
    assert result.exit_code == 1
    assert (
        "a.html cannot be read: No such file or directory; run 'bench leaderboard build' again"
        in result.stderr
    )


def test_a_mark_that_names_files_elsewhere_sends_none_of_them(project: Path, bench: Bench) -> None:
    with (built(project) / MARK).open("a", encoding="utf-8") as mark:
        mark.write("../secret.txt\n")
    (project / "secret.txt").write_text("secret", encoding="utf-8")
    assert bench("leaderboard", "publish", "--to", "deep/there", "--yes").exit_code == 0
    assert without_mark(content(project / "deep")) == {
        **{f"there/{name}": data for name, data in SITE.items()},
        f"there/{MARK}": (project / "deep" / "there" / MARK).read_bytes(),
    }


def test_a_folder_is_dry_run_first_then_written_then_found_the_same(project: Path, bench: Bench) -> None:
    built(project)
    result = bench("leaderboard", "publish", "--to", "there")
    assert result.exit_code == 0
    assert not (project / "there").exists()
    assert "site: 5 files, 3.06\u202fkB; largest: data/t.csv (3\u202fkB), " in result.stdout
    assert "to the folder there: 5 new, 0 changed, 0 removed" in result.stdout
    assert "  new      runs/a.html\n" in result.stdout
    assert "to send it: bench leaderboard publish --to there --yes\n" in result.stdout
    assert bench("leaderboard", "publish", "--to", "there", "--yes").exit_code == 0
    assert without_mark(content(project / "there")) == SITE
    again = bench("leaderboard", "publish", "--to", "there", "--yes")
    assert "nothing to send" in again.stdout


def test_a_folder_mirrors_the_site_and_keeps_what_is_not_its_own(project: Path, bench: Bench) -> None:
    built(project)
    bench("leaderboard", "publish", "--to", "there", "--yes")
    (project / "there" / "notes.txt").write_text("kept", encoding="utf-8")
    built(project, {"index.html": b"new words", "new.html": b"new"})
    output = bench("leaderboard", "publish", "--to", "there").stdout
    assert "to the folder there: 1 new, 2 changed, 3 removed" in output
    for line in ("new      new.html", "changed  index.html", "removed  runs/a.html"):
        assert f"  {line}\n" in output
    assert bench("leaderboard", "publish", "--to", "there", "--yes").exit_code == 0
    assert without_mark(content(project / "there")) == {
        "index.html": b"new words", "new.html": b"new", "notes.txt": b"kept",
    }  # fmt: skip


@pytest.mark.parametrize("flags", [[], ["--yes"]])
def test_a_stranger_s_folder_is_refused(project: Path, bench: Bench, flags: list[str]) -> None:
    built(project)
    (project / "there").mkdir()
    (project / "there" / "thesis.txt").write_text("dear", encoding="utf-8")
    result = bench("leaderboard", "publish", "--to", "there", *flags)
    assert result.exit_code == 2
    assert "there holds files that this command did not make (thesis.txt)" in result.stderr
    assert content(project / "there") == {"thesis.txt": b"dear"}
    assert "is a file" in bench("leaderboard", "publish", "--to", "there/thesis.txt", *flags).stderr
    assert "is the built site itself" in bench("leaderboard", "publish", "--to", "site", *flags).stderr


def test_flags_of_another_target_are_refused(project: Path, bench: Bench) -> None:
    built(project)
    for words in (["there", "--public"], ["there", "--remote", "origin"], ["gh-pages", "--public"]):
        assert bench("leaderboard", "publish", "--to", *words).exit_code == 2


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def remote(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bare repository, the remote of the working folder's, which has a commit and an open change."""
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@b")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    bare = project / "bare.git"
    git(project, "init", "--quiet", "--bare", str(bare))
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "config", "core.autocrlf", "true")  # it would change bytes on their way into a commit
    git(project, "remote", "add", "origin", str(bare))
    (project / ".gitignore").write_text("site\nbare.git\ndata\n", encoding="utf-8")
    git(project, "add", ".gitignore")
    git(project, "commit", "--quiet", "-m", "first")
    (project / "work.txt").write_text("in work", encoding="utf-8")
    git(project, "add", "work.txt")
    return bare


def on_branch(bare: Path) -> dict[str, bytes]:
    """Every file of the branch."""
    names = git(bare, "ls-tree", "-r", "--name-only", "gh-pages").splitlines()
    return {
        name: subprocess.run(
            ["git", "-C", str(bare), "show", f"gh-pages:{name}"], check=True, capture_output=True
        ).stdout
        for name in names
    }


def state(project: Path) -> tuple[str, ...]:
    """The working tree, the index and the branches of the working folder."""
    index = git(project, "ls-files", "--stage")
    return git(project, "status", "--porcelain"), index, git(project, "for-each-ref", "refs/heads")


def test_a_branch_holds_the_site_and_the_working_folder_is_as_it_was(
    project: Path, bench: Bench, remote: Path
) -> None:
    built(project)
    before = state(project)
    dry = bench("leaderboard", "publish", "--to", "gh-pages")
    assert f"to the branch gh-pages of origin, {remote}: 5 new, 0 changed, 0 removed" in dry.stdout
    assert not git(remote, "branch", "--list", "gh-pages")
    result = bench("leaderboard", "publish", "--to", "gh-pages", "--yes")
    assert result.exit_code == 0, result.output
    assert without_mark(on_branch(remote)) == SITE
    assert "nothing to send" in bench("leaderboard", "publish", "--to", "gh-pages", "--yes").stdout
    assert git(remote, "rev-list", "--count", "gh-pages").strip() == "1"
    assert state(project) == before


def test_a_branch_goes_on_from_what_the_remote_has_and_keeps_its_domain(
    project: Path, bench: Bench, remote: Path
) -> None:
    built(project)
    assert bench("leaderboard", "publish", "--to", "gh-pages", "--yes").exit_code == 0
    elsewhere = project / "bare.git" / "elsewhere"
    git(project, "clone", "--quiet", "--branch", "gh-pages", str(remote), str(elsewhere))
    (elsewhere / "CNAME").write_text("board.example", encoding="utf-8")
    git(elsewhere, "add", ".")
    git(elsewhere, "commit", "--quiet", "-m", "a domain")
    git(elsewhere, "push", "--quiet")
    assert "nothing to send" in bench("leaderboard", "publish", "--to", "gh-pages", "--yes").stdout
    built(project, {"index.html": b"new"})
    result = bench("leaderboard", "publish", "--to", "gh-pages", "--yes")
    assert "0 new, 2 changed, 3 removed" in result.stdout
    assert without_mark(on_branch(remote)) == {"index.html": b"new", "CNAME": b"board.example"}
    assert git(remote, "rev-list", "--count", "gh-pages").strip() == "3"


def test_a_push_that_is_late_is_refused_and_loses_nothing(
    project: Path, bench: Bench, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.publishing.gh_pages import to_branch
    from bench.publishing.sending import read_built

    site = read_built(built(project))
    late = to_branch(site, "origin")
    assert bench("leaderboard", "publish", "--to", "gh-pages", "--yes").exit_code == 0
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2000-01-01T00:00:00Z")
    with pytest.raises(Exception, match=r"git push: .*rejected"):
        late.send()
    assert git(remote, "rev-list", "--count", "gh-pages").strip() == "1"


def test_a_stranger_s_branch_is_refused(project: Path, bench: Bench, remote: Path) -> None:
    built(project)
    git(project, "push", "--quiet", "origin", "main:gh-pages")
    result = bench("leaderboard", "publish", "--to", "gh-pages", "--yes")
    assert result.exit_code == 2
    assert (
        "the branch gh-pages of origin holds files that this command did not make (.gitignore)"
        in result.stderr
    )
    assert list(on_branch(remote)) == [".gitignore"]


def test_what_git_lacks_is_one_message(
    project: Path, bench: Bench, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(project)
    words = ("leaderboard", "publish", "--to", "gh-pages", "--yes")
    result = bench(*words, "--remote", "origni")
    assert (result.exit_code, result.stderr) == (
        2, "bench: the git repository has no remote 'origni'; did you mean 'origin'?\n",
    )  # fmt: skip
    git(project, "remote", "add", "gone", "http://user:pass@-word@127.0.0.1:9/x.git")
    gone = bench(*words, "--remote", "gone")
    assert gone.exit_code == 1
    assert "bench: git ls-remote: " in gone.stderr
    assert "127.0.0.1" in gone.stderr
    assert not {"pass", "word"} & set(re.findall(r"\w+", gone.output))
    monkeypatch.setenv("PATH", str(project))
    assert "git is not installed" in bench(*words).stderr


def test_without_a_repository_there_is_one_message(
    project: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(project)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    result = bench("leaderboard", "publish", "--to", "gh-pages")
    assert result.exit_code == 2
    assert "the working folder is not in a git repository" in result.stderr


@dataclass
class Space:
    """What the hub has, and what it was asked to make; None where there is no Space."""

    files: dict[str, bytes] | None = None
    sdk: str = "static"
    private: bool = True
    status: int = 200
    created: list[dict[str, object]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a Space needs."""

    def __init__(self, space: Space, *rest: object) -> None:
        self.space = space
        super().__init__(*rest)

    def do_HEAD(self) -> None:
        self.reply(200, {})

    def do_GET(self) -> None:
        path = self.asked()
        if self.space.status != 200:
            message = f"{TOKEN} may not do that"
            self.reply(self.space.status, {"error": message}, {"X-Error-Message": message})
        elif self.space.files is None:
            self.reply(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif "/tree/" in path:
            self.reply(200, [self.entry(name) for name in self.space.files])
        else:
            self.reply(200, self.facts(self.space.files))

    def do_POST(self) -> None:
        path, body = self.asked(), self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Authorization"] == f"Bearer {TOKEN}"
        if path == "/api/repos/create":
            self.space.created.append(json.loads(body))
            self.space.files = {".gitattributes": b""}
            self.reply(200, {"url": f"http://{self.headers['Host']}/spaces/{SPACE}"})
        elif path == "/api/validate-yaml":
            self.reply(200, {"warnings": [], "errors": []})
        elif "/preupload/" in path:
            modes = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            self.reply(200, {"files": modes})
        else:
            self.commit([json.loads(line) for line in body.splitlines()])
            self.reply(
                200, {"commitOid": "c" * 40, "commitUrl": f"http://{self.headers['Host']}/{SPACE}/commit/c"}
            )

    def commit(self, lines: list[dict[str, dict[str, str]]]) -> None:
        assert self.space.files is not None
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.space.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del self.space.files[value["path"]]

    def asked(self) -> str:
        path = urlsplit(self.path).path
        self.space.asked.append(f"{self.command} {path}")
        return path

    def entry(self, name: str) -> dict[str, object]:
        assert self.space.files is not None
        data = self.space.files[name]
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        return {
            "type": "file",
            "path": name,
            "rfilename": name,
            "size": len(data),
            "oid": blob,
            "blobId": blob,
        }

    def facts(self, files: dict[str, bytes]) -> dict[str, object]:
        return {
            "id": SPACE, "sha": "c" * 40, "private": self.space.private, "sdk": self.space.sdk, "tags": [],
            "siblings": [self.entry(name) for name in files],
        }  # fmt: skip

    def reply(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def space() -> Space:
    return Space()


@pytest.fixture
def hub(space: Space) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, space)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def publish(project: Path, endpoint: str, *words: str, to: str = SPACE, **more: str) -> tuple[int, str]:
    """The hub client reads its settings when it is imported, so the command gets a process of its own."""
    environment = {name: value for name, value in os.environ.items() if "OFFLINE" not in name}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(project / "hf"), "NO_PROXY": "127.0.0.1"}
    environment |= {"HF_TOKEN": TOKEN} | more
    done = subprocess.run(
        [sys.executable, "-m", "bench", "leaderboard", "publish", "--to", f"hf-space:{to}", *words],
        cwd=project, env={name: value for name, value in environment.items() if value},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("flags", "visibility"), [([], "private"), (["--public"], "public")])
def test_a_new_space_is_made_and_filled_only_with_yes(
    project: Path, space: Space, hub: str, flags: list[str], visibility: str
) -> None:
    built(project)
    code, output = publish(project, hub, *flags)
    assert code == 0, output
    assert f"to the Space {SPACE}: 6 new, 0 changed, 0 removed" in output
    assert "a new private Space" in output or flags
    assert not [one for one in space.asked if one.startswith("POST")]
    code, output = publish(project, hub, *flags, "--yes")
    assert code == 0, output
    assert [(one["sdk"], one["visibility"]) for one in space.created] == [("static", visibility)]
    assert space.files is not None
    sent = without_mark(space.files)
    _, head, text = sent.pop("README.md").decode().split("---\n", 2)
    assert yaml.safe_load(head)["sdk"] == "static"
    assert "SLM Bench" in text
    assert sent.pop(".gitattributes") == b""
    assert sent == SITE
    assert "nothing to send" in publish(project, hub, "--yes")[1]


def test_a_space_mirrors_the_site_and_stays_as_visible_as_it_is(
    project: Path, space: Space, hub: str
) -> None:
    built(project)
    publish(project, hub, "--yes")
    space.private = False
    built(project, {"index.html": b"new", "new.html": b"new"})
    code, output = publish(project, hub)
    assert code == 0, output
    assert "1 new, 2 changed, 3 removed" in output
    assert "the Space exists and stays public" in output
    assert publish(project, hub, "--yes")[0] == 0
    assert space.files is not None
    assert set(space.files) == {".gitattributes", "README.md", MARK, "index.html", "new.html"}
    assert len(space.created) == 1
    space.private = True
    assert "stays private; --public is for a new Space" in publish(project, hub, "--public")[1]


def test_a_stranger_s_space_is_refused(project: Path, space: Space, hub: str) -> None:
    built(project)
    space.files = {"README.md": b"", "app.py": b"mine"}
    code, output = publish(project, hub, "--yes")
    assert (code, "holds files that this command did not make (app.py)" in output) == (2, True)
    space.sdk = "gradio"
    code, output = publish(project, hub, "--yes")
    assert (code, f"the Space {SPACE} exists and runs gradio" in output) == (2, True)
    assert space.files == {"README.md": b"", "app.py": b"mine"}


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_refusal_is_one_message_without_the_token(
    project: Path, space: Space, hub: str, status: int
) -> None:
    built(project)
    space.status = status
    code, output = publish(project, hub, "--yes")
    assert code == 1
    assert f"bench: the hub refused {SPACE}: " in output
    assert ("may the token write" in output) == (status != 500)
    assert f"{status}" in output
    assert status != 403 or "… may not do that" in output


def test_what_the_hub_lacks_is_one_message(project: Path, space: Space, hub: str) -> None:
    built(project)
    code, output = publish(project, hub, HF_TOKEN="")
    assert (code, "there is no token for the hub; log in with 'hf auth login'" in output) == (1, True)
    code, output = publish(project, hub, HF_HUB_OFFLINE="1")
    assert (code, "set to stay offline (HF_HUB_OFFLINE)" in output) == (1, True)
    code, output = publish(project, "http://127.0.0.1:9")
    assert (code, "the hub cannot be reached" in output) == (1, True)
    code, output = publish(project, hub, to="board")
    assert (code, "'board' is not the name of a Space; give --to hf-space:ORG/NAME" in output) == (2, True)
    assert not space.asked
