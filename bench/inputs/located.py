"""Weights that were located, here or on the hub, and what the user allows them to do."""

from dataclasses import dataclass
from pathlib import Path

from bench.inputs.weight_files import PICKLES, SAFETENSORS

FILES = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja")
"""The files that the transformers engine reads. Of the weights, those that `weight_names` names."""
ADAPTER_CONFIG = "adapter_config.json"
"""Never downloaded: beside a model, transformers would add the adapter to it."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What the user allows models to do.

    `pickle`: be loaded from pickles, which can run any code. `code`: run the Python code beside the weights.
    `send_to`: the hosts of servers elsewhere that may get the questions.
    """

    pickle: bool = False
    code: bool = False
    send_to: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Glob patterns of the files that may be read."""
        return (*FILES, *([PICKLES] if self.pickle else []), *(["*.py"] if self.code else []))

    @property
    def side_files(self) -> tuple[str, ...]:
        """Glob patterns of the files that may be read, without weights."""
        return tuple(sorted(set(self.files) - {SAFETENSORS.pattern, PICKLES}))


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
    format: str = ""
    """How the files are quantised (`StoredFormat.name`, or as a GGUF file says); "" where they are not."""
    bits: float | None = None
    """Bits that a weight takes on average, where a GGUF file is used as it is."""

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
    format: str = ""
    """How the files are quantised, as far as the hub says; "" where they are not."""
    file: str = ""
    """The GGUF file that is used as it is, the first where it is split; "" for a folder of files."""
