"""Where an adapter is: a folder of this machine, or a repository of the hub."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.errors import Unavailable, UsageError
from bench.inputs.adapter import Adapter, read_adapter
from bench.inputs.hub import asking_hub, hub_errors
from bench.inputs.hub_commits import Branch, check_commit, keep_commit
from bench.inputs.located import FILES


def find_adapter(name: str, *, offline: bool) -> Adapter:
    """The adapter in the folder `name`, or with that hub id, which is downloaded unless `offline`.

    Raises Unavailable where the hub does not give it, and another BenchError where there is no such folder,
    or its files are not valid.
    """
    folder = Path(name)
    if folder.is_dir():
        return read_adapter(folder, name)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise UsageError(f"there is no adapter folder {name}")
    folder = _snapshot(name, offline=offline)
    branch = Branch("model", name, "main")
    check_commit(branch, folder.name)
    keep_commit(branch, folder.name)
    return read_adapter(folder, name)


def _snapshot(hub: str, *, offline: bool) -> Path:
    """The folder of an adapter's files: downloaded, or from the cache where the hub is out of reach.

    Raises Unavailable where it is not on the hub, or cannot be read.
    """
    from huggingface_hub import snapshot_download

    get_snapshot: Any = snapshot_download

    def get(*, offline: bool) -> Path:
        patterns = list(FILES)
        return Path(
            get_snapshot(hub, allow_patterns=patterns, ignore_patterns=["*/*"], local_files_only=offline)
        )

    try:
        return get(offline=True) if offline else _download(hub, get)
    except hub_errors() as error:
        reason = f"there is no folder {hub}, and no adapter of that name is on this machine"
        raise Unavailable(reason, "correct the name, or run once while the hub can be reached") from error


def _download(hub: str, get: Callable[..., Path]) -> Path:
    try:
        with asking_hub(hub, kind="adapter"):
            return get(offline=False)
    except Unavailable as failure:
        try:
            return get(offline=True)
        except hub_errors():
            raise failure from failure.__cause__
