"""A variant: how a model is run, and its short name."""

import re
from typing import Literal

from pydantic import Field

from bench.config import Strict
from bench.inputs.adapter import AdapterFacts
from bench.inputs.engine_rules import TRANSFORMERS
from bench.inputs.generate import Generate
from bench.inputs.prompts import ChosenExemplars
from bench.inputs.task_values import Shown
from bench.numbers import Count, Scalar
from bench.types import Dtype, PromptStyle, Quantization


class Variant(Strict):
    """How a model is run. `generate` is None where options are scored.

    `dtype` is None for a baseline, for an engine without that choice, and for an imported run that
    does not report it. `program` is the other program that ran it, "" for SLM Bench. `engine` is the
    name of an engine without dtypes, "" for any other and for baselines. `more` holds the choices of
    other packages, by name. `weights_format` is how the published weights are quantised (`int8`, `nf4`,
    `fp8`, `gptq`, …), "" where they are not; `quantize` is how SLM Bench quantised unquantised ones.
    `exemplars_within` is "group" where exemplars are of the question's own group, and `format` names the
    prompt of the task that asked, "" for its own. Empty, `engine`, `more`, `weights_format`,
    `exemplars_within` and `format` are in neither the file nor the identity.
    """

    dtype: Dtype | None
    exemplars: Count
    seed: Count
    prompt: PromptStyle = "plain"
    exemplar_choice: Shown = "fixed"
    generate: Generate | None = None
    quantize: Quantization = "none"
    adapter: AdapterFacts | None = None
    program: str = ""
    engine: str = Field(default="", exclude_if=lambda engine: not engine)
    more: dict[str, Scalar] = Field(default_factory=dict[str, Scalar], exclude_if=lambda more: not more)
    weights_format: str = Field(default="", exclude_if=lambda name: not name)
    exemplars_within: Literal["", "group"] = Field(default="", exclude_if=lambda name: not name)
    format: str = Field(default="", exclude_if=lambda name: not name)

    @property
    def precision(self) -> str | None:
        """The weight format where it is quantised, and the dtype; None where neither is known."""
        quantized = self.quantize if self.quantize != "none" else self.weights_format
        return ", ".join(filter(None, [quantized, self.dtype])) or None

    @property
    def runtime(self) -> str | None:
        """The program that computed the scores; None for a baseline."""
        return self.program or self.engine or (TRANSFORMERS if self.dtype else None)

    @property
    def which_exemplars(self) -> str:
        """How the exemplars were chosen; "" where there are none, or drawn ones for all questions."""
        words = {
            "fixed": "",
            "per_question": "drawn for each question",
            "first": "the first of their split",
            "lm_eval": "drawn for each question as in lm-eval",
            "lm_eval_spare": "drawn for each question as in lm-eval",
        }
        choice = self.exemplar_choice
        how = words[choice] if isinstance(choice, str) else f"named: {', '.join(choice)}"
        group = "of the question's group" if self.exemplars_within else ""
        return ", ".join(filter(None, [how, group])) if self.exemplars else ""

    @property
    def slug(self) -> str:
        """The variant in a few words, safe as part of a folder's name."""
        runner = self.program or self.engine
        words: list[str] = [runner] if runner else []
        words += [self.dtype] if self.dtype else [] if runner else ["baseline"]
        words += [self.quantize] if self.quantize != "none" else []
        words += [_safe(self.weights_format)] if self.weights_format else []
        words += [self.adapter.method] if self.adapter else []
        words += ["chat"] if self.prompt == "chat" else []
        words += [f"{self.exemplars}shot"] if self.exemplars else []
        words += _choice_words(self.exemplar_choice)
        words += ["own-group"] if self.exemplars_within else []
        words += [f"format={self.format}"] if self.format else []
        words += ["generate"] if self.generate else []
        words += [f"{self.generate.samples}samples"] if self.generate and self.generate.samples > 1 else []
        words += [f"{name}={_safe(value)}" for name, value in self.more.items()]
        return "-".join(words)


def _choice_words(choice: ChosenExemplars) -> list[str]:
    match choice:
        case "fixed":
            return []
        case "per_question":
            return ["each"]
        case "first":
            return ["first"]
        case "lm_eval" | "lm_eval_spare":
            return ["lm-eval-draw"]
        case _:
            return ["listed"]


def _safe(value: Scalar) -> str:
    """The value as part of a folder's name."""
    return re.sub(r"[^\w.-]", "_", str(value), flags=re.ASCII)[:32]
