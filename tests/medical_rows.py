"""The columns and rows of each medical data set, by the name of its task."""

import json
from dataclasses import replace
from typing import Any

from datasets import ClassLabel, Image, Value
from medical_sets import LETTERS, TESTED, Question, Row, Small

TEXT, INT = Value("string"), Value("int64")


def texts(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, TEXT)


def letters(keys: str) -> dict[str, Any]:
    return dict.fromkeys(keys, TEXT)


def head_row(question: Question, config: str) -> Row:
    answers = [{"aid": i + 1, "atext": text} for i, text in enumerate(question.options[: question.count])]
    return {
        "qid": str(question.nr), "name": "Cuaderno", "year": "2015", "category": "biology",
        "qtext": question.text, "ra": question.answer + 1, "answers": answers,
    }  # fmt: skip


HEAD = {
    **texts("name", "year", "category", "qid", "qtext"), "ra": Value("int32"),
    "image": Image(),
    "answers": [{"aid": Value("int32"), "atext": TEXT}],
}  # fmt: skip
ANNULLED = head_row(replace(TESTED[0], text="Annulled?", answer=-1), "") | {
    "image": {"bytes": b"a picture", "path": "1.png"}
}


def care_row(question: Question, config: str) -> Row:
    return {
        "exam_id": question.nr, "question": question.text, "cop": question.answer + 1, "year": 2024,
        "category": "Nursing", "unique_id": f"u{question.nr}",
        **question.columns("op1", "op2", "op3", "op4"),
    }  # fmt: skip


CARE = {
    "exam_id": INT, **texts("question", "op1", "op2", "op3", "op4"), "cop": INT, "year": INT,
    **texts("category", "unique_id"),
}  # fmt: skip
USMLE = texts("question", "answer", "meta_info", "answer_idx")


def usmle_row(question: Question, config: str) -> Row:
    return {
        "question": question.text, "answer": question.options[question.answer], "answer_idx": question.letter,
        "meta_info": question.group,
    }  # fmt: skip


STEPS = ("step1", "step2&3", "step1")


def xpert_question(question: Question) -> str:
    listed = " ".join(f"({key}) {text}" for key, text in question.lettered(LETTERS).items())
    return f"{question.text.strip()}\nAnswer Choices: {listed}"


def concept_question(question: Question) -> str:
    listed = "".join(f"\n{key}. {text}" for key, text in question.lettered("ABCD").items())
    return question.text.strip() + listed


def pubmed_row(question: Question, config: str) -> Row:
    return {
        "QUESTION": question.text, "CONTEXTS": [f"Background {question.nr}.", "Forty men were asked."],
        "LABELS": ["BACKGROUND", "RESULTS"], "MESHES": ["Humans"], "YEAR": "2015",
        "final_decision": ("yes", "no", "maybe")[question.answer], "LONG_ANSWER": "It did.",
    }  # fmt: skip


def afrimed_row(question: Question, config: str) -> Row:
    options = {f"option{i + 1}": question.options[i] if i < question.count else "n/a" for i in range(5)}
    return {
        "sample_id": f"s{question.nr}", "question_type": "mcq", "tier": "expert", "split": "test",
        "question": "(raw)", "question_clean": question.text, "answer_options": json.dumps(options),
        "correct_answer": f"option{question.answer + 1}", "specialty": question.group, "country": "KEN",
    }  # fmt: skip


AFRIMED_ODD = [
    afrimed_row(replace(TESTED[0], nr=nr, text=f"Other {nr}?"), "") | change
    for nr, change in enumerate(
        (
            {"split": "train"},
            {"question_type": "saq", "answer_options": "", "correct_answer": ""},
            {"tier": "crowdsourced"},
            {"correct_answer": "option1,option2"},
        ),
        start=10,
    )
]

BIOLOGY, NURSING = ("biology", "biology", "biology"), ("Nursing", "Nursing", "Nursing")
OPTIONS = ("option1", "option2", "option3", "option4")
CHOICES = ("answer_a", "answer_b", "answer_c", "answer_d", "answer_e")
LETTERED = ("option_a", "option_b", "option_c", "option_d")
BULLETS = {**texts("question", "answer", "explanation", "link"), "options": letters("ABCDE")}


def bullets_row(question: Question, config: str) -> Row:
    return {
        "question": question.text, "options": question.lettered("ABCDE"), "answer": question.letter,
        "explanation": "(hidden)",
    }  # fmt: skip


def pro_row(question: Question, config: str) -> Row:
    return {
        "question_id": question.nr, "question": question.text, "answer": question.letter,
        "options": question.options[: question.count], "answer_index": question.answer,
        "category": "health", "src": question.group, "cot_content": "",
    }  # fmt: skip


SUBJECTS = (
    "anatomy", "clinical_knowledge", "college_biology", "college_medicine", "medical_genetics",
    "professional_medicine",
)  # fmt: skip


def subject_of(question: Question, config: str) -> str:
    """Another subject for each configuration and question, so that each occurs."""
    return SUBJECTS[(question.nr + sum(map(ord, config))) % len(SUBJECTS)]


def global_row(question: Question, config: str) -> Row:
    return {
        "sample_id": f"anatomy/test/{question.nr}", "subject": "anatomy", "subject_category": "Medical",
        "question": question.text, "answer": question.letter, **question.columns(*LETTERED),
    }  # fmt: skip


SETS: dict[str, Small] = {
    "medqa": Small(
        {**texts("id", "sent1", "sent2", "ending0", "ending1", "ending2", "ending3"), "label": INT},
        lambda q, _: {
            "id": f"test-{q.nr}", "sent1": q.text, "sent2": "", "label": q.answer,
            **q.columns("ending0", "ending1", "ending2", "ending3"),
        },
    ),
    "medqa_steps": Small(
        {**USMLE, "options": letters("ABCD"), "metamap_phrases": [TEXT]},
        lambda q, c: usmle_row(q, c) | {"options": q.lettered("ABCD"), "metamap_phrases": ["a sailor"]},
        groups=STEPS,
    ),
    "medqa_5options": Small(
        {**USMLE, "options": [{"key": TEXT, "value": TEXT}]},
        lambda q, c: usmle_row(q, c)
        | {"options": [{"key": key, "value": text} for key, text in q.lettered("ABCDE").items()]},
        counts=(5, 5, 5),
        groups=STEPS,
    ),
    "medmcqa": Small(
        {
            **texts("id", "question", "opa", "opb", "opc", "opd"),
            "cop": ClassLabel(names=[*"abcd"]), **texts("choice_type", "exp", "subject_name", "topic_name"),
        },
        lambda q, _: {
            "id": f"i{q.nr}", "question": q.text, "cop": q.answer, "choice_type": "single",
            "subject_name": q.group, **q.columns("opa", "opb", "opc", "opd"),
        },
        groups=("Biochemistry", "Physiology", "Anatomy"),
    ),
    "pubmedqa": Small(
        {
            "QUESTION": TEXT, "CONTEXTS": [TEXT], "LABELS": [TEXT], "MESHES": [TEXT],
            **texts("YEAR", "reasoning_required_pred", "reasoning_free_pred"),
            **texts("final_decision", "LONG_ANSWER"),
        },
        pubmed_row,
        options=("yes", "no", "maybe"),
        answers=(1, 0, 2),
    ),
    "mmlu_medical": Small(
        {"question": TEXT, "subject": TEXT, "choices": [TEXT], "answer": ClassLabel(names=[*"ABCD"])},
        lambda q, c: {"question": q.text, "subject": c, "choices": q.options[:4], "answer": q.answer},
    ),
    "mmlu_pro_health": Small(
        {
            "question_id": INT, "question": TEXT, "options": [TEXT], "answer": TEXT, "answer_index": INT,
            **texts("cot_content", "category", "src"),
        },
        pro_row,
        counts=(10, 3, 9),
        groups=("ori_mmlu-anatomy", "ori_mmlu-nutrition", "ori_mmlu-anatomy"),
        odd=[pro_row(replace(TESTED[0], text="Which law?"), "") | {"category": "law"}],
    ),
    "medxpertqa": Small(
        {
            **texts("id", "question"), "options": letters(LETTERS),
            **texts("label", "medical_task", "body_system", "question_type"),
        },
        lambda q, _: {
            "id": f"Text-{q.nr}", "question": xpert_question(q), "options": q.lettered(LETTERS),
            "label": q.letter, "medical_task": "Diagnosis", "body_system": "Digestive",
            "question_type": q.group,
        },
        counts=(10, 10, 10),
        groups=("Reasoning", "Understanding", "Reasoning"),
        asked=lambda q: q.text.strip(),
    ),
    "medbullets_4options": Small(BULLETS, bullets_row),
    "medbullets_5options": Small(BULLETS, bullets_row, counts=(5, 5, 5)),
    "metamedqa": Small(
        {**USMLE, "options": letters("ABCDEF"), "kind": TEXT},
        lambda q, c: usmle_row(q, c) | {"options": q.lettered("ABCDEF"), "kind": "normal"},
        counts=(6, 6, 6),
        groups=STEPS,
    ),
    "glianorex": Small(
        {**texts("question", "answer", "answer_idx", "language"), "options": letters("ABCD")},
        lambda q, c: usmle_row(q, c) | {"options": q.lettered("ABCD"), "language": q.group},
        groups=("en", "fr", "en"),
    ),
    "medconceptsqa": Small(
        {"question_id": INT, **texts("answer", "answer_id", *OPTIONS, "question", "vocab", "level")},
        lambda q, _: {
            "question_id": q.nr, "question": concept_question(q), "answer_id": q.letter,
            "answer": q.options[q.answer], "vocab": "ICD10CM", "level": "medium", **q.columns(*OPTIONS),
        },
        asked=concept_question,
    ),
    "m_arc": Small(
        {"question": TEXT, "options": letters("ABCDEFG"), "answer": TEXT},
        lambda q, _: {"question": q.text, "options": q.lettered("ABCDEFG"), "answer": q.letter},
        counts=(7, 4, 7),
    ),
    "headqa_en": Small(HEAD, head_row, groups=BIOLOGY),
    "headqa_es": Small(HEAD, head_row, groups=BIOLOGY, odd=[ANNULLED | {"image": None}]),
    "headqa_v2": Small(HEAD, head_row, counts=(5, 4, 5), groups=BIOLOGY, odd=[ANNULLED]),
    "careqa_en": Small(
        CARE, care_row, groups=NURSING,
        odd=[care_row(replace(TESTED[0], nr=9), "") | {"question": None}],
    ),
    "careqa_es": Small(CARE, care_row, groups=NURSING),
    "afrimedqa": Small(
        texts(
            "sample_id", "question_type", "tier", "split", "question", "question_clean", "answer_options",
            "correct_answer", "specialty", "country",
        ),
        afrimed_row,
        counts=(5, 4, 5),
        groups=("Surgery", "", "Paediatrics"),
        odd=AFRIMED_ODD,
    ),
    "medexpqa": Small(
        {
            "id": INT, "year": INT, "question_id_specific": INT, "full_question": TEXT, "full_answer": TEXT,
            "type": TEXT, "options": letters("12345"), "correct_option": INT,
        },
        lambda q, _: {
            "id": q.nr, "year": 2018, "full_question": q.text, "full_answer": "(hidden)", "type": q.group,
            "options": q.lettered("12345"), "correct_option": q.answer + 1,
        },
        counts=(5, 4, 5),
        groups=("SURGERY", "UROLOGY", "SURGERY"),
    ),
    "kormedmcqa": Small(
        {
            "subject": TEXT, "year": INT, "period": INT, "q_number": INT, "question": TEXT,
            **letters("ABCDE"), "answer": INT, "cot": TEXT,
        },
        lambda q, c: {
            "subject": c, "year": 2022, "period": 1, "q_number": q.nr, "question": q.text,
            "answer": q.answer + 1, **q.columns(*"ABCDE"),
        },
        counts=(5, 5, 5),
    ),
    "mediqal": Small(
        texts("clinical_case", "question", *CHOICES, "correct_answers"),
        lambda q, _: {
            "clinical_case": None if q.nr == 2 else f"Cas {q.nr}.", "question": q.text,
            "correct_answers": q.letter.lower() if q.nr == 3 else q.letter, **q.columns(*CHOICES),
        },
        counts=(5, 5, 5),
        asked=lambda q: q.text if q.nr == 2 else f"Cas {q.nr}.\n{q.text}",
    ),
    "global_mmlu_medical": Small(
        texts("sample_id", "subject", "subject_category", "question", *LETTERED, "answer"),
        global_row,
        odd=[global_row(TESTED[0], "") | {"subject": "virology", "subject_category": "Other"}],
    ),
    "mmmlu_medical": Small(
        {"Unnamed: 0": INT, **texts("Question", "A", "B", "C", "D", "Answer", "Subject")},
        lambda q, c: {
            "Question": q.text, "Answer": q.letter, "Subject": subject_of(q, c), **q.columns(*"ABCD"),
        },
    ),
}  # fmt: skip
