"""The medical data sets of the hub in miniature: their own columns, types and splits, invented questions.

A set is written as it lies on the hub (`write_hub`), or as files that can stand in for it (`write_mirror`).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features

from bench.inputs.task_data import HubData

LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class Question:
    """An invented question; a set takes its first `count` options, and its answer is one of the first 4."""

    nr: int
    text: str
    options: tuple[str, ...]
    answer: int
    count: int = 4
    group: str = ""

    @property
    def letter(self) -> str:
        return LETTERS[self.answer]

    def lettered(self, keys: str) -> dict[str, str | None]:
        """The options as an object; `datasets` gives the keys that a row lacks as null."""
        return {key: self.options[i] if i < self.count else None for i, key in enumerate(keys)}

    def columns(self, *names: str) -> dict[str, str]:
        return dict(zip(names, self.options, strict=False))


def _question(nr: int, text: str, options: str, answer: int) -> Question:
    return Question(nr, text, tuple(options.split(", ")), answer)


TESTED = (
    _question(
        1,
        "A sailor has eaten no fresh fruit for months, and his gums bleed. Which vitamin does he lack?",
        "Thiamine, Vitamin A, Vitamin K, Vitamin C, Vitamin D, Niacin, Folate, Biotin, Vitamin E, Riboflavin",
        3,
    ),
    _question(
        2,
        "Which organ makes insulin?",
        "Pancreas, Liver, Spleen, Kidney, Thymus, Thyroid, Stomach, Gallbladder, Pituitary, Adrenal gland",
        0,
    ),
    _question(
        3,
        "¿Which nerve moves the diaphragm? ",  # as some sets have it, with a space at the end
        "Vagus, Facial nerve, Phrenic nerve, Ulnar nerve, Median nerve, Optic nerve, Radial nerve, "
        "Sciatic nerve, Femoral nerve, Tibial nerve",
        2,
    ),
)
LEARNED = (
    _question(
        4,
        "Which cell carries oxygen in the blood?",
        "Platelet, Erythrocyte, Neutrophil, Lymphocyte, Monocyte, Mast cell, Basophil, Osteoclast, "
        "Eosinophil, Macrophage",
        1,
    ),
    _question(
        5,
        "Which valve lies between the left atrium and the left ventricle?",
        "Mitral valve, Aortic valve, Tricuspid valve, Pulmonary valve, Eustachian valve, Ileocaecal valve, "
        "Thebesian valve, Pyloric valve, Rectal valve, Heister's valve",
        0,
    ),
)
Row = dict[str, Any]


@dataclass(frozen=True)
class Small:
    """A set in miniature. `row` is a question in its columns, in the configuration named.

    `counts` are the numbers of options of the tested questions. `asked` is the question as our item has
    it, and `odd` are further rows of the tested split, which the task leaves out. `options` are those of our
    items, where they are not the question's own.
    """

    features: Mapping[str, Any]
    row: Callable[[Question, str], Row]
    counts: tuple[int, int, int] = (4, 4, 4)
    groups: tuple[str, str, str] = ("", "", "")
    asked: Callable[[Question], str] = lambda question: question.text
    odd: Sequence[Row] = ()
    options: tuple[str, ...] = ()
    answers: tuple[int, int, int] = (3, 0, 2)

    def tested(self, config: str = "") -> list[Question]:
        """The tested questions; those of different configurations differ."""
        drawn = zip(TESTED, self.counts, self.groups, self.answers, strict=True)
        return [
            replace(_of(question, config), count=count, group=group or config, answer=answer)
            for question, count, group, answer in drawn
        ]

    def learned(self, config: str = "") -> list[Question]:
        return [replace(_of(q, config), count=self.counts[0], group=self.groups[0]) for q in LEARNED]

    def rows(self, split: str, data: HubData, config: str) -> list[Row]:
        """The rows of a split of a task's data; only the tested one has odd rows."""
        if split != data.splits.test:
            return [self.row(question, config) for question in self.learned(config if data.configs else "")]
        tested = self.tested(config if data.configs else "")
        return [*(self.row(question, config) for question in tested), *self.odd]


def _of(question: Question, config: str) -> Question:
    return replace(question, text=f"({config}) {question.text}") if config else question


def write_hub(folder: Path, small: Small, data: HubData, *, converted: bool = False) -> None:
    """The set as it lies on the hub: Parquet files, and a card that names them.

    A `converted` one is the hub's own conversion of a script: folders without a card.
    """
    schema = Features(dict(small.features)).arrow_schema
    card = ["---", "configs:"]
    for config in data.configs or (data.config or "default",):
        card += [f"- config_name: {config}", "  data_files:"]
        for split in data.splits.names():
            path = f"{config}/{split}/0000.parquet"
            _write(folder / path, small.rows(split, data, config), schema)
            card += [f"  - split: {split}", f"    path: {path}"]
    if not converted:
        (folder / "README.md").write_text("\n".join([*card, "---", ""]), encoding="utf-8")


def write_mirror(folder: Path, small: Small, data: HubData) -> None:
    """The files that stand in for the set in a data folder, in the set's own columns."""
    schema = Features(dict(small.features)).arrow_schema
    for split, name in data.mirror.items():
        for config in data.configs or (data.config or "default",):
            _write(folder / name.replace("{config}", config), small.rows(split, data, config), schema)


def _write(path: Path, rows: list[Row], schema: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = [{name: row.get(name) for name in schema.names} for row in rows]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in whole), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(whole, schema=schema), path)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
