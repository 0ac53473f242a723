"""Which files of a folder transformers loads a model from: what the index names, or the one file."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, Field

from bench.errors import Unavailable
from bench.plain_files import read_bytes, sha256

PICKLES = "pytorch_model*.bin"


@dataclass(frozen=True, slots=True)
class Form:
    """A form of weights: the one file, or the index that names its parts."""

    single: str
    index: str
    pattern: str
    """A glob pattern of every file of this form."""


SAFETENSORS = Form("model.safetensors", "model.safetensors.index.json", "*.safetensors")
PICKLED = Form("pytorch_model.bin", "pytorch_model.bin.index.json", PICKLES)


class _Index(BaseModel):
    """What transformers reads of an index."""

    weight_map: dict[str, str] = Field(min_length=1)


def is_pickled(folder: Path) -> bool:
    """Whether the folder holds pickled weights and no safetensors."""
    return not list(folder.glob(SAFETENSORS.pattern)) and bool(list(folder.glob(PICKLED.pattern)))


def indexed(folder: Path, form: Form) -> dict[str, str]:
    """The file of each tensor, by the index; empty without one. Raises Unavailable where it is damaged."""
    index = folder / form.index
    if not index.is_file():
        return {}
    try:
        return _Index.model_validate_json(read_bytes(index)).weight_map
    except (OSError, ValueError) as error:
        raise Unavailable(f"{index.name} in {folder} is damaged", "copy the whole model again") from error


def weight_names(folder: Path, form: Form) -> list[str]:
    """The names of the files that hold the model, sorted; they need not be there.

    Other files of the form are not read: an original beside the converted shards, an adapter. Raises
    Unavailable where the index is damaged, or names other files than the one beside it.
    """
    names = sorted(set(indexed(folder, form).values()))
    if not names:
        return [form.single]
    if form.single not in names and (folder / form.single).is_file():
        # Transformers would load the one file, and the index describes another model.
        reason = f"{folder} holds {form.single} and an index that does not name it"
        raise Unavailable(reason, f"delete {form.single}, or {form.index}")
    return names


def weight_files(folder: Path, *, pickled: bool) -> list[Path]:
    """The files that hold the model; raises Unavailable where one is missing or the index is wrong."""
    form = PICKLED if pickled else SAFETENSORS
    names = weight_names(folder, form)
    for name in names:
        if not (folder / name).is_file():
            raise Unavailable(f"{folder} lacks {name}", "copy the whole model, or save it with transformers")
    return [folder / name for name in names]


def download_names(names: list[str], form: Form) -> list[str]:
    """Those of a repository's file names that hold the model, as far as names alone tell.

    Shards are numbered; an original beside them is named `consolidated`.
    """
    if form.index not in names:
        return [name for name in names if name == form.single]
    of_form = [name for name in names if Path(name).match(form.pattern) and name != form.single]
    parts = [name for name in of_form if not name.startswith("consolidated")]
    numbered = [name for name in parts if "-of-" in name]
    return numbered or [name for name in names if name == form.single] or parts


def total_bytes(files: Sequence[Path]) -> int:
    """The size of the files, in bytes."""
    return sum(path.stat().st_size for path in files)


def files_digest(paths: Sequence[Path]) -> str:
    """SHA-256 (hex) over the files' contents, in the order given.

    Cached until a file's size or time changes, because weights are large.
    """
    try:
        states = [(path, path.stat()) for path in paths]
        return _digest(tuple((path, state.st_size, state.st_mtime_ns) for path, state in states))
    except OSError as error:
        raise Unavailable(f"{error.filename} cannot be read: {error.strerror}", "copy it again") from error


@cache
def _digest(files: tuple[tuple[Path, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, _, _ in files:
        digest.update(sha256(path))
    return digest.hexdigest()
