"""The texts of the test of the published order, and the log-probability that engines give them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.engines.engine import in_order
from bench.scoring.orders import (
    Run,
    as_published,
    neighbours_of_one_group,
    orders_of,
    request_of,
    runs_of,
)
from bench.types import Item
from tiny import opened, save_causal

ITEMS = [
    Item("a", "Which organ makes insulin? ", ("Liver", " Pancreas"), 1),
    Item("b", "Which vitamin is missing?", ("Vitamin C", "Vitamin D", "None"), 0),
    Item("c", "A patient has a fever.", ("yes", "no"), 0),
]


def test_a_question_stands_with_its_options_and_without_its_answer() -> None:
    assert as_published(ITEMS[0]) == "Which organ makes insulin?\nA. Liver\nB. Pancreas"
    [[text]] = request_of(ITEMS).continuations
    assert text.startswith(
        "\n\nWhich organ makes insulin?\nA. Liver\nB. Pancreas\n\nWhich vitamin is missing?\n"
    )
    assert text.endswith("A. yes\nB. no\n\n")


def test_every_order_has_the_same_pieces_of_text() -> None:
    texts = [request_of([ITEMS[at] for at in order]).continuations[0][0] for order in ((0, 1, 2), (2, 0, 1))]
    assert sorted(texts[0].split("\n\n")) == sorted(texts[1].split("\n\n"))


def test_shards_are_runs_in_published_order_that_fit() -> None:
    assert runs_of([4, 4, 4, 4, 4], 10) == [Run(0, 2), Run(2, 2)]  # the last is alone, and has no order
    assert runs_of([4, 4, 99, 4, 4, 2], 10) == [Run(0, 2), Run(3, 3)]
    assert runs_of([4, None, 4, 4], 10) == [Run(2, 2)]
    assert runs_of([99, 4], 10) == []


@given(st.lists(st.none() | st.integers(1, 30), max_size=40), st.integers(1, 60))
def test_no_shard_is_too_long_and_no_question_stands_in_two(sizes: list[int | None], most: int) -> None:
    runs = runs_of(sizes, most)
    asked = [at for run in runs for at in range(run.first, run.first + run.questions)]
    assert asked == sorted(set(asked))
    for run in runs:
        assert run.questions >= 2
        assert sum(size or most + 1 for size in sizes[run.first : run.first + run.questions]) <= most


def test_the_first_order_is_the_published_one_and_the_others_follow_from_seed_and_run() -> None:
    first, *others = orders_of(Run(5, 8), 20, seed=1)
    assert first == tuple(range(5, 13))
    assert all(sorted(order) == list(first) for order in others)
    assert len(set(others)) > 15
    assert orders_of(Run(5, 8), 20, seed=1)[1:] == others
    assert orders_of(Run(5, 8), 20, seed=2)[1:] != others
    assert orders_of(Run(6, 8), 20, seed=1)[1][0] in range(6, 14)


def test_neighbours_of_one_group_are_counted() -> None:
    grouped = [replace(ITEMS[0], group=group) for group in ("x", "x", "y", "x", "", "")]
    assert neighbours_of_one_group(grouped, range(6)) == 1
    assert neighbours_of_one_group(grouped, (0, 1, 3, 2, 4, 5)) == 2


@pytest.mark.parametrize("path", ["packed", "shared", "plain"])
def test_the_log_probability_of_a_text_is_that_of_the_model_on_every_path(tmp_path: Path, path: str) -> None:
    engine = replace(opened(save_causal(tmp_path, "llama")), path=path)
    request = request_of(ITEMS)
    encoded = engine.encode(request)
    [reply] = in_order(engine.score([encoded]))
    [[branch]] = encoded.tree.branches
    ids = [*encoded.tree.stem, *branch.tokens]
    assert engine.tokenizer.decode(ids[-branch.scored :]) == request.continuations[0][0]
    with torch.inference_mode():
        logits = engine.model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)
    first = len(ids) - branch.scored
    expected = sum(float(logits[at - 1, ids[at]]) for at in range(first, len(ids)))
    assert reply.logprobs[0][0] == pytest.approx(expected, rel=1e-5)
    assert reply.tokens[0][0] == branch.scored
