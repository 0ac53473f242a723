"""The document of a sample -> texts: its question, its options, and all that it holds."""

import json
from collections.abc import Iterator
from typing import Any, cast

from bench.lm_eval.files import Sample

QUESTIONS = ("question", "question_stem", "query", "ctx", "goal", "sentence", "problem", "input", "text")
"""Names that lm-eval's tasks use for the question of a document."""
OPTIONS = ("choices", "options", "endings", "answers", "candidates", "text")
"""Names that they use for the list of options, where the prompt asks for a letter."""


def question_of(doc: Any) -> str:
    """The document's question; all its texts if no key of it is one of `QUESTIONS`."""
    texts = {key: value for key, value in _fields(doc).items() if isinstance(value, str) and value.strip()}
    question = next((texts[key] for key in QUESTIONS if key in texts), None)
    return question or "\n".join(f"{key}: {value}" for key, value in texts.items()) or json.dumps(doc)


def _fields(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def options_of(sample: Sample) -> tuple[str, ...]:
    """The options' texts, where the document holds them under one of the usual keys; else the letters."""
    doc = _fields(sample.doc)
    for fields in (doc, *(_fields(doc.get(key)) for key in OPTIONS)):
        if tuple(fields) == sample.choices:
            return tuple(str(text) for text in fields.values())
        for key in OPTIONS:
            texts = cast("list[Any]", fields[key]) if isinstance(fields.get(key), list) else []
            if len(texts) == len(sample.choices):
                return tuple(str(text) for text in texts)
    return sample.choices


def all_texts(value: Any) -> Iterator[str]:
    """All texts and numbers in a document."""
    if isinstance(value, dict):
        value = list(_fields(value).values())
    if isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from all_texts(each)
    elif value is not None:
        yield str(value)
