"""What is in the weight files and what the loaded model holds agree tensor by tensor, or the load fails.

transformers fills what is missing with random numbers, drops what it has no place for, and casts integers to
floats without their scales; it says so in a log at most.
"""

import json
import re
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import modeling_utils
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

from bench.engines.check_computed import MASK, check_computed
from bench.engines.stored_tensors import StoredTensor
from bench.errors import BenchError
from bench.inputs.weight_files import PICKLED, SAFETENSORS, indexed
from bench.inputs.weights import ADAPTER_CONFIG
from bench.plain_files import read_bytes

TOWERS = (
    r"(^|\.)(vision_tower|vision_model|vision_embed\w*|visual|multi_modal_projector|mm_projector|embed_vision)\."
    r"|(^|\.)(audio_tower|audio_model|embed_audio|talker|token2wav|code2wav)\."
)
DROPPED = re.compile(
    TOWERS + r"|(^|\.)mtp(_\w+)?\."
    r"|\.rotary_emb\.(inv_freq|cos_cached|sin_cached)$"
    r"|(^|\.)position_ids$"
    r"|^decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight$"
)
"""Tensors that change no score of a text: towers for images and sound, heads that predict further tokens,
buffers that the model computes from its configuration, and a bias that T5's original code never used."""
CACHE_SCALES = re.compile(r"\.(k|v|q|kv|input|output|activation)_scale$")
"""Scales for rounding activations and cached keys, which is not done here."""
OWN_HEADS = frozenset({"t5", "mt5", "umt5", "longt5"})
"""Models whose configuration always ties the head; the files alone tell whether it is one of its own."""
SHARED_KEYS = ("k_proj", "v_proj", "k_norm", "v_norm")
PREDICTING = re.compile(r"(?:^|\.)layers\.(\d+)\.(?:.*\.)?(?:eh_proj|enorm|hnorm|shared_head)\.")
"""What a layer that predicts further tokens has and no other layer: it joins a state with the embedding of
the next token. DeepSeek-V3, GLM-4 MoE and those that follow them number it as if it were one layer more."""


@contextmanager
def whole_report() -> Generator[list[Any]]:
    """Within, the list gets transformers' report of each load, and nothing is raised for what it says.

    `output_loading_info` leaves out failed conversions: those are logged alone.
    """
    reports: list[Any] = []

    def keep(*_: object, loading_info: Any, **__: object) -> None:
        reports.append(loading_info)

    untyped: Any = modeling_utils
    original = untyped.log_state_dict_report
    untyped.log_state_dict_report = keep
    try:
        yield reports
    finally:
        untyped.log_state_dict_report = original


def check_folder(folder: Path, tensors: Mapping[str, StoredTensor]) -> None:
    """Raises a BenchError where transformers would load other weights than those of the model.

    `tensors` are those in its weight files.
    """
    if (folder / ADAPTER_CONFIG).is_file():
        raise BenchError(f"{ADAPTER_CONFIG} beside the model would add an adapter to it: move it elsewhere")
    config: dict[str, Any] = json.loads(read_bytes(folder / "config.json"))
    own_head = config.get("is_encoder_decoder") and config.get("tie_word_embeddings") is False
    if own_head and not any("lm_head" in name for name in tensors):  # transformers ties T5's all the same
        raise BenchError("lm_head.weight is not in them, and config.json ties it to no other weight")
    if "transformers_weights" in config:
        raise BenchError("config.json names other files in transformers_weights: remove the key")
    form = (
        SAFETENSORS if all(tensor.file.suffix == ".safetensors" for tensor in tensors.values()) else PICKLED
    )
    if absent := indexed(folder, form).keys() - tensors.keys():
        raise BenchError(
            f"{form.index} names {names_of(absent)}, not in its files: copy the whole model again"
        )


def check_loaded(model: Any, report: Any, stored: Mapping[str, StoredTensor]) -> None:
    """Raises a BenchError with the names where files and model differ, or a weight is not a number.

    `report` is transformers' LoadStateDictInfo. Values are read once more only to look for numbers that are
    not finite.
    """
    for name, text in report.conversion_errors.items():
        raise BenchError(f"{name} cannot be converted: {text.splitlines()[-2]}")
    for name, in_file, in_model in sorted(report.mismatched_keys):
        shapes = f"{by(in_file)} in the files and {by(in_model)} by config.json"
        raise BenchError(f"{name} is {shapes}: they are of two models")
    places = _places(model, stored)
    _check_scales(model, places, stored)
    if report.missing_keys:
        raise BenchError(f"{names_of(report.missing_keys)} is not in them")
    _check_dropped(model, places, stored)
    unused = [name for name, place in places.items() if not place.target and not re.search(TOWERS, name)]
    check_computed(model, unused, stored)
    _check_taken_once(places)
    _check_tied(model)
    _check_packed(model)
    _check_values(model)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stored tensor goes: a tensor of the model, "" for none, and the rule that sends it there.

    `merged` is whether that rule makes one tensor of many, as of a mixture's experts.
    """

    target: str
    rule: str
    merged: bool


def _places(model: Any, stored: Iterable[str]) -> dict[str, Place]:
    """The place of each stored tensor, by the rules that transformers loaded the model by."""
    rules: list[Any] = list(getattr(model, "_weight_conversions", None) or [])
    renamings = [rule for rule in rules if isinstance(rule, WeightRenaming)]
    converters = [rule for rule in rules if isinstance(rule, WeightConverter)]
    merging = {
        pattern
        for rule in converters
        if not all(hasattr(operation, "hf_quantizer") for operation in rule.operations)
        for pattern in rule.source_patterns
    }
    held: dict[str, Any] = model.state_dict()
    prefix: str = model.base_model_prefix
    places: dict[str, Place] = {}
    for name in stored:
        target, pattern = rename_source_key(name, renamings, converters, prefix, held)
        if target not in held and name in held:
            target, pattern = rename_source_key(name, [], [], prefix, held)
        places[name] = Place(target if target in held else "", pattern or "", pattern in merging)
    return places


def _check_scales(model: Any, places: Mapping[str, Place], stored: Mapping[str, StoredTensor]) -> None:
    """Quantised numbers come with scales: one that goes alone into a weight is a number without its scale.

    BitNet's layers hold the scale beside the weight.
    """
    targets = {place.target for place in places.values()}
    buffers = {name for name, buffer in model.named_buffers() if buffer.is_floating_point()}
    weights = {name for name, _ in model.named_parameters()} | buffers
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, place in places.items():
        if place.target in weights and f"{place.target}_scale" not in targets:
            # Each of a mixture's experts has scales of its own.
            part = name.rpartition(".")[0] if place.merged else ""
            together[place.target, part].append(name)
    bare = [names[0] for names in together.values() if len(names) == 1 and not stored[names[0]].plain]
    if bare:
        text = "quantised in the files, without the scales or without a config.json that names the format"
        raise BenchError(f"{names_of(bare)}: {text}")


def _check_dropped(model: Any, places: Mapping[str, Place], stored: Mapping[str, StoredTensor]) -> None:
    config = model.config.get_text_config()
    predicting = {int(marked[1]) for name in stored if (marked := PREDICTING.search(name))}
    quantised = any(not tensor.plain for tensor in stored.values())
    without_place = [
        name
        for name, place in places.items()
        if not place.target
        and not DROPPED.search(name)
        and not (MASK.search(name) and len(stored[name].shape) != 1)
        and not (quantised and CACHE_SCALES.search(name))
        and not _is_unused_layer(name, config, predicting)
    ]
    if without_place:
        raise BenchError(f"config.json has no place for {names_of(without_place)}")


def _is_unused_layer(name: str, config: Any, predicting: AbstractSet[int]) -> bool:
    """Whether the tensor is of a layer that predicts further tokens, or a key or value that its layer takes
    from an earlier one. `predicting` are the numbers of the layers that are of the first kind by their parts:
    config.json alone could hide one of the model's own."""
    numbered = re.search(r"(?:^|\.)layers\.(\d+)\.(?:.*\.)?(\w+)\.\w+$", name)
    if numbered is None:
        return False
    layer, part = int(numbered[1]), numbered[2]
    layers = int(config.num_hidden_layers)
    further = int(getattr(config, "num_nextn_predict_layers", None) or 0)
    sharing = int(getattr(config, "num_kv_shared_layers", None) or 0)
    if layers <= layer < layers + further:
        return layer in predicting
    return layers - sharing <= layer < layers and part in SHARED_KEYS


def _check_taken_once(places: Mapping[str, Place]) -> None:
    """Of two tensors for one place, transformers takes one."""
    taken: dict[tuple[str, str], str] = {}
    for name, place in places.items():
        if place.target and not place.merged:
            earlier = taken.setdefault((place.target, place.rule), name)
            if earlier != name:
                raise BenchError(f"{earlier} and {name} are two tensors for one place, {place.target}")


def _check_tied(model: Any) -> None:
    """Weights that config.json ties are one tensor. Where the files hold two that differ, transformers keeps
    both, other programs use one."""
    declared = model.get_expanded_tied_weights_keys(all_submodels=True)
    own = {"lm_head.weight"} if model.config.model_type in OWN_HEADS else set[str]()
    if apart := sorted(declared.keys() - model.all_tied_weights_keys.keys() - own):
        other = declared[apart[0]]
        text = "are one weight by config.json and two in the files"
        raise BenchError(
            f"{apart[0]} and {other} {text}: correct tie_word_embeddings in it, or copy them again"
        )


def _check_packed(model: Any) -> None:
    """A layer of bitsandbytes cannot multiply by plain numbers."""
    plain = [
        f"{name}.weight"
        for name, module in model.named_modules()
        if type(module).__module__.startswith("bitsandbytes.") and type(module.weight) is torch.nn.Parameter
    ]
    if plain:
        text = "copy the files again, or add it to llm_int8_skip_modules in config.json"
        raise BenchError(f"{names_of(plain)} is not quantised in them: {text}")


def _check_values(model: Any) -> None:
    zero: dict[str, bool] = {}
    for name, weight in model.named_parameters():
        if weight.dtype in (torch.float32, torch.bfloat16, torch.float16) and weight.numel():
            low, high = torch.aminmax(weight)
            if not (low.isfinite() and high.isfinite()):
                dtype = str(weight.dtype).removeprefix("torch.")
                text = f"holds values that are not finite numbers in {dtype}; try another --dtype"
                raise BenchError(f"{name} {text}")
            if weight.ndim > 1:
                zero[name] = not (low or high)
    _check_not_empty(model, zero)


def _check_not_empty(model: Any, zero: Mapping[str, bool]) -> None:
    """Raises a BenchError where no score depends on the text: a copy that was broken off, or a placeholder.

    `zero` is whether a matrix holds zeros alone; adapters and pruning leave some of those.
    """
    if zero and all(zero.values()):
        raise BenchError(f"{names_of(zero)} hold zeros alone: copy the files again")
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    needed = {id(end.weight) for end in ends if end is not None}
    for name, weight in model.named_parameters():
        if id(weight) in needed and zero.get(name):
            raise BenchError(f"{name} holds zeros alone: copy the files again")


def by(shape: Iterable[int]) -> str:
    """A shape in words."""
    return "x".join(map(str, shape))


def names_of(names: Iterable[str], shown: int = 3) -> str:
    """The first names, and how many there are more."""
    first = sorted(names)
    more = f" and {len(first) - shown} more" if len(first) > shown else ""
    return ", ".join(first[:shown]) + more
