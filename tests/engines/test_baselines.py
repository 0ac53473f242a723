"""The baselines every board needs."""

from collections import Counter

import pytest

from bench.engines.engine import Opening
from bench.engines.kinds import open_engine
from bench.errors import BenchError
from bench.evaluate import evaluate
from bench.inputs.model_card import ModelCard
from bench.inputs.tasks import find_tasks
from bench.scoring.asking import Asking
from bench.types import Item


def answers(name: str, items: list[Item], train: list[Item], seed: int = 0) -> list[str | None]:
    card = ModelCard(
        name=name, title=name, family="baseline", engine=name, architecture="baseline",
        license="apache-2.0", learns_from=None if name == "chance" else "train",
    )  # fmt: skip
    engine = open_engine(Opening(card, train=tuple(train), seed=seed), None)
    [task] = find_tasks(["medqa_sample"])
    records = {
        record.question_id: record.model_output.final_answer
        for batch in evaluate(Asking(task.task), items, engine)
        for record in batch.records
    }
    return [records[item.id] for item in items]


def items(count: int, answer: int = 0, start: int = 0) -> list[Item]:
    names = range(start, start + count)
    return [Item(f"i{n}", f"question {n}", ("one", "two", "three", "four"), answer) for n in names]


def test_chance_is_even_seeded_and_the_same_for_any_subset() -> None:
    pool = items(4000)
    drawn = answers("chance", pool, [])
    assert all(900 < count < 1100 for count in Counter(drawn).values())
    assert answers("chance", pool[50:60], []) == drawn[50:60]
    assert answers("chance", pool, [], seed=1) != drawn


def test_majority_gives_the_train_split_s_commonest_letter() -> None:
    train = items(3, answer=2) + items(2, answer=1, start=10)
    assert answers("majority", items(5), train) == ["C"] * 5


def test_tfidf_learns_words_that_are_right_in_training() -> None:
    options = ("stethoscope", "antibiotic", "bandage", "scalpel")
    train = [
        Item(f"t{n}", f"infection number {n} needs", options[n % 4 :] + options[: n % 4], (1 - n) % 4)
        for n in range(16)
    ]
    test = [Item("a", "this infection needs", ("scalpel", "bandage", "antibiotic", "stethoscope"), 2)]
    assert answers("tfidf", test, train) == ["C"]


@pytest.mark.parametrize("name", ["majority", "tfidf"])
def test_a_baseline_that_learns_says_when_there_is_nothing_to_learn_from(name: str) -> None:
    with pytest.raises(BenchError, match="learns from a train split"):
        answers(name, items(1), [])
