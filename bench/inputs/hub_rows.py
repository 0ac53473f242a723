"""The rows of a data set on the hub, from the cache of `datasets` or downloaded."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.errors import Unavailable, one_line
from bench.inputs.hub import hub_errors, repository
from bench.inputs.hub_commits import Branch, check_commit, keep_commit
from bench.inputs.readers import Place, PlacedRow, labelled, without_media
from bench.inputs.task_data import HubData

_SCRIPTS = "scripts are no longer supported"
"""What `datasets` says of a repository that holds Python code and no data files."""
PARQUET = "refs/convert/parquet"
"""The branch with the hub's own conversion of a data set."""


def hub_rows(data: HubData, config: str | None, name: str, *, offline: bool) -> Iterable[PlacedRow]:
    """The rows of a split, without pictures and sound.

    Raises Unavailable where they cannot be had, with the reason and the remedy.
    """
    from datasets.exceptions import DatasetGenerationError  # here: `datasets` takes over a second

    source = f"{data.hub}[{name}]"
    try:
        rows = _load(data, config, name, offline=offline)
    except DatasetGenerationError as error:
        cause = error.__cause__ or error
        reason = f"data set {source} cannot be read: {one_line(cause)}"
        raise Unavailable(reason, "download it again, or correct data in the task file") from error
    except hub_errors() as error:  # not cached, no such set, no such split, or not an answer of the hub
        raise _unavailable(data, config, name, error, offline=offline) from error
    return [(Place(source, number), row) for number, row in enumerate(labelled(rows), start=1)]


def _load(data: HubData, config: str | None, name: str, *, offline: bool) -> Any:
    from datasets import DownloadConfig, load_dataset

    kept: dict[str, Any] = {}
    commit = None if offline or Path(data.hub).is_dir() else _commit(data.hub, data.revision)
    branch = Branch("data set", data.hub, data.revision)
    if commit:
        check_commit(branch, commit)
    with TemporaryDirectory() as folder:
        # `datasets` knows a folder by its name and card alone, and would give the rows that it had before.
        if Path(data.hub).is_dir():
            kept = {"cache_dir": folder, "keep_in_memory": True}
        if config and data.revision == PARQUET:
            files = _converted(data, f"{config}/{name}/*.parquet", offline=offline)
            rows: Any = load_dataset("parquet", data_files=files, split="train", **kept)
        else:
            asked = DownloadConfig(local_files_only=offline)
            kept |= {"revision": commit or data.revision, "download_config": asked}
            rows = load_dataset(data.hub, config, split=name, **kept)
    if commit:
        keep_commit(branch, commit)
    return without_media(rows)


@cache
def _commit(hub: str, revision: str) -> str | None:
    """The commit of a revision now; None where the hub does not say, for which loading gives the reason."""
    try:
        return str(repository(hub, kind="data set", revision=revision).sha)
    except Unavailable:
        return None


def _converted(data: HubData, pattern: str, *, offline: bool) -> list[str]:
    """The files of the hub's own conversion, whose folders `datasets` does not take for configurations."""
    from huggingface_hub import snapshot_download

    folder = Path(data.hub)
    if not folder.is_dir():
        folder = Path(
            snapshot_download(
                data.hub,
                repo_type="dataset",
                revision=PARQUET,
                allow_patterns=pattern,
                local_files_only=offline,
            )
        )
    if files := sorted(str(path) for path in folder.glob(pattern)):
        return files
    raise FileNotFoundError(f"it has no files {pattern}")


def _unavailable(
    data: HubData, config: str | None, name: str, error: Exception, *, offline: bool
) -> Unavailable:
    source = f"{data.hub}[{name}]"
    if _SCRIPTS in str(error):
        reason = f"data set {source} is a Python script, which `datasets` does not run"
        return Unavailable(reason, f"write data.revision: {PARQUET} for the hub's own conversion")
    if not offline:
        if not Path(data.hub).is_dir():
            try:
                repository(data.hub, kind="data set", revision=data.revision)
            except Unavailable as known:  # `datasets` does not say why
                return known
        reason = f"data set {source} cannot be loaded: {one_line(error)}"
        return Unavailable(reason, "check data in the task file")
    remedy = "run once while the hub can be reached"
    if name in data.mirror:
        file = data.mirror[name].replace("{config}", config or "")
        others = len(data.configs) - 1
        rest = f"each of the other {others} configurations" if others > 1 else "the other configuration"
        more = f" and one for {rest}" if others > 0 else ""
        remedy = f"put {file}{more} in a folder and pass it as --data-dir, or {remedy}"
    general = "their data are not on this machine"
    return Unavailable(f"data set {source} is not on this machine", remedy, general)
