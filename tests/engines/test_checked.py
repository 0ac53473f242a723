"""Calls of engines: all in one place, where what they give is checked."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from bench.engines import checked
from bench.engines.reply_checks import EngineMistake
from bench.types import Encoded, Item, MoreScores, Reads, ScoredBatch, ScoreRequest, Scores, Tree
from conftest import ROOT

CALLS = {
    "score",
    "score_with_more",
    "generate",
    "encode",
    "encode_prompt",
    "render",
    "close",
    "compare_tokens",
}
"""The methods of an engine."""


def calls_of_engines(source: str) -> list[int]:
    """The lines where a method of something named engine is called, or handed on."""
    lines: list[int] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=name, value=ast.Name(id="engine") | ast.Attribute(attr="engine")) if (
                name in CALLS
            ):
                lines.append(node.lineno)
            case _:
                pass
    return lines


def test_a_call_of_an_engine_is_recognised() -> None:
    assert calls_of_engines("x = self.engine.score(a)\nrender = partial(engine.render)\ntext.encode()") == [
        1,
        2,
    ]


def test_engines_are_called_in_one_place() -> None:
    places = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "bench").rglob("*.py")
        if calls_of_engines(path.read_text("utf-8"))
    }
    assert places == {"bench/engines/checked.py"}


def request_of(name: str) -> Encoded:
    item = Item(name, "?", ("yes", "no"), 0)
    return Encoded(ScoreRequest(item, "?", (("yes", "no"),)), Tree((), ()))


RIGHT = Scores("?", 1, ((-1.0, -2.0),), ((1, 1),))
ASKED = [request_of(f"q{at}") for at in range(4)]


@dataclass
class Played:
    """Yields the batches that it was given, and asks for the further requests of each."""

    batches: Sequence[Any]
    reads: Reads = "prompt"

    def score(self, requests: Sequence[Encoded], skip: frozenset[int] = frozenset()) -> Iterator[Any]:
        yield from self.batches

    def score_with_more(self, requests: Sequence[Encoded], more: Any, skip: frozenset[int]) -> Iterator[Any]:
        for batch in self.batches:
            yield batch
            for index in getattr(batch, "indices", ()):
                more(index)


def batch(*indices: int) -> ScoredBatch:
    return ScoredBatch(indices, (RIGHT,) * len(indices), 1)


def test_a_batch_with_some_requests_that_are_to_be_skipped_is_right() -> None:
    """It is the batch of the uninterrupted run, whose other replies must not change."""
    engine: Any = Played([batch(1, 2)])
    assert list(checked.score(engine, ASKED, {0, 1, 3})) == [batch(1, 2)]


def test_a_batch_of_requests_to_skip_alone_is_a_mistake() -> None:
    engine: Any = Played([batch(0, 1), batch(2, 3)])
    with pytest.raises(EngineMistake, match="a batch without any request that was left to answer"):
        list(checked.score(engine, ASKED, {0, 1}))


def test_the_questions_that_a_mistake_names_are_those_of_its_requests() -> None:
    engine: Any = Played([])
    with pytest.raises(EngineMistake) as caught:
        list(checked.score(engine, [request_of(f"q{at}") for at in range(5)], {1}))
    assert caught.value.text == "replied to 0 of 4 requests (missing: q0, q2, q3 and 1 more)"
    assert (
        caught.value.without_texts(str.upper) == "replied to 0 of 4 requests (missing: Q0, Q2, Q3 and 1 more)"
    )


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ('{"answer": "A"}', r"gave '\{\"answer\": \"A\"\}' in place of the scores of q0$"),
        ("}{}{of}", r"gave '\}\{\}\{of\}' in place of the scores of q0$"),
        (
            replace(RIGHT, logprobs=((-1e200, -1.0),)),
            r"replied to q0 with -1e\+200: its scores are not finite",
        ),
        (replace(RIGHT, logprobs=((10**400, -1.0),)), "replied to q0 with a number too large: its scores"),
        (
            replace(RIGHT, logprobs=np.zeros((1, 2))),
            "an object of the type ndarray in place of the numbers for",
        ),
        (
            replace(RIGHT, tokens=np.zeros((1, 2))),
            "an object of the type ndarray in place of the numbers for q0",
        ),
        (
            replace(RIGHT, greedy=np.zeros((1, 2))),
            "an object of the type ndarray in place of the numbers for q0",
        ),
        (
            replace(RIGHT, greedy=((object(), True),)),
            "an object of the type object in place of whether an answer",
        ),
    ],
)
def test_a_reply_of_a_wrong_type_is_one_clear_mistake(scores: Any, message: str) -> None:
    engine: Any = Played([ScoredBatch((0,), (scores,), 1)])
    with pytest.raises(EngineMistake, match=message):
        list(checked.score(engine, [request_of("q0")]))


def test_an_id_cannot_change_what_a_message_says() -> None:
    engine: Any = Played([])
    with pytest.raises(EngineMistake, match=r"\(missing: a; b {} c\)$"):
        list(checked.score(engine, [request_of("a\x1b[31m\nb {} \u202ec")]))


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        ([batch(0, 1, 2, 3), MoreScores({(0, 0): RIGHT, (3, 1): RIGHT})], ""),
        ([batch(0, 1), MoreScores({}), batch(2, 3), MoreScores({(2, 0): RIGHT})], ""),
        ([batch(0, 1, 2, 3), MoreScores({(0, 2): RIGHT})], "further request that was not asked"),
        ([batch(0, 1, 2, 3), MoreScores({(4, 0): RIGHT})], "further request that was not asked"),
        (
            [batch(0), MoreScores({(0, 0): RIGHT}), batch(1, 2, 3), MoreScores({(0, 0): RIGHT})],
            "twice to a changed",
        ),
        ([MoreScores({}), batch(0, 1, 2, 3)], "MoreScores in place of a batch"),
        ([batch(0, 1, 2, 3), MoreScores({}), MoreScores({})], "MoreScores in place of a batch"),
        ([batch(0, 1, 2, 3), MoreScores([])], "list in place of replies to further requests"),  # type: ignore[arg-type]
        ([batch(0, 1, 2, 3), MoreScores({(0, 0): Scores("", 0, ())})], "gave 0 sets of numbers for q0"),
    ],
)
def test_replies_to_further_requests_are_checked(replies: Sequence[Any], message: str) -> None:
    engine: Any = Played(replies)
    further = [request_of("x"), request_of("y")]
    asked = checked.score_with_more(engine, ASKED, lambda _: further)
    if message:
        with pytest.raises(EngineMistake, match=message):
            list(asked)
    else:
        assert list(asked) == replies
