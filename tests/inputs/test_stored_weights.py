"""Which files hold a model, and the format that its weights are quantised in: known before anything runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.cells.plan import Missing, plan
from bench.cells.wish import Wish
from bench.errors import BenchError, Unavailable
from bench.inputs import stored_format
from bench.inputs.cards import CardFile
from bench.inputs.choices import Choices
from bench.inputs.model_card import PathSource
from bench.inputs.stored_format import check_stored, format_of
from bench.inputs.task import read_task
from bench.inputs.weight_files import SAFETENSORS, download_names
from bench.inputs.weights import RemoteWeights, Weights, fetch, find_weights
from bench.results.identity import identity
from bench.results.variant import Variant
from tiny import save_causal, save_shards, tiny_card

FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}


SHARD = "model-1-of-2.safetensors"
INDEX = SAFETENSORS.index
GPTQ = {"quant_method": "gptq"}


def configure(folder: Path, **keys: object) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | keys), encoding="utf-8")
    return folder


def located(folder: Path) -> Weights:
    card = tiny_card(folder, source=PathSource(path=str(folder)))
    weights = find_weights(CardFile(card=card, path=folder.parent / "m.yaml"), offline=True)
    assert isinstance(weights, Weights)
    return weights


def test_an_original_beside_the_shards_is_neither_counted_nor_part_of_the_digest(tmp_path: Path) -> None:
    folder = save_causal(tmp_path / "m", "llama")
    save_shards(folder)
    before = located(folder)
    (folder / "consolidated.safetensors").write_bytes(bytes(9999))
    assert located(folder) == before
    assert before.bytes == sum(path.stat().st_size for path in folder.glob("model-*.safetensors"))


def test_a_file_beside_an_index_that_does_not_name_it_is_refused(tmp_path: Path) -> None:
    folder = save_causal(tmp_path / "m", "llama")
    whole = (folder / "model.safetensors").read_bytes()
    save_shards(folder)
    (folder / "model.safetensors").write_bytes(whole)
    message = r"holds model\.safetensors and an index that does not name it; delete model\.safetensors, or"
    with pytest.raises(Unavailable, match=message):
        located(folder)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["model.safetensors"], ["model.safetensors"]),
        (["model.safetensors", "consolidated.safetensors"], ["model.safetensors"]),
        ([SHARD, "consolidated-1-of-2.safetensors", INDEX], [SHARD]),
        (["model.safetensors-1-of-1.safetensors", INDEX], ["model.safetensors-1-of-1.safetensors"]),
        (["model.safetensors", INDEX], ["model.safetensors"]),
        (["part_a.safetensors", INDEX], ["part_a.safetensors"]),
        (["adapter_model.safetensors"], []),
    ],
)  # fmt: skip
def test_a_download_is_planned_by_the_names_of_the_files(names: list[str], wanted: list[str]) -> None:
    assert download_names(names, SAFETENSORS) == wanted


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({}, ""),
        ({"quantization_config": FP8}, "fp8"),
        ({"text_config": {"quantization_config": FP8}}, "fp8"),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}, "int8"),
        ({"quantization_config": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}}, "nf4"),
        ({"quantization_config": {"load_in_4bit": True}}, "fp4"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq"),
        ({"quantization_config": {"quant_method": "mxfp4"}}, "mxfp4"),
        ({"quantization": {"group_size": 64, "bits": 4}}, "mlx"),
        ({"quantization_config": {"bits": 4}}, "unknown"),
        (
            {"compression_config": {"quant_method": "compressed-tensors", "format": "pack-quantized"}},
            "compressed-tensors-pack-quantized",
        ),
    ],
)
def test_a_format_has_the_name_that_people_know_it_by(config: dict[str, Any], name: str) -> None:
    stored = format_of(config)
    assert (stored.name if stored else "") == name


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"quantization_config": GPTQ}, r"config\.json .* by gptq, .*; pip install gptqmodel"),
        ({"quantization_config": {"quant_method": "awq"}}, r" by awq, .*; pip install gptqmodel"),
        ({"quantization_config": {"quant_method": "modelopt"}}, r"by modelopt, which cannot be loaded; use"),
        ({"quantization": {"bits": 4}}, r"by mlx, which cannot be loaded; use the unquantised"),
        ({"quantization_config": 3}, r"config\.json is damaged at quantization_config; copy the whole model"),
    ],
)  # fmt: skip
def test_a_format_that_cannot_be_loaded_is_refused_in_one_line(
    tmp_path: Path, keys: dict[str, object], message: str
) -> None:
    folder = configure(save_causal(tmp_path / "m", "llama"), **keys)
    with pytest.raises(Unavailable, match=message) as caught:
        located(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "method"), [("quantize_config.json", "gptq"), ("hf_quant_config.json", "modelopt")]
)
def test_a_format_that_only_another_file_names_is_refused(tmp_path: Path, name: str, method: str) -> None:
    folder = save_causal(tmp_path / "m", "llama")
    (folder / name).write_text("{}", encoding="utf-8")
    with pytest.raises(Unavailable, match=f"{name} says that the weights are quantised by {method}"):
        located(folder)


def test_a_format_that_can_be_loaded_is_known(tmp_path: Path) -> None:
    assert located(save_causal(tmp_path / "a", "llama")).format == ""
    assert located(configure(save_causal(tmp_path / "b", "llama"), quantization_config=FP8)).format == "fp8"


def test_bitsandbytes_says_in_how_many_bits() -> None:
    with pytest.raises(Unavailable, match=r"by bitsandbytes, and has neither load_in_8bit nor load_in_4bit"):
        check_stored(format_of({"quantization_config": {"quant_method": "bitsandbytes"}}))


def test_the_refusal_is_that_of_the_table_of_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method whose packages are all here is not refused."""
    gptq = format_of({"quantization_config": {"quant_method": "gptq"}})
    monkeypatch.setitem(stored_format.PACKAGES, "gptq", ("json",))
    check_stored(gptq)


def planned(task: Path, folder: Path, *quantize: Any) -> tuple[list[Any], list[Missing]]:
    wishes = [Wish(Choices(dtype="float32", quantize=name)) for name in quantize]
    card = CardFile(card=tiny_card(folder), path=task)
    return plan([read_task(task)], [card], wishes, data_dir=None, offline=True)


def test_a_stored_format_is_a_variant_that_its_command_repeats(anatomy: Path, project: Path) -> None:
    folder = save_causal(project / "m", "llama")
    [whole], _ = planned(anatomy, folder, "none")
    configure(folder, quantization_config=FP8)
    [cell], missing = planned(anatomy, folder, "none", "int8")
    assert cell.variant.weights_format == "fp8"
    assert cell.variant.precision == "fp8, float32"
    assert cell.slug == "float32-fp8"
    assert cell.id != whole.id
    assert "--quantize" not in cell.facts.command
    [gap] = missing
    assert gap.reason == "config.json says that the weights are quantised already (fp8)"
    assert "leave --quantize out" in gap.remedy


def test_a_stored_format_is_part_of_the_identity_and_its_absence_is_not_stored(
    anatomy: Path, project: Path
) -> None:
    [cell], _ = planned(anatomy, save_causal(project / "m", "llama"), "none")
    assert "weights_format" not in cell.variant.model_dump()
    other = cell.variant.model_copy(update={"weights_format": "fp8"})
    assert identity(cell.facts.model_copy(update={"variant": other})) != cell.id
    assert Variant.model_validate(other.model_dump()) == other


def test_a_format_that_the_hub_did_not_announce_is_not_run_under_a_false_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = configure(save_causal(tmp_path / "m", "llama"), text_config={"quantization_config": FP8})
    monkeypatch.setattr("bench.inputs.weights.snapshot", lambda *_, **__: folder)
    with pytest.raises(BenchError, match=r"is quantised \(fp8\), which the hub did not say; run"):
        fetch(RemoteWeights("org/m", "main", folder.name))
