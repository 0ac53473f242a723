"""The commits of the hub's branches when their files were first downloaded, and whether they moved since.

They are kept in `hub.json` in the cache folder. A card or a task that names a commit needs none.
"""

import datetime as dt
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, ValidationError

from bench.config import Strict
from bench.errors import FileError, Mistake, Unavailable, UsageError
from bench.folders import cache_folder, display, read_text
from bench.inputs.located import RemoteWeights, Weights
from bench.inputs.model_card import HubSource

COMMIT = r"^[0-9a-f]{40}$"
Kept = Literal["model", "data set"]
_GENERAL = "their publishers changed the files since they were first downloaded"
_KEYS: Mapping[Kept, str] = {"model": "source.revision in a card", "data set": "data.revision in a task"}


class Branch(NamedTuple):
    """A branch or a tag of a repository of the hub."""

    kind: Kept
    hub: str
    revision: str

    @property
    def may_move(self) -> bool:
        return re.match(COMMIT, self.revision) is None


class FirstDownload(Strict):
    """The commit of a branch on the day when its files were first downloaded."""

    kind: Kept
    hub: str
    revision: str
    commit: Annotated[str, Field(pattern=COMMIT)]
    date: dt.date

    @property
    def branch(self) -> Branch:
        return Branch(self.kind, self.hub, self.revision)


class _Commits(Strict):
    """The whole file."""

    commits: tuple[FirstDownload, ...] = ()


def commits_file() -> Path:
    """The file with the commits; it need not be there."""
    return cache_folder() / "hub.json"


def first_downloads() -> Mapping[Branch, FirstDownload]:
    """All that is kept, by branch. Raises a FileError where the file is not of this form."""
    path = commits_file()
    if not path.is_file():
        return {}
    try:
        kept = _Commits.model_validate_json(read_text(path)).commits
    except ValidationError as error:
        first = error.errors()[0]
        text = f"{first['msg']}; correct it, or delete the file to keep commits anew"
        raise FileError([Mistake(display(path), 0, ".".join(map(str, first["loc"])), text)]) from error
    return {first.branch: first for first in kept}


def check_commit(branch: Branch, commit: str) -> None:
    """Raises Unavailable where the branch points to another commit than at the first download."""
    first = first_downloads().get(branch) if branch.may_move else None
    if first is None or first.commit == commit:
        return
    moved = f"{branch.revision}: commit {first.commit[:7]} → {commit[:7]}"
    accept = f"to use the new ones: bench hub accept {branch.hub}"
    stay = f"to stay with the first, write {first.commit} as {_KEYS[branch.kind]}"
    raise Unavailable(
        f"the publisher of {branch.hub} changed the files since {first.date} ({moved})",
        f"{accept}; {stay}",
        _GENERAL,
    )


def unmoved(source: HubSource, weights: Weights | RemoteWeights) -> Weights | RemoteWeights:
    """The weights; raises Unavailable where the publisher changed them since the first download.

    The commit of weights on this machine is kept.
    """
    branch = Branch("model", source.hub, source.revision)
    check_commit(branch, weights.revision)
    if isinstance(weights, Weights):
        keep_commit(branch, weights.revision)
    return weights


def keep_commit(branch: Branch, commit: str) -> None:
    """Keep the commit of a branch, unless one is kept; does nothing where the cache cannot be written."""
    if not branch.may_move or not re.match(COMMIT, commit) or branch in first_downloads():
        return
    today = dt.datetime.now(tz=dt.UTC).date()
    first = FirstDownload(**branch._asdict(), commit=commit, date=today)
    try:
        with _changing() as kept:
            kept.setdefault(branch, first)
    except OSError:
        return


def forget_commits(hub: str) -> list[Branch]:
    """Forget the commits of a repository, so that the next download keeps its own; returns their branches.

    Raises a UsageError where none of this repository is kept, or the file cannot be written.
    """
    branches = [branch for branch in first_downloads() if branch.hub == hub]
    if not branches:
        raise UsageError(f"no commit of '{hub}' is kept; bench hub list shows those that are")
    try:
        with _changing() as kept:
            for branch in branches:
                kept.pop(branch, None)
    except OSError as error:
        raise UsageError(f"{commits_file()} cannot be written: {error.strerror}") from error
    return branches


@contextmanager
def _changing() -> Generator[dict[Branch, FirstDownload]]:
    """What is kept, to be changed by one process at a time; then the file is replaced whole."""
    from filelock import FileLock

    path = commits_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        kept = dict(first_downloads())
        yield kept
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        whole = _Commits(commits=tuple(kept[branch] for branch in sorted(kept)))
        unfinished.write_text(whole.model_dump_json(indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)
