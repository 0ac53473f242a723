"""Scales and the numbers that they belong to: of the right kind and shape, or the load fails."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_weights import (
    Tensors,
    change,
    configure,
    letters,
    save_bitsandbytes,
    save_compressed,
    save_fp8,
    save_gpt2,
)
from torch import Tensor
from transformers import LlamaForCausalLM

from architectures import BY_NAME
from architectures import save as save_architecture
from bench.errors import BenchError
from tiny import CONFIGS, bpe_tokenizer, opened, save_experts, scaled

FP8: dict[str, object] = {"quant_method": "fp8", "weight_block_size": [128, 128]}


def blocks_of(weight: Tensor, height: int, width: int) -> Tensor:
    """The scales of a weight, one a block; the last blocks may be cut."""
    return torch.stack([
        torch.stack([part.abs().max() / 448 for part in rows.split(width, 1)])
        for rows in weight.split(height)
    ])  # fmt: skip


def spread(scales: Tensor, like: Tensor, height: int, width: int) -> Tensor:
    whole = scales.repeat_interleave(height, 0).repeat_interleave(width, 1)
    return whole[: like.shape[0], : like.shape[1]]


def save_odd(folder: Path, *, expanded: bool) -> Path:
    """A llama with 192 inner features in blocks of 128, in 8-bit floats, or expanded again by hand."""
    tokenizer = bpe_tokenizer()
    config: Any = CONFIGS["llama"](len(tokenizer))
    config.intermediate_size = 192
    torch.manual_seed(7)
    model: Any = scaled(LlamaForCausalLM(config), 4.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

    def quantise(tensors: Tensors) -> None:
        for name in [name for name in tensors if name.endswith("_proj.weight")]:
            weight = tensors[name] * torch.linspace(0.2, 3, tensors[name].shape[0])[:, None]
            scales = blocks_of(weight, 128, 128)
            each = spread(scales, weight, 128, 128)
            tensors[name] = (weight / each).to(torch.float8_e4m3fn)
            if expanded:
                tensors[name] = tensors[name].float() * each
            else:
                tensors[f"{name}_scale_inv"] = scales

    change(folder, quantise)
    return folder if expanded else configure(folder, quantization_config=FP8)


def test_a_last_block_that_is_cut_has_the_scale_of_its_own(tmp_path: Path) -> None:
    by_hand = letters(opened(save_odd(tmp_path / "a", expanded=True)))
    assert letters(opened(save_odd(tmp_path / "b", expanded=False))) == pytest.approx(by_hand, abs=1e-5)


UP = "model.layers.1.mlp.up_proj"


def cut(name: str) -> Callable[[Tensors], object]:
    return lambda tensors: tensors.update({name: tensors[name][:2].clone()})


def turned(name: str) -> Callable[[Tensors], object]:
    return lambda tensors: tensors.update({name: tensors[name].T.contiguous()})


def as_integers(name: str) -> Callable[[Tensors], object]:
    return lambda tensors: tensors.update({name: (100 * tensors[name]).to(torch.int8)})


def without_values(name: str) -> Callable[[Tensors], object]:
    return lambda tensors: tensors[name].fill_(float("nan"))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (cut, "is 2x2 in the files, and {weight} needs 4x2 by config.json"),
        (turned, "is 2x4 in the files, and {weight} needs 4x2 by config.json"),
        (as_integers, "is I8 in the files and BF16 or F16 or "),
    ],
)
def test_scales_of_8_bit_floats_have_the_shape_of_their_blocks(
    tmp_path: Path, edit: Callable[[str], Callable[[Tensors], object]], message: str
) -> None:
    """transformers derives the blocks from the scales, whatever config.json says."""
    weight = f"{UP}.weight"
    folder = change(save_fp8(tmp_path / "m"), edit(f"{weight}_scale_inv"))
    expected = f"{weight}_scale_inv {message.format(weight=weight)}"
    with pytest.raises(BenchError, match=f"cannot be loaded: {re.escape(expected)}"):
        opened(folder)


def test_a_scale_of_each_expert_has_the_shape_of_its_blocks(tmp_path: Path) -> None:
    """transformers stacks the experts of a layer, whatever the shapes of their scales."""
    expert = "model.layers.1.block_sparse_moe.experts.1.w3.weight"

    def quantise(tensors: Tensors) -> None:
        for name in [name for name in tensors if ".experts." in name]:
            scales = blocks_of(tensors[name], 32, 32)
            tensors[name] = (tensors[name] / spread(scales, tensors[name], 32, 32)).to(torch.float8_e4m3fn)
            tensors[f"{name}_scale_inv"] = scales

    settings = FP8 | {"weight_block_size": [32, 32]}
    folder = configure(change(save_experts(tmp_path / "m"), quantise), quantization_config=settings)
    assert letters(opened(folder))
    change(folder, cut(f"{expert}_scale_inv"))
    with pytest.raises(BenchError, match=r"experts\.1\.w3\.weight_scale_inv is 2x2 .* needs 4x2 by"):
        opened(folder)


@pytest.mark.parametrize("block", [[16, 16], [128, 128], None])
def test_blocks_of_another_size_than_the_files_have_are_refused(tmp_path: Path, block: object) -> None:
    folder = configure(save_fp8(tmp_path / "m"), quantization_config=FP8 | {"weight_block_size": block})
    with pytest.raises(BenchError, match=r"weight_scale_inv is 2x4 in the files, and .* needs .* by config"):
        opened(folder)


def test_one_scale_for_all_needs_no_size_of_blocks(tmp_path: Path) -> None:
    folder = save_fp8(tmp_path / "m", None)
    before = letters(opened(folder))
    assert letters(opened(configure(folder, quantization_config={"quant_method": "fp8"}))) == before


def test_a_whole_weight_with_a_scale_is_refused(tmp_path: Path) -> None:
    def whole(tensors: Tensors) -> None:
        tensors[f"{UP}.weight"] = tensors[f"{UP}.weight"].float()

    with pytest.raises(BenchError, match=re.escape(f"{UP}.weight has a scale in them and is not quantised")):
        opened(change(save_fp8(tmp_path / "m"), whole))


@pytest.mark.parametrize(
    ("form", "part", "edit", "message"),
    [
        ("int-quantized", "scale", cut, "is 2x1 in the files, and {}.weight needs 128x1 by config.json"),
        ("float-quantized", "scale", turned, "is 1x128 in the files, and {}.weight needs 128x1 by config"),
        ("int-quantized", "scale", as_integers, "is I8 in the files and BF16 or F16 or F32 or F64 in this"),
        ("pack-quantized", "scale", cut, "is 2x1 in the files, and {}.weight_packed needs 128x1 by"),
        ("pack-quantized", "packed", cut, "is 2x8 in the files, and {}.weight_shape needs 128x8 by"),
    ],
)
def test_compressed_tensors_have_the_parts_of_their_scheme(
    tmp_path: Path, form: str, part: str, edit: Callable[[str], Callable[[Tensors], object]], message: str
) -> None:
    name = f"{UP}.weight_{part}"
    folder = change(save_compressed(tmp_path / "m", form), edit(name))
    with pytest.raises(BenchError, match=re.escape(f"{name} {message.format(UP)}")):
        opened(folder)


def scheme(folder: Path, **keys: object) -> Path:
    """Set keys of the weights of a compressed model's only scheme."""
    settings = json.loads((folder / "config.json").read_text("utf-8"))["quantization_config"]
    settings["config_groups"]["group_0"]["weights"].update(keys)
    return configure(folder, quantization_config=settings)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"strategy": "group", "group_size": 32}, "is 64x1 in the files, and .* needs 64x4"),
        ({"strategy": "tensor"}, "is 64x1 in the files, and .* needs 1 by"),
        ({"strategy": "block", "block_structure": [64, 64]}, "is 64x1 in the files, and .* needs 1x2"),
        ({"symmetric": False}, r"weight_zero_point is not in them, and config\.json says that .* not symm"),
    ],
)
def test_a_scheme_that_is_not_that_of_the_files_is_refused(
    tmp_path: Path, keys: dict[str, object], message: str
) -> None:
    folder = scheme(save_compressed(tmp_path / "m", "int-quantized"), **keys)
    with pytest.raises(BenchError, match=message):
        opened(folder)


def test_a_zero_point_of_a_symmetric_scheme_is_zero(tmp_path: Path) -> None:
    """Older programs save it all the same."""
    folder = save_compressed(tmp_path / "m", "int-quantized")
    before = letters(opened(folder))
    zero = torch.zeros(128, 1, dtype=torch.int8)
    change(folder, lambda tensors: tensors.update({f"{UP}.weight_zero_point": zero}))
    assert letters(opened(folder)) == before
    change(folder, lambda tensors: tensors.update({f"{UP}.weight_zero_point": zero + 3}))
    with pytest.raises(
        BenchError, match=r"weight_zero_point is not zero in the files, and config\.json says"
    ):
        opened(folder)


def test_numbers_of_another_kind_than_the_form_has_are_refused(tmp_path: Path) -> None:
    """They would be scored under a false name."""
    folder = save_compressed(tmp_path / "m", "float-quantized")
    settings = json.loads((folder / "config.json").read_text("utf-8"))["quantization_config"]
    configure(folder, quantization_config=settings | {"format": "int-quantized"})
    with pytest.raises(BenchError, match=r"down_proj\.weight is F8_E4M3 in the files and I8 in this format"):
        opened(folder)


@pytest.mark.parametrize(
    ("kind", "part"), [("int8", "SCB"), ("nf4", "weight.absmax"), ("nf4", "weight.quant_map")]
)
@pytest.mark.parametrize("edit", [cut, without_values])
def test_parts_of_bitsandbytes_have_the_size_of_their_weight(
    tmp_path: Path, kind: str, part: str, edit: Callable[[str], Callable[[Tensors], object]]
) -> None:
    folder = change(save_bitsandbytes(tmp_path / "m", kind), edit(f"{UP}.{part}"))
    named = part.removeprefix("weight.")
    with pytest.raises(BenchError, match=re.escape(f"{UP}.weight has a wrong {named} in them")):
        opened(folder)


@pytest.mark.parametrize("part", ["absmax", "nested_absmax", "nested_quant_map"])
def test_scales_that_are_quantised_have_the_size_of_their_weight(tmp_path: Path, part: str) -> None:
    folder = save_bitsandbytes(tmp_path / "m", "nf4", bnb_4bit_use_double_quant=True)
    assert letters(opened(folder))
    change(folder, lambda tensors: tensors.update({
        f"{UP}.weight.{part}": tensors[f"{UP}.weight.{part}"].repeat(2)
    }))  # fmt: skip
    with pytest.raises(BenchError, match=re.escape(f"{UP}.weight has a wrong {part} in them")):
        opened(folder)


@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_turned_layers_of_bitsandbytes_are_as_large_as_others(tmp_path: Path, kind: str) -> None:
    """GPT-2's are stored the other way round."""
    base = save_gpt2(tmp_path / "base")
    assert letters(opened(save_bitsandbytes(tmp_path / "m", kind, base)))


def test_weights_that_are_to_be_turned_are_refused(tmp_path: Path) -> None:
    """transformers leaves the turns out when it expands the weights."""
    folder = save_compressed(tmp_path / "m", "int-quantized")
    before = letters(opened(folder))
    settings = json.loads((folder / "config.json").read_text("utf-8"))["quantization_config"]
    assert (
        letters(opened(configure(folder, quantization_config=settings | {"transform_config": {}}))) == before
    )
    turn = {"type": "hadamard", "apply": [{"targets": ["re:.*down_proj$"], "location": "input"}]}
    turns = {"transform_config": {"config_groups": {"R4": turn}}}
    with pytest.raises(
        BenchError, match=r"its transform_config turns weights and activations, which is left"
    ):
        opened(configure(folder, quantization_config=settings | turns))


@pytest.mark.parametrize("quant_type", ["fp4", None])
def test_4_bits_are_not_scored_under_the_name_of_others(tmp_path: Path, quant_type: str | None) -> None:
    """Without the key, transformers takes fp4 for what it says, and what is in the files for the weights."""
    folder = save_bitsandbytes(tmp_path / "m", "nf4")
    settings = json.loads((folder / "config.json").read_text("utf-8"))["quantization_config"]
    other = {key: value for key, value in settings.items() if key != "bnb_4bit_quant_type"}
    other |= {"bnb_4bit_quant_type": quant_type} if quant_type else {}
    message = "its weights are nf4 in the files and fp4 by config.json: set bnb_4bit_quant_type in it to nf4"
    with pytest.raises(BenchError, match=re.escape(message)):
        opened(configure(folder, quantization_config=other))


def test_integers_are_no_values_of_a_buffer_either(tmp_path: Path) -> None:
    """Gemma 4 multiplies each layer by a number that is saved as a buffer."""
    folder = save_architecture(BY_NAME["gemma4"], tmp_path / "m")
    name = "model.language_model.layers.0.layer_scalar"
    change(folder, lambda tensors: tensors.update({name: (7 * tensors[name]).to(torch.int8)}))
    with pytest.raises(BenchError, match=re.escape(f"{name}: quantised in the files, without the scales")):
        opened(folder)
