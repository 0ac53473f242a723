"""The folder of a built site: which files in it are the site's, so that the next one replaces those only."""

from collections.abc import Collection
from pathlib import Path

from bench.errors import BenchError, UsageError
from bench.whole_folder import Write, replace_folder

MARK = ".slm-bench-site"
"""Lists the files of the site."""


def replace_site(out: Path, names: Collection[str], write: Write) -> None:
    """Put a site in the place of an earlier one, as `replace_folder` does.

    Raises a UsageError where the folder holds anything but a site.
    """
    try:
        is_empty = not out.exists() or (out.is_dir() and not any(out.iterdir()))
        if not is_empty and not (out / MARK).is_file():
            raise UsageError(f"{out} was not made by this command; give --out an empty or a new folder")
    except OSError as error:
        raise BenchError(f"{out} cannot be read: {error.strerror}") from error
    replace_folder(out, MARK, names, write)
