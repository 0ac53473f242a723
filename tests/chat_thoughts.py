"""Chat templates that write thoughts, under all kinds of names, each with the prompt that is right.

See chat_templates.py. A template may open a thought where it asks for an answer, and close it in a dialogue,
or write the answer inside.
"""

from dataclasses import replace

from chat_templates import ASSISTANT, CHANNELS, TEXT, Kind, channels, chatml, kind, lines, never

NAMED = {
    "<think>\n": "\n</think>\n\n",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "<thought effort=low>": "</thought>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|start_thinking|>\n": "\n<|end_thinking|>\n",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|inner_prefix|>": "<|inner_suffix|>",
    "<|channel>thought\n": "<channel|>",
    "<unused94>thought\n": "<unused95>",
}
PAIRED = {"<x>\n": "</x>\n", "[PLAN]": "[/PLAN]", "<|deliberation_start|>": "<|deliberation_end|>"}
"""Names that say nothing of a thought; that they are a pair shows."""
OPAQUE = {"<|x1|>": "<|x2|>", "<x>": "<y>"}
ANSWERS = {"<answer>\n": "\n</answer>", "<|START_RESPONSE|>": "<|END_RESPONSE|>"}


def wrapped(opens: str, closes: str, *, last: bool = False) -> str:
    """The body of a turn in which answers, or the last one alone, stand between two texts."""
    where = "m.role == 'assistant'" + (" and loop.last" if last else "")
    before, after = (f"{{% if {where} %}}{{{{ {text!r} }}}}{{% endif %}}" for text in (opens, closes))
    return before + TEXT + after


def unless_thinking(text: str) -> str:
    return (
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
        f"{{% if not enable_thinking %}}{{{{ {text!r} }}}}{{% endif %}}{{% endif %}}"
    )


def left_out(opens: str) -> Kind:
    return kind(lines(TEXT, ask=ASSISTANT + opens), chatml(), chatml(ASSISTANT + opens))


def around_answers(opens: str, closes: str) -> dict[str, Kind]:
    asks, inside = ASSISTANT + opens, (opens, closes)
    opened = (opens, "")
    return {
        f"{opens!r} before the answer": kind(
            lines(wrapped(*opened), ask=asks), never, chatml(asks, answer=opened)
        ),
        f"{opens!r} before the answer, in dialogues alone": kind(
            lines(wrapped(*opened)), never, chatml(answer=opened)
        ),
        f"{opens!r} before the answer, and before it is asked for": kind(
            lines(wrapped(*opened), ask="") + asks, never, chatml(asks, answer=opened)
        ),
        f"{opens!r} around the answer": kind(
            lines(wrapped(*inside), ask=asks), never, chatml(asks, answer=inside)
        ),
    }


def closed_thoughts(opens: str, closes: str) -> dict[str, Kind]:
    asks, closed = ASSISTANT + opens, ASSISTANT + opens + closes
    return {
        f"{opens!r} closed in the last answer": kind(
            lines(wrapped(opens + closes, "", last=True), ask=asks), chatml(closed), chatml(asks)
        ),
        f"{opens!r} closed where thinking is off": kind(
            lines(TEXT, ask="") + unless_thinking(opens + closes), chatml(closed), chatml()
        ),
    }


def refused(kinds: dict[str, Kind]) -> dict[str, Kind]:
    return {name: replace(kind, scored=never) for name, kind in kinds.items()}


def channel(name: str) -> str:
    return CHANNELS.replace("final", name)


def announced(opens: str, closes: str) -> dict[str, Kind]:
    asks, inside = ASSISTANT + opens, (opens, closes)
    return {
        f"{opens!r} announces the answer": kind(
            lines(wrapped(*inside), ask=asks), chatml(asks, answer=inside)
        ),
        f"{opens!r} announces the answer, in dialogues alone": kind(
            lines(wrapped(*inside)), chatml(asks, answer=inside), chatml(answer=inside)
        ),
    }


TAGS = NAMED | PAIRED | OPAQUE
THOUGHTS: dict[str, Kind] = {
    **{f"{opens!r} opened, left out of dialogues": left_out(opens) for opens in TAGS},
    **{name: kind for pair in TAGS.items() for name, kind in around_answers(*pair).items()},
    **{name: kind for pair in (NAMED | PAIRED).items() for name, kind in closed_thoughts(*pair).items()},
    **{name: kind for pair in OPAQUE.items() for name, kind in refused(closed_thoughts(*pair)).items()},
    **{name: kind for pair in ANSWERS.items() for name, kind in announced(*pair).items()},
    "a channel for thoughts, asked for": kind(
        CHANNELS.replace("assistant{%", "assistant<|channel|>analysis<|message|>{%"),
        channels("<|channel|>final<|message|>"),
        channels("<|channel|>analysis<|message|>"),
    ),
    "a channel for thoughts, with the answer": kind(
        channel("analysis"), never, channels("", channel="analysis")
    ),
    "a channel of unknown name": kind(channel("commentary"), never, channels("", channel="commentary")),
    "an end of a thought alone, left out of dialogues": kind(
        lines(TEXT, ask="") + unless_thinking("</think>"), chatml(f"{ASSISTANT}</think>"), chatml()
    ),
    "a thought closed, then another header than in dialogues": kind(
        lines(wrapped("<answer>", ""), ask="") + unless_thinking("<think></think>"),
        chatml(f"{ASSISTANT}<answer>", answer=("<answer>", "")),
        chatml(answer=("<answer>", "")),
    ),
    "a thought in words": kind(
        lines(wrapped("Thought: ", ""), ask=f"{ASSISTANT}Thought: "),
        never,
        chatml(f"{ASSISTANT}Thought: ", answer=("Thought: ", "")),
    ),
    "words that dialogues lack": kind(
        lines(TEXT, ask=f"{ASSISTANT}Step by step:"), never, chatml(f"{ASSISTANT}Step by step:")
    ),
    "a header that dialogues lack": kind(
        "{% for m in messages %}{{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<|bot|>{% endif %}",
        never,
        lambda messages: "".join(f"{m.content}</s>" for m in messages) + "<|bot|>",
    ),
}
