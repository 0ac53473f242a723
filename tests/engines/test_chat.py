"""A chat prompt ends where the assistant speaks and holds every text once, or it is refused."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from bench.engines import chat
from bench.engines.chat import render
from bench.engines.tokenizing import encode_causal
from bench.errors import BenchError
from bench.types import Message, ScoreRequest
from chat_families import FAMILIES
from chat_templates import ASSISTANT, INST, KINDS, OPEN, TEXT, Kind, lines, parts_for
from chat_thoughts import THOUGHTS, wrapped
from tiny import ITEM, bpe_tokenizer

ASKED = (Message("system", "Be brief."), Message("user", "Why?"))
TOKENIZER = bpe_tokenizer()
TOKENIZER.bos_token = "<s>"


def templated(template: str | None) -> PreTrainedTokenizerFast:
    TOKENIZER.chat_template = template
    return TOKENIZER


def rendered(template: str, messages: Sequence[Message], *, thinking: bool) -> str | None:
    """The prompt, None where it is refused in one line that says what to do instead."""
    try:
        return render(templated(template), messages, thinking=thinking)
    except BenchError as error:
        text = str(error)
        assert text.startswith("the chat template ")
        assert text.endswith("; use --prompt plain")
        assert "\n" not in text
        return None


TEXTS = st.text("aB1 <>&\"'\\é\n{%}[/INST].", min_size=1, max_size=30).filter(str.strip)


@st.composite
def dialogues(draw: st.DrawFn) -> list[Message]:
    messages = [Message("system", draw(TEXTS))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 3))):
        messages += [Message("user", draw(TEXTS)), Message("assistant", draw(TEXTS))]
    return [*messages, Message("user", draw(TEXTS))]


def check(kind: Kind, messages: Sequence[Message], *, thinking: bool) -> None:
    right = kind.written if thinking else kind.scored
    assert rendered(kind.template, messages, thinking=thinking) == right(messages)


@pytest.mark.parametrize("name", KINDS | FAMILIES)
@given(messages=dialogues(), thinking=st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_prompt_s_end_is_right_or_refused_with_every_template(
    name: str, messages: list[Message], thinking: bool
) -> None:
    check((KINDS | FAMILIES)[name], messages, thinking=thinking)


@pytest.mark.parametrize("name", THOUGHTS)
@pytest.mark.parametrize("thinking", [False, True])
@given(messages=dialogues())
@settings(max_examples=3, deadline=None)
def test_a_prompt_s_end_is_right_or_refused_whatever_thoughts_are_called(
    name: str, messages: list[Message], thinking: bool
) -> None:
    check(THOUGHTS[name], messages, thinking=thinking)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('never') }}", "refuses the messages: never"),
        ("{{ messages[0].content + 1 }}", "refuses the messages: can only concatenate str"),
        ("{{ messages[0].name.first }}", "refuses the messages: .* has no attribute 'name'"),
        ("hello", "leaves out or changes a text that it is given"),
        (lines("{{ m.content | e }}"), "leaves out or changes a text that it is given"),
        (lines(TEXT) + "{{ messages[-1].content }}", "repeats a text that it is given"),
        ("{% for m in messages %}{{ m.content }}\n{% endfor %}", "does not mark where the assistant speaks"),
        (lines("{{ '<think>' }}" + TEXT), "puts the answer into a thought that it opens"),
        (lines(wrapped("<x>", "</x>")), "writes <x> before the answer, which may open a thought"),
        (lines(TEXT, ask=f"{ASSISTANT}Sure:"), "asks for an answer otherwise than it writes one"),
        (
            "{% if messages[-1].role != 'user' %}{{ raise_exception('the user is last') }}{% endif %}"
            + lines(TEXT),
            "refuses the messages: the user is last",
        ),
        (lines(wrapped("<think>", "").replace(TEXT, parts_for("user"))), "puts the answer into a thought"),
        (lines("{{ m.content.replace('y?', '') }}"), "changes a text that it is given"),
    ],
)
def test_a_template_that_is_refused_is_one_line_with_the_reason(template: str, reason: str) -> None:
    with pytest.raises(BenchError, match=f"^the chat template {reason}.*; use --prompt plain$"):
        render(templated(template), ASKED, thinking=False)


def test_a_tokenizer_without_a_template_is_said() -> None:
    with pytest.raises(BenchError, match="has no chat template; use --prompt plain"):
        render(templated(None), ASKED, thinking=False)


def test_a_system_text_that_a_template_drops_stands_before_the_question() -> None:
    template = lines(TEXT, loop="messages if m.role != 'system'")
    prompt = render(templated(template), ASKED, thinking=False)
    assert prompt == f"<|im_start|>user\nBe brief.\n\nWhy?<|im_end|>\n{ASSISTANT}"


def test_a_template_without_a_system_role_keeps_its_space_before_the_answer() -> None:
    assert render(templated(INST), ASKED, thinking=False) == "<s>[INST] Be brief.\n\nWhy? [/INST] "


def test_the_date_of_the_day_is_in_no_prompt() -> None:
    template = "{{ strftime_now('%Y-%m-%d') }}" + lines(TEXT)
    assert render(templated(template), ASKED, thinking=False).startswith("26 Jul 2024<|im_start|>system")


def test_templated_text_gets_no_second_bos() -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = bpe_tokenizer()
    tokenizer.chat_template = INST
    tokenizer.bos_token = "<s>"
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    prompt = render(tokenizer, [Message("user", "Why?")], thinking=False)
    tree = encode_causal(tokenizer, ScoreRequest(ITEM, prompt, (("A", "B"),), templated=True)).tree
    assert tree.stem.count(1) == 1
    wholes = [tokenizer(prompt + letter, add_special_tokens=False)["input_ids"] for letter in "AB"]
    assert [[*tree.stem, *branch.tokens] for branch in tree.flat] == wholes
    # The template's space and the letter are one token, so it is the scored one.
    assert tokenizer.decode(tree.flat[0].tokens) == " A"
    plain = encode_causal(tokenizer, ScoreRequest(ITEM, "Why?", ((" A", " B"),))).tree
    assert plain.stem.count(1) == 1


def without_counting(asked: str, marks: Sequence[str]) -> list[int]:
    return [at for at, mark in enumerate(marks) if mark in asked]


def asked_alone(asked: str, _opening: str, *_: str, **_given: bool) -> str:
    return asked


def answered_alone(_asked: str, opening: str, *_: str, **_given: bool) -> str:
    return opening


@pytest.mark.parametrize(
    ("safeguard", "damage", "kind"),
    [
        ("_order", without_counting, "system dropped silently"),
        ("_answer_opening", asked_alone, "a thought always open, left out of dialogues"),
        ("_answer_opening", asked_alone, "no generation prompt"),
        ("_answer_opening", answered_alone, "answers inside a thought"),
        ("_agreed", answered_alone, "words that dialogues lack"),
        ("_agreed", answered_alone, "a header that dialogues lack"),
        ("_frame", lambda *_, **_given: "<x>", r"'<x>\n' before the answer"),
        ("_frame", lambda *_, **_given: "", "two tags in every header"),
        ("_thinking_opening", answered_alone, "an empty thought in the last answer, and no way to ask"),
        ("_mark", lambda number: f"Mark{number}", "texts escaped"),
        ("_FIXED_DATE", "", "dated"),
    ],
)
def test_each_safeguard_bites(
    monkeypatch: pytest.MonkeyPatch, safeguard: str, damage: object, kind: str
) -> None:
    template, messages = (KINDS | FAMILIES | THOUGHTS)[kind], ASKED
    for thinking in (False, True):
        check(template, messages, thinking=thinking)
    monkeypatch.setattr(chat, safeguard, damage)
    assert any(
        rendered(template.template, messages, thinking=thinking)
        != (template.written if thinking else template.scored)(messages)
        for thinking in (False, True)
    )


def test_a_template_that_changes_one_question_s_text_is_refused_at_that_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    template = lines("{{ m.content.replace('/no_think', '') }}")
    assert rendered(template, ASKED, thinking=False)
    asked = (Message("user", "Why /no_think?"),)
    assert rendered(template, asked, thinking=False) is None
    monkeypatch.setattr(chat, "_texts_end", lambda text, literals, _texts: len(text) - len(literals[-1]))
    assert rendered(template, asked, thinking=False) == f"<|im_start|>user\nWhy ?<|im_end|>\n{ASSISTANT}"


def test_a_thought_stays_open_only_for_a_model_that_may_think() -> None:
    template = lines(TEXT, ask=OPEN)
    assert render(templated(template), ASKED, thinking=True).endswith("<think>\n")
    assert render(templated(template), ASKED, thinking=False).endswith(f"<|im_end|>\n{ASSISTANT}")
