"""Choices, task, card and engine -> the variant that a cell runs."""

from pydantic import ValidationError

from bench.errors import Unavailable, UsageError
from bench.inputs.choices import Choices, flag
from bench.inputs.engine_rules import EngineRules
from bench.inputs.formats import OWN
from bench.inputs.generate import Generate
from bench.inputs.model_card import ModelCard
from bench.inputs.prompts import SEEDED
from bench.inputs.stored_format import check_not_quantised_twice
from bench.inputs.task import Task
from bench.results.variant import Variant
from bench.types import Dtype, PromptStyle, Value

ENGINE_CHOICES = ("dtype", "quantize", "lora", "adapter", "prompt", "generate")
"""The built-in choices that an engine must support; the others only shape the prompt."""
_DEFAULTS: dict[str, Value] = {
    "dtype": "auto", "quantize": "none", "lora": "none", "prompt": "plain", "generate": False,
}  # fmt: skip
"""The values that ask nothing of an engine, so that every engine accepts them."""


def variant_of(
    task: Task,
    card: ModelCard,
    rules: EngineRules,
    choices: Choices,
    exemplars: int,
    seed: int,
    weights_format: str = "",
) -> Variant:
    """The variant; raises Unavailable where engine, card, task or weights do not support a choice.

    `exemplars` is their number in each prompt. Raises a UsageError where choices about generation
    contradict each other.
    """
    more = {name: value for name, value in choices.outside.items() if name in rules.choices}
    if rules.reads == "item":
        return Variant(dtype=None, exemplars=0, seed=seed, more=more)
    _check_engine(card, rules, choices)
    if choices.generate and choices.formats not in (None, OWN):
        reason = "formats are prompts whose answers are scored, and here they are written"
        raise Unavailable(reason, "leave --formats or --generate out")
    check_not_quantised_twice(weights_format, choices.quantize or "none")
    generate = _generate(task, choices) if choices.generate else None
    choice = (choices.exemplar_choice or task.exemplar_choice) if exemplars else "fixed"
    # Without drawn exemplars or sampling nothing is random, and the seed cannot change a number.
    draws = (exemplars and choice in SEEDED) or (generate and generate.temperature)
    return Variant(
        dtype=_dtype(card, choices) if "dtype" in rules.choices else None,
        exemplars=exemplars,
        seed=seed if draws else 0,
        prompt=_style(card, rules, choices),
        exemplar_choice=choice,
        exemplars_within=task.exemplars_within or "" if exemplars else "",
        format="" if choices.formats in (None, OWN) else choices.formats,
        generate=generate,
        quantize=choices.quantize or "none",
        engine="" if card.engine is None or "dtype" in rules.choices else card.engine,
        more=more,
        weights_format=weights_format,
    )


def _check_engine(card: ModelCard, rules: EngineRules, choices: Choices) -> None:
    """Raises Unavailable for a choice that needs the engine's support and does not have it."""
    for name, value in choices.made.items():
        asked = name in choices.outside or (name in ENGINE_CHOICES and value != _DEFAULTS.get(name))
        if asked and name not in rules.choices:
            reason = f"{card.name}'s engine, {card.engine}, does not support {flag(name)}"
            raise Unavailable(reason, f"leave {flag(name)} out for it")


def _dtype(card: ModelCard, choices: Choices) -> Dtype:
    dtype = _best_dtype() if choices.dtype in (None, "auto") else choices.dtype
    if dtype == "float16" and card.architecture == "encoder-decoder":
        reason = f"{card.name} is an encoder-decoder: T5's activations overflow in float16"
        raise Unavailable(reason, "use --dtype bfloat16 or float32")
    return dtype


def _best_dtype() -> Dtype:
    from bench.engines.torch_device import best_dtype

    return best_dtype()


def _style(card: ModelCard, rules: EngineRules, choices: Choices) -> PromptStyle:
    style = choices.prompt or card.style
    if style == "chat" and not card.chat:
        reason, general = f"{card.name} is not a chat model", "they are not chat models"
        raise Unavailable(reason, "leave --prompt chat out", general)
    if style == "chat" and "prompt" not in rules.choices:
        reason = f"{card.name}'s engine, {card.engine}, has no chat templates"
        raise Unavailable(reason, "use --prompt plain, or write prompt: plain in the card")
    return style


def check_generation(task: Task, choices: Choices) -> None:
    """Raises a UsageError where choices about generation contradict each other or what the task says."""
    if choices.generate and task.generate:
        _generate(task, choices)


def _generate(task: Task, choices: Choices) -> Generate:
    if task.generate is None:
        reason, general = f"task {task.name} has no generate section", "they have no generate section"
        raise Unavailable(reason, "add one to it", general)
    given = choices.model_dump(include={"samples", "temperature", "max_new_tokens"}, exclude_none=True)
    try:
        return Generate.model_validate(task.generate.model_dump() | given)
    except ValidationError as error:
        first = error.errors()[0]
        flags = "".join(f"{flag(str(key))}: " for key in first["loc"])
        raise UsageError(flags + first["msg"].removeprefix("Value error, ")) from error
