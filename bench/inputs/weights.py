"""Locating a card's weights, here or on the hub, and the commit or digest that identifies them."""

import importlib.util
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from bench.errors import BenchError, Unavailable
from bench.inputs.cards import CardFile
from bench.inputs.engine_rules import RULES, TRANSFORMERS
from bench.inputs.gated import require_token
from bench.inputs.gguf_weights import cached_gguf, find_gguf, packaged, reads_gguf
from bench.inputs.hub import asking_hub, repository, snapshot
from bench.inputs.hub_commits import Branch, keep_commit, unmoved
from bench.inputs.located import ADAPTER_CONFIG, NO_TRUST, RemoteWeights, Trust, Weights
from bench.inputs.model_card import HubSource, ModelCard, PackageSource, PathSource, ProgramSource
from bench.inputs.stored_format import StoredFormat, check_stored, format_of, stored_format
from bench.inputs.weight_files import (
    PICKLED,
    PICKLES,
    SAFETENSORS,
    download_names,
    files_digest,
    is_pickled,
    total_bytes,
    weight_files,
    weight_names,
)
from bench.plain_files import real


def find_weights(file: CardFile, *, offline: bool, trust: Trust = NO_TRUST) -> Weights | RemoteWeights | None:
    """The card's weights; None for a model without any. The hub is asked only for weights missing here.

    Nothing is downloaded. Raises Unavailable when the weights are not on this machine and `offline`
    is set or the hub does not have them, or when they are damaged or need trust or a token that is not given.
    """
    if file.card.source is not None and reads_gguf(file.card):
        return find_gguf(file, offline=offline)
    match file.card.source:
        case None | ProgramSource():
            return None
        case PackageSource() as source:
            return _gguf(packaged(source))
        case PathSource(path=path):
            place = real(file.path.parent / path)
            if patterns := other_patterns(file.card):
                return _matching(place, patterns)
            return _gguf(place) if place.suffix == ".gguf" and place.is_file() else _in_folder(place, trust)
        case HubSource() as source:
            return _of_repository(file.card, source, trust, offline=offline)


def _of_repository(
    card: ModelCard, source: HubSource, trust: Trust, *, offline: bool
) -> Weights | RemoteWeights:
    hub, revision, patterns = source.hub, source.revision, other_patterns(card)
    cached = _in_hub_cache(hub, revision, trust, patterns)
    if cached is None and offline:
        remedy = f"run once while the hub can be reached, or: hf download {hub}"
        raise Unavailable("the weights are not on this machine", remedy)
    if cached is None:
        require_token(card)
    return unmoved(source, cached or _on_hub(hub, revision, trust, patterns))


def other_patterns(card: ModelCard) -> tuple[str, ...]:
    """Glob patterns of the files that the card's engine reads; empty for transformers, which uses `FILES`."""
    if card.engine is None or card.engine == TRANSFORMERS:
        return ()
    return RULES.get(card.engine).files or ("*",)


def check_installed(card: ModelCard) -> None:
    """Raises Unavailable where the card's engine needs a package that is not installed."""
    needs: Mapping[str, str] = RULES.get(card.engine).needs if card.engine else {}
    for module, remedy in needs.items():
        if importlib.util.find_spec(module) is None:
            raise Unavailable(f"the engine {card.engine} needs a package that is not installed", remedy)


def _matching(place: Path, patterns: Sequence[str]) -> Weights:
    """Weights of a file, or of the files in a folder that match; the digest covers all of them."""
    if not place.exists():
        raise Unavailable(f"{place} does not exist", "correct source.path, which starts at the card's folder")
    files = [place] if place.is_file() else _files_in(place, patterns)
    if not files:
        raise Unavailable(f"{place} holds no {', '.join(patterns)}", "correct source.path in the card")
    return Weights(place, f"sha256:{files_digest(files)}", total_bytes(files))


def _files_in(folder: Path, patterns: Sequence[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def check_access(card: ModelCard, trust: Trust, *, offline: bool) -> None:
    """Raises Unavailable where the engine queries a server that it may not ask, or that is not there."""
    if card.engine:
        RULES.get(card.engine).check_access(card, trust, offline)


def on_this_machine(file: CardFile) -> bool:
    """Whether the card can run without a network."""
    try:
        check_installed(file.card)
        check_access(file.card, NO_TRUST, offline=True)
        find_weights(file, offline=True)
    except Unavailable:
        return False
    return True


def _gguf(path: Path) -> Weights:
    return Weights(path, f"sha256:{files_digest([path])}", path.stat().st_size)


def _in_folder(folder: Path, trust: Trust) -> Weights:
    if not folder.is_dir():
        raise Unavailable(
            f"there is no folder {folder}", "correct source.path, which starts at the card's folder"
        )
    if not (folder / "config.json").is_file():
        raise Unavailable(f"{folder} holds no config.json", "correct source.path in the card")
    pickled = is_pickled(folder)
    if pickled and not trust.pickle:
        remedy = "save the model with safetensors weights, or allow pickles with --allow-pickle"
        raise Unavailable(f"the weights in {folder} are pickles, which can run any code", remedy)
    if not pickled and not list(folder.glob(SAFETENSORS.pattern)):
        raise Unavailable(f"{folder} holds no *.safetensors", "save the model with safetensors weights")
    read = weight_files(folder, pickled=pickled)
    side_files = _files_in(folder, trust.side_files)
    revision = f"sha256:{files_digest(sorted([*side_files, *read]))}"
    return Weights(folder, revision, total_bytes(read), pickled, _checked(stored_format(folder)))


def _checked(stored: StoredFormat | None) -> str:
    """The name of the weights' format; raises Unavailable where it cannot be loaded."""
    check_stored(stored)
    return stored.name if stored else ""


def _in_hub_cache(hub: str, revision: str, trust: Trust, patterns: tuple[str, ...] = ()) -> Weights | None:
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = _downloaded(hub, revision, trust, patterns, offline=True)
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise Unavailable(f"'{hub}' is not a hub id", "correct source.hub in the card") from error
    if patterns:
        size = total_bytes(_files_in(folder, patterns))
        return Weights(folder, folder.name, size) if size else None
    # The cache may hold a model of which only the configuration, or a part, was downloaded.
    pickled = is_pickled(folder)
    names = weight_names(folder, PICKLED if pickled else SAFETENSORS)
    if not all((folder / name).is_file() for name in ["config.json", *names]):
        return None
    size = total_bytes([folder / name for name in names])
    return Weights(folder, folder.name, size, pickled, _checked(stored_format(folder)))


def _on_hub(hub: str, revision: str, trust: Trust, patterns: tuple[str, ...]) -> RemoteWeights:
    info = repository(hub, revision=revision, sizes=True)
    names = [file.rfilename for file in info.siblings or ()]
    pickled = any(fnmatch(name, PICKLES) for name in names) and trust.pickle
    if not patterns and not pickled and not any(name.endswith(".safetensors") for name in names):
        remedy = "choose a revision that has them, or allow pickles with --allow-pickle"
        raise Unavailable(f"{hub} has no safetensors weights", remedy)
    size = download_size(info, trust, patterns)
    described: Any = info.config or {}
    stored = "" if patterns else _checked(format_of(described))
    return RemoteWeights(hub, revision, str(info.sha), trust, size, patterns, stored)


def _wanted(names: list[str], trust: Trust, patterns: tuple[str, ...]) -> set[str]:
    """Those of a repository's files that `_downloaded` gets."""
    side = {name for name in names if any(fnmatch(name, p) for p in patterns or trust.side_files)}
    if patterns:
        return side
    weights = download_names(names, SAFETENSORS)
    if not weights and trust.pickle:
        weights = download_names(names, PICKLED)
    return side.union(weights) - {ADAPTER_CONFIG}


def download_size(info: Any, trust: Trust = NO_TRUST, patterns: tuple[str, ...] = ()) -> int | None:
    """The bytes of a repository's files that the engine reads; None where the hub does not give sizes.

    `info` is the hub's ModelInfo, with the sizes of files.
    """
    files = [file for file in info.siblings or () if "/" not in file.rfilename]
    wanted = _wanted([file.rfilename for file in files], trust, patterns)
    sizes = [file.size for file in files if file.rfilename in wanted]
    return sum(filter(None, sizes)) if None not in sizes else None


def fetch(remote: RemoteWeights) -> Weights:
    """Download the weights to the hub cache; an interrupted download resumes.

    Raises Unavailable where the download fails, and a BenchError where it is incomplete or `ref` has moved to
    another commit.
    """
    with asking_hub(remote.hub, revision=remote.ref):
        # By `ref`, not by commit, so that the cache records which commit it points to and finds it offline.
        _downloaded(remote.hub, remote.ref, remote.trust, remote.patterns, offline=False)
    if remote.file:
        weights = cached_gguf(remote.hub, remote.ref, remote.file)
    else:
        weights = _in_hub_cache(remote.hub, remote.ref, remote.trust, remote.patterns)
    if weights is None:
        raise BenchError(f"{remote.hub} was downloaded, but some of its weights are missing")
    if weights.revision != remote.revision:
        raise BenchError(f"{remote.hub} has moved to {weights.revision} since; run the command again")
    keep_commit(Branch("model", remote.hub, remote.ref), weights.revision)
    if weights.format != remote.format:
        text = f"is quantised ({weights.format}), which the hub did not say; run the command again"
        raise BenchError(f"{remote.file or remote.hub} {text}")
    return weights


def _downloaded(hub: str, ref: str, trust: Trust, patterns: tuple[str, ...], *, offline: bool) -> Path:
    """The folder of a model's files: first those beside the weights, then the weights that they name."""
    if patterns:
        return snapshot(hub, ref, patterns, offline=offline)
    folder = snapshot(hub, ref, trust.side_files, offline=offline)
    names = weight_names(folder, SAFETENSORS)
    folder = snapshot(hub, ref, [*trust.side_files, *names], offline=offline)
    if trust.pickle and not list(folder.glob(SAFETENSORS.pattern)):
        names = weight_names(folder, PICKLED)
        folder = snapshot(hub, ref, [*trust.side_files, *names], offline=offline)
    return folder
