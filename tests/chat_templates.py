"""Chat templates of the kinds in the wild, each with the prompt that is right for a dialogue, written apart.

`scored` is the prompt before an answer without thought, `written` that before a model that may think. Either
is None where the template gives no such prompt and has to be refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.types import Message

ASSISTANT = "<|im_start|>assistant\n"
EMPTY_THOUGHT = "<think>\n\n</think>\n\n"
RATED = "<|im_end|>\nRated: good\n"
Prompt = Callable[[Sequence[Message]], str | None]


@dataclass(frozen=True, slots=True)
class Kind:
    template: str
    scored: Prompt
    written: Prompt


def never(_messages: Sequence[Message]) -> None:
    return None


def chatml(
    tail: str = ASSISTANT,
    head: str = "",
    end: str = "<|im_end|>\n",
    *,
    trim: bool = False,
    system: bool = True,
    answer: tuple[str, str] = ("", ""),
) -> Prompt:
    def prompt(messages: Sequence[Message]) -> str:
        turns = messages if system else folded(messages)
        turns = [replace(m, content=m.content.join(answer)) if m.role == "assistant" else m for m in turns]
        texts = [m.content.strip() if trim else m.content for m in turns]
        pairs = zip(turns, texts, strict=True)
        return head + "".join(f"<|im_start|>{m.role}\n{text}{end}" for m, text in pairs) + tail

    return prompt


def folded(messages: Sequence[Message]) -> Sequence[Message]:
    first, *rest = messages
    if first.role != "system":
        return messages
    return [Message("user", f"{first.content}\n\n{rest[0].content}"), *rest[1:]]


def bracketed(start: str = "<s>") -> Prompt:
    def prompt(messages: Sequence[Message]) -> str:
        turns = [
            f"[INST] {m.content} [/INST]" if m.role == "user" else f" {m.content}</s>"
            for m in folded(messages)
        ]
        return start + "".join(turns) + " "

    return prompt


def system_last(messages: Sequence[Message]) -> str:
    system = f"{messages[0].content}\n" if messages[0].role == "system" else ""
    turns = [m for m in messages if m.role != "system"]
    texts = [f"<u>{m.content}</u>" if m.role == "user" else f"<a>{m.content}</a>" for m in turns[:-1]]
    return "".join(texts) + f"<u>{system}{turns[-1].content}</u><a>"


def system_after(messages: Sequence[Message]) -> str:
    system = f"<s>{messages[0].content}</s>" if messages[0].role == "system" else ""
    turns = [m for m in messages if m.role != "system"]
    texts = "".join(f"<u>{m.content}</u>" if m.role == "user" else f"<a>{m.content}</a>" for m in turns)
    return f"{texts}{system}<a>"


def two_tags(messages: Sequence[Message]) -> str:
    turns = [f"<|start|>{m.role}<|body|>{m.content}<|end|>" for m in messages]
    return "".join(turns) + "<|start|>assistant<|body|>"


def channels(tail: str, channel: str = "final") -> Prompt:
    def prompt(messages: Sequence[Message]) -> str:
        channels = {"assistant": f"<|channel|>{channel}"}
        turns = [
            f"<|start|>{m.role}{channels.get(m.role, '')}<|message|>{m.content}<|end|>" for m in messages
        ]
        return "".join(turns) + f"<|start|>assistant{tail}"

    return prompt


def lines(
    body: str, *, ask: str = ASSISTANT, before: str = "", end: str = "<|im_end|>\n", loop: str = "messages"
) -> str:
    """A ChatML template with another body of a turn, or another way to ask for an answer."""
    request = f"{{% if add_generation_prompt %}}{{{{ {ask!r} }}}}{{% endif %}}" if ask else ""
    turn = f"{{{{ '<|im_start|>' + m.role + '\\n' }}}}{body}{{{{ {end!r} }}}}"
    return f"{before}{{% for m in {loop} %}}{turn}{{% endfor %}}{request}"


TEXT = "{{ m.content }}"
LAST_THOUGHT = (
    "{% if m.role == 'assistant' and loop.last %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    "{{ m.content }}"
)
PARTS = "{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}"
STRIPPED = (
    "{% if m.role == 'assistant' %}{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}"
)


def parts_for(*roles: str) -> str:
    return f"{{% if m.role in {roles!r} %}}{PARTS}{{% else %}}{{{{ m.content + '' }}}}{{% endif %}}"


def switched(name: str) -> str:
    ask = (
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
        f"{{% if {name} is defined and {name} is false %}}{{{{ '<think>\\n\\n</think>\\n\\n' }}}}"
        "{% endif %}{% endif %}"
    )
    return lines(TEXT, ask="") + ask


CLOSED_AT_ONCE = (
    lines("{% if m.role == 'assistant' and loop.last %}{{ '</think>' }}{% endif %}" + TEXT, ask="")
    + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{{ '<think>' if thinking else '</think>' }}{% endif %}"
)
INST = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('they alternate') }}{% endif %}"
    "{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}</s>{% endif %}"
    "{% endfor %}"
)
SYSTEM_LAST = (
    "{% for m in messages %}{% if m.role == 'user' %}<u>"
    "{% if loop.last and messages[0].role == 'system' %}{{ messages[0].content + '\\n' }}{% endif %}"
    "{{ m.content }}</u>{% elif m.role == 'assistant' %}<a>{{ m.content }}</a>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<a>{% endif %}"
)
SYSTEM_AFTER = (
    "{% for m in messages if m.role != 'system' %}"
    "{% if loop.last and m.role == 'assistant' and messages[0].role == 'system' %}"
    "<s>{{ messages[0].content }}</s>{% endif %}"
    "{% if m.role == 'user' %}<u>{{ m.content }}</u>{% else %}<a>{{ m.content }}</a>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{% if messages[0].role == 'system' %}<s>{{ messages[0].content }}</s>{% endif %}<a>{% endif %}"
)
CHANNELS = (
    "{% for m in messages %}<|start|>{{ m.role }}{% if m.role == 'assistant' %}<|channel|>final{% endif %}"
    "<|message|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)


def kind(template: str, scored: Prompt, written: Prompt | None = None) -> Kind:
    return Kind(template, scored, written or scored)


OPEN = f"{ASSISTANT}<think>\n"
KINDS: dict[str, Kind] = {
    "chatml": kind(lines(TEXT), chatml()),
    "BOS written": kind(lines(TEXT, before="{{ bos_token }}"), chatml(head="<s>")),
    "begins with white space": kind(lines(TEXT, before="\n  \n"), chatml(head="\n  \n")),
    "no system role, alternation enforced, no way to ask": kind(INST, bracketed()),
    "system dropped silently": kind(lines(TEXT, loop="messages if m.role != 'system'"), chatml(system=False)),
    "dated": kind(lines(TEXT, before="{{ strftime_now('%Y-%m-%d') }}\n"), chatml(head="26 Jul 2024\n")),
    "tools": kind(
        lines(TEXT, before="{% if tools %}{{ '<tools>' + (tools | tojson) }}{% endif %}"), chatml()
    ),
    "thinks unless enable_thinking is false": kind(
        switched("enable_thinking"), chatml(ASSISTANT + EMPTY_THOUGHT), chatml()
    ),
    "thinks unless thinking is false": kind(
        switched("thinking"), chatml(ASSISTANT + EMPTY_THOUGHT), chatml()
    ),
    "an empty thought in the last answer": kind(
        lines(LAST_THOUGHT), chatml(ASSISTANT + EMPTY_THOUGHT), chatml()
    ),
    "an empty thought in the last answer, and no way to ask": kind(
        lines(LAST_THOUGHT, ask=""), chatml(ASSISTANT + EMPTY_THOUGHT), chatml()
    ),
    "a thought always open, closed in the answer": kind(
        lines(LAST_THOUGHT, ask=OPEN), chatml(ASSISTANT + EMPTY_THOUGHT), chatml(OPEN)
    ),
    "a thought always open, left out of dialogues": kind(lines(STRIPPED, ask=OPEN), chatml(), chatml(OPEN)),
    "a thought always open, of another name": kind(
        lines(TEXT, ask=f"{ASSISTANT}[THINK]"), chatml(), chatml(f"{ASSISTANT}[THINK]")
    ),
    "answers inside a thought": kind(
        lines("{% if m.role == 'assistant' and loop.last %}{{ '<think>\\n' }}{% endif %}" + TEXT, ask=OPEN),
        never,
        chatml(OPEN),
    ),
    "an opened thought that is closed at once where thinking is off": kind(
        CLOSED_AT_ONCE, chatml(f"{ASSISTANT}</think>"), chatml(f"{ASSISTANT}<think>")
    ),
    "channels": kind(CHANNELS, channels("<|channel|>final<|message|>"), channels("")),
    "two tags in every header": kind(
        "{% for m in messages %}<|start|>{{ m.role }}<|body|>{{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant<|body|>{% endif %}",
        two_tags,
    ),
    "lists of parts alone": kind(lines(PARTS), chatml()),
    "parts of questions, answers as text": kind(lines(parts_for("user", "system")), chatml()),
    "parts of questions alone": kind(lines(parts_for("user")), chatml()),
    "parts of answers alone": kind(lines(parts_for("assistant")), chatml()),
    "parts of system texts alone": kind(lines(parts_for("system")), chatml()),
    "parts of dialogues, system texts as text": kind(lines(parts_for("user", "assistant")), chatml()),
    "parts of questions, and no system role": kind(
        lines(parts_for("user"), loop="messages if m.role != 'system'"), chatml(system=False)
    ),
    "text or parts": kind(
        lines("{% if m.content is string %}" + TEXT + "{% else %}" + PARTS + "{% endif %}"), chatml()
    ),
    "parts as Python writes them": kind(
        lines(
            "{% if m.content is string %}{{ raise_exception('a list') }}{% endif %}{{ m.content | string }}"
        ),
        never,
    ),
    "no generation prompt": kind(lines(TEXT, ask=""), chatml()),
    "texts trimmed": kind(lines("{{ m.content | trim }}"), chatml(trim=True)),
    "texts escaped": kind(lines("{{ m.content | e }}"), never),
    "texts as JSON": kind(lines("{{ m.content | tojson }}"), never),
    "texts in capitals": kind(lines("{{ m.content | upper }}"), never),
    "the first line alone": kind(lines("{{ m.content.split('\\n')[0] }}"), never),
    "white space joined": kind(lines("{{ m.content.split() | join(' ') }}"), never),
    "text after the answer": kind(lines(TEXT, end=RATED), chatml(end=RATED)),
    "the question twice": kind(lines(TEXT) + "{{ messages[-1].content }}", never),
    "the last message alone": kind(lines(TEXT, loop="messages[-1:]"), never),
    "system in the last question": kind(SYSTEM_LAST, system_last),
    "system after the question": kind(SYSTEM_AFTER, system_after),
    "no header": kind("{% for m in messages %}{{ m.content }}\n{% endfor %}", never),
    "raises": kind("{{ raise_exception('never') }}", never),
    "raises a TypeError": kind("{{ messages[0].content + 1 }}", never),
    "raises an UndefinedError": kind("{{ messages[0].name.first }}", never),
    "raises on answers": kind(
        "{% if messages[-1].role != 'user' %}{{ raise_exception('the user is last') }}{% endif %}"
        + lines(TEXT),
        never,
    ),
    "does not parse": kind("{% for m in messages %}", never),
}
