"""The project's and the user's folders, and reading text files."""

import fnmatch
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench import plain_files
from bench.errors import FileError, Mistake, UsageError, there_are
from bench.plain_files import real

NAME = r"[a-z0-9][a-z0-9_.-]*"
"""The form of the name of a task or a model, which is also used for folders and pages."""
LONGEST_NAME = 80
"""Characters of a name: with what is added to it, a file system still takes it."""
_DIGITS = 12
"""Of the digest in a made name: no text that is likely to be met has those of another one."""
BUILT_IN = Path(__file__).resolve().parent
"""The parent of `tasks/` and the like in an installed package; in a checkout they are one folder up."""


def cache_folder() -> Path:
    """For weights, quick adapters and answers: BENCH_CACHE_DIR, else `slm-bench` in the user cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("BENCH_CACHE_DIR") or Path(base) / "slm-bench")


def folders(name: str) -> tuple[Path, ...]:
    """The folders called `name`: the project's, then the one in the working folder.

    Names are "tasks", "suites" and "model_cards". A file in the second replaces the project's file of that
    name.
    """
    built_in = next((p for p in (BUILT_IN / name, BUILT_IN.parent / name) if p.is_dir()), None)
    own = Path.cwd() / name
    project = [built_in] if built_in else []
    return tuple(project + ([own] if own.is_dir() and real(own) != built_in else []))


def yaml_files(name: str) -> dict[str, Path]:
    """`{stem: path}` of the YAML files in `folders(name)`, sorted by stem.

    Files whose names begin with "_" are for others to include.
    """
    paths = [path for folder in folders(name) for path in sorted(folder.glob("[!_]*.yaml"))]
    return dict(sorted({path.stem: path for path in paths}.items()))


def named_files(folder: str, names: Sequence[str] = (), *, globs: bool = True) -> list[Path]:
    """The YAML files of these names in `folders(folder)`, in this order, or all of them, sorted.

    A name may be a path to a file, or a glob (`mmlu_*`) unless `globs` is false. Raises a UsageError for a
    name or a glob without a file.
    """
    known = yaml_files(folder)
    paths = [path for name in names for path in _named(folder, name, known, globs=globs)]
    return list(dict.fromkeys(paths)) if names else list(known.values())


def _named(folder: str, name: str, known: Mapping[str, Path], *, globs: bool) -> Iterator[Path]:
    is_glob = globs and any(sign in name for sign in "*?[")
    if name in known:
        yield known[name]
    elif name.endswith(".yaml") or is_file(Path(name)):
        yield Path(name)
    elif matches := fnmatch.filter(known, name) if is_glob else []:
        yield from (known[match] for match in matches)
    else:
        verb = "matches" if is_glob else "is named"
        noun = folder.removesuffix("s")
        raise UsageError(f"no {noun} {verb} '{name}'{there_are(name, known)} (bench {folder} list)")


def safe_name(text: str, otherwise: str) -> str:
    """The text as a name of a task or a model, which names files too; `otherwise` where nothing is left.

    What is no small letter, digit or one of "_.-" is replaced, what is too long cut. Then a digest ends
    the name, so that texts which differ there, or in their case alone, have different names. A text that
    ends as if it had a digest gets one too: else it could be the name of another text.
    """
    if is_name(text) and not re.search(f"-[0-9a-f]{{{_DIGITS}}}$", text):
        return text
    longest = LONGEST_NAME - _DIGITS - 1
    made = re.sub(r"[^a-z0-9_.-]+", "-", text.lower()).strip("_.-")[:longest] or otherwise
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{made}-{digest[:_DIGITS]}"


def is_name(text: str) -> bool:
    """Whether a task or a model may have this name, and files that are named after it too."""
    return re.fullmatch(NAME, text) is not None and len(text) <= LONGEST_NAME


def display(path: Path) -> str:
    """The path for messages, relative to the working folder where it is below it; a link keeps its name."""
    try:
        return str((real(path.parent) / path.name).relative_to(Path.cwd()))
    except (ValueError, OSError):  # elsewhere
        return str(path)


def is_file(path: Path) -> bool:
    """Whether the file exists; False for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_text(path: Path, most: int = plain_files.SMALL) -> str:
    """The text of a file of at most `most` bytes; raises a FileError where it cannot be read as UTF-8."""
    try:
        return plain_files.read_text(path, most, "utf-8-sig")
    except OSError as error:
        raise FileError([Mistake(display(path), 0, "", error.strerror or "unreadable")]) from error
    except UnicodeDecodeError as error:
        raise FileError([Mistake(display(path), 0, "", f"not UTF-8: {error.reason}")]) from error
