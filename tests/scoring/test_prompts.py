"""Templates: sandboxed, strict, and the same prompt whatever stands around the item."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.inputs.prompts import (
    Exemplars,
    Template,
    answer_text,
    chat_messages,
    choose_exemplars,
    plain_prompt,
    render,
    system_problems,
    template_problems,
)
from bench.types import Item, Message

ITEM = Item("q", "Why?", ("because", "nobody knows"), 1, "logic")
TEMPLATE = "Q: {{ question }}\n{% for letter, option in options %}{{ letter }}. {{ option }}\n{% endfor %}A:"


def items(count: int) -> list[Item]:
    return [Item(f"i{n}", f"question {n}", ("yes", "no"), n % 2) for n in range(count)]


def test_a_prompt_is_the_template_with_the_item_and_no_answer() -> None:
    assert render(TEMPLATE, ITEM) == "Q: Why?\nA. because\nB. nobody knows\nA:"


def test_exemplars_are_solved_and_stand_before_the_question() -> None:
    [exemplar] = items(1)
    prompt = plain_prompt(Template(TEMPLATE, "", "letter"), [exemplar], ITEM)
    assert prompt == "Q: question 0\nA. yes\nB. no\nA: A\n\nQ: Why?\nA. because\nB. nobody knows\nA:"


def test_a_system_text_comes_first_and_a_text_task_s_exemplars_give_texts() -> None:
    [exemplar] = items(1)
    prompt = plain_prompt(Template("{{ question }}", "Be brief.", "option"), [exemplar], ITEM)
    assert prompt == "Be brief.\n\nquestion 0 yes\n\nWhy?"


def test_chat_exemplars_are_turns() -> None:
    [exemplar] = items(1)
    assert chat_messages(Template("{{ question }}", "Be brief.", "letter"), [exemplar], ITEM) == (
        Message("system", "Be brief."),
        Message("user", "question 0"),
        Message("assistant", "A"),
        Message("user", "Why?"),
    )


ABOUT = 'Questions about {{ group | replace("_", " ") }}.'


def test_a_system_text_may_name_the_question_s_group() -> None:
    [exemplar] = items(1)
    item = Item("q", "Why?", ("because", "nobody knows"), 1, "formal_logic")
    template = Template("{{ question }}", ABOUT, "letter")
    assert plain_prompt(template, [exemplar], item).startswith("Questions about formal logic.\n\nquestion 0")
    assert chat_messages(template, [], item)[0] == Message("system", "Questions about formal logic.")
    empty = Template("{{ question }}", "{% if group == 'x' %}X{% endif %}", "letter")
    assert plain_prompt(empty, [], item) == "Why?"


@pytest.mark.parametrize(
    "text", ["Answer {A} or {B}. {group}", '{"a": {"b": 1}}', "50 % } {# kept #} ", "{ {x} }\n"]
)
def test_a_system_text_without_double_braces_stands_as_it_is(text: str) -> None:
    assert system_problems(text) == []
    assert plain_prompt(Template("{{ question }}", text, "letter"), [], ITEM) == f"{text}\n\nWhy?"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("About {{ question }}", "'question' cannot be used here: a system text stands before the exemplars"),
        ("{% for o in options %}{{ o }}{% endfor %}", "'options' cannot be used here"),
        ("About {{ grup }}", "undefined variable 'grup'; did you mean 'group'?"),
        ("{{ answer }}", "undefined variable 'answer'"),
        ("About {{ group", "line 1 of the template: unexpected end of template"),
        ("{{ range(3) }}", "undefined variable 'range'"),
    ],
)
def test_a_wrong_system_template_is_seen_without_data(text: str, problem: str) -> None:
    assert any(problem in message for message in system_problems(text))


def test_a_system_template_runs_in_the_sandbox() -> None:
    with pytest.raises(BenchError, match="system: the template failed on item q"):
        plain_prompt(Template("{{ question }}", "{{ group.__class__.__mro__ }}", "letter"), [], ITEM)


def test_exemplars_of_each_question_depend_on_seed_and_question_alone() -> None:
    pool, asked = items(30), items(60)[30:]
    drawn = choose_exemplars(pool, 3, 7, "per_question")
    again = choose_exemplars(pool[::-1], 3, 7, "per_question")
    assert [drawn.of(one) for one in asked] == [again.of(one) for one in asked[::-1]][::-1]
    assert len({drawn.of(one) for one in asked}) > 20
    assert all(len(set(drawn.of(one))) == 3 for one in asked)
    assert drawn.of(asked[0]) != choose_exemplars(pool, 3, 8, "per_question").of(asked[0])


def test_fixed_exemplars_are_the_same_for_every_question() -> None:
    drawn = choose_exemplars(items(30), 3, 7)
    assert {drawn.of(one) for one in items(9)} == {drawn.pool}
    assert Exemplars().of(ITEM) == ()


def test_the_letter_has_exactly_one_space_before_it() -> None:
    assert answer_text("Answer:", "B") == " B"
    assert answer_text("Answer: ", "B") == "B"
    assert answer_text("Answer:\n", "B") == "B"


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (
            "{{ qestion }} {{ options }}",
            "undefined variable 'qestion'; did you mean 'question'? (there are group, options, question)",
        ),
        ("{question} {{ options }}", "'{question}' is not replaced: write '{{ question }}'"),
        ("{{ question ", "line 1 of the template: unexpected end of template"),
        ("Answer:", "the template uses neither 'question' nor 'options'"),
        ("{{ answer }} {{ question }}", "undefined variable 'answer' (there are group, options, question)"),
        ("{{ range(3) }} {{ question }}", "undefined variable 'range'"),
        ("{{ options|random }} {{ question }}", "No filter named 'random'"),
        ("{% if question %}" * 200 + "{% endif %}" * 200, "the template cannot be read"),
    ],
)
def test_a_wrong_template_is_seen_without_data(template: str, problem: str) -> None:
    assert any(problem in message for message in template_problems(template))


def test_a_right_template_has_no_problems_and_json_braces_are_not_mistaken() -> None:
    assert template_problems(TEMPLATE) == []
    assert template_problems('{"question": "{{ question }}", "n": {"a": 1}}') == []


@pytest.mark.parametrize(
    "attack",
    [
        "{{ question.__class__.__mro__[1].__subclasses__() }}",
        "{{ options.append(1) }}{{ question }}",
        "{{ ''.__class__ }}{{ question }}",
        "{% for i in range(999999999) %}{% endfor %}{{ question }}",
        "{{ question | attr('__class__') | attr('__mro__') }}",
        "{{ self.__init__.__globals__ }}{{ question }}",
        "{{ '{a}'.format(b=1) }}{{ question }}",
        '{{ "\\ud800" }}{{ question }}',
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}{{ question }}",
    ],
)
def test_a_template_that_reaches_for_python_is_refused(attack: str) -> None:
    with pytest.raises(BenchError, match="the template failed on item q"):
        render(attack, ITEM)


@given(st.integers(0, 30), st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_exemplars_do_not_depend_on_the_order_of_the_split(count: int, seed: int, rng: random.Random) -> None:
    pool = items(30)
    shuffled = rng.sample(pool, len(pool))
    assert choose_exemplars(pool, count, seed) == choose_exemplars(shuffled, count, seed)


def test_another_seed_gives_other_exemplars_and_one_more_item_moves_at_most_one() -> None:
    pool = items(40)
    assert choose_exemplars(pool, 5, 0) != choose_exemplars(pool, 5, 1)
    before, after = set(choose_exemplars(pool[:-1], 5, 0).pool), set(choose_exemplars(pool, 5, 0).pool)
    assert len(before & after) >= 4


def test_more_exemplars_than_items_is_an_error() -> None:
    with pytest.raises(BenchError, match="5 exemplars are needed, but the exemplars split has 3 items"):
        choose_exemplars(items(3), 5, 0)
