"""Options that become the same tokens give no answer: the model cannot tell them apart."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from bench.engines import tokenizing
from bench.engines.tokenizing import encode_causal
from bench.inputs.task import Scoring
from bench.scoring.metrics import measure
from bench.scoring.record import Record
from bench.scoring.recording import same_tokens, scored, views_of
from bench.types import Item, ScoreRequest, Scores
from conftest import write_lines
from tiny import TEXTS, add_card, save_causal

ITEM = Item("q", "Which sign?", ("≥ 5", "≤ 5", "fever", "fever"), 0)
SCORING = Scoring(view="letter")
LETTERS, OPTIONS = (" A", " B", " C", " D"), tuple(f" {text}" for text in ITEM.options)


def words() -> PreTrainedTokenizerFast:
    """Words without their case; what it does not know is one unknown token."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=["<unk>", "<s>", "</s>"])
    tokenizer.train_from_iterator([*TEXTS, "5 D?"], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")


def record(view: str, letters: tuple[float, ...], texts: tuple[float, ...]) -> Record:
    scoring = SCORING.model_copy(update={"view": view})
    encoded = encode_causal(words(), ScoreRequest(ITEM, "Which sign? Answer:", (LETTERS, OPTIONS)))
    views = {"letter": letters, "text": texts, "text_per_char": texts}
    reply = Scores("Which sign? Answer:", 4, (letters, texts))
    return scored(ITEM, scoring, views, reply, 0.1, same_tokens(encoded.alike, views_of(scoring)))


HIGH, LOW = (-1.0, -2.0, -3.0, -4.0), (-3.0, -3.0, -1.0, -1.0)


def test_the_best_of_two_options_with_the_same_tokens_is_no_answer() -> None:
    one = record("text", letters=HIGH, texts=HIGH)
    assert (one.parse_status, one.model_output.final_answer, one.is_correct) == ("same_tokens", None, False)
    assert set(one.scores) == {"letter"}
    metrics = measure([one], {})
    assert (metrics.unread, metrics.statuses) == (1, {"same_tokens": 1})


def test_options_with_the_same_tokens_that_are_not_the_best_change_nothing() -> None:
    one = record("text", letters=HIGH, texts=LOW)
    # "fever" and "fever" are the same text, so the first counts as before.
    assert (one.parse_status, one.model_output.final_answer) == ("scored", "C")
    assert set(one.scores) == {"letter", "text", "text_per_char"}


def test_letters_that_can_be_told_apart_answer_whatever_the_texts_are() -> None:
    one = record("letter", letters=HIGH, texts=HIGH)
    assert (one.parse_status, one.model_output.final_answer) == ("scored", "A")


def test_without_the_comparison_the_first_of_them_would_be_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokenizing, "_same", lambda *_: frozenset())
    assert record("text", letters=HIGH, texts=HIGH).model_output.final_answer == "A"


def test_case_that_a_tokenizer_ignores_makes_the_same_tokens() -> None:
    cased = replace(ITEM, options=("fever", "Fever", "5", "?"))
    request = ScoreRequest(cased, "Answer:", (LETTERS, tuple(f" {text}" for text in cased.options)))
    alike = same_tokens(encode_causal(words(), request).alike, views_of(SCORING))
    assert (alike["letter"], alike["text"]) == (frozenset(), {0, 1})


def test_a_run_counts_them_and_says_so_in_the_terminal_and_on_the_page(
    bench: Callable[..., Result], anatomy: Path, project: Path
) -> None:
    rows = [{"id": "q1", "question": "Which?", "options": ["≥", "≤"], "answer": 0}]
    write_lines(anatomy.parent / "test.jsonl", rows)
    anatomy.write_text(anatomy.read_text().replace("prompt: |-", "scoring: {view: text}\nprompt: |-"))
    add_card(project, "mine", save_causal(project / "weights", "llama", words()))
    told = bench("run", "--models", "mine", "--tasks", "anatomy")
    reason = "1 × the best option has the same tokens as another"
    assert "0 of 1 right in " in told.stderr
    assert f"; without an answer: {reason}" in told.stderr
    assert bench("results", "check").exit_code == 0
    assert bench("leaderboard", "build").exit_code == 0
    pages = [path.read_text() for path in (project / "site").rglob("*.html")]
    assert any(
        f"1 questions have no readable answer and count as wrong ({reason})." in page for page in pages
    )
