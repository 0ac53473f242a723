"""Fewer bits a weight: real quantised models on the CPU, what they hold and what they score."""

from pathlib import Path
from typing import get_args

import pytest
import torch

from bench.engines.engine import in_order
from bench.engines.quantizing import keep_unpacked
from bench.engines.transformer import TransformerEngine
from bench.types import GenerateRequest, Quantization, ScoreRequest
from tiny import ITEM, opened, prompts, save_causal, save_t5

KINDS = [kind for kind in get_args(Quantization) if kind != "none"]
FAMILIES = ["llama", "qwen2", "qwen3", "phi", "phi3", "t5"]


def engine(folder: Path, family: str, quantize: Quantization) -> TransformerEngine:
    architecture = "encoder-decoder" if family == "t5" else "decoder"
    save = save_t5(folder) if family == "t5" else save_causal(folder, family)
    return opened(save, architecture, quantize=quantize)


def letters(engine: TransformerEngine, texts: list[str]) -> list[float]:
    requests = [ScoreRequest(ITEM, text, ((" A", " B", " C"),)) for text in texts]
    replies = in_order(engine.score([engine.encode(request) for request in requests]))
    return [value for scores in replies for value in scores.logprobs[0]]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("quantize", KINDS)
def test_a_quantised_model_is_smaller_and_scores_near_the_whole_one(
    tmp_path: Path, family: str, quantize: Quantization
) -> None:
    whole, held = engine(tmp_path / "a", family, "none"), engine(tmp_path / "b", family, quantize)
    assert held.model_bytes < whole.model_bytes
    want, got = letters(whole, prompts(6)), letters(held, prompts(6))
    away = sum(abs(a - b) for a, b in zip(want, got, strict=True)) / len(want)
    # 4 bits move a T5 of random weights far, since all its layers matter alike.
    share = 0.5 if family == "t5" and quantize != "int8" else 0.2
    assert 0 < away < share * (max(want) - min(want))


@pytest.mark.parametrize("quantize", KINDS)
def test_what_shares_a_batch_moves_no_quantised_score(tmp_path: Path, quantize: Quantization) -> None:
    quantised = engine(tmp_path, "llama", quantize)
    texts = prompts(8)
    together = letters(quantised, texts)
    alone = [value for text in texts for value in letters(quantised, [text])]
    # In 8 bits a rounding of an activation may fall to the other side.
    limit = 0.1 if quantize == "int8" else 1e-3
    assert together == pytest.approx(alone, abs=limit)


def test_t5_keeps_its_output_head_and_its_widest_layers_whole(tmp_path: Path) -> None:
    model = engine(tmp_path, "t5", "nf4").model
    whole = {name for name, weight in model.named_parameters() if weight.dtype.is_floating_point}
    assert "lm_head.weight" in whole
    assert "decoder.block.1.layer.2.DenseReluDense.wo.weight" in whole
    assert "decoder.block.1.layer.0.SelfAttention.q.weight" not in whole


def test_a_kernel_for_packed_weights_scores_as_dequantised_ones_do(tmp_path: Path) -> None:
    quantised = engine(tmp_path, "llama", "nf4")
    before = letters(quantised, prompts(4))
    keep_unpacked(quantised.model, unpacked=False)
    assert letters(quantised, prompts(4)) == pytest.approx(before, abs=0.05)


def test_a_quantised_model_writes(tmp_path: Path) -> None:
    quantised = engine(tmp_path, "qwen2", "nf4")
    request = GenerateRequest(ITEM, prompts(1)[0], False, 8, (), 0.0, 1, 0)
    [batch] = quantised.generate([request], [quantised.encode_prompt(request)])
    assert 0 < batch.replies[0][0].tokens <= 8


def test_the_scales_of_quantised_weights_are_counted(tmp_path: Path) -> None:
    quantised = engine(tmp_path, "llama", "nf4")
    bare = sum(tensor.numel() * tensor.element_size() for tensor in quantised.model.parameters())
    bare += sum(tensor.numel() * tensor.element_size() for tensor in quantised.model.buffers())
    assert quantised.model_bytes > bare
    assert all(p.dtype == torch.uint8 for n, p in quantised.model.named_parameters() if "q_proj" in n)
