"""What models write: the same text whatever shares the batch."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from bench.engines.transformer import TransformerEngine
from bench.engines.writing import Draws
from bench.errors import PromptTooLong
from bench.types import Completion, GenerateRequest
from tiny import ITEM, opened, prompts, save_causal, save_t5


def asked(prompt: str, **changed: object) -> GenerateRequest:
    usual = GenerateRequest(
        item=ITEM, prompt=prompt, templated=False, max_new_tokens=12, stop=(), temperature=0.0, samples=1,
        seed=0,
    )  # fmt: skip
    return replace(usual, **changed)


def wrote(engine: TransformerEngine, requests: Sequence[GenerateRequest]) -> list[tuple[Completion, ...]]:
    """In the order of the requests."""
    replies = {
        index: reply
        for batch in engine.generate(requests, [engine.encode_prompt(one) for one in requests])
        for index, reply in zip(batch.indices, batch.replies, strict=True)
    }
    return [replies[index] for index in range(len(requests))]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> TransformerEngine:
    return opened(save_causal(tmp_path_factory.mktemp("m"), "llama"))


def test_greedy_writing_takes_the_likeliest_token_each_time(llama: TransformerEngine) -> None:
    prompt = prompts(1)[0]
    ids = llama.tokenizer(prompt, return_tensors="pt")["input_ids"]
    start = ids.shape[1]
    with torch.no_grad():
        while ids.shape[1] < start + 12 and (ids.shape[1] == start or ids[0, -1] != 2):
            ids = torch.cat([ids, llama.model(ids).logits[:, -1:].argmax(-1)], dim=1)
    [[completion]] = wrote(llama, [asked(prompt)])
    assert completion.text == llama.tokenizer.decode(ids[0, start:], skip_special_tokens=True)
    assert completion.text


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_written_does_not_depend_on_the_batch(llama: TransformerEngine, temperature: float) -> None:
    samples = 3 if temperature else 1
    requests = [asked(prompt, temperature=temperature, samples=samples) for prompt in prompts(7)]
    together = wrote(llama, requests)
    assert [wrote(llama, [one])[0] for one in requests] == together
    assert wrote(replace(llama, batch_tokens=1), requests[::-1])[::-1] == together
    assert all(len(reply) == samples for reply in together)


def test_samples_differ_and_follow_the_seed(llama: TransformerEngine) -> None:
    one = asked(prompts(1)[0], temperature=2.0, samples=4)
    [first] = wrote(llama, [one])
    assert len({reply.text for reply in first}) > 1
    assert wrote(llama, [one]) == [first]
    assert wrote(llama, [replace(one, seed=1)]) != [first]


def test_draws_are_as_likely_as_the_softmax_says() -> None:
    logits = torch.log(torch.tensor([[0.1, 0.2, 0.7]])).repeat(4000, 1)
    drawn = Draws(1.0, range(4000))(torch.zeros(4000, 1), logits).argmax(-1)
    shares = torch.bincount(drawn, minlength=3) / 4000
    assert torch.allclose(shares, torch.tensor([0.1, 0.2, 0.7]), atol=0.03)
    sharp = Draws(0.01, range(100))(torch.zeros(100, 1), logits[:100]).argmax(-1)
    assert set(sharp.tolist()) == {2}


def test_writing_ends_before_a_stop_text(llama: TransformerEngine) -> None:
    requests = [asked(prompt) for prompt in prompts(3)]
    whole = [reply[0].text for reply in wrote(llama, requests)]
    stop = whole[0][3:6]
    [[cut]] = wrote(llama, [replace(requests[0], stop=(stop,))])
    assert cut.text == whole[0][: whole[0].index(stop)]
    assert cut.finished
    [[long]] = wrote(llama, [replace(requests[1], stop=("never written",))])
    assert long.finished == (long.tokens < 12)


def test_a_stop_text_is_looked_for_in_the_reply_alone_and_ends_a_row_s_count(
    llama: TransformerEngine,
) -> None:
    requests = [asked(prompt) for prompt in prompts(6)]
    whole = [reply[0] for reply in wrote(llama, requests)]
    end = requests[0].prompt[-1] + whole[0].text[:2]  # across the border
    assert wrote(llama, [replace(requests[0], stop=(end,))]) == [(whole[0],)]
    stop = whole[0].text[2:5]
    alone = [wrote(llama, [replace(one, stop=(stop,))])[0] for one in requests]
    assert wrote(llama, [replace(one, stop=(stop,)) for one in requests]) == alone
    assert alone[0][0].tokens < whole[0].tokens


def test_a_prompt_and_its_answer_must_fit_the_window(llama: TransformerEngine) -> None:
    with pytest.raises(PromptTooLong):
        llama.encode_prompt(asked(prompts(1)[0], max_new_tokens=600))


def test_t5_writes_too(tmp_path: Path) -> None:
    engine = opened(save_t5(tmp_path / "t5"), "encoder-decoder", context=512)
    requests = [asked(prompt) for prompt in prompts(4)]
    together = wrote(engine, requests)
    assert [wrote(engine, [one])[0] for one in requests] == together
    ids = engine.tokenizer(requests[0].prompt, return_tensors="pt")
    plain = engine.model.generate(**ids, max_new_tokens=12, do_sample=False)[0, 1:]
    assert together[0][0].text == engine.tokenizer.decode(plain, skip_special_tokens=True)


def test_what_a_model_is_saved_with_changes_nothing_of_what_is_asked(tmp_path: Path) -> None:
    folder = save_causal(tmp_path / "m", "llama")
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.generation_config.do_sample = True
    model.generation_config.temperature = 5.0
    model.generation_config.no_repeat_ngram_size = 1
    model.generation_config.forced_eos_token_id = 2
    model.save_pretrained(folder)
    plain = save_causal(tmp_path / "plain", "llama")
    one = [asked(prompts(1)[0], max_new_tokens=40)]
    assert wrote(opened(folder), one) == wrote(opened(plain), one)
