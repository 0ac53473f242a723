"""What is made hostile, by which command it is read, and how that may end."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

from click.testing import Result
from mutations import as_json
from sealing import sealed

Seal = Callable[[Any, random.Random, Path], bytes]
Also = Callable[[Path, Result], Iterator[tuple[str, str]]]
Words = tuple[str, ...]


def plainly(value: Any, _rng: random.Random, _file: Path) -> bytes:
    return as_json(value)


def _nothing(_project: Path, _result: Result) -> Iterator[tuple[str, str]]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Kind:
    """`files` gives the valid files, `commands` read them, and `exits` are the codes with which they may end.

    `weight` is the share of the cases, `makes` are folders that the commands write, `seal` writes a changed
    value, and `also` yields further faults.
    """

    name: str
    weight: int
    files: Callable[[Path], Sequence[Path]]
    commands: tuple[Words, ...]
    exits: frozenset[int] = frozenset({0, 3})
    makes: tuple[str, ...] = ()
    seal: Seal = plainly
    also: Also = _nothing
    called: Callable[[Path], tuple[str, ...]] = field(default=lambda _file: ())

    def names(self, file: Path) -> tuple[str, ...]:
        """What a message may call the file."""
        return file.name, file.stem, *self.called(file)


DATA_OF = {"anatomy.yaml": ("test.jsonl", "train.jsonl"), "quiz.yaml": ("quiz.csv", "shots.jsonl")}
"""A task that names a wrong column is seen where its data lack it."""


def _by_folder(file: Path) -> tuple[str, ...]:
    return (file.parent.name,)


def _these(*names: str) -> Callable[[Path], Sequence[Path]]:
    return lambda _project: [Path(name) for name in names]


def _found(pattern: str) -> Callable[[Path], Sequence[Path]]:
    return lambda project: sorted(path.relative_to(project) for path in project.glob(pattern))


def _resealed(value: Any, rng: random.Random, _file: Path) -> bytes:
    """A summary with the digest of what it says, mostly: beyond it other checks must hold."""
    if isinstance(value, dict) and rng.random() < 0.8:
        with suppress(RecursionError, ValueError):  # what has no digest
            return sealed(cast("dict[str, Any]", value)).encode()
    return as_json(value)


class _Page(HTMLParser):
    """Collects what would run in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and "src" not in given and given.get("type") != "application/json":
            self.runs.append(f"<{tag}>")
        if tag == "img" and given.get("src") == "x":
            self.runs.append("<img src=x>")
        for name, value in attrs:
            if name.startswith("on") or (
                name in ("href", "src") and (value or "").strip().lower().startswith("javascript:")
            ):
                self.runs.append(f"{name}={value}")


def _runs_nothing(project: Path, _result: Result) -> Iterator[tuple[str, str]]:
    for path in (project / "site").rglob("*.html"):
        page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
        if page.runs:
            yield "runs in the page", f"{path.name}: {page.runs[:3]}"
    index = project / "site" / "index.html"
    if _result.exit_code == 0 and (
        not index.is_file() or not index.read_text(encoding="utf-8").rstrip().endswith("</html>")
    ):
        yield "no site", "exit code 0, and index.html is missing or not whole"


FILES = ("tasks/anatomy.yaml", "tasks/quiz.yaml")
DRY = ("run", "--tasks", "anatomy", "--offline", "--dry-run", "--models")
BOARD: tuple[Words, ...] = (("results", "list"), ("results", "check"), ("leaderboard", "show"))
ALL = (
    Kind(
        "tasks",
        8,
        _these("tasks/anatomy.yaml", "tasks/quiz.yaml"),
        (("tasks", "validate", "--offline", *FILES), ("tasks", "list")),
        frozenset({0, 2, 3}),
        called=lambda file: DATA_OF[file.name],
    ),
    Kind(
        "data",
        8,
        _these("tasks/test.jsonl", "tasks/train.jsonl", "tasks/quiz.csv", "tasks/shots.jsonl"),
        (("tasks", "validate", "--offline", *FILES), ("tasks", "show", "anatomy", "--offline")),
    ),
    Kind(
        "cards",
        7,
        _these("model_cards/toy.yaml", "model_cards/hubtoy.yaml"),
        (("models", "list", "--offline"), (*DRY, "all")),
        frozenset({0, 2, 3, 5}),
    ),
    Kind("sweeps", 4, _these("sweep.yaml"), (("run", "--sweep", "sweep.yaml", "--offline", "--dry-run"),)),
    Kind(
        "suites",
        3,
        _these("suites/all.yaml"),
        (("suites", "list"), ("run", "--suite", "all", "-m", "chance", "--offline", "--dry-run")),
        frozenset({0, 2, 3}),
    ),
    Kind("policies", 3, _these("policy.yaml"), (("gate", "policy.yaml"),), frozenset({0, 1, 2, 3})),
    Kind("boards", 2, _these("results/board.yaml"), (("leaderboard", "show"),)),
    Kind(
        "results",
        9,
        _found("results/*/*/*/result.json"),
        BOARD,
        seal=_resealed,
        called=_by_folder,
    ),
    Kind("records", 4, _found("results/*/*/*/records.jsonl"), BOARD, called=_by_folder),
    Kind("journals", 3, _found("results/begun/unfinished.jsonl"), BOARD, called=_by_folder),
    Kind(
        "adapters",
        4,
        _these("adapter/adapter_config.json", "adapter/adapter_model.safetensors"),
        ((*DRY, "chance", "--adapter", "adapter"),),
        frozenset({0, 2, 3}),
        called=_by_folder,
    ),
    Kind(
        "imports",
        6,
        _found("lm/chance/*"),
        (("import", "lm-eval", "lm", "--results", "imported"),),
        frozenset({0, 1, 3}),
        makes=("imported",),
        called=_by_folder,
    ),
    Kind(
        "pages",
        2,
        _found("results/*/*/*/result.json"),
        (("leaderboard", "build"),),
        makes=("site",),
        seal=_resealed,
        also=_runs_nothing,
        called=_by_folder,
    ),
)
WRITTEN = ("results", "records", "journals", "imports", "pages")
INPUTS = tuple(kind.name for kind in ALL if kind.name not in WRITTEN)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in ALL}
