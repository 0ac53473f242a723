"""A built site, and what it would change where it is sent. `branch.py` and `space.py` send it further."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError, UsageError
from bench.site_folder import MARK, replace_site

BRANCH = "gh-pages"
"""The one that GitHub Pages shows."""


@dataclass(frozen=True, slots=True)
class Built:
    """A built site: the files that its mark names, by their path in it, and the mark itself."""

    folder: Path
    files: Mapping[str, bytes]

    @property
    def bytes(self) -> int:
        return sum(map(len, self.files.values()))


@dataclass(frozen=True, slots=True)
class Difference:
    """Paths that are not there yet, that are there with other bytes, and that would go."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class Sending:
    """What would be sent where; finding it out has changed nothing.

    `send` does it and says in a sentence what was done; `notes` are what a person should know before.
    """

    where: str
    difference: Difference
    send: Callable[[], str]
    notes: tuple[str, ...] = ()


def read_built(folder: Path) -> Built:
    """The site that `bench leaderboard build` made there; nothing else in the folder is part of it."""
    mark = folder / MARK
    if not mark.is_file():
        raise UsageError(f"{folder} holds no site: run 'bench leaderboard build' first")
    try:
        names = mark.read_text(encoding="utf-8", errors="replace").splitlines()
        inside = [name for name in names if (folder / name).resolve().is_relative_to(folder.resolve())]
        files = {name: (folder / name).read_bytes() for name in inside}
        return Built(folder, files | {MARK: mark.read_bytes()})
    except OSError as error:
        lost = error.filename or folder
        raise BenchError(
            f"{lost} cannot be read: {error.strerror}; run 'bench leaderboard build' again"
        ) from error


def difference(ours: Mapping[str, object], theirs: Mapping[str, object]) -> Difference:
    """Between what would be sent and what is there: bytes, or whatever stands for them."""
    return Difference(
        new=tuple(sorted(ours.keys() - theirs.keys())),
        changed=tuple(sorted(name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name])),
        removed=tuple(sorted(theirs.keys() - ours.keys())),
    )


def refuse_others(names: Iterable[str], where: str, remedy: str) -> None:
    """Raises a UsageError where something is there that no site of ours was ever sent to."""
    found = set(names)
    if found and MARK not in found:
        raise UsageError(f"{where} holds what this command did not make ({min(found)}); {remedy}")


def to_folder(built: Built, folder: Path) -> Sending:
    """Make the folder hold the site: what an earlier one left there goes, a stranger's files stay."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; give --to a folder")
    if ":" in str(folder).removeprefix(folder.drive) or folder.name.replace("_", "-") == BRANCH:
        raise UsageError(f"'{folder}' is neither {BRANCH} nor hf-space:ORG/NAME, and no name for a folder")
    if folder.resolve().is_relative_to(built.folder.resolve()):
        raise UsageError(f"{folder} is the site itself, or in it; give --to another folder")
    if folder.is_dir():
        refuse_others(
            (path.name for path in folder.iterdir()), str(folder), "give --to an empty or a new folder"
        )
    here = _written(folder)

    def send() -> str:
        files = {name: data for name, data in built.files.items() if name != MARK}
        replace_site(folder, files, lambda: put(folder, files))
        return f"it is in {folder.resolve()}"

    return Sending(f"the folder {folder}", difference(built.files, here), send)


def put(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _written(folder: Path) -> dict[str, bytes]:
    """What an earlier site left in the folder, as far as it is still there."""
    if not (folder / MARK).is_file():
        return {}
    names = [MARK, *(folder / MARK).read_text(encoding="utf-8", errors="replace").splitlines()]
    paths = {name: folder / name for name in names}
    return {
        name: path.read_bytes()
        for name, path in paths.items()
        if path.resolve().is_relative_to(folder.resolve()) and path.is_file()
    }
