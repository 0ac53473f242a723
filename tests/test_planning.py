"""Batches and token trees: pure, so properties hold for any input."""

from hypothesis import given
from hypothesis import strategies as st

from bench.engines.batching import plan_batches
from bench.engines.packing import lay_out, split_tree, sums

TOKENS = st.lists(st.integers(0, 9), min_size=1, max_size=6).map(tuple)


@given(st.lists(st.integers(0, 400), max_size=60), st.integers(0, 1000))
def test_every_request_is_in_exactly_one_batch_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = plan_batches(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_the_longest_come_first_so_memory_peaks_at_once(lengths: list[int]) -> None:
    flat = [lengths[index] for batch in plan_batches(lengths, 500) for index in batch]
    assert flat == sorted(lengths, reverse=True)


@given(TOKENS, st.lists(TOKENS, min_size=1, max_size=5))
def test_stem_and_branch_are_the_encoded_text_again(
    prompt: tuple[int, ...], tails: list[tuple[int, ...]]
) -> None:
    wholes = [prompt + tail for tail in tails]
    stem, branches = split_tree(prompt, wholes)
    assert [stem + branch for branch in branches] == wholes
    assert all(branches)


def test_a_token_that_spans_the_border_belongs_to_the_branch() -> None:
    # 5 is the colon alone; 7 and 8 are the colon merged with the letter after it.
    stem, branches = split_tree((1, 2, 5), [(1, 2, 7), (1, 2, 8)])
    assert (stem, branches) == ((1, 2), ((7,), (8,)))


def test_letters_share_one_row_and_one_place() -> None:
    layout = lay_out([(1, 2, 3)], [[(10,), (11,), (12,)]])
    assert layout.rows == ((1, 2, 3),)
    assert layout.places == ((0, 2),)
    assert [(read.token, read.branch) for read in layout.reads] == [(10, 0), (11, 1), (12, 2)]


@given(st.lists(st.tuples(TOKENS, st.lists(TOKENS, min_size=1, max_size=4)), min_size=1, max_size=4))
def test_each_token_of_a_branch_is_read_where_its_predecessors_end(
    trees: list[tuple[tuple[int, ...], list[tuple[int, ...]]]],
) -> None:
    stems, branches = [stem for stem, _ in trees], [tips for _, tips in trees]
    layout = lay_out(stems, branches)
    seen: dict[tuple[int, int], list[int]] = {}
    for read in layout.reads:
        row, position = layout.places[read.place]
        assert layout.owners[row] == read.tree
        context = layout.rows[row][: position + 1]
        done = seen.setdefault((read.tree, read.branch), [])
        assert context == (*stems[read.tree], *done)
        done.append(read.token)
    assert seen == {(t, b): list(tip) for t, tips in enumerate(branches) for b, tip in enumerate(tips)}
    assert len(set(zip(layout.owners, layout.rows, strict=True))) == len(layout.rows)


def test_sums_add_up_per_branch() -> None:
    branches = [[(1, 2), (3,)], [(4,)]]
    layout = lay_out([(0,), (0,)], branches)
    assert sums(layout, [1.0, 2.0, 4.0, 8.0], branches) == [[3.0, 4.0], [8.0]]
