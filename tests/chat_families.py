"""Chat templates in the manner of families whose headers differ from ChatML's. See chat_templates.py."""

from collections.abc import Sequence

from bench.types import Message
from chat_templates import ASSISTANT, TEXT, Kind, Prompt, chatml, kind, lines, never

Frames = dict[str, tuple[str, str]]


def framed(frames: Frames, ask: str) -> str:
    """A template with a header and an end of its own for each role."""
    return (
        f"{{% set frames = {frames!r} %}}{{% for m in messages %}}{{% set frame = frames[m.role] %}}"
        f"{{{{ frame[0] + m.content + frame[1] }}}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{{{{ {ask!r} }}}}{{% endif %}}"
    )


def texts(frames: Frames, tail: str) -> Prompt:
    def prompt(messages: Sequence[Message]) -> str:
        return "".join(m.content.join(frames[m.role]) for m in messages) + tail

    return prompt


def family(frames: Frames, ask: str) -> Kind:
    return kind(framed(frames, ask), texts(frames, frames["assistant"][0]), texts(frames, ask))


def round_texts(mode: str, tail: str) -> Prompt:
    frames = {"system": ("SYSTEM:", " "), "user": ("USER:", f" {mode}"), "assistant": (" ASSISTANT:", "</s>")}
    return texts(frames, f" ASSISTANT:{tail}")


END = "<|END|>"
SPEAKERS: Frames = {
    "system": ("<|SYSTEM|>", END),
    "user": ("<|USER|>", END),
    "assistant": ("<|BOT|><|START_RESPONSE|>", f"<|END_RESPONSE|>{END}"),
}
QUESTION_ENDS: Frames = {
    "system": ("<|text|>", "<|extra_4|>"),
    "user": ("<|text|>", "<|extra_0|>"),
    "assistant": ("", "<|eos|>"),
}
CLOSED = "<think>\n\n</think>\n"
ROUNDS = (
    "{% for m in messages %}{% if m.role == 'user' %}{{ 'USER:' + m.content }} "
    "{{ '/think_on' if enable_thinking else '/think_off' }}"
    "{% elif m.role == 'assistant' %}{{ ' ASSISTANT:' + m.content + '</s>' }}"
    "{% else %}{{ 'SYSTEM:' + m.content + ' ' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %} ASSISTANT:{% if enable_thinking %}<my_think>{% endif %}{% endif %}"
)
SYSTEM_IN_LAST = (
    "{% if loop.last and messages[0].role == 'system' %}{{ messages[0].content + '\\n' }}{% endif %}" + TEXT
)
ANSWER = "{% if m.role == 'assistant' %}"
FAMILIES: dict[str, Kind] = {
    "tokens for speakers, and an answer announced": family(SPEAKERS, "<|BOT|>"),
    "the same, after a closed thought": Kind(
        framed(SPEAKERS, "<|BOT|>").replace("'<|BOT|>' }}", "'<|BOT|>' }}" + CLOSED),
        texts(SPEAKERS, "<|BOT|><|START_RESPONSE|>"),
        texts(SPEAKERS, f"<|BOT|>{CLOSED}"),
    ),
    "a tag that ends questions": family(QUESTION_ENDS, ""),
    "a tag that ends questions, and a thought closed unasked": Kind(
        framed(QUESTION_ENDS, "") + "{% if not enable_thinking %}" + f"{{{{ {CLOSED!r} }}}}" + "{% endif %}",
        texts(QUESTION_ENDS, CLOSED),
        texts(QUESTION_ENDS, ""),
    ),
    "a tag between turns, and tags of speakers": family(
        {role: (f"<|{role}|>", "<|sep|>") for role in ("system", "user", "assistant")}, "<|assistant|>"
    ),
    "questions alone end in a tag": family(
        {
            "system": ("", "\n"),
            "user": ("<|user|>", "<|sep|>"),
            "assistant": ("<|assistant|>", "</s>"),
        },
        "<|assistant|>",
    ),
    "roles in tags": family(
        {role: (f"<role>{role}</role>", "<|end|>") for role in ("system", "user", "assistant")},
        "<role>assistant</role>",
    ),
    "a word and a tag": family(
        {"system": ("", "\n"), "user": (" User: ", "\n\n"), "assistant": (" Assistant:[SEP]", "</s>")},
        " Assistant:[SEP]",
    ),
    "a word and a speaker's tag": family(
        {
            "system": ("### Instruction: ", "\n"),
            "user": ("### Input: [|Human|] ", "\n"),
            "assistant": ("### Response: [|AI|] ", "\n"),
        },
        "### Response: [|AI|] ",
    ),
    "a thought in words, left out of dialogues": Kind(
        lines(TEXT, ask=f"{ASSISTANT}Here is my reasoning:\n"),
        chatml(),
        chatml(f"{ASSISTANT}Here is my reasoning:\n"),
    ),
    "thinking switched by a word after the question": Kind(
        ROUNDS, round_texts("/think_off", ""), round_texts("/think_on", "<my_think>")
    ),
    "system in the last message, whoever's it is": kind(
        lines(SYSTEM_IN_LAST, loop="messages if m.role != 'system'"), chatml(system=False)
    ),
    "the answer twice": kind(lines(TEXT + ANSWER + "\nShort: {{ m.content }}{% endif %}"), never),
    "the question again before its answer": kind(
        lines(ANSWER + "{{ messages[loop.index0 - 1].content }}:<|final|>{% endif %}" + TEXT), never
    ),
}
