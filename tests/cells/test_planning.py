"""Batches and token trees: pure, so properties hold for any input."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.engines.batching import in_batches, plan_batches
from bench.engines.packing import (
    Path,
    by_set,
    common_prefix,
    conjunctions,
    grow,
    lay_out,
    shape,
    sums,
)
from bench.errors import BenchError
from bench.types import Branch, Tokens, Tree

TOKENS = st.lists(st.integers(0, 4), min_size=1, max_size=6).map(tuple)
SHAPES = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 400)), max_size=60)


def tree(stem: Tokens, *branches: Tokens) -> Tree:
    return Tree(stem, (tuple(Branch(tokens) for tokens in branches),))


TREES = st.builds(
    lambda stem, branches: tree(stem, *branches), TOKENS, st.lists(TOKENS, min_size=1, max_size=5)
)


@given(SHAPES, st.integers(0, 1000))
def test_every_request_is_in_exactly_one_batch_within_the_budget(
    shapes: list[tuple[int, int]], budget: int
) -> None:
    batches = plan_batches(shapes, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(shapes)))
    for batch in batches:
        rows, width = sum(shapes[index][0] for index in batch), max(shapes[index][1] for index in batch)
        assert len(batch) == 1 or rows * width <= budget


@given(SHAPES, st.integers(0, 1000), st.integers(0, 50))
def test_the_lengths_of_a_batch_differ_by_no_more_than_is_asked_for(
    shapes: list[tuple[int, int]], budget: int, spread: int
) -> None:
    batches = plan_batches(shapes, budget, spread)
    assert sorted(index for batch in batches for index in batch) == list(range(len(shapes)))
    for batch in batches:
        widths = [shapes[index][1] for index in batch]
        assert max(widths) - min(widths) <= spread


@given(SHAPES)
def test_the_longest_come_first_so_memory_peaks_at_once(shapes: list[tuple[int, int]]) -> None:
    flat = [shapes[index][1] for batch in plan_batches(shapes, 500) for index in batch]
    assert flat == sorted((width for _, width in shapes), reverse=True)


class OutOfMemory(Exception):
    """What a device says that holds `limit` tokens."""


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 50)), max_size=40), st.integers(150, 400))
def test_batches_shrink_until_they_fit_and_nothing_is_lost_or_done_twice(
    shapes: list[tuple[int, int]], limit: int
) -> None:
    tried: list[int] = []

    def run(indices: Sequence[int]) -> list[int]:
        size = sum(shapes[i][0] for i in indices) * max(shapes[i][1] for i in indices)
        tried.append(size)
        if size > limit:
            raise OutOfMemory
        return list(indices)

    done = list(in_batches(shapes, 2000, run, lambda error: isinstance(error, OutOfMemory)))
    assert sorted(index for indices, _, _ in done for index in indices) == list(range(len(shapes)))
    assert all(indices == reply for indices, reply, _ in done)
    budgets = [budget for _, _, budget in done]
    assert budgets == sorted(budgets, reverse=True), "a size that did not fit is not tried again"


def test_a_single_question_that_does_not_fit_is_said_and_other_errors_go_through() -> None:
    def run(_indices: Sequence[int]) -> None:
        raise OutOfMemory

    with pytest.raises(BenchError, match="out of memory on a single question of 77 tokens"):
        list(in_batches([(1, 77), (1, 5)], 100, run, lambda _: True))
    with pytest.raises(OutOfMemory):
        list(in_batches([(1, 77)], 100, run, lambda _: False))


@given(TOKENS, st.lists(st.lists(TOKENS, min_size=1, max_size=4), min_size=1, max_size=3))
def test_stem_and_branch_are_the_encoded_text_again(prompt: Tokens, tails: list[list[Tokens]]) -> None:
    wholes = [[prompt + tail for tail in group] for group in tails]
    grown = grow(prompt, wholes)
    texts = [[grown.stem + branch.tokens for branch in group] for group in grown.branches]
    assert texts == wholes
    assert all(branch.scored >= 1 for branch in grown.flat)


def test_a_token_that_spans_the_border_is_scored_in_its_own_set_only() -> None:
    # 5 is the colon alone; 7 and 8 are the colon merged with the letter after it.
    grown = grow((1, 2, 5), [[(1, 2, 7), (1, 2, 8)], [(1, 2, 5, 4), (1, 2, 5, 6, 3)]])
    assert grown.stem == (1, 2)
    assert grown.branches == (
        (Branch((7,)), Branch((8,))),
        (Branch((5, 4), given=1), Branch((5, 6, 3), given=1)),
    )


@pytest.mark.parametrize("path", ["packed", "shared", "plain"])
def test_letters_share_one_row_and_one_place(path: Path) -> None:
    layout = lay_out([tree((1, 2, 3), (10,), (11,), (12,))], path)
    assert [row.tokens for row in layout.rows] == [(1, 2, 3)]
    assert layout.places == ((0, 2),)
    assert layout.is_causal
    assert [(read.token, read.branch) for read in layout.reads] == [(10, 0), (11, 1), (12, 2)]


def test_a_packed_row_holds_every_beginning_once() -> None:
    layout = lay_out([tree((1, 2), (3, 4, 5), (3, 4, 6), (7, 8), (9,))], "packed")
    [row] = layout.rows
    assert row.tokens == (1, 2, 3, 4, 7)
    assert (row.trunk, row.parents) == (2, (1, 2, 1))
    assert row.positions == (0, 1, 2, 3, 2)
    assert shape(tree((1, 2), (3, 4, 5), (3, 4, 6), (7, 8), (9,)), "packed") == (1, 5)
    assert shape(tree((1, 2), (3, 4, 5), (3, 4, 6), (7, 8), (9,)), "plain") == (3, 4)


def test_what_does_not_fork_needs_no_mask() -> None:
    assert lay_out([tree((1, 2), (3, 4, 5), (3, 4, 6))], "packed").is_causal
    assert not lay_out([tree((1, 2), (3, 4, 5), (6, 4, 6))], "packed").is_causal


@given(st.lists(TREES, min_size=1, max_size=4), st.sampled_from(["packed", "shared", "plain"]))
def test_each_token_of_a_branch_is_read_where_its_predecessors_end(trees: list[Tree], path: Path) -> None:
    layout = lay_out(trees, path)
    done: dict[tuple[int, int], list[int]] = {}
    for read in layout.reads:
        index, position = layout.places[read.place]
        row = layout.rows[index]
        assert row.tree == read.tree
        behind = done.setdefault((read.tree, read.branch), [])
        assert _seen(row.tokens, row.trunk, row.parents, position) == (*trees[read.tree].stem, *behind)
        assert row.positions[position] == len(trees[read.tree].stem) + len(behind) - 1
        behind.append(read.token)
    branches = {(t, b): list(one.tokens) for t, tree in enumerate(trees) for b, one in enumerate(tree.flat)}
    assert done == branches
    assert path != "packed" or len(layout.rows) == len(trees)
    own = [(row.tree, row.tokens) for row in layout.rows]
    begun = [a for a in own for b in own if a != b and a[0] == b[0] and b[1][: len(a[1])] == a[1]]
    assert path != "shared" or not begun


def _seen(tokens: Tokens, trunk: int, parents: Tokens, at: int) -> Tokens:
    """The tokens that lead to a place, itself included."""
    if at < trunk:
        return tokens[: at + 1]
    return (*_seen(tokens, trunk, parents, parents[at - trunk]), tokens[at])


def test_given_tokens_are_fed_and_not_read() -> None:
    one = Tree((1,), ((Branch((2, 3, 4), given=1), Branch((2, 3, 5), given=1)),))
    layout = lay_out([one], "packed")
    assert layout.rows[0].tokens == (1, 2, 3)
    assert [read.token for read in layout.reads] == [3, 4, 3, 5]


def test_reads_add_up_per_branch_and_come_back_in_sets() -> None:
    one = Tree((0,), ((Branch((1, 2)), Branch((3,))), (Branch((4,)),)))
    layout = lay_out([one], "packed")
    assert sums(layout, [1.0, 2.0, 4.0, 8.0], [one]) == [[3.0, 4.0, 8.0]]
    assert conjunctions(layout, [True, False, True, True], [one]) == [[False, True, True]]
    assert by_set(one.branches, [3.0, 4.0, 8.0]) == ((3.0, 4.0), (8.0,))


@given(TOKENS, st.lists(TOKENS, min_size=2, max_size=5))
def test_the_common_beginning_leaves_every_stem_a_token(beginning: Tokens, ends: list[Tokens]) -> None:
    trees = [tree(beginning + end, (1,)) for end in ends]
    prefix = common_prefix(trees)
    assert all(one.stem[: len(prefix)] == prefix and len(one.stem) > len(prefix) for one in trees)
    assert len(prefix) >= len(beginning)


def test_one_question_alone_shares_nothing() -> None:
    assert common_prefix([tree((1, 2, 3), (4,))]) == ()
