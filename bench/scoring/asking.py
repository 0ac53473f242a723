"""How a cell asks its questions: item -> request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.inputs.prompts import NO_EXEMPLARS, Exemplars, Template, answer_text, chat_messages, plain_prompt
from bench.inputs.task import Generate, Task
from bench.types import GenerateRequest, Item, Message, PromptStyle, ScoreRequest

Render = Callable[[Sequence[Message]], str]
"""Chat messages -> the model's own text of them, up to where the assistant speaks."""


@dataclass(frozen=True, slots=True)
class Asking:
    """`generate` is None where options are scored; `seed` draws samples."""

    task: Task
    exemplars: Exemplars = NO_EXEMPLARS
    style: PromptStyle = "plain"
    generate: Generate | None = None
    seed: int = 0


def score_request(asking: Asking, item: Item, render: Render) -> ScoreRequest:
    """Ask how likely each option's text is after the prompt, and each letter where the task shows them."""
    prompt = _prompt(asking, asking.task.template, item, render)
    return _request(asking, item, prompt, letters=asking.task.scoring.letters)


def bare_request(asking: Asking, item: Item, render: Render) -> ScoreRequest:
    """Ask how likely each option's text is after the answer cue alone."""
    cue = asking.task.scoring.cue
    prompt = render((Message("user", cue),)) if asking.style == "chat" else cue
    return _request(asking, item, prompt, letters=False)


def _request(asking: Asking, item: Item, prompt: str, *, letters: bool) -> ScoreRequest:
    texts = tuple(option.strip() for option in item.options)
    sets = (tuple(item.letters), texts) if letters else (texts,)
    # A chat template has put what it wants before the assistant's words; plain text wants a space.
    templated = asking.style == "chat"
    written = sets if templated else tuple(tuple(answer_text(prompt, a) for a in answers) for answers in sets)
    return ScoreRequest(item, prompt, written, templated)


def generate_request(asking: Asking, generate: Generate, item: Item, render: Render) -> GenerateRequest:
    """Ask for reasoning and an answer in words."""
    answers = "letter" if asking.task.scoring.letters else "option"
    template = Template(generate.prompt, generate.system, answers, cue=asking.task.scoring.cue)
    return GenerateRequest(
        item=item,
        prompt=_prompt(asking, template, item, render),
        templated=asking.style == "chat",
        max_new_tokens=generate.max_new_tokens,
        stop=generate.stop,
        temperature=generate.temperature,
        samples=generate.samples,
        seed=asking.seed,
    )


def _prompt(asking: Asking, template: Template, item: Item, render: Render) -> str:
    exemplars = asking.exemplars.of(item)
    if asking.style == "chat":
        return render(chat_messages(template, exemplars, item))
    return plain_prompt(template, exemplars, item)
