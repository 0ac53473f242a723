"""An adapter: a folder of weights that change a model, and the record of how they were trained.

`bench tune` writes the folder with an adapter card in it. LoRA adapters made elsewhere have no card, and
work too.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, ValidationError, model_validator

from bench.config import Strict
from bench.errors import FileError, Mistake
from bench.folders import display
from bench.numbers import Amount, Count, Positive, PositiveReal, Real
from bench.plain_files import read_bytes, real, sha256
from bench.types import Dtype, Item, PromptStyle, Quantization

CARD = "slm-bench.json"
CONFIG = "adapter_config.json"
LORA_WEIGHTS = "adapter_model.safetensors"
VOCABULARIES = ("tokenizer.json", "*.model", "vocab.json", "vocab.txt")
TOKENIZER = (*VOCABULARIES, "merges.txt", "*token*.json", "chat_template.*")
"""The files that a tokenizer is read from. A folder with one of the vocabularies has a whole tokenizer."""
IGNORED_KEYS = {"base_model_name_or_path", "inference_mode", "revision", "peft_version", "auto_mapping"}
"""Keys of a LoRA configuration that do not affect scores."""
Method = Literal["lora", "full"]


class Recipe(Strict):
    """How a model is tuned. The budget is exactly one of `minutes`, `steps` and `epochs`.

    `held_out` is the share of the training items, in [0, 1), that chooses the best checkpoint.
    """

    method: Method = "lora"
    minutes: PositiveReal | None = None
    steps: Positive | None = None
    epochs: Positive | None = None
    rank: Positive = 8
    target: str = "all-linear"
    learning_rate: PositiveReal
    batch: Positive = 8
    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.1
    seed: Count = 0
    quantize: Quantization = "none"
    dtype: Dtype
    prompt: PromptStyle

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if sum(budget is not None for budget in (self.minutes, self.steps, self.epochs)) != 1:
            raise ValueError("give exactly one of minutes, steps and epochs")
        return self


class Leak(Strict):
    """A training item that equals or nearly equals a test item; `similarity` is in [0, 1]."""

    train_id: str
    test_id: str
    similarity: Real


class Learnt(Strict):
    """The training data, in numbers of items.

    `rows` were trained on and `held_out` others chose the best checkpoint. `leaks` were dropped,
    `too_long` did not fit the model's context, and `fewer_options` lost wrong options to have as
    many options as the test items.
    """

    task: str
    task_version: Count
    task_sha256: str
    source: str
    sha256: str
    rows: Count
    held_out: Count
    leaks: tuple[Leak, ...]
    too_long: Count
    fewer_options: Count


class Outcome(Strict):
    """The result of a tuning. Losses are mean cross-entropies in nats per answer token.

    `held_out_losses` are (step, loss) pairs, the first from before training. The weights of
    `best_step` are the ones kept.
    """

    steps: Count
    epochs: Amount
    seconds: Amount
    best_step: Count
    train_loss_first: Real
    train_loss_last: Real
    held_out_losses: tuple[tuple[Count, Real], ...]
    trained_parameters: Count
    batch: Count
    gradient_checkpointing: bool
    peak_memory_bytes: Count | None
    peak_device_memory_bytes: Count | None
    stopped: Literal["budget", "no better"]


class AdapterCard(Strict):
    """`slm-bench.json` in an adapter's folder.

    `questions` are digests of the questions trained on; they show which test questions an adapter has seen.
    `tokenizer` is the digest of the tokenizer files that a full tuning wrote, "" in older cards and for LoRA.
    """

    schema_version: Literal[1] = 1
    bench_version: str
    base: str
    weights: str
    recipe: Recipe
    learnt: Learnt
    outcome: Outcome
    libraries: dict[str, str]
    device: str
    questions: tuple[str, ...]
    tokenizer: str = ""


class AdapterFacts(Strict):
    """What a run records about its adapter. `sha256` covers its weights, "" before it is trained.

    `seen` is the number of test questions that the adapter was trained on; None without an adapter
    card. `base` names the model that the adapter's own configuration says it is for; "" with an
    adapter card, which identifies the weights themselves.
    """

    name: str
    method: Method
    sha256: str
    seen: Count | None
    base: str = ""
    recipe: Recipe | None
    outcome: Outcome | None
    learnt: Learnt | None


@dataclass(frozen=True, slots=True)
class Adapter:
    """`base` is the base model that the adapter's own configuration names, and `base_revision` its branch,
    tag or commit; "" where it names none.
    """

    path: Path
    name: str
    sha256: str
    method: Method
    base: str
    base_revision: str
    card: AdapterCard | None


def read_adapter(folder: Path, name: str | None = None) -> Adapter:
    """The adapter in a folder; raises a FileError where the folder holds none or a file is missing."""
    card = _read_card(folder / CARD)
    method = card.recipe.method if card else "lora"
    files = sorted(folder.glob(LORA_WEIGHTS if method == "lora" else "*.safetensors"))
    if not files:
        text = f"no {LORA_WEIGHTS}: not an adapter, or its weights are pickles, which are not supported"
        raise FileError([Mistake(display(folder), 0, "", text)])
    config = _read_config(folder / (CONFIG if method == "lora" else "config.json"))
    if method == "lora" and config.get("peft_type") != "LORA":
        text = f"{config.get('peft_type')!r}: only LoRA adapters are supported"
        raise FileError([Mistake(display(folder / CONFIG), 0, "peft_type", text)])
    return Adapter(
        path=real(folder),
        name=name or folder.name,
        sha256=_digest([*files, *_own_tokenizer(folder, card)], config),
        method=method,
        base=str(config.get("base_model_name_or_path") or ""),
        base_revision=str(config.get("revision") or ""),
        card=card,
    )


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of the tokenizer in a folder, sorted; empty where it has none."""
    return sorted({path for pattern in TOKENIZER for path in folder.glob(pattern) if path.is_file()})


def tokenizer_digest(folder: Path) -> str:
    """SHA-256 over the files of the tokenizer in a folder."""
    return _digest(tokenizer_files(folder), {})


def _own_tokenizer(folder: Path, card: AdapterCard | None) -> list[Path]:
    """The files of a tokenizer that is not the base model's, as far as its card tells.

    The digests of full tunings leave out the tokenizer that the tuning copied, so that their runs keep their
    ids.
    """
    if card is not None and card.recipe.method == "full":
        return [] if card.tokenizer in ("", tokenizer_digest(folder)) else tokenizer_files(folder)
    return tokenizer_files(folder)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config: object = json.loads(read_bytes(path))
    except OSError as error:
        raise FileError([Mistake(display(path), 0, "", error.strerror or "unreadable")]) from error
    except (ValueError, RecursionError) as error:
        raise FileError([Mistake(display(path), 0, "", f"not JSON: {error}")]) from error
    if not isinstance(config, dict):
        raise FileError([Mistake(display(path), 0, "", "not an adapter configuration")])
    return cast("dict[str, Any]", config)


def _read_card(path: Path) -> AdapterCard | None:
    if not path.is_file():
        return None
    try:
        return AdapterCard.model_validate_json(read_bytes(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise FileError([Mistake(display(path), 0, key, f"not an adapter card: {first['msg']}")]) from error


def _digest(files: Iterable[Path], config: Mapping[str, Any]) -> str:
    """SHA-256 over the weights and the settings that affect scores, such as LoRA's alpha and layers."""
    settings = {key: value for key, value in config.items() if key not in IGNORED_KEYS}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in files:
        try:
            digest.update(sha256(path))
        except OSError as error:
            raise FileError([Mistake(display(path), 0, "", error.strerror or "unreadable")]) from error
    return digest.hexdigest()


def adapter_facts(adapter: Adapter, tested: Iterable[Item]) -> AdapterFacts:
    """The facts for a run that scores the `tested` items with the adapter."""
    card = adapter.card
    return AdapterFacts(
        name=adapter.name,
        method=adapter.method,
        sha256=adapter.sha256,
        seen=None if card is None else len(set(card.questions) & {question_digest(item) for item in tested}),
        base="" if card else adapter.base or "an unnamed model",
        recipe=card and card.recipe,
        outcome=card and card.outcome,
        learnt=card and card.learnt,
    )


def question_digest(item: Item) -> str:
    """The first 16 hex digits of a SHA-256 over the question, ignoring case, white space and options."""
    return hashlib.sha256(" ".join(item.question.casefold().split()).encode()).hexdigest()[:16]
