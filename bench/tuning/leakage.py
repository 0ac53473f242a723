"""Training items that are tested too, exactly or nearly, found by shared shingles."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from bench.inputs.adapter import Leak, question_digest
from bench.types import Item

NEAR = 0.3
"""Jaccard similarity from which an item counts as the same.

With one word in ten replaced, a MedQA question still shares 0.40 or more of its shingles with itself.
From 0.3 on, pairs of its official training and test questions are the same case told twice.
"""
MANY = 20
"""Shingles that must be shared for that: in a short question one other word is another question."""
SAME = 0.7
"""Similarity from which a question of any length counts as the same."""
WORDS = 3
BLOCK = 1000


def leaks(train: Sequence[Item], test: Sequence[Item]) -> list[Leak]:
    """Every training item that is nearly a tested one, with the one it is most like.

    Items are compared as sets of three-word shingles (Broder 1997) of question and options, exactly,
    by products of sparse matrices.
    """
    if not train or not test:
        return []
    # Here, not at the top: scikit-learn takes a second to import.
    from sklearn.feature_extraction import text

    vectorizer: Any = text.CountVectorizer
    shingles = vectorizer(analyzer=_shingles, binary=True, dtype="int32")
    tested = shingles.fit_transform(map(_text, test))
    sizes = [len(set(_shingles(_text(item)))) for item in test]
    return [
        leak
        for start in range(0, len(train), BLOCK)
        for leak in _of_block(train[start : start + BLOCK], test, shingles, tested, sizes)
    ]


def _of_block(
    train: Sequence[Item], test: Sequence[Item], shingles: Any, tested: Any, sizes: Sequence[int]
) -> Iterator[Leak]:
    asked = {question_digest(item): item.id for item in test}
    common = (shingles.transform(map(_text, train)) @ tested.T).tocsr()
    for row, item in enumerate(train):
        own = len(set(_shingles(_text(item))))
        line: Any = common[row]
        found = ((int(column), int(both)) for column, both in zip(line.indices, line.data, strict=True))
        alike = ((both / (own + sizes[column] - both), both, column) for column, both in found)
        near = [
            (share, -column) for share, both, column in alike if share >= (NEAR if both >= MANY else SAME)
        ]
        if place := asked.get(question_digest(item)):
            yield Leak(train_id=item.id, test_id=place, similarity=1.0)
        elif near:
            similarity, place = max(near)
            yield Leak(train_id=item.id, test_id=test[-place].id, similarity=round(similarity, 3))


def _text(item: Item) -> str:
    return " ".join([item.question, *sorted(item.options)])


def _shingles(text: str) -> list[str]:
    words = ["", *re.findall(r"\w+", text.casefold()), ""]
    return [" ".join(words[at : at + WORDS]) for at in range(max(1, len(words) - WORDS + 1))]
