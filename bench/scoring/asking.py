"""Item -> request: the prompt and the continuations to score, or the text to generate."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.inputs.generate import Generate
from bench.inputs.prompts import NO_EXEMPLARS, Exemplars, Template, answer_text, chat_messages, plain_prompt
from bench.inputs.task import Task
from bench.types import GenerateRequest, Item, Message, PromptStyle, ScoreRequest

BARE_CHARACTERS = 1000
"""Option texts in one request after the bare cue: a row of about 250 tokens."""
Render = Callable[[Sequence[Message]], str]
"""Chat messages -> the prompt by the model's chat template, up to the assistant's answer."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How a cell asks its questions. `generate` is None where options are scored; `seed` is for sampling."""

    task: Task
    exemplars: Exemplars = NO_EXEMPLARS
    style: PromptStyle = "plain"
    generate: Generate | None = None
    seed: int = 0


def score_request(asking: Asking, item: Item, render: Render) -> ScoreRequest:
    """Score each option's text after the prompt and, where the task shows letters, each letter.

    The continuations are two sets, letters then texts, or the texts alone.
    """
    prompt = _prompt(asking, asking.task.template, item, render)
    letters = (_letters(asking, prompt, item),) if asking.task.scoring.letters else ()
    sets = (*letters, _option_texts(asking, prompt, item))
    group = item.group if asking.exemplars.within else ""
    return ScoreRequest(item, prompt, sets, templated=asking.style == "chat", beginning=group)


def letters_request(asking: Asking, item: Item, shown: Item, render: Render) -> ScoreRequest:
    """Score the letters alone after the prompt of `shown`, a changed form of the item.

    Exemplars are those of the item itself.
    """
    prompt = _prompt(asking, asking.task.template, item, render, shown)
    sets = (_letters(asking, prompt, shown),)
    group = item.group if asking.exemplars.within else ""
    return ScoreRequest(shown, prompt, sets, templated=asking.style == "chat", beginning=group)


def bare_requests(asking: Asking, items: Sequence[Item], render: Render) -> list[ScoreRequest]:
    """Score each option's text after the bare answer cue: each distinct text once, as a set of its own.

    The cue is the same for all items, so a request has many texts. They are sorted: neighbours often have
    a common prefix, which is computed once. A request for each item would be short rows, half of them
    padding.
    """
    cue = asking.task.scoring.cue
    prompt = render((Message("user", cue),)) if asking.style == "chat" else cue
    # A final space belongs to the texts: a token across the border would exist for some texts only.
    space, prompt = (" ", prompt[:-1]) if prompt.endswith(" ") else ("", prompt)
    texts = sorted({option.strip() for item in items for option in item.options})
    return [
        ScoreRequest(
            item=items[0],
            prompt=prompt,
            continuations=tuple((space + text,) for text in _continuations(asking, prompt + space, group)),
            templated=asking.style == "chat",
        )
        for group in _groups(texts)
    ]


def _groups(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in order, in groups of at most BARE_CHARACTERS; a longer text is a group of its own."""
    group: list[str] = []
    for text in texts:
        if group and sum(map(len, group)) + len(text) > BARE_CHARACTERS:
            yield group
            group = []
        group.append(text)
    if group:
        yield group


def _letters(asking: Asking, prompt: str, item: Item) -> tuple[str, ...]:
    return _continuations(asking, prompt, asking.task.template.letters(item))


def _option_texts(asking: Asking, prompt: str, item: Item) -> tuple[str, ...]:
    return _continuations(asking, prompt, [option.strip() for option in item.options])


def _continuations(asking: Asking, prompt: str, answers: Iterable[str]) -> tuple[str, ...]:
    """The answers as they follow the prompt: after a space in plain text, without one in a chat."""
    return tuple(answer if asking.style == "chat" else answer_text(prompt, answer) for answer in answers)


def generate_request(asking: Asking, generate: Generate, item: Item, render: Render) -> GenerateRequest:
    """Generate reasoning and an answer."""
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


def _prompt(asking: Asking, template: Template, item: Item, render: Render, shown: Item | None = None) -> str:
    """The prompt that asks the item, or `shown` in its place, after the item's exemplars."""
    exemplars, shown = asking.exemplars.of(item), shown or item
    if asking.style == "chat":
        return render(chat_messages(template, exemplars, shown))
    return plain_prompt(template, exemplars, shown)
