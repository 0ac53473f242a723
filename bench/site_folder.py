"""The folder of a built site: which files in it are the site's, so that the next one replaces those only."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from bench.errors import BenchError, UsageError

MARK = ".slm-bench-site"
"""Lists the files that an earlier build wrote."""


def replace_site(out: Path, names: Collection[str], write: Callable[[], None]) -> None:
    """Let `write` make the named files of a site in the folder, and remove an earlier site's other files.

    Raises a UsageError where the folder holds anything but a site.
    """
    mark = out / MARK
    if out.exists() and not mark.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} was not made by this command; give --out an empty or a new folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        before = mark.read_text(encoding="utf-8", errors="replace").splitlines() if mark.is_file() else []
        mark.write_text("".join(f"{name}\n" for name in sorted({*before, *names})), encoding="utf-8")
        for folder in {(out / name).parent for name in names}:
            folder.mkdir(parents=True, exist_ok=True)
        write()
        _remove(out, sorted({*before} - {*names}))
        mark.write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"the site cannot be written to {out}: {error.strerror}") from error


def _remove(out: Path, names: Sequence[str]) -> None:
    """Remove the named files, and the folders that are empty without them; nothing outside `out`."""
    for name in names:
        path = out / name
        if not path.resolve().is_relative_to(out.resolve()) or not path.is_file():
            continue
        path.unlink()
        for folder in path.parents:
            if folder == out or any(folder.iterdir()):
                break
            folder.rmdir()
