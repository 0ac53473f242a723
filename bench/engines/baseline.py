"""The baselines: chance, majority and TF-IDF. They read items without their answers, and no prompt."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.engines.engine import Engine, Opening
from bench.engines.kinds import EngineKind, Standalone
from bench.errors import BenchError
from bench.types import Encoded, Item, Reads, ScoredBatch, ScoreRequest, Scores, Tree


@dataclass(frozen=True, slots=True)
class BaselineEngine:
    """`weights` gives each option of an item a positive number; its share of their sum is its probability."""

    weights: Callable[[Item], Sequence[float]]
    reads: Reads = "item"
    path: str = ""
    model_bytes: int | None = None

    def encode(self, request: ScoreRequest) -> Encoded:
        return Encoded(request, Tree((), ()))

    def score(self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()) -> Iterator[ScoredBatch]:
        if not requests or skip.issuperset(range(len(requests))):
            return
        replies = tuple(self._score(encoded.request) for encoded in requests)
        yield ScoredBatch(tuple(range(len(requests))), replies, batch_tokens=0)

    def _score(self, request: ScoreRequest) -> Scores:
        weights = self.weights(request.item)
        total = sum(weights)
        return Scores("", 0, (tuple(math.log(weight / total) for weight in weights),))

    def close(self) -> None:
        """There is nothing to close."""


def _chance(opening: Opening) -> Engine:
    """A random letter that depends on seed and question alone, not on the other items."""

    def weights(item: Item) -> list[float]:
        draw = random.Random(f"{opening.seed}\n{item.question}")  # noqa: S311 (not a secret)
        return [1.0 - draw.random() for _ in item.options]

    return BaselineEngine(weights)


def _majority(opening: Opening) -> Engine:
    """The most common answer letter of the train split; a letter's weight is its count plus one."""
    counts = Counter(item.answer for item in _train(opening))
    return BaselineEngine(lambda item: [1.0 + counts[index] for index in range(len(item.options))])


def _tfidf(opening: Opening) -> Engine:
    """TF-IDF and logistic regression: is this option the right answer to this question?

    The features of a pair are the option's TF-IDF vector and its elementwise product with the question's,
    which is non-zero at the words that both have.
    """
    from scipy.sparse import hstack, vstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    train = _train(opening)
    vectorizer: Any = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")  # noqa: S106 (no password)
    try:
        vectorizer.fit([text for item in train for text in (item.question, *item.options)])
    except ValueError as error:  # there is no word
        raise BenchError(f"tfidf cannot learn from the train split: {error}") from error

    def features(item: Item) -> Any:
        options = vectorizer.transform(item.options)
        questions = vectorizer.transform([item.question] * len(item.options))
        return hstack([options, questions.multiply(options)])

    right = [index == item.answer for item in train for index in range(len(item.options))]
    model: Any = LogisticRegression(class_weight="balanced", max_iter=1000, random_state=opening.seed)
    model.fit(vstack([features(item) for item in train]), right)

    def weights(item: Item) -> list[float]:
        return model.predict_proba(features(item))[:, 1].tolist()

    return BaselineEngine(weights)


def _train(opening: Opening) -> tuple[Item, ...]:
    if not opening.train:
        raise BenchError(f"{opening.card.name} learns from a train split, and the task names none")
    return opening.train


def _baseline(start: Callable[[Opening], Engine], *preload: str) -> EngineKind:
    kind = Standalone(start)
    return EngineKind(reads="item", architectures=frozenset({"baseline"}), opens=kind, preload=preload)


CHANCE = _baseline(_chance)
MAJORITY = _baseline(_majority)
TFIDF = _baseline(_tfidf, "scipy.sparse", "sklearn.feature_extraction.text", "sklearn.linear_model")
