"""Find training items that are also test items, exactly or nearly, by the shingles they share."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from bench.inputs.adapter import Leak, question_digest
from bench.types import Item

NEAR = 0.3
"""Jaccard similarity from which two items count as the same.

With one word in ten replaced, a MedQA question still shares 0.40 or more of its shingles with itself.
From 0.3 on, pairs of its official training and test questions describe the same case.
"""
MANY = 20
"""Shingles that they must share as well: in a short question a single word can make another question."""
SAME = 0.7
"""Jaccard similarity from which items of any length count as the same."""
WORDS = 3
"""Words in a shingle."""
BLOCK = 1000
"""Training items compared at once, to bound the memory."""


def leaks(train: Sequence[Item], test: Sequence[Item]) -> list[Leak]:
    """Every training item that is the same as a test item, with the test item that is most similar.

    The same is: an equal question, or enough shingles of question and options in common, by the limits
    above. The Jaccard similarity of the shingle sets (Broder 1997) is exact: products of sparse matrices
    count the shared shingles of all pairs.
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
        for leak in _leaks_of_block(train[start : start + BLOCK], test, shingles, tested, sizes)
    ]


def _leaks_of_block(
    train: Sequence[Item], test: Sequence[Item], shingles: Any, tested: Any, sizes: Sequence[int]
) -> Iterator[Leak]:
    test_ids = {question_digest(item): item.id for item in test}
    shared_counts = (shingles.transform(map(_text, train)) @ tested.T).tocsr()
    for row, item in enumerate(train):
        own = len(set(_shingles(_text(item))))
        counts: Any = shared_counts[row]
        pairs = (
            (int(column), int(shared)) for column, shared in zip(counts.indices, counts.data, strict=True)
        )
        similar = ((shared / (own + sizes[column] - shared), shared, column) for column, shared in pairs)
        # Of equally similar test items the first: hence the minus.
        near = [
            (similarity, -column)
            for similarity, shared, column in similar
            if similarity >= (NEAR if shared >= MANY else SAME)
        ]
        if test_id := test_ids.get(question_digest(item)):
            yield Leak(train_id=item.id, test_id=test_id, similarity=1.0)
        elif near:
            similarity, column = max(near)
            yield Leak(train_id=item.id, test_id=test[-column].id, similarity=round(similarity, 3))


def _text(item: Item) -> str:
    return " ".join([item.question, *sorted(item.options)])


def _shingles(text: str) -> list[str]:
    words = ["", *re.findall(r"\w+", text.casefold()), ""]
    return [" ".join(words[at : at + WORDS]) for at in range(max(1, len(words) - WORDS + 1))]
