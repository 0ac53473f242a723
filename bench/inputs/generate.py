"""The `generate` part of a task: how a model is asked to answer in words."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from bench.config import Strict
from bench.inputs.task_values import NewTokens, PromptTemplate, SampleCount, SystemText, Temperature


class Generate(Strict):
    """How the model is asked to reason and answer in words, and where generation stops.

    `temperature` 0 is greedy decoding. With `samples` above 1 the most common answer counts
    (self-consistency), which needs a temperature.
    """

    prompt: PromptTemplate
    system: SystemText = ""
    max_new_tokens: NewTokens = 256
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    temperature: Temperature = 0.0
    samples: SampleCount = 1

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if self.samples > 1 and not self.temperature:
            raise ValueError("samples above 1 need a temperature above 0: greedy samples are all the same")
        return self
