"""Write the page of architectures: python docs/architecture_table.py docs/architectures.md."""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from architectures import ARCHITECTURES, LONGEST, Architecture, save
from tiny import opened

HEAD = """\
# What runs here, and by which path

Made by `make reference` from tiny models: each is built from the class's real configuration, opened as any
model is, and its path is what the engine chose for it. `tests/engines/test_architectures.py` proves for
each row that scores and texts, in padded batches, behind a shared beginning and not, are those of
transformers with one row at a time: to 1e-4 in float32, by its path and by the plain one. To run the test
of one row: `pytest tests/engines/test_architectures.py -k NAME`.

The path is chosen by a test when a model opens ([scoring](scoring.md)). It depends on the context too: a
sliding window that is shorter than the model's context cannot be packed.

| name | class | models | what is special | path |
| --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """The class that is loaded, and the path that it takes."""

    model_class: str
    path: str


def row(architecture: Architecture, is_opened: Opened) -> str:
    name, models = f"`{architecture.name}`", architecture.models or "–"
    cells = (name, f"`{is_opened.model_class}`", models, architecture.special, is_opened.path)
    return f"| {' | '.join(cells)} |\n"


def page(rows: Mapping[str, Opened]) -> str:
    """The page, from what each architecture opened as, by name."""
    return HEAD + "".join(row(one, rows[one.name]) for one in ARCHITECTURES)


def open_tiny(architecture: Architecture) -> Opened:
    with tempfile.TemporaryDirectory() as folder:
        engine = opened(save(architecture, Path(folder)), architecture.kind, LONGEST)
        return Opened(type(engine.model).__name__, engine.path)


if __name__ == "__main__":
    text = page({one.name: open_tiny(one) for one in ARCHITECTURES})
    Path(sys.argv[1]).write_text(text, encoding="utf-8")
