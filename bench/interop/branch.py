"""A built site as the whole content of a branch that GitHub Pages shows.

Neither the working tree nor its index is touched: the tree is made in an index of its own.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.errors import BenchError, UsageError, did_you_mean
from bench.interop.publishing import BRANCH, Built, Sending, difference, refuse_others

KEPT = "CNAME"
"""GitHub writes it where the site has a domain of its own; a site that is sent again keeps it."""
_REMEDY = "rename that branch, or publish to a folder"


@dataclass(frozen=True, slots=True)
class Branch:
    """The branch as the remote has it: its commit, None where there is no such, and a blob for each path."""

    commit: str | None
    blobs: dict[str, str]


class GitRefused(BenchError):
    """Git ended with an error; the message is its own, without what an address holds of a password."""


def to_branch(built: Built, remote: str) -> Sending:
    """Commit the site on top of what the remote's branch is now, and push that; never by force."""
    address = _address(remote)
    there = _fetched(remote)
    refuse_others(there.blobs, f"the branch {BRANCH} of {remote}", _REMEDY)
    kept = {name: blob for name, blob in there.blobs.items() if name == KEPT}
    ours = _blobs(built, keep=False) | kept

    def send() -> str:
        commit = _commit(built, kept, there.commit)
        _git("push", "--quiet", remote, f"{commit}:refs/heads/{BRANCH}")
        return f"commit {commit[:12]} is on {BRANCH} of {address}"

    notes = () if there.commit else (f"the branch {BRANCH} is made",)
    return Sending(f"the branch {BRANCH} of {remote}, {address}", difference(ours, there.blobs), send, notes)


def _address(remote: str) -> str:
    """Where the remote is; raises a UsageError where this is no repository, or it has no such remote."""
    try:
        _git("rev-parse", "--git-dir")
    except GitRefused as error:
        raise UsageError(
            "the working folder is in no git repository; go to one, or publish elsewhere"
        ) from error
    known = _git("remote").splitlines()
    if remote not in known:
        hint = did_you_mean(remote, known) or "; git remote add adds one"
        raise UsageError(f"the git repository has no remote '{remote}'{hint}")
    return _without_password(_git("remote", "get-url", remote))


def _fetched(remote: str) -> Branch:
    """The remote's branch, with its objects brought here."""
    told = _git("ls-remote", remote, f"refs/heads/{BRANCH}")
    if not told:
        return Branch(None, {})
    commit = told.split()[0]
    _git("fetch", "--quiet", "--no-tags", remote, f"refs/heads/{BRANCH}")
    blobs: dict[str, str] = {}
    for entry in filter(None, _git("ls-tree", "-r", "-z", commit).split("\0")):
        facts, _, path = entry.partition("\t")
        blobs[path] = facts.split()[2]
    return Branch(commit, blobs)


def _blobs(built: Built, *, keep: bool) -> dict[str, str]:
    """Git's name for each file's bytes, as they are; `keep` brings the bytes into the repository."""
    names = sorted(built.files)
    paths = "".join(f"{built.folder.resolve() / name}\n" for name in names)
    words = ["hash-object", "--stdin-paths", "--no-filters", *(["-w"] if keep else [])]
    return dict(zip(names, _git(*words, given=os.fsencode(paths)).split(), strict=True))


def _commit(built: Built, kept: dict[str, str], parent: str | None) -> str:
    """Make the commit; what holds no reference to it is the repository as it was."""
    blobs = _blobs(built, keep=True) | kept
    lines = "".join(f"100644 {blob}\t{name}\0" for name, blob in sorted(blobs.items()))
    with TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        _git("update-index", "-z", "--index-info", given=lines.encode(), index=index)
        tree = _git("write-tree", index=index)
    after = ["-p", parent] if parent else []
    return _git("commit-tree", tree, *after, "-m", f"Publish the board: {len(built.files)} files")


def _git(*words: str, given: bytes = b"", index: Path | None = None) -> str:
    """What git says; it may not ask for a password, which nobody would see."""
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    environment |= {"GIT_INDEX_FILE": str(index)} if index else {}
    try:
        done = subprocess.run(["git", *words], input=given, capture_output=True, check=False, env=environment)
    except FileNotFoundError as error:
        raise BenchError("git is not installed; install it, or publish to a folder") from error
    if done.returncode:
        raise GitRefused(f"git {words[0]}: {_reason(done.stderr.decode(errors='replace'))}")
    return done.stdout.decode(errors="surrogateescape").strip()


def _reason(told: str) -> str:
    """The line of git's that says why; it writes advice around it."""
    lines = [line.strip() for line in told.splitlines() if line.strip()] or ["it failed and said nothing"]
    marked = [line for line in lines if re.match(r"(fatal|error): |! \[", line)]
    return _without_password((marked or lines)[0])


def _without_password(text: str) -> str:
    return re.sub(r"(\w+://)[^/\s]*@", r"\1", text)
