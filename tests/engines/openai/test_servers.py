"""The engine openai: what servers can do, what they do wrong, and what is made of it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from played_server import Played, drip, logprob, serve, tokens_of

from bench.engines.engine import Opening, in_order
from bench.engines.openai.cuts import Cuts
from bench.engines.openai.engine import NO_COUNT, ServerEngine, open_openai
from bench.engines.openai.scoring import text_scores
from bench.engines.openai.wire import Token
from bench.errors import BenchError, Unavailable
from bench.inputs.located import Trust
from bench.inputs.model_card import ModelCard
from bench.types import GenerateRequest, Item, Message, PromptStyle, ScoreRequest, Scores

ITEM = Item("q1", "Which organ?", ("Liver", "Pancreas"), 1)
PROMPT = "Which organ makes insulin? A. Liver B. Pancreas Answer:"
SETS = ((" A", " B"), (" Liver", " Pancreas it is"))
REQUEST = ScoreRequest(ITEM, PROMPT, SETS)
KEY = "sk-0123456789abcdef"
SOON = {"retry-after-ms": "1"}


def card(url: str, **settings: Any) -> ModelCard:
    return ModelCard(
        name="served", title="Served", family="served", engine="openai", architecture="decoder",
        license="mit", chat=True, settings={"url": url, "model": "played", "timeout": 2} | settings,
    )  # fmt: skip


@pytest.fixture
def played() -> Iterator[Played]:
    with serve(Played()) as server:
        yield server


def opened(played: Played, style: PromptStyle = "plain", **settings: Any) -> ServerEngine:
    return open_openai(Opening(card(played.url, **settings), style=style))


def scored(engine: ServerEngine, *requests: ScoreRequest) -> list[Scores]:
    return in_order(engine.score([engine.encode(request) for request in requests]))


def chat_request(engine: ServerEngine, content: str = PROMPT) -> ScoreRequest:
    prompt = engine.render([Message("user", content)], thinking=False)
    return ScoreRequest(ITEM, prompt, (("A", "B"), ("Liver", "Pancreas")), templated=True)


def true_sum(prompt: str, continuation: str) -> float:
    before, tokens = tokens_of(prompt), tokens_of(continuation)
    return sum(logprob([*before, *tokens[:at]], token) for at, token in enumerate(tokens))


def test_texts_that_are_echoed_give_all_views(played: Played) -> None:
    engine = opened(played)
    [scores] = scored(engine, REQUEST)
    expected = [[true_sum(PROMPT, text) for text in texts] for texts in SETS]
    assert [list(values) for values in scores.logprobs] == [pytest.approx(values) for values in expected]
    assert scores.tokens == ((1, 1), (1, 3))
    assert (engine.letters_only, engine.limits) == (False, ())
    facts = engine.server_facts()
    assert (facts.model, facts.fingerprint, facts.version) == ("played", "fp_1", "9.9")


def test_vllm_scores_the_texts_of_chats(played: Played) -> None:
    played.vllm = True
    engine = opened(played, "chat")
    [scores] = scored(engine, chat_request(engine))
    # A chat of the played server is its messages, a line each.
    assert scores.logprobs[1] == pytest.approx(
        [true_sum(PROMPT, f"\n{text}") for text in ("Liver", "Pancreas")]
    )
    assert not engine.letters_only
    chats = [body for path, _, body in played.requests if path.endswith("chat/completions")]
    assert any(body.get("continue_final_message") for body in chats)


def test_vllm_returns_the_tokens_of_prompts_twice(played: Played) -> None:
    """Those of the prompt alone beside those of prompt and reply."""
    played.vllm = True
    engine = opened(played)
    [scores] = scored(engine, REQUEST)
    assert not engine.letters_only
    assert scores.logprobs[0] == pytest.approx([true_sum(PROMPT, letter) for letter in SETS[0]])


def test_a_list_that_is_empty_is_asked_for_again(played: Played) -> None:
    """As of llama-cpp-python, where the drawn token ends the text."""

    def ends(path: str, _headers: object, body: dict[str, Any]) -> Any:
        if PROMPT not in str(body) or (body["temperature"] == 2 and body["seed"] == 3):
            return None
        return 200, {}, {"choices": [{"text": "", "logprobs": {"tokens": [], "top_logprobs": []}}]}

    played.echo, played.fault = False, ends
    [scores] = scored(opened(played), REQUEST)
    assert scores.logprobs[0] == pytest.approx([true_sum(PROMPT, letter) for letter in SETS[0]])


def test_letters_that_are_listed_without_their_space_are_found(played: Played) -> None:
    played.echo, played.bare = False, True
    engine = opened(played)
    [scores] = scored(engine, REQUEST)
    assert scores.logprobs[0] == pytest.approx([true_sum(PROMPT, letter) for letter in SETS[0]])
    assert "without the space before them" in engine.limits[0]


def test_letters_are_read_from_the_likeliest_tokens(played: Played) -> None:
    played.echo = False
    engine = opened(played)
    [scores] = scored(engine, REQUEST)
    assert scores.logprobs[0] == pytest.approx([true_sum(PROMPT, letter) for letter in SETS[0]])
    assert scores.logprobs[1] == ()
    assert not scores.bounded
    assert engine.letters_only
    assert "gives no log-probabilities of the text of prompts (echo)" in engine.limits[0]


def test_letters_of_a_chat_are_asked_without_thinking(played: Played) -> None:
    engine = opened(played, "chat")
    [scores] = scored(engine, chat_request(engine))
    assert scores.logprobs[0] == pytest.approx([true_sum(PROMPT, letter) for letter in ("A", "B")])
    assert "prompt_logprobs" in engine.limits[0]
    asked = [body for *_, body in played.requests if PROMPT in str(body.get("messages"))]
    assert asked[0]["chat_template_kwargs"] == {"enable_thinking": False}


def test_a_letter_that_is_not_listed_has_an_upper_bound(played: Played) -> None:
    """Of five listed tokens, some have one of the letters."""
    played.echo, played.most = False, 5
    engine = opened(played)
    requests = [replace(REQUEST, prompt=f"{n} {PROMPT}") for n in range(60)]
    replies = scored(engine, *requests)
    in_part = [
        (request, each) for request, each in zip(requests, replies, strict=True) if len(each.bounded) == 1
    ]
    assert in_part
    for request, scores in in_part:
        [bounded] = scores.bounded
        value = scores.logprobs[0][bounded]
        assert value < scores.logprobs[0][1 - bounded]
        assert value >= true_sum(request.prompt, SETS[0][bounded])


def test_a_model_that_answers_with_no_letter_is_a_failure(played: Played) -> None:
    played.echo = False
    engine = opened(played)
    asked = replace(REQUEST, continuations=(("\nA", "\nB"), SETS[1]))
    with pytest.raises(
        BenchError,
        match=r"lists no letter among the likeliest tokens of the first 16 questions: .* --generate",
    ):
        scored(engine, *[replace(asked, prompt=f"{n} {PROMPT}") for n in range(20)])


def test_a_server_without_log_probabilities_only_writes(played: Played) -> None:
    played.most = None
    engine = opened(played)
    with pytest.raises(BenchError, match=r"lists no likeliest tokens.*it can only write, so use --generate"):
        engine.encode(REQUEST)
    request = GenerateRequest(ITEM, PROMPT, False, 64, ("is B",), 0.7, 2, 1)
    [batch] = engine.generate([request], [()])
    [[first, second]] = batch.replies
    assert (first.text, first.finished, first.tokens) == ("The answer ", True, 4)
    assert first == second
    assert batch.prompt_tokens == (len(tokens_of(PROMPT)),)
    bodies = [body for _, _, body in played.requests if body.get("max_tokens") == 64]
    assert len({body["seed"] for body in bodies}) == 2
    assert all(body["temperature"] == 0.7 and body["stop"] == ["is B"] for body in bodies)


def test_a_server_that_writes_nothing_is_a_failure(played: Played) -> None:
    played.reply = " "
    engine = open_openai(Opening(card(played.url), style="chat", writes=True))
    prompt = engine.render([Message("user", PROMPT)], thinking=True)
    request = GenerateRequest(ITEM, prompt, True, 64, (), 0, 1, 1)
    with pytest.raises(BenchError, match="first 10 replies are empty"):
        list(engine.generate([request] * 10, [()] * 10))


def test_a_server_that_writes_and_counts_no_tokens_says_so(played: Played) -> None:
    played.counts = False
    engine = open_openai(Opening(card(played.url), style="chat", writes=True))
    assert engine.limits == (NO_COUNT,)


def test_a_prompt_beyond_the_context_of_the_card_is_too_long(played: Played) -> None:
    for echo in (True, False):
        played.echo = echo
        engine = open_openai(Opening(card(played.url).model_copy(update={"context": 20}), style="plain"))
        long = replace(REQUEST, prompt=f"{'fever and cough ' * 5}{PROMPT}")
        [batch] = engine.score([engine.encode(each) for each in (REQUEST, long)])
        assert batch.too_long == (1,)


@pytest.mark.parametrize(("logprob", "alike"), [(-2.0, frozenset({0, 1})), (-3.0, frozenset[int]())])
def test_options_with_the_same_tokens_are_found(logprob: float, alike: frozenset[int]) -> None:
    """Of a tokenizer that ignores case; two tokens with one text but other log-probabilities differ."""
    values = {" Liver": -2.0, " LIVER": logprob, " Kidney": -1.0}

    def tokens_of(continuation: str) -> list[Token]:
        end = [Token(continuation.lower(), values[continuation])] if continuation else []
        return [Token("Answer:", None), *end]

    request = replace(REQUEST, continuations=(tuple(values),))
    scores = text_scores(request, tokens_of, None)
    assert scores.alike == (alike,)
    assert scores.logprobs == ((-2.0, logprob, -1.0),)


def equal_values(body: dict[str, Any]) -> dict[str, Any]:
    logprobs = body["choices"][0].get("logprobs")
    if logprobs:
        logprobs["token_logprobs"] = [-1.0 for _ in logprobs["tokens"]]
    return body


def equal_list(body: dict[str, Any]) -> dict[str, Any]:
    logprobs = body["choices"][0].get("logprobs")
    if logprobs:
        logprobs["top_logprobs"] = [dict.fromkeys((" A", " B", " C"), -7.0)]
    return body


def same_list(body: dict[str, Any]) -> dict[str, Any]:
    logprobs = body["choices"][0].get("logprobs")
    if logprobs:
        logprobs["top_logprobs"] = [{" A": -1.0, " B": -2.0}]
    return body


def too_likely(body: dict[str, Any]) -> dict[str, Any]:
    logprobs = body["choices"][0].get("logprobs")
    if logprobs:
        logprobs["top_logprobs"] = [{" A": -0.1, " B": -0.2}]
    return body


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (equal_list, "gives all of its likeliest tokens the same probability"),
        (same_list, "the same after two different texts"),
        (too_likely, "add up to more than 1"),
    ],
)
def test_likeliest_tokens_that_contradict_arithmetic_are_not_used(
    played: Played, change: Any, reason: str
) -> None:
    played.change, played.echo = change, False
    with pytest.raises(BenchError, match=reason):
        opened(played).encode(REQUEST)


def test_equal_log_probabilities_of_a_text_are_not_used(played: Played) -> None:
    played.change = equal_values
    engine = opened(played)
    assert engine.letters_only
    assert "gives all tokens of a text the same log-probability" in engine.limits[0]


def test_log_probabilities_of_another_place_are_not_used(played: Played) -> None:
    """As llama-cpp-python returns them for models without a BOS token."""
    played.shift = 1
    engine = opened(played)
    assert engine.letters_only
    assert "contradict those of the next token" in engine.limits[0]
    [scores] = scored(engine, REQUEST)
    assert scores.logprobs[0] == pytest.approx([true_sum(PROMPT, letter) for letter in SETS[0]])


def test_a_prompt_that_the_server_cuts_is_too_long(played: Played) -> None:
    played.echo, played.context = False, 40
    engine = opened(played)
    long = replace(REQUEST, prompt=f"{'fever and cough ' * 30}{PROMPT}")
    batches = list(engine.score([engine.encode(each) for each in (REQUEST, long, REQUEST)]))
    assert [batch.too_long for batch in batches] == [(1,)]
    assert batches[0].indices == (0, 2)


def test_a_prompt_that_the_server_refuses_as_too_long_is_counted(played: Played) -> None:
    def refuse(_path: str, _headers: object, body: dict[str, Any]) -> Any:
        if len(str(body.get("prompt", ""))) > 300:
            text = "This model's maximum context length is 64 tokens, however you requested 90 tokens"
            return 400, {}, {"error": {"message": text, "code": "context_length_exceeded"}}
        return None

    played.fault = refuse
    engine = opened(played)
    long = replace(REQUEST, prompt=f"{'fever and cough ' * 30}{PROMPT}")
    [batch] = engine.score([engine.encode(each) for each in (REQUEST, long)])
    assert (batch.indices, batch.too_long) == ((0,), (1,))


def test_a_server_that_counts_no_tokens_says_so(played: Played) -> None:
    played.counts = played.echo = False
    engine = opened(played)
    assert any("does not count tokens" in limit for limit in engine.limits)
    assert scored(engine, REQUEST)


@pytest.mark.parametrize(("tokens", "cut"), [(100, False), (99, False), (60, True), (150, False)])
def test_halves_tell_whether_a_prompt_was_cut(tokens: int, cut: bool) -> None:
    """Each word is a token, and the server adds three."""
    text = " ".join(["word"] * 97)
    cuts = Cuts(lambda part: len(part.split()) + 3)
    assert cuts.is_cut([text], tokens) is cut


def counting(asked: list[str], more: int = 0) -> Cuts:
    def count(part: str) -> int:
        asked.append(part)
        return len(part.split()) + more

    return Cuts(count)


def test_prompts_as_long_as_a_whole_one_are_not_checked_again() -> None:
    asked: list[str] = []
    cuts = counting(asked)
    for words in (90, 80, 89, 90, 70):
        assert not cuts.is_cut([" ".join(["word"] * words)], words)
    assert len(asked) == 3


def test_a_chat_that_lost_an_exemplar_was_cut_although_it_is_shorter_than_a_whole_one() -> None:
    """As Ollama does: it drops the oldest messages until the rest fits."""
    asked: list[str] = []
    cuts = counting(asked, 5)
    exemplars = [f"exemplar {at} {'word ' * 30}".strip() for at in range(4)]

    def tokens(messages: list[str]) -> int:
        return sum(len(each.split()) for each in messages) + 5 * len(messages)

    for words in (50, 60, 55, 40):
        question = "word " * words
        assert not cuts.is_cut([*exemplars, question], tokens([*exemplars, question]))
    checked = len(asked)
    assert checked < 10
    question = "word " * 58
    assert cuts.is_cut([*exemplars, question], tokens([*exemplars[1:], question]))


def busy(times: int, status: int = 429) -> Any:
    left = [times]

    def fault(path: str, _headers: object, _body: object) -> Any:
        if not path.endswith("completions") or left[0] == 0:
            return None
        left[0] -= 1
        return status, SOON, {"error": {"message": "come back later"}}

    return fault


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(played: Played, status: int) -> None:
    played.fault = busy(3, status)
    assert scored(opened(played), REQUEST)


def says(answer: Any, status: int = 200, **headers: str) -> Any:
    return lambda path, _headers, _body: (status, headers, answer) if path.endswith("completions") else None


def endless(_path: str, _headers: object, _body: object) -> Any:
    return 200, {}, drip(b'{"choices": [', 0.2)


def flood(_path: str, _headers: object, _body: object) -> Any:
    return 200, {}, drip(b"x" * (1 << 20), 0.0)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (busy(99), r"still refuses after 6 more tries \(429\): come back later; lower settings.concurrency"),
        (busy(99, 500), r"fails, also after 6 more tries \(500\): come back later; see its log"),
        (says({"error": {"message": "no key"}}, 401), r"wants a key \(401\): no key; name the variable"),
        (
            says({"error": "gone"}, 404),
            r"knows no such model or address \(404\): gone; it has the model, so it may",
        ),
        (says({}, 307, location="https://elsewhere.example/v1"), "sends its clients on to https://elsewhere"),
        (
            says(b"<html>Welcome</html>"),
            "answers '<html>Welcome</html>', which is not JSON; correct settings.url",
        ),
        (says(b'{"choices": [{"te'), "which is not JSON"),
        (says({"ok": True}), r"answers in another form \(choices: Field required\)"),
        (says({"error": {"message": "no memory"}}), r"answers '\{'message': 'no memory'\}'; see its doc"),
        (says({"choices": [{}]}), r"answers in another form \(choices.0: Value error, neither text nor"),
        (says(b"[" * 100_000), "which is not JSON"),
        (
            says({"error": "the upstream request took too long"}, 504, **SOON),
            r"fails, also after 6 more tries \(504\)",
        ),
        (says({"error": "the prompt is too long"}, 400), "finds a text of a few words too long"),
        (says({"choices": []}), r"answers in another form \(choices: List should have at least 1 item"),
        (says(["choices"]), "answers in another form"),
        (says({"choices": [{"text": 5}]}), r"answers in another form \(choices.0.text"),
    ],
)
def test_a_faulty_server_is_one_sentence(played: Played, fault: Any, reason: str) -> None:
    played.fault = fault
    with pytest.raises(BenchError, match=reason) as failure:
        opened(played)
    assert "\n" not in str(failure.value)
    assert str(failure.value).startswith("the server ")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (endless, r"did not end its answer within 0\.5 seconds; raise settings\.timeout"),
        (lambda *_: time.sleep(0.8), r"did not answer within 0\.5 seconds; raise settings\.timeout"),
    ],
)
def test_a_server_that_hangs_ends_after_its_time(played: Played, fault: Any, reason: str) -> None:
    played.fault = lambda path, *more: fault(path, *more) if "completions" in path else None
    start = time.monotonic()
    with pytest.raises(BenchError, match=reason):
        opened(played, timeout=0.5)
    assert len([path for path, *_ in played.requests if "completions" in path]) == 1
    assert time.monotonic() - start < 30


def test_an_answer_without_an_end_is_not_read_to_the_end(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.engines.openai.transport.MOST_BYTES", 4 << 20)
    played.fault = lambda path, *more: flood(path, *more) if "completions" in path else None
    with pytest.raises(BenchError, match="sends an answer of more than 4 MiB"):
        opened(played, timeout=20)


def test_a_wrong_model_is_told_with_those_that_there_are(played: Played) -> None:
    with pytest.raises(
        BenchError, match=r"model other does not exist.; it has played: correct settings.model"
    ):
        opened(played, model="other")


def test_no_key_is_sent_that_the_card_does_not_name(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"x-secret: {KEY}")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    scored(opened(played), REQUEST)
    assert played.requests
    for _, headers, _ in played.requests:
        assert KEY not in str(headers)
        assert not {name for name in headers if name.startswith(("x-", "openai"))}


def test_a_key_is_sent_and_said_nowhere(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(path: str, headers: dict[str, str], _body: object) -> Any:
        return (
            (401, {}, {"error": {"message": f"Incorrect key {headers['authorization']}"}})
            if "compl" in path
            else None
        )

    monkeypatch.setenv("SERVED_KEY", KEY)
    scored(opened(played, key="SERVED_KEY"), REQUEST)
    assert played.requests[-1][1]["authorization"] == f"Bearer {KEY}"
    played.fault = wrong
    with pytest.raises(BenchError, match=r"Incorrect key Bearer …; correct the key in SERVED_KEY") as failure:
        opened(played, key="SERVED_KEY")
    assert KEY not in str(failure.value)


@pytest.mark.parametrize("value", [f"{KEY}\r\n", f" {KEY} "])
def test_white_space_around_a_key_is_left_out(
    played: Played, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SERVED_KEY", value)
    scored(opened(played, key="SERVED_KEY"), REQUEST)
    assert played.requests[-1][1]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("value", [f"{KEY}\r\nx", f"{KEY} x", f"{KEY}\u00e9"])
def test_what_cannot_be_a_key_is_said_without_it(
    played: Played, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SERVED_KEY", value)
    with pytest.raises(BenchError, match="SERVED_KEY holds no key: a key is one word of ASCII") as failure:
        opened(played, key="SERVED_KEY")
    assert KEY not in str(failure.value)


def test_a_key_that_is_not_set_is_told(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVED_KEY", raising=False)
    with pytest.raises(
        BenchError, match=r"the variable SERVED_KEY, which settings\.key of served's card names, is"
    ):
        opened(played, key="SERVED_KEY")


@pytest.mark.parametrize("trust", [Trust(), Trust(send_to=("other.example",))])
def test_questions_go_to_no_host_that_the_user_did_not_name(trust: Trust) -> None:
    with pytest.raises(
        Unavailable, match=r"would send the questions to api\.example; allow it with --send-to"
    ):
        open_openai(Opening(card("https://api.example/v1"), trust=trust))


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(
        Unavailable, match=r"no server answers at http://127\.0\.0\.1:9/v1; start it, or correct"
    ):
        open_openai(Opening(card("http://127.0.0.1:9/v1")))
