"""What a model keeps of a token, against the cache that transformers fills."""

from pathlib import Path

import pytest
import torch

from architectures import BY_NAME, SHORT_WINDOW, save
from bench.cells.cell import Cell
from bench.cells.plan import plan
from bench.cells.wish import Wish
from bench.inputs.cards import CardFile
from bench.inputs.choices import Choices
from bench.inputs.task import read_task
from bench.types import CacheShape
from played import run_to_end
from tiny import opened, save_causal, tiny_card


@pytest.mark.parametrize("name", ["qwen3", "gpt2", "mistral", "gemma3_text", "lfm2", "phi"])
def test_the_shape_is_that_of_the_cache_of_transformers(name: str, tmp_path: Path) -> None:
    engine = opened(save(BY_NAME[name], tmp_path))
    shape = engine.cache_shape
    assert shape is not None
    tokens = SHORT_WINDOW - 4
    with torch.no_grad():
        cache = engine.model(input_ids=torch.full((1, tokens), 5), use_cache=True).past_key_values
    keys = [layer.keys for layer in cache.layers if getattr(layer, "keys", None) is not None]
    numbers = sum(key.numel() for key in keys if key.ndim == 4)
    assert numbers == (shape.layers + shape.windowed) * shape.heads * shape.head_size * tokens


def test_layers_with_a_window_are_counted_apart(tmp_path: Path) -> None:
    shape = opened(save(BY_NAME["gemma3_text"], tmp_path)).cache_shape
    assert shape == CacheShape(layers=1, heads=2, head_size=8, windowed=1, window=SHORT_WINDOW)


@pytest.mark.parametrize("name", ["t5", "gemma4_text"])
def test_where_it_cannot_be_told_there_is_none(name: str, tmp_path: Path) -> None:
    assert opened(save(BY_NAME[name], tmp_path), BY_NAME[name].kind).cache_shape is None


@pytest.mark.parametrize("exemplars", [0, 1])
def test_a_run_with_exemplars_keeps_the_shape_in_its_result(
    exemplars: int, anatomy: Path, tmp_path: Path
) -> None:
    file = CardFile(card=tiny_card(save_causal(tmp_path / "weights", "qwen3"), context=2048), path=anatomy)
    wish = Wish(Choices(dtype="float32", exemplars=exemplars))
    [cell], _ = plan([read_task(anatomy)], [file], [wish], data_dir=None, offline=True)
    assert isinstance(cell, Cell)
    result = run_to_end(cell, tmp_path / "results")
    assert result.engine.cache == (CacheShape(layers=3, heads=2, head_size=16) if exemplars else None)
