"""Sending a built site to the branch that GitHub Pages serves, as the whole content of that branch.

The working tree and its index are not touched: the commit is made from a temporary index.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.errors import BenchError, UsageError, did_you_mean
from bench.publishing.sending import BRANCH, Built, Sending, difference, refuse_others

KEPT = "CNAME"
"""GitHub writes this file if the site has its own domain; sending the site again keeps it."""


@dataclass(frozen=True, slots=True)
class Branch:
    """The remote's branch: its commit, None if there is no such branch, and git's blob id for each path."""

    commit: str | None
    blobs: dict[str, str]


class GitRefused(BenchError):
    """Git failed. The message is git's own, without the password that a URL may contain."""


def to_branch(built: Built, remote: str) -> Sending:
    """Commit the site on top of the remote's branch, and push it; never with force."""
    url = _url(remote)
    branch = _fetch(remote)
    where = f"the branch {BRANCH} of {remote}"
    refuse_others(branch.blobs, where, "rename that branch, or publish to a folder")
    kept = {name: blob for name, blob in branch.blobs.items() if name == KEPT}
    blobs = _blobs(built, write=False) | kept

    def send() -> str:
        commit = _commit(built, kept, branch.commit)
        _git("push", "--quiet", remote, f"{commit}:refs/heads/{BRANCH}")
        return f"commit {commit[:12]} is on {BRANCH} of {url}"

    notes = () if branch.commit else (f"the branch {BRANCH} will be created",)
    return Sending(f"{where}, {url}", difference(blobs, branch.blobs), send, notes)


def _url(remote: str) -> str:
    """The remote's URL; raises a UsageError outside a repository, or if it has no such remote."""
    try:
        _git("rev-parse", "--git-dir")
    except GitRefused as error:
        text = "the working folder is not in a git repository; go to one, or publish elsewhere"
        raise UsageError(text) from error
    known = _git("remote").splitlines()
    if remote not in known:
        hint = did_you_mean(remote, known) or "; add one with git remote add"
        raise UsageError(f"the git repository has no remote '{remote}'{hint}")
    return _without_password(_git("remote", "get-url", remote))


def _fetch(remote: str) -> Branch:
    """The remote's branch; its objects are fetched into the repository."""
    line = _git("ls-remote", remote, f"refs/heads/{BRANCH}")
    if not line:
        return Branch(None, {})
    commit = line.split()[0]
    _git("fetch", "--quiet", "--no-tags", remote, f"refs/heads/{BRANCH}")
    blobs: dict[str, str] = {}
    for entry in filter(None, _git("ls-tree", "-r", "-z", commit).split("\0")):
        facts, _, path = entry.partition("\t")
        blobs[path] = facts.split()[2]
    return Branch(commit, blobs)


def _blobs(built: Built, *, write: bool) -> dict[str, str]:
    """Git's blob id for each file, whose bytes are not converted; `write` puts them into the repository."""
    names = sorted(built.files)
    paths = "".join(f"{built.folder.resolve() / name}\n" for name in names)
    words = ["hash-object", "--stdin-paths", "--no-filters", *(["-w"] if write else [])]
    return dict(zip(names, _git(*words, stdin=os.fsencode(paths)).split(), strict=True))


def _commit(built: Built, kept: dict[str, str], parent: str | None) -> str:
    """Make the commit; returns its id. No reference of the repository points to it."""
    blobs = _blobs(built, write=True) | kept
    lines = "".join(f"100644 {blob}\t{name}\0" for name, blob in sorted(blobs.items()))
    with TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        _git("update-index", "-z", "--index-info", stdin=lines.encode(), index=index)
        tree = _git("write-tree", index=index)
    parents = ["-p", parent] if parent else []
    return _git("commit-tree", tree, *parents, "-m", f"Publish the board: {len(built.files)} files")


def _git(*words: str, stdin: bytes = b"", index: Path | None = None) -> str:
    """Git's output. It must not ask for a password, as nobody would see the question."""
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    environment |= {"GIT_INDEX_FILE": str(index)} if index else {}
    try:
        done = subprocess.run(["git", *words], input=stdin, capture_output=True, check=False, env=environment)
    except FileNotFoundError as error:
        raise BenchError("git is not installed; install it, or publish to a folder") from error
    if done.returncode:
        raise GitRefused(f"git {words[0]}: {_reason(done.stderr.decode(errors='replace'))}")
    return done.stdout.decode(errors="surrogateescape").strip()


def _reason(stderr: str) -> str:
    """The line that says why git failed; the lines around it are advice."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()] or ["failed without a message"]
    marked = [line for line in lines if re.match(r"(fatal|error): |! \[", line)]
    return _without_password((marked or lines)[0])


def _without_password(text: str) -> str:
    return re.sub(r"(\w+://)[^/\s]*@", r"\1", text)
