"""Summaries changed by hand, with a digest that is right again: for what checks beyond the digest."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.results.identity import folder_of, identity
from bench.results.result import CellFacts
from bench.results.summary import KEY, digest_of

Raw = dict[str, Any]


def sealed(raw: Raw) -> str:
    """The JSON of a summary with its digest."""
    content = {key: value for key, value in raw.items() if key != KEY}
    return json.dumps(content | {KEY: digest_of(content)}, ensure_ascii=False)


def reseal(path: Path, change: Callable[[str], str] = lambda text: text) -> None:
    """Change the text of a summary, and give it the digest of what it says then."""
    path.write_text(sealed(json.loads(change(path.read_text(encoding="utf-8")))), encoding="utf-8")


def resettle(path: Path, change: Callable[[str], str]) -> Path:
    """Change the facts of a run; it gets the id that they give, and moves to the folder of that."""
    raw: Raw = json.loads(change(path.read_text(encoding="utf-8")))
    facts = CellFacts.model_validate(raw["cell"], strict=False)
    raw["cell"]["id"] = identity(facts)
    path.write_text(sealed(raw), encoding="utf-8")
    folder = path.parents[3] / folder_of(facts.model_copy(update={"id": raw["cell"]["id"]}))
    folder.parent.mkdir(parents=True, exist_ok=True)
    path.parent.rename(folder)
    return folder / path.name
