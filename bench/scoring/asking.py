"""How a cell asks its questions: item -> request."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.inputs.prompts import NO_EXEMPLARS, Exemplars, Template, answer_text, chat_messages, plain_prompt
from bench.inputs.task import Generate, Task
from bench.types import GenerateRequest, Item, Message, PromptStyle, ScoreRequest

BARE = 1000
"""Characters that are asked for together after the bare cue: rows of about 250 tokens."""
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
    letters = (_written(asking, prompt, item.letters),) if asking.task.scoring.letters else ()
    sets = (*letters, _texts(asking, prompt, item))
    return ScoreRequest(item, prompt, sets, templated=asking.style == "chat")


def bare_requests(asking: Asking, items: Sequence[Item], render: Render) -> list[ScoreRequest]:
    """Ask how likely each option's text is after the answer cue alone: each text once, a set of its own.

    The cue is the same for all items, so a request asks for many texts. In order, neighbours begin
    alike, and a beginning is computed once; an item's own four would be short rows, half of them padding.
    """
    cue = asking.task.scoring.cue
    prompt = render((Message("user", cue),)) if asking.style == "chat" else cue
    # A space at the end belongs to the texts, or a token across the border would be some texts' alone.
    space, prompt = (" ", prompt[:-1]) if prompt.endswith(" ") else ("", prompt)
    texts = sorted({option.strip() for item in items for option in item.options})
    return [
        ScoreRequest(
            item=items[0],
            prompt=prompt,
            continuations=tuple((space + text,) for text in _written(asking, prompt + space, group)),
            templated=asking.style == "chat",
        )
        for group in _groups(texts)
    ]


def _groups(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in order, in groups of at most BARE characters; a longer text stands alone."""
    group: list[str] = []
    for text in texts:
        if group and sum(map(len, group)) + len(text) > BARE:
            yield group
            group = []
        group.append(text)
    if group:
        yield group


def _texts(asking: Asking, prompt: str, item: Item) -> tuple[str, ...]:
    return _written(asking, prompt, [option.strip() for option in item.options])


def _written(asking: Asking, prompt: str, answers: Iterable[str]) -> tuple[str, ...]:
    """A chat template has put what it wants before the assistant's words; plain text wants a space."""
    return tuple(answer if asking.style == "chat" else answer_text(prompt, answer) for answer in answers)


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
