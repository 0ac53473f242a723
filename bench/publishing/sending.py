"""Reading a built site, comparing it with what is at its target, and sending it to a folder."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.errors import BenchError, UsageError
from bench.plain_files import LARGE, read_bytes, real
from bench.site_folder import MARK, replace_site
from bench.whole_folder import alone, is_cut_off, listed, put

BRANCH = "gh-pages"
"""The branch that GitHub Pages serves."""


@dataclass(frozen=True, slots=True)
class Built:
    """A built site: its files by their path in it, among them the marker file that lists the others."""

    folder: Path
    files: Mapping[str, bytes]

    @property
    def bytes(self) -> int:
        return sum(map(len, self.files.values()))


@dataclass(frozen=True, slots=True)
class Difference:
    """Paths that the target does not have yet, that it has with other content, and that would be removed."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class Sending:
    """What would be sent, and where; nothing has changed yet.

    `send` sends it and returns a sentence that says where it is now; `notes` are what a person should know
    before.
    """

    where: str
    difference: Difference
    send: Callable[[], str]
    notes: tuple[str, ...] = ()


def read_built(folder: Path) -> Built:
    """The site that `bench leaderboard build` made there; other files in the folder are not part of it.

    Waits for a build that is under way.
    """
    marker = folder / MARK
    if not marker.is_file():
        raise UsageError(f"{folder} holds no built site; run 'bench leaderboard build' first")
    try:
        with alone(folder):
            if is_cut_off(folder, MARK):
                raise BenchError(f"{folder} is not finished; run 'bench leaderboard build' again")
            names = listed(folder, MARK)
            inside = [name for name in names if real(folder / name).is_relative_to(real(folder))]
            files = {name: read_bytes(folder / name, LARGE) for name in inside}
            return Built(folder, files | {MARK: read_bytes(marker)})
    except OSError as error:
        text = f"{error.filename or folder} cannot be read: {error.strerror}"
        raise BenchError(f"{text}; run 'bench leaderboard build' again") from error


def difference(ours: Mapping[str, object], theirs: Mapping[str, object]) -> Difference:
    """Between what would be sent and what the target has: paths with their bytes, or with digests of them."""
    return Difference(
        new=tuple(sorted(ours.keys() - theirs.keys())),
        changed=tuple(sorted(name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name])),
        removed=tuple(sorted(theirs.keys() - ours.keys())),
    )


def refuse_others(names: Iterable[str], where: str, remedy: str) -> None:
    """Raises a UsageError if the target holds files, and this command never sent a site there."""
    existing = set(names)
    if existing and MARK not in existing:
        raise UsageError(f"{where} holds files that this command did not make ({min(existing)}); {remedy}")


def to_folder(built: Built, folder: Path) -> Sending:
    """Send the site to a folder: files of an earlier site are removed, all other files stay."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; give --to a folder")
    if ":" in str(folder).removeprefix(folder.drive) or folder.name.replace("_", "-") == BRANCH:
        raise UsageError(f"'{folder}' is not {BRANCH}, hf-space:ORG/NAME or a folder name")
    if Path(os.path.realpath(folder)).is_relative_to(built.folder.resolve()):
        raise UsageError(f"{folder} is the built site itself, or inside it; give --to another folder")
    if folder.is_dir():
        refuse_others(
            (path.name for path in folder.iterdir()), str(folder), "give --to a new or an empty folder"
        )
    existing = _site_files(folder)

    def send() -> str:
        files = {name: data for name, data in built.files.items() if name != MARK}
        replace_site(folder, files, partial(put, files))
        return f"it is in {os.path.realpath(folder)}"

    return Sending(f"the folder {folder}", difference(built.files, existing), send)


def _site_files(folder: Path) -> dict[str, bytes]:
    """The files of an earlier site that are still in the folder."""
    names = listed(folder, MARK)
    paths = {name: folder / name for name in (MARK, *names)}
    return {
        name: read_bytes(path, LARGE)
        for name, path in paths.items()
        if real(path).is_relative_to(real(folder)) and path.is_file()
    }
