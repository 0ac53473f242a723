"""Reading an answer: what is stated is read, what is only mentioned is not, and nothing is guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scoring.extract import Reading, read_answer
from bench.types import LETTERS

FOUR = ("Liver", "Pancreas", "Vitamin B", "Vitamin B12")
FIVE = ("Staphylococcus aureus", "C. difficile", "E. coli", "Both A and B", "None of the above")
TEN = tuple(f"Finding number {number}" for number in range(1, 11))
TWO = ("Yes", "No")

STATED = [
    ("The answer is (C)", "C"),
    ("The answer is C.", "C"),
    ("the answer is c", "C"),
    ("Answer: C", "C"),
    ("Answer:C", "C"),
    ("ANSWER: (b)", "B"),
    ("**Answer:** C.", "C"),
    ("**Answer**: `C`", "C"),
    ("My answer: B", "B"),
    ("Answer - B", "B"),
    ("Answer – B", "B"),
    ("<answer>B</answer>", "B"),
    ('{"reason": "insulin", "answer": "B"}', "B"),
    ("### Final Answer\n\nB", "B"),
    ("**Final Answer**\n\n**B) Pancreas**", "B"),
    ("The correct answer is:\n\nB. Pancreas\n\nThe liver makes bile.", "B"),
    ("Final answer: \\boxed{C}", "C"),
    ("It has to be $\\boxed{C}$", "C"),
    ("\\boxed{\\text{C}}", "C"),
    ("The final answer is $\\boxed{\\textbf{B}}$. I hope it is correct.", "B"),
    ("\\[\\boxed{B. Pancreas}\\]", "B"),
    ("Beta cells make it.\n#### C", "C"),
    ("correct answer is option B", "B"),
    ("the best choice is d)", "D"),
    ("The correct option is: **C. Vitamin B**", "C"),
    ("Based on this, the most likely answer would be (B) Pancreas.", "B"),
    ("The answer to this question is therefore clearly D.", "D"),
    ("The answer, I think, is B", "B"),
    ("The answer is, I think, B.", "B"),
    ("I choose C", "C"),
    ("I would go with B.", "B"),
    ("I'm going with option D", "D"),
    ("I think it's B.", "B"),
    ("The answer is A because bile is made there.", "A"),
    ("The answer is C, B is wrong.", "C"),
    ("The answer is B, not A.", "B"),
    ("I am not sure, but the answer is B.", "B"),
    ("The most likely diagnosis is B.", "B"),
    ("The best next step in management is therefore (C).", "C"),
    ("The most appropriate treatment would be pancreas.", "B"),
    ("It's D.", "D"),
    ("It is B, because insulin is made there.", "B"),
]

CORRECTED = [
    ("The answer is B. Wait, that makes bile. The answer is C.", "C"),
    ("Answer: A\n\nOn second thought:\n\nAnswer: D", "D"),
    ("The answer is A. No, the answer is pancreas.", "B"),
    ("B\n\nHmm, but insulin is not bile. So the answer is A.", "A"),
    ("\\boxed{A} does not work, so \\boxed{B}", "B"),
]

DENIED = [
    ("The answer is not B, but C.", "C"),
    ("A: incorrect. C is unlikely.", None),
    ("A - wrong, B - right", None),
    ("The least likely diagnosis is B.", None),
    ("The most likely diagnosis is not B.", None),
    ("Is the most likely diagnosis B?", None),
    ("A. False. B. True.", None),
    ("The answer is not B", None),
    ("The answer isn't B.", None),
    ("The answer isn’t B.", None),
    ("The answer cannot be B.", None),
    ("The answer can't be A, so it must be B.", "B"),
    ("B is incorrect", None),
    ("B is not the answer", None),
    ("A is wrong.", None),
    ("We can rule out A and B.", None),
    ("Eliminate option A.", None),
    ("Neither A nor B is correct.", None),
    ("I would not choose B.", None),
    ("I don't think the answer is B.", None),
    ("I don't think B is correct.", None),
    ("If the answer is B, insulin is low.", None),
    ("The answer could be B.", None),
    ("Is the answer B?", None),
    ("The answer is B?", None),
    ("The wrong answer is B.", None),
    ("The answer is B. No, the answer is not B.", None),
    ("Rule out A and B. Option C makes no sense either. The answer is D.", "D"),
    ("Not A, since it makes bile. Not C or D. So B.", "B"),
]

LETTER_FIRST = [
    ("B", "B"),
    ("b", "B"),
    (" B\n", "B"),
    ("(B)", "B"),
    ("[B]", "B"),
    ("B.", "B"),
    ("B)", "B"),
    ('"B"', "B"),
    ("“B”", "B"),
    ("**B**", "B"),
    ("> **B.**", "B"),
    ("$B$", "B"),
    ("Option B", "B"),
    ("B) Pancreas", "B"),
    ("B Pancreas", "B"),
    ("B - Pancreas", "B"),
    ("**B.** Pancreas", "B"),
    ("B. Pancreas\n\nBecause insulin is made there.", "B"),
    ("B because insulin is made there.", "B"),
    ("A. It makes bile.", "A"),
    ("A) Liver", "A"),
    ("A Liver", "A"),
    ("B\n\nA) is wrong, for it makes bile.", "B"),
]

NOT_LABELS = [
    "A patient with fever has an infection.",
    "A 50-year-old man is tired.",
    "A liver is an organ.",
    "The answer is a hormone of the gut.",
    "Answer: A 5 mg dose",
    "I think it is hard to say.",
    "B cells make antibodies.",
    "B-cell lymphoma is likely.",
    "The answer is B-cell lymphoma.",
    "C. difficile grows in the gut.",
    "D+ is a grade.",
    "A and B are unlikely because of the fever.",
    "A) is wrong. B) is wrong as well.",
    "Option A treats fever, option B treats pain.",
    "A. Liver\nB. Pancreas\nC. Vitamin B\nD. Vitamin B12",
    "A\nB\nC\nD",
    "A. Liver: makes bile.\n\nB. Pancreas: makes insulin.",
    "Answer:\nA. Liver\nB. Pancreas\nC. Vitamin B\nD. Vitamin B12",
    "A. Liver: This is wrong, it makes bile. B. Pancreas: This is right.",
    "It is a B cell.",
    "The most likely cause is a B-cell lymphoma.",
    "Hepatitis B is correct.",
    "Thus, C. difficile grows.",
    "The correct answer is not listed.",
    "Answer with A, B, C or D.",
    "The answer choices are A, B, C and D.",
    "The option that treats fever is A. The option that treats pain is B.",
    "E",
    "The answer is E.",
    "The pancreas makes insulin.",
    "",
    "   \n",
]

CONCLUDED = [
    ("Insulin is needed. Option B is the right answer.", "B"),
    ("A is wrong, so C is right.", "C"),
    ("Only B is correct.", "B"),
    ("(B) Pancreas is the correct answer because it makes insulin.", "B"),
    ("I believe B is the best choice.", "B"),
    ("Bile is made there. Therefore, (D).", "D"),
    ("Thus C.", "C"),
    ("Hence option D", "D"),
    ("So it must be B.", "B"),
    ("A is the answer. No, actually C is the answer.", "C"),
    ("B is correct at first sight. So C is right.", "C"),
]

BY_TEXT = [
    ("The answer is pancreas.", "B"),
    ("The answer is the pancreas because it makes insulin.", "B"),
    ("Answer: Vitamin B12", "D"),
    ("Answer: vitamin   b.", "C"),
    ("\\boxed{Pancreas}", "B"),
    ("PANCREAS", "B"),
    ("“Pancreas.”", "B"),
    ("Pancreas is the correct answer.", "B"),
    ("The answer is not liver but pancreas.", "B"),
    ("The answer is vitamin B6.", None),
    ("The answer is pancreatitis.", None),
]

LAST_LINE = [
    ("Insulin is made by beta cells.\n\nB", "B"),
    ("Insulin is made by beta cells.\n(B)", "B"),
    ("Insulin is made by beta cells.\n\n**B. Pancreas**\n", "B"),
    ("A. Liver - no\nB. Pancreas - yes\nC. Vitamin B - no\n\nB", "B"),
    ("The options again:\nC. Vitamin B\nD. Vitamin B12", None),
    ("What do they treat?\n\nA pain in the neck", None),
]


@pytest.mark.parametrize(
    ("text", "answer"),
    STATED + CORRECTED + DENIED + LETTER_FIRST + CONCLUDED + BY_TEXT + LAST_LINE,
)
def test_a_reply_is_read_as_a_person_would(text: str, answer: str | None) -> None:
    reading = read_answer(text, FOUR)
    assert (reading.answer, reading.status) == (answer, "parsed" if answer else "no_answer")


@pytest.mark.parametrize("text", NOT_LABELS)
def test_a_letter_that_is_only_mentioned_is_no_answer(text: str) -> None:
    assert read_answer(text, FOUR) == Reading(text.strip(), None, "no_answer")


@pytest.mark.parametrize(
    "text",
    [
        "The answer is A or B.",
        "The answer is either B or D",
        "Answer: A and C",
        "Answer: B/C",
        "Answer: A, B, and D",
        "\\boxed{A, B}",
        "A or B",
        "Both A and B are correct.",
        "A is correct. B is correct too. B is correct. C is wrong.",
        "The answer is liver or pancreas.",
        "The answer is B. Or, looking again, the answer is A (liver) or C (Vitamin B).",
    ],
)
def test_two_letters_in_the_final_statement_are_no_answer(text: str) -> None:
    assert read_answer(text, FOUR) == Reading(text, None, "several_answers")


@pytest.mark.parametrize(
    ("options", "text", "answer"),
    [
        (TWO, "B", "B"),
        (TWO, "Yes", "A"),
        (TWO, "The answer is no.", "B"),
        (TWO, "The answer is not A but B.", "B"),
        (TWO, "The answer is not clear.", None),
        (TWO, "Answer: C", None),
        (FIVE, "E", "E"),
        (FIVE, "The answer is C. difficile.", "B"),
        (FIVE, "E. coli", "C"),
        (FIVE, "E. None of the above", "E"),
        (FIVE, "The answer is both A and B.", "D"),
        (FIVE, "The answer is none of the above.", "E"),
        (TEN, "J", "J"),
        (TEN, "(i)", "I"),
        (TEN, "The answer is I.", "I"),
        (TEN, "Answer: Finding number 10", "J"),
        (TEN, "I think the answer is J", "J"),
        (TEN, "I think that is hard to say.", None),
        (TEN, "I, for one, do not know.", None),
        (TEN, "Answer: I am not sure", None),
        (TEN, "So I am right.", None),
        (("1", "1.5", "10", "15%"), "\\boxed{15\\%}", "D"),
        (("1", "1.5", "10", "15%"), "The answer is 1.5 mg.", "B"),
        (("1", "1.5", "10", "15%"), "The answer is 1-2 mg.", None),
        (("<5", ">5"), "Answer: >5", "B"),
        (("same", "same"), "The answer is same", None),
        (("...", "x"), "The answer is a thing.", None),
        (("C", "B12", "A"), "Answer: C", "C"),
        ((), "Answer: A", None),
    ],
)
def test_letters_and_texts_are_those_of_the_options(
    options: tuple[str, ...], text: str, answer: str | None
) -> None:
    assert read_answer(text, options).answer == answer


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("<think>A? No.</think>B", Reading("A? No.", "B", "parsed")),
        ("<think>\n\n</think>\n\nB", Reading("", "B", "parsed")),
        (
            "<THINKING>Bile.</THINKING>\n\nSo what? The answer is A",
            Reading("Bile.\n\nSo what?", "A", "parsed"),
        ),
        ("<reasoning>Bile.</reasoning> B. It fits.", Reading("Bile.\n\nIt fits.", "B", "parsed")),
        ("the answer is A</think>The answer is B", Reading("the answer is A", "B", "parsed")),
        ("<think>x</think>Hm. <think>y</think>C", Reading("x\n\nHm.\n\ny", "C", "parsed")),
        ("<think>The answer is A</think>", Reading("The answer is A", None, "no_answer")),
        ("<think>The answer is A", Reading("The answer is A", None, "no_answer")),
        ("<think>x</think>Answer: A<think>or", Reading("x\n\nAnswer: A\n\nor", None, "no_answer")),
    ],
)
def test_thoughts_are_reasoning_and_never_the_answer(text: str, reading: Reading) -> None:
    assert read_answer(text, FOUR) == reading


@pytest.mark.parametrize(
    ("text", "reasoning"),
    [
        ("B", ""),
        ("**Answer:** B) Pancreas", ""),
        ("The answer is B.", ""),
        ("Beta cells make insulin. The answer is (B).", "Beta cells make insulin."),
        ("It is made there.\n\n**Final answer:** $\\boxed{B}$ for sure", "It is made there."),
        ("It is made there.\n\n### Answer\nB\n\nMore on this.", "It is made there."),
        ("It is **made** there, so the correct answer is B", "It is **made** there,"),
        ("It is made there. Thus B.", "It is made there."),
        ("Since B is correct, the answer is B.", "Since B is correct,"),
        ("It is made there.\n\n(B)", "It is made there."),
        ("It is made there. Option B is correct.", "It is made there."),
        ("B. Because it is made there.", "Because it is made there."),
        ("**B) Pancreas**\n\n**Why:** it is made there.", "**Why:** it is made there."),
        ("B - because it is made there", "because it is made there"),
        ("The answer is B. It is made there.", "It is made there."),
        ("A or B? Hard to say.", "A or B? Hard to say."),
    ],
)
def test_reasoning_is_kept_apart_from_the_answer(text: str, reasoning: str) -> None:
    assert read_answer(text, FOUR).reasoning == reasoning


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("First, the pancreas", None),
        ("<think>First, the answer is B", None),
        ("Insulin is made there.\n\nA", None),
        ("The answer is B. Now for the other opt", "B"),
        ("B", "B"),
    ],
)
def test_a_reply_that_was_cut_off_is_unfinished_unless_it_had_answered(text: str, answer: str | None) -> None:
    reading = read_answer(text, FOUR, finished=False)
    assert (reading.answer, reading.status) == (answer, "parsed" if answer else "unfinished")


@pytest.mark.parametrize(
    "text",
    [
        "Ｂ",
        "（Ｂ）",
        "The\u00a0answer\u00a0is\u00a0‘B’",
        "\u200fThe answer is \u200fB\u200f.",
        "Answer：\x00B\x00",
        "\ufeffB",
    ],
)
def test_unusual_characters_do_not_hide_the_answer(text: str) -> None:
    reading = read_answer(text, FOUR)
    assert (reading.answer, reading.status) == ("B", "parsed")


@pytest.mark.parametrize("part", ["A ", "(", "*", "the ", "so A or ", "the answer is not A, "])
def test_a_megabyte_of_nothing_is_read_to_its_end(part: str) -> None:
    padding = part * (1_000_000 // len(part))
    reading = read_answer(f"{padding}\n\nThe last answer is D.", FOUR)
    assert (reading.answer, len(reading.reasoning) > 900_000) == ("D", True)


@given(st.text(), st.lists(st.text(), max_size=12), st.booleans())
def test_any_text_has_a_reading(text: str, options: list[str], finished: bool) -> None:
    check(read_answer(text, options, finished=finished), len(options), finished)


STATEMENT = "The answer is not A, B or C. So option I is correct: \\boxed{J}! ** <think> </think> 1"
WORDS = st.sampled_from(
    [*STATEMENT.split(" "), *".,()#", "\n", "Answer:", "pancreas", "Vitamin B12", "isn't", "but"]
)


@given(st.lists(WORDS, max_size=25), st.integers(0, 10), st.booleans())
def test_any_words_of_an_answer_have_a_reading(words: list[str], count: int, finished: bool) -> None:
    options = [*FOUR, *TEN][:count]
    check(read_answer(" ".join(words), options, finished=finished), count, finished)


def check(reading: Reading, count: int, finished: bool) -> None:
    assert (reading.answer is not None) == (reading.status == "parsed")
    assert reading.answer is None or reading.answer in LETTERS[:count]
    assert reading.answer != ""
    assert reading.status != ("unfinished" if finished else "no_answer")
    assert "<think>" not in reading.reasoning


PHRASES = [
    "The answer is ({}).",
    "Answer: {}",
    "**Answer:** {}.",
    "Final answer: \\boxed{{{}}}",
    "$\\boxed{{\\text{{{}}}}}$",
    "The correct answer is option {}.",
    "The best choice is {})",
    "I would go with {}.",
    "I choose {}",
    "<answer>{}</answer>",
    "So the answer must be {}!",
    "#### {}",
]
PROSE = [
    "A patient with fever is seen in the clinic.",
    "I think this is about hormones.",
    "Option A treats fever, while option B treats pain.",
    "A and C are unlikely here.",
    "The answer is not easy to see.",
    "B is incorrect because the liver makes bile.",
    "**Step 1:** look at the enzyme levels (they are high).",
    "The answer is D. Wait, that is not quite right.",
]


@given(
    st.lists(st.sampled_from(PROSE), max_size=4),
    st.sampled_from(PHRASES),
    st.sampled_from(LETTERS[: len(TEN)]),
    st.sampled_from([" ", "\n", "\n\n"]),
    st.booleans(),
)
def test_a_stated_letter_is_read_whatever_stands_before(
    prose: list[str], phrase: str, letter: str, gap: str, small: bool
) -> None:
    stated = phrase.format(letter.lower() if small else letter)
    # The four marks are a heading only at the head of a line.
    text = ("\n" if phrase.startswith("#") else gap).join([*prose, stated])
    reading = read_answer(text, TEN)
    assert (reading.answer, reading.status) == (letter, "parsed")
    assert reading.reasoning.startswith(prose[0] if prose else "")


@given(st.sampled_from(LETTERS[: len(TEN)]), st.lists(st.sampled_from(PROSE), max_size=4))
def test_a_letter_alone_at_the_start_or_the_end_is_read(letter: str, prose: list[str]) -> None:
    explanation = " ".join(sentence for sentence in prose if "answer" not in sentence)
    assert read_answer(f"{letter}\n\n{explanation}", TEN) == Reading(explanation, letter, "parsed")
    assert read_answer(f"{explanation}\n\n({letter})", TEN) == Reading(explanation, letter, "parsed")
