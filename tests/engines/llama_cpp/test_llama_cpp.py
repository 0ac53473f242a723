"""The engine llama.cpp scores GGUF files as transformers scores the same weights."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM

from bench.engines.engine import Opening, in_order
from bench.engines.loading import open_transformers
from bench.errors import BenchError, PromptTooLong
from bench.inputs.model_card import ModelCard
from bench.inputs.weights import Weights
from bench.types import GenerateRequest, Message, ScoreRequest, Scores
from gguf_files import save_gguf
from tiny import ITEM, SIZES, TEXTS, bpe_tokenizer, save_causal, scaled

pytestmark = pytest.mark.llama_cpp

PROMPT = TEXTS[1][:-2]
WORDS = len(bpe_tokenizer())
SETS = ((" A", " B", " C"), (" Liver", " Pancreas is it", " Pancreas if"), (" Liver",))


def card(engine: str, **settings: str | int) -> ModelCard:
    return ModelCard(
        name="tiny", title="Tiny", family="tiny", engine=engine, architecture="decoder", license="mit",
        context=512, settings=dict(settings),
    )  # fmt: skip


def opened(file: Path, batch: float = 1.0, **settings: str | int) -> Any:
    from bench.engines.llama_cpp.engine import open_llama_cpp

    return open_llama_cpp(Opening(card("llama.cpp", **settings), batch=batch), Weights(file, "", 1))


def by_transformers(folder: Path) -> Any:
    return open_transformers(Opening(card("transformers"), "float32"), Weights(folder, "", 1))


def requests(count: int = 5) -> list[ScoreRequest]:
    """Questions with a common beginning of some 100 tokens, of different lengths."""
    return [
        ScoreRequest(ITEM, f"{TEXTS[0]}\n\n{'fever and ' * number}{PROMPT}", SETS) for number in range(count)
    ]


def scored(engine: Any, asked: Iterable[ScoreRequest]) -> list[Scores]:
    return in_order(engine.score([engine.encode(request) for request in asked]))


def flat(replies: Iterable[Scores]) -> list[float]:
    return [value for reply in replies for values in reply.logprobs for value in values]


@pytest.fixture(scope="module", params=["llama", "qwen3"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp("saved") / request.param, request.param)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A llama of random weights in float32, as a GGUF file."""
    folder = save_causal(tmp_path_factory.mktemp("saved") / "llama", "llama")
    return save_gguf(folder, folder / "model.gguf")


@pytest.mark.parametrize(
    ("form", "cache", "tolerance"), [("F32", "f32", 1e-4), ("F32", "f16", 1e-3), ("F16", "f16", 5e-3)]
)
def test_scores_are_those_of_transformers(saved: Path, form: str, cache: str, tolerance: float) -> None:
    """In F16 the weights themselves are rounded."""
    engine, reference = (
        opened(save_gguf(saved, saved / f"{form}.gguf", form), cache=cache),
        by_transformers(saved),
    )
    asked = requests()
    assert [engine.encode(one).tree for one in asked] == [reference.encode(one).tree for one in asked]
    ours, theirs = scored(engine, asked), scored(reference, asked)
    assert engine.path == "shared"
    assert flat(ours) == pytest.approx(flat(theirs), abs=tolerance)
    assert [reply.greedy for reply in ours] == [reply.greedy for reply in theirs]
    assert [(reply.tokens, reply.prompt_tokens) for reply in ours] == [
        (reply.tokens, reply.prompt_tokens) for reply in theirs
    ]


WINDOW = transformers.Gemma3TextConfig(
    **SIZES | {"num_hidden_layers": 6}, vocab_size=WORDS, head_dim=16, query_pre_attn_scalar=16,
    sliding_window=24, layer_types=["sliding_attention"] * 5 + ["full_attention"],
)  # fmt: skip
STATE = transformers.Lfm2Config(
    **SIZES, vocab_size=WORDS, layer_types=["conv", "full_attention", "conv"], block_multiple_of=8,
    block_auto_adjust_ff_dim=False,
)  # fmt: skip


@pytest.mark.parametrize(("config", "tolerance"), [(WINDOW, 2e-3), (STATE, 1e-4)])
def test_a_window_and_a_state_are_copied_with_the_sequences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Any, tolerance: float
) -> None:
    """Gemma 3's window is shorter than the prompts; llama.cpp rounds its activation function."""
    from bench.engines.llama_cpp.cache import Cache

    torch.manual_seed(7)
    scaled(AutoModelForCausalLM.from_config(config)).save_pretrained(tmp_path / "m")
    bpe_tokenizer().save_pretrained(tmp_path / "m")
    file = save_gguf(tmp_path / "m", tmp_path / "m.gguf")
    engine, reference = opened(file, cache="f32"), by_transformers(tmp_path / "m")
    encoded = [reference.encode(request) for request in requests()]
    ours, theirs = in_order(engine.score(encoded)), in_order(reference.score(encoded))
    assert engine.path == "shared"
    assert engine.cache_shape is None
    assert flat(ours) == pytest.approx(flat(theirs), abs=tolerance)
    # Where sequences could not be copied, a test of the model finds it when it is opened.
    monkeypatch.setattr(Cache, "copy", lambda *_: None)
    assert opened(file, cache="f32").path == "plain"


def test_batches_order_and_questions_done_before_move_no_score(llama: Path) -> None:
    whole = flat(scored(opened(llama, cache="f32"), requests()))
    small = opened(llama, batch=0.05, cache="f32")
    encoded = [small.encode(request) for request in requests()]
    batches = list(small.score(encoded))
    assert len(batches) > 2
    assert flat(in_order(batches)) == pytest.approx(whole, abs=1e-5)
    [left] = list(small.score(encoded, frozenset({0, 1, 2, 4})))
    assert 3 in left.indices
    assert left in batches
    alone = in_order(small.score([encoded[3]]))
    assert flat(alone) == pytest.approx(whole[3 * 7 : 4 * 7], abs=1e-5)


def test_more_rows_than_sequences_are_scored_in_turns(llama: Path) -> None:
    """150 short questions, and one with 150 continuations as bare texts are scored."""
    engine = opened(llama, cache="f32")
    asked = [ScoreRequest(ITEM, f"Answer {number}:", SETS) for number in range(150)]
    assert flat(scored(engine, asked)) == pytest.approx(
        flat(scored(engine, asked[:1])) + flat(scored(engine, asked[1:])), abs=1e-5
    )
    texts = [(f" {number} Liver",) for number in range(150)]
    together = scored(engine, [ScoreRequest(ITEM, PROMPT, tuple(texts))])
    alone = scored(engine, [ScoreRequest(ITEM, PROMPT, (text,)) for text in texts])
    assert flat(together) == pytest.approx(flat(alone), abs=1e-5)


def test_a_full_cache_makes_batches_smaller(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size is held at what one question needs, as where memory has run out."""
    from bench.engines.llama_cpp import cache

    whole = flat(scored(opened(llama, cache="f32"), requests(12)))
    engine = opened(llama, cache="f32")

    class Small(cache.Cache):
        def __init__(self, model: Any, settings: Any, cells: int, room: Any) -> None:
            super().__init__(model, settings, 256, room)
            self.cells = cells

    monkeypatch.setattr(cache, "Cache", Small)
    engine.caches.close()
    encoded = [engine.encode(request) for request in requests(12)]
    batches = list(engine.score(encoded))
    assert max(len(batch.indices) for batch in batches) < 12
    assert flat(in_order(batches)) == pytest.approx(whole, abs=1e-5)


def test_a_question_beyond_the_window_is_refused(llama: Path) -> None:
    engine = opened(llama)
    with pytest.raises(PromptTooLong):
        engine.encode(ScoreRequest(ITEM, "fever " * 600, SETS))


def generation(prompt: str, **more: Any) -> GenerateRequest:
    values: dict[str, Any] = {
        "templated": False, "max_new_tokens": 12, "stop": (), "temperature": 0.0, "samples": 1, "seed": 3,
    }  # fmt: skip
    return GenerateRequest(item=ITEM, prompt=prompt, **values | more)


def completions(engine: Any, asked: list[GenerateRequest]) -> list[tuple[Any, ...]]:
    prompts = [engine.encode_prompt(request) for request in asked]
    replies = {
        index: reply
        for batch in engine.generate(asked, prompts)
        for index, reply in zip(batch.indices, batch.replies, strict=True)
    }
    return [replies[index] for index in range(len(asked))]


def test_greedy_text_is_that_of_transformers(saved: Path) -> None:
    engine = opened(save_gguf(saved, saved / "greedy.gguf"), cache="f32")
    asked = [generation(text) for text in (PROMPT, TEXTS[0], f"fever {PROMPT}")]
    theirs = completions(by_transformers(saved), asked)
    assert completions(engine, asked) == theirs
    stop = theirs[0][0].text[3:6]
    [(stopped,)] = completions(engine, [generation(PROMPT, stop=(stop,))])
    assert stopped.text == theirs[0][0].text[: theirs[0][0].text.index(stop)]
    assert stopped.finished


def test_a_sample_does_not_depend_on_its_batch(llama: Path) -> None:
    engine = opened(llama, cache="f32")
    sampled = [generation(text, temperature=1.0, samples=3) for text in (PROMPT, TEXTS[0])]
    together = completions(engine, sampled)
    assert len({reply.text for replies in together for reply in replies}) == 6
    assert completions(engine, sampled[1:]) == together[1:]
    assert completions(engine, [generation(PROMPT, temperature=1.0, samples=2)])[0] == together[0][:2]
    many = generation(PROMPT, temperature=1.0, samples=70, max_new_tokens=12)
    [replies] = completions(engine, [many])  # more than the cache has sequences
    assert len(replies) == 70
    assert replies[:3] == together[0]


def test_the_chat_template_of_the_file_is_rendered_as_by_transformers(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
        "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
    )
    folder = save_causal(tmp_path / "chat", "llama")
    reference = by_transformers(folder)
    reference.tokenizer.chat_template = template
    reference.tokenizer.save_pretrained(folder)
    engine = opened(save_gguf(folder, folder / "chat.gguf"))
    messages = [Message("system", "Answer."), Message("user", PROMPT)]
    text = engine.render(messages, thinking=False)
    assert text == reference.render(messages, thinking=False)
    asked = ScoreRequest(ITEM, text, (("A", "B"),), templated=True)
    assert engine.encode(asked).tree == reference.encode(asked).tree


def test_a_file_without_a_chat_template_says_what_to_use(llama: Path) -> None:
    with pytest.raises(BenchError, match="no chat template; use --prompt plain"):
        opened(llama).render([Message("user", "x")], thinking=False)


def test_what_the_library_does_not_know_is_one_sentence(tmp_path: Path, llama: Path) -> None:
    data = llama.read_bytes()
    unknown = tmp_path / "unknown.gguf"
    at = data.index(b"llama", data.index(b"general.architecture"))
    unknown.write_bytes(data[:at] + b"lxama" + data[at + 5 :])
    with pytest.raises(
        BenchError, match=r"llama\.cpp cannot load unknown\.gguf: .*unknown model architecture: 'lxama'"
    ):
        opened(unknown)
    bare = save_gguf(llama.parent, tmp_path / "bare.gguf", tokenizer=False)
    with pytest.raises(BenchError, match=r"llama\.cpp cannot load bare\.gguf|holds no tokenizer"):
        opened(bare)
    with pytest.raises(BenchError, match="uses no GPU"):
        opened(llama, gpu_layers=3)
