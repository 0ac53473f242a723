"""The engine kinds that a card can name, and how to open one. Heavy libraries are imported when needed.

Another package adds a kind as an entry point of the group `bench.engines`; docs/plugin/ is an example.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bench.engines.checked import call_of, called
from bench.engines.device import has_accelerator
from bench.engines.engine import Engine, LanguageModel, Opening
from bench.engines.llama_cpp.library import INSTALL
from bench.engines.llama_cpp.settings import LlamaSettings
from bench.engines.openai.settings import INSTALL as INSTALL_CLIENT
from bench.engines.openai.settings import ServerSettings, check_access
from bench.engines.reply_checks import EngineMistake
from bench.errors import BenchError, named_line
from bench.inputs.engine_rules import EngineRules
from bench.inputs.gguf_weights import GGUF
from bench.inputs.located import FILES, RemoteWeights, Weights
from bench.inputs.model_card import ModelCard
from bench.inputs.weights import fetch
from bench.plugins import Registry

OURS = "slm-bench"


@dataclass(frozen=True, slots=True)
class FromWeights:
    """The engine is opened with the card's weights, once they are on this machine.

    `prepare` does work that is needed once and is no cost of the model, such as a conversion: it runs
    before time is measured.
    """

    open: Callable[[Opening, Weights], Engine]
    prepare: Callable[[Weights], None] = lambda _weights: None


@dataclass(frozen=True, slots=True)
class Standalone:
    """The engine is opened without weights: a baseline, or one that queries a server."""

    open: Callable[[Opening], Engine]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind(EngineRules):
    """What a card's `engine` names: the cards and variants that the engine accepts, and how it is opened."""

    opens: FromWeights | Standalone
    preload: tuple[str, ...] = ()
    """Modules that every run of it imports, and that start no thread and use no accelerator when imported:
    where several cells run, they are imported once for all (`bench/sweeps/warm.py`)."""


ENGINES = Registry("bench.engines", "engine", EngineKind)


def engine_kind(card: ModelCard) -> EngineKind:
    """The engine kind of a card.

    Raises a UsageError where it is not installed, a BenchError where the card names none.
    """
    if card.engine is None:
        raise BenchError(f"{card.name} was run by another program, and no engine here is known for it")
    return ENGINES.get(card.engine)


def engine_package(card: ModelCard) -> str:
    """Name and version of the package that adds the card's engine, "" for an engine of this package."""
    package = ENGINES.package(card.engine) if card.engine else ""
    return "" if package.partition(" ")[0] == OURS else package


def told_of(error: BaseException, card: ModelCard) -> str:
    """An error of a cell in one line, which names the card's engine where the engine is the cause."""
    name, package = card.engine or "", engine_package(card)
    if isinstance(error, EngineMistake):
        return error.by(name, package)
    if isinstance(error, BenchError):
        return str(error)
    where = f" (in {call_of(error)} of engine {name}{f', which comes with {package}' if package else ''})"
    return f"{named_line(error)}{where if call_of(error) else ''}"


def prepare(card: ModelCard, weights: Weights | RemoteWeights | None) -> Weights | None:
    """Do what is no cost of the model (download, convert), and return the weights on this machine."""
    local = fetch(weights) if isinstance(weights, RemoteWeights) else weights
    match engine_kind(card).opens:
        case FromWeights(prepare=prepare_weights) if local is not None:
            prepare_weights(local)
        case _:
            pass
    return local


def open_engine(opening: Opening, weights: Weights | None) -> Engine:
    """Open the engine of the card.

    Raises a BenchError where it needs weights and there are none, or does not do what its kind declares.
    """
    kind, name = engine_kind(opening.card), opening.card.engine
    match kind.opens:
        case FromWeights(open=load):
            if weights is None:
                raise BenchError(f"the engine {name} needs weights; give {opening.card.name}'s card a source")
            with called("open"):
                engine = load(opening, weights)
        case Standalone(open=start):
            with called("open"):
                engine = start(opening)
    if getattr(engine, "reads", None) != kind.reads:
        raise BenchError(
            f"the engine {name} declares that it reads {kind.reads}s, but what it opens does not"
        )
    if "generate" in kind.choices and not isinstance(engine, LanguageModel):
        raise BenchError(f"the engine {name} declares that it generates text, but what it opens cannot")
    return engine


def _prepare_transformers(weights: Weights) -> None:
    from bench.engines.loading import readable_folder

    readable_folder(weights)


def _open_transformers(opening: Opening, weights: Weights) -> Engine:
    from bench.engines.loading import open_transformers

    return open_transformers(opening, weights)


_OF_EVERY_MODEL = (
    "bench.engines.loading",
    "transformers.generation.utils",
    "transformers.masking_utils",
    "transformers.modeling_layers",
    "transformers.processing_utils",
    "bench.engines.preloaded",
)
TRANSFORMERS = EngineKind(
    reads="prompt",
    architectures=frozenset({"decoder", "encoder-decoder"}),
    sources=frozenset({"hub", "package", "path"}),
    files=(*FILES, "*.gguf"),
    choices=frozenset({"dtype", "quantize", "lora", "adapter", "prompt", "generate"}),
    opens=FromWeights(_open_transformers, _prepare_transformers),
    # A library that touches an accelerator when it is imported would make it useless to every fork.
    preload=() if has_accelerator() else _OF_EVERY_MODEL,
)


def _open_llama_cpp(opening: Opening, weights: Weights) -> Engine:
    from bench.engines.llama_cpp.engine import open_llama_cpp

    return open_llama_cpp(opening, weights)


LLAMA_CPP = EngineKind(
    reads="prompt",
    architectures=frozenset({"decoder"}),
    sources=frozenset({"hub", "package", "path"}),
    files=(GGUF,),
    choices=frozenset({"prompt", "generate"}),
    settings=LlamaSettings,
    needs={"llama_cpp": INSTALL},
    opens=FromWeights(_open_llama_cpp),
)
"""The engine of GGUF files as they are, through llama-cpp-python."""


def _open_openai(opening: Opening) -> Engine:
    from bench.engines.openai.engine import open_openai

    return open_openai(opening)


OPENAI = EngineKind(
    reads="prompt",
    architectures=frozenset({"decoder", "encoder-decoder"}),
    choices=frozenset({"prompt", "generate"}),
    settings=ServerSettings,
    needs={"openai": INSTALL_CLIENT, "httpx2": INSTALL_CLIENT},
    check_access=check_access,
    opens=Standalone(_open_openai),
)
"""The engine of servers with the OpenAI interface."""
