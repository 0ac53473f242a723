"""A card as another engine, or with another file, runs it: `--engine` and `--gguf`."""

from dataclasses import replace

from bench.errors import Unavailable
from bench.inputs.cards import CardFile, engine_problems
from bench.inputs.engine_rules import LLAMA_CPP, RULES
from bench.inputs.model_card import HubSource, ModelCard, PackageSource, PathSource, Source


def as_run_by(file: CardFile, engine: str | None, gguf: str | None) -> CardFile:
    """The card with the engine and the GGUF file that run, which are then its `engine` and `source`.

    `engine` None is the card's own, or llama.cpp where `gguf` names one of the card's files. A baseline stays
    as it is. Raises a UsageError where no engine has this name, and Unavailable where the model has no such
    file or the engine does not take it.
    """
    card = file.card
    if card.is_baseline or card.engine is None:
        return file
    chosen = engine or (LLAMA_CPP if gguf else card.engine)
    rules = RULES.get(chosen)
    own = {"settings": card.settings if chosen == card.engine else {}, "engine": chosen}
    match chosen:
        case "llama.cpp":
            changed = card.model_copy(update=own | {"source": _file_of(card, gguf), "gguf": {}})
        case _ if gguf:
            raise Unavailable(f"the engine {chosen} takes no GGUF file by name", "leave --gguf out for it")
        case _ if chosen == card.engine:
            return file
        case _:
            changed = card.model_copy(update=own)
    problem = next(engine_problems(changed, rules), None)
    if problem is not None:
        key, text = problem
        raise Unavailable(f"{'.'.join(key)}: {text}", f"leave --engine {chosen} out for {card.name}")
    return replace(file, card=changed)


def _file_of(card: ModelCard, gguf: str | None) -> Source:
    """The card's GGUF file of this name, by default the first; its source, where that is a GGUF file."""
    own = card.source if card.engine == LLAMA_CPP or (card.source and is_gguf(card.source)) else None
    files = card.gguf or ({"": own} if own else {})
    if not files:
        reason = f"{card.name}'s card names no GGUF file, and the engine llama.cpp needs one"
        raise Unavailable(reason, "add its files to the card: gguf: {Q4_K_M: {hub: …, file: …}}")
    if gguf is None or (gguf in files):
        return files[gguf] if gguf else next(iter(files.values()))
    known = ", ".join(card.gguf) or "one without a name"
    raise Unavailable(
        f"{card.name}'s card has no GGUF file {gguf}, it has: {known}", "leave it out of --gguf"
    )


def is_gguf(source: Source) -> bool:
    """Whether a source is one GGUF file."""
    match source:
        case PackageSource():
            return True
        case HubSource(file=file):
            return file is not None
        case PathSource(path=path):
            return path.endswith(".gguf")
        case _:
            return False
