"""How large the files of a model's weights are, from the disk where they are here, else from its card."""

import json
from dataclasses import dataclass
from pathlib import Path

from bench.errors import Unavailable
from bench.inputs.cards import CardFile
from bench.inputs.model_card import ModelCard, PathSource
from bench.inputs.stored_format import format_of
from bench.inputs.weight_files import total_bytes, weight_files
from bench.plain_files import read_bytes, real

_EACH = {"bfloat16": 2, "float16": 2, "float32": 4}
_TWICE = 1.6
"""Files may hold an output head beside equal embeddings: up to this many times the bytes of the weights."""


@dataclass(frozen=True, slots=True)
class FileSize:
    """`bytes` of the files, and `each` of a weight in them.

    `least` are the bytes of the weights without what the files hold twice; None where it is not known.
    """

    bytes: int
    each: int
    least: int | None = None


def file_size(file: CardFile) -> FileSize | None:
    """The size of a model's files; None where it is unknown, or their weights are quantised."""
    match file.card.source:
        case PathSource(path=path):
            return _in_folder(real(file.path.parent / path))
        case _:
            return _by_card(file.card)


def _in_folder(folder: Path) -> FileSize | None:
    try:
        config = json.loads(read_bytes(folder / "config.json"))
        each = _EACH.get(str(config.get("dtype") or config.get("torch_dtype")))
        if each is None or format_of(config) is not None:
            return None
        return FileSize(total_bytes(weight_files(folder, pickled=False)), each)
    except (OSError, ValueError, AttributeError, Unavailable):
        return None


def _by_card(card: ModelCard) -> FileSize | None:
    """The number of weights tells the format alone: a size is never made from it."""
    if not card.download_bytes or not card.parameters:
        return None
    share = card.download_bytes / card.parameters
    each = next((each for each in (2, 4) if 0.95 * each <= share < _TWICE * each), None)
    if each is None:
        return None
    return FileSize(card.download_bytes, each, min(card.download_bytes, each * card.parameters))
