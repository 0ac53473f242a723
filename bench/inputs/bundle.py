"""Bundles: folders with everything that a selection needs on a machine without a network."""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast, get_args

import yaml

from bench.errors import BenchError, FileError, Mistake, Unavailable, UsageError
from bench.folders import display
from bench.inputs.cards import CardFile
from bench.inputs.data import Split, load_split
from bench.inputs.task import TaskFile
from bench.inputs.weights import NO_TRUST, RemoteWeights, Weights, fetch, find_weights
from bench.plain_files import lines, read_text, real, sha256
from bench.types import Role
from bench.wording import size

SUMS = "SHA256SUMS"
_READ_ME = """\
# A bundle of SLM Bench

Models: {models}. Tasks: {tasks}. Nothing here needs a network.

    sha256sum --check {sums}      (or: bench bundle . --check)
    bench run --models '{selection}' --tasks '{names}' --offline

Install `bench` from wheels. Build them in a checkout of the project on a machine that is online:

    make .venv/installed && .venv/bin/pip freeze --exclude slm-bench >packages.txt
    .venv/bin/pip wheel --require-hashes --constraint constraints.txt --build-constraint constraints.txt \\
      --no-deps --requirement packages.txt --wheel-dir wheels
    .venv/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels .

Copy the folder `wheels` to this machine, then: pip install --no-deps wheels/*.whl
"""


def make_bundle(
    out: Path, tasks: Sequence[TaskFile], cards: Sequence[CardFile], *, data_dir: Path | None, offline: bool
) -> Iterator[str]:
    """Write the bundle; yields a line for each task and model. Missing weights are downloaded from the hub.

    A model whose weights cannot be had is left out with a line that gives the reason. Raises
    Unavailable where a task's test data are missing, and a UsageError where `out` is not empty, no
    model is left, or a file cannot be written. After a BenchError the unfinished bundle is removed.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty; name a new folder")
    models: list[CardFile] = []
    try:
        for task in tasks:
            rows = _put_task(out, task, data_dir=data_dir, offline=offline)
            yield f"task {task.task.name}: {rows:,} questions"
        for card in cards:
            try:
                put = _put_model(out, card, offline=offline)
            except Unavailable as error:
                yield f"left out: model {card.card.name}: {error}"
                continue
            models.append(card)
            yield f"model {card.card.name}: {size(put)}"
        if not models:
            raise UsageError("none of the models is on this machine, so there is nothing to bundle")
        _put_read_me(out, tasks, models)
        sums = (f"{_digest(path)}  {path.relative_to(out)}\n" for path in _files(out))
        (out / SUMS).write_text("".join(sums), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the bundle cannot be written to {out}: {error.strerror}") from error
    except BenchError:
        shutil.rmtree(out, ignore_errors=True)  # empty or missing before
        raise


def _put_read_me(out: Path, tasks: Sequence[TaskFile], cards: Sequence[CardFile]) -> None:
    models, names = [file.card.name for file in cards], [file.task.name for file in tasks]
    text = _READ_ME.format(
        models=", ".join(models),
        tasks=", ".join(names),
        sums=SUMS,
        selection=",".join(models),
        names=",".join(names),
    )
    (out / "README.md").write_text(text, encoding="utf-8")


def _put_task(out: Path, file: TaskFile, *, data_dir: Path | None, offline: bool) -> int:
    """Write the task, and its splits as JSON Lines in the common form; returns the number of test items."""
    task = file.task
    splits: dict[str, tuple[Role, Split]] = {}
    for role in get_args(Role):
        name = cast("str | None", getattr(task.data.splits, role))
        if name is None or name in splits:
            continue
        try:
            split = load_split(file, role, data_dir=data_dir, offline=offline)
        except Unavailable:
            if role == "test":
                raise
            continue  # a run that needs the split reports that it is missing
        assert split is not None
        splits[name] = role, split
    items = [item for _, split in splits.values() for item in split.items]
    labels = [name for name in ("group", "cluster") if any(getattr(item, name) for item in items)]
    # Not by the split's name, which may not be a valid file name.
    files = {role: f"data/{task.name}-{role}.jsonl" for role, _ in splits.values()}
    for role, split in splits.values():
        _write(out / "tasks" / files[role], "".join(_lines(split, labels)))
    names = {role: getattr(task.data.splits, role) for role in get_args(Role)}
    bundled = {role: splits[name][0] for role, name in names.items() if name in splits}
    raw = task.model_dump(mode="json", exclude_defaults=True)
    columns: dict[str, Any] = {name: name for name in ("id", *labels)}
    extra = {name: name for name in task.data.columns.extra}
    columns |= {"extra": extra} if extra else {}
    kept = {"rows": raw["data"]["rows"]} if "rows" in raw["data"] else {}
    numbered = {"answer_form": "index", "answer_from": 0}
    kept |= _warnings(splits.values())
    raw["data"] = {"files": files, "splits": bundled, "columns": columns, **numbered, **kept}
    _write(out / "tasks" / f"{task.name}.yaml", yaml.safe_dump(raw, sort_keys=False, allow_unicode=True))
    for name in task.metrics:
        if name.startswith("evaluate:"):
            _put_metric(out / "tasks", file, name.removeprefix("evaluate:"))
    return len(splits[task.data.splits.test][1].items)


def _warnings(splits: Iterable[tuple[Role, Split]]) -> dict[str, Any]:
    """What the original rows were like, as keys of the data: the bundled files no longer show it."""
    odd = {role: {kind: rows.rows for kind, rows in split.odd.items()} for role, split in splits if split.odd}
    notes = {role: list(split.notes) for role, split in splits if split.notes}
    return ({"odd_rows": odd} if odd else {}) | ({"warnings": notes} if notes else {})


def _put_metric(place: Path, file: TaskFile, name: str) -> None:
    """Copy a metric's code; raises a UsageError unless it is below the task file's folder."""
    home = real(file.path.parent)
    source = real(home / name)
    if not source.is_relative_to(home) or not source.exists():
        text = f"metric evaluate:{name} is not a file below {display(home)}, so it cannot be bundled"
        raise UsageError(f"task {file.task.name}: {text}")
    target = place / source.relative_to(home)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _lines(split: Split, labels: Sequence[str]) -> Iterator[str]:
    for item in split.items:
        row: dict[str, Any] = {"id": item.id, "question": item.question, "options": item.options}
        row |= {"answer": item.answer} | {name: getattr(item, name) for name in labels} | dict(item.extra)
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _put_model(out: Path, file: CardFile, *, offline: bool) -> int:
    """Write the card and a copy of its weights, which it points to; returns the weights' size in bytes."""
    raw = file.card.model_dump(mode="json", exclude_defaults=True)
    size = 0
    located = find_weights(file, offline=offline)
    weights = fetch(located) if isinstance(located, RemoteWeights) else located
    if weights is not None:
        raw["source"] = {"path": f"../weights/{_copy(weights, out / 'weights', file.card.name)}"}
        size = weights.bytes
    path = out / "model_cards" / f"{file.card.name}.yaml"
    _write(path, yaml.safe_dump(raw, sort_keys=False, allow_unicode=True))
    return size


def _copy(weights: Weights, place: Path, name: str) -> str:
    """Copy a model's files to `place / name`; returns the path for the card, relative to `place`."""
    (place / name).mkdir(parents=True)
    if weights.is_gguf:
        shutil.copyfile(weights.path, place / name / weights.path.name)
        return f"{name}/{weights.path.name}"
    for path in sorted({path for pattern in NO_TRUST.files for path in weights.path.glob(pattern)}):
        shutil.copyfile(path, place / name / path.name)
    return name


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _files(out: Path) -> list[Path]:
    return sorted(path for path in out.rglob("*") if path.is_file() and path.name != SUMS)


def _digest(path: Path) -> str:
    return sha256(path).hex()


def check_bundle(out: Path) -> int:
    """The number of files; raises a FileError that names every changed, missing or added one."""
    try:
        sums = lines(read_text(out / SUMS))
    except OSError as error:
        raise UsageError(f"{out} is not a complete bundle: it has no {SUMS}") from error
    wanted = {name: digest for digest, _, name in (line.partition("  ") for line in sums)}
    wrong = [
        Mistake(str(out / name), 0, "", "is missing" if not (out / name).is_file() else "was changed")
        for name, digest in wanted.items()
        if not (out / name).is_file() or _digest(out / name) != digest
    ]
    known = {out / name for name in wanted}
    wrong += [
        Mistake(str(path), 0, "", "does not belong to the bundle")
        for name in ("tasks", "model_cards", "weights")
        for path in _files(out / name)
        if path not in known
    ]
    if wrong:
        raise FileError(wrong)
    return len(wanted)
