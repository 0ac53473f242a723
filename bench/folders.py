"""Where the project's and the user's files are, and reading them as text."""

import os
from pathlib import Path

from bench.errors import FileError, Mistake

BUILT_IN = Path(__file__).resolve().parent
"""Where `tasks/` and `model_cards/` are in an installed package; in a checkout, one folder up."""


def cache_folder() -> Path:
    """Converted weights, quick adapters: BENCH_CACHE_DIR, else `slm-bench` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("BENCH_CACHE_DIR") or Path(base) / "slm-bench")


def folders(name: str) -> tuple[Path, ...]:
    """The folders that hold `name` ("tasks", "model_cards"): the project's, then the user's own.

    The user's own is `name` in the working folder; a file there replaces the project's namesake.
    """
    built_in = next((p for p in (BUILT_IN / name, BUILT_IN.parent / name) if p.is_dir()), None)
    own = Path.cwd() / name
    project = [built_in] if built_in else []
    return tuple(project + ([own] if own.is_dir() and own.resolve() != built_in else []))


def yaml_files(name: str) -> dict[str, Path]:
    """`{stem: path}` of the YAML files in `folders(name)`, sorted by stem."""
    paths = [path for folder in folders(name) for path in sorted(folder.glob("*.yaml"))]
    return dict(sorted({path.stem: path for path in paths}.items()))


def display(path: Path) -> str:
    """The path as a person would type it: relative to the working folder when it is below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError, RuntimeError):  # elsewhere; or a loop of links
        return str(path)


def is_file(path: Path) -> bool:
    """Whether a file is there; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_text(path: Path) -> str:
    """The file's text; a FileError when it is not there, not readable or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError([Mistake(display(path), 0, "", error.strerror or "unreadable")]) from error
    except UnicodeDecodeError as error:
        raise FileError([Mistake(display(path), 0, "", f"not UTF-8: {error.reason}")]) from error
