"""The three baselines every board needs. They read the item, never a prompt, never the answer."""

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
    """Answers by a function of the item alone: a weight (any positive number) for each option."""

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
        """Nothing is held."""


def _chance(opening: Opening) -> Engine:
    """A letter drawn by seed and question: the same whatever the subset or the order."""

    def weights(item: Item) -> list[float]:
        draw = random.Random(f"{opening.seed}\n{item.question}")  # noqa: S311 (not a secret)
        return [1.0 - draw.random() for _ in item.options]

    return BaselineEngine(weights)


def _majority(opening: Opening) -> Engine:
    """The commonest answer letter of the train split, each letter weighted by its add-one count."""
    counts = Counter(item.answer for item in _train(opening))
    return BaselineEngine(lambda item: [1.0 + counts[index] for index in range(len(item.options))])


def _tfidf(opening: Opening) -> Engine:
    """TF-IDF and logistic regression: is this option the answer to this question?

    Features of a pair are the option's TF-IDF vector and its product with the question's, which
    marks the words they share.
    """
    from scipy.sparse import hstack, vstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    train = _train(opening)
    words: Any = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")  # noqa: S106 (no password)
    try:
        words.fit([text for item in train for text in (item.question, *item.options)])
    except ValueError as error:  # no words at all
        raise BenchError(f"tfidf cannot learn from the train split: {error}") from error

    def features(item: Item) -> Any:
        options = words.transform(item.options)
        questions = words.transform([item.question] * len(item.options))
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


def _baseline(start: Callable[[Opening], Engine]) -> EngineKind:
    return EngineKind(reads="item", architectures=frozenset({"baseline"}), opens=Standalone(start))


CHANCE = _baseline(_chance)
MAJORITY = _baseline(_majority)
TFIDF = _baseline(_tfidf)
