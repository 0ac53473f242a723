"""Drafting a model card from the hub's metadata, for a person to review."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import ValidationError

from bench.errors import BenchError, Unavailable, UsageError
from bench.folders import safe_name
from bench.inputs.hub import UNREACHABLE, asking_hub, hub_reachable, repository
from bench.inputs.model_card import Architecture, HubSource, ModelCard
from bench.inputs.parameter_counts import count_parameters, in_text
from bench.inputs.weights import download_size
from bench.plain_files import read_bytes

_WINDOWS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")


def card_yaml(card: ModelCard) -> str:
    """The card as YAML, without keys that have their default value."""
    values = card.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def draft_card(hub_id: str, name: str | None) -> ModelCard:
    """A card from the hub's metadata.

    Raises a UsageError for what is no hub id, Unavailable when the hub cannot be reached or does not give the
    model, and a BenchError when its metadata do not make a valid card.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", hub_id):
        raise UsageError(f"'{hub_id}' is not a hub id; it looks like ORG/NAME")
    if not hub_reachable():
        raise Unavailable(
            UNREACHABLE,
            "write the card by hand: bench models show phi-2 prints one to copy",
        )
    info, config = _fetch_metadata(hub_id)
    try:
        return _card(hub_id, name, info, config)
    except ValidationError as error:
        raise BenchError(
            f"the hub's metadata of {hub_id} do not make a valid card: {error.errors()[0]['msg']}"
        ) from error


def _fetch_metadata(hub_id: str) -> tuple[Any, Mapping[str, Any]]:
    """The hub's ModelInfo and the contents of `config.json`."""
    from huggingface_hub import hf_hub_download

    info = repository(hub_id, sizes=True)
    with asking_hub(hub_id):
        config = dict(json.loads(read_bytes(Path(hf_hub_download(hub_id, "config.json")))))
    return info, config


def _card(hub_id: str, name: str | None, info: Any, config: Mapping[str, Any]) -> ModelCard:
    own = hub_id.partition("/")[2]
    facts = _mapping(info.card_data.to_dict() if hasattr(info.card_data, "to_dict") else None)
    about = _mapping(info.config)
    architecture: Architecture = "encoder-decoder" if config.get("is_encoder_decoder") else "decoder"
    total = getattr(info.safetensors, "total", None)
    stored = total if isinstance(total, int) else None
    counts = count_parameters(config, stored, architecture)
    created = info.created_at
    return ModelCard(
        name=name or safe_name(own.lower(), "model"),
        title=own,
        family=str(config.get("model_type", "other")),
        source=HubSource(hub=hub_id, revision=str(info.sha)),
        architecture=architecture,
        parameters=counts.parameters,
        text_parameters=counts.text,
        active_parameters=counts.active,
        download_bytes=(download_size(info) or None) if stored else None,
        context=next((int(window) for key in _WINDOWS if (window := in_text(config, key))), None),
        license=", ".join(_texts(facts.get("license_name")) or _texts(facts.get("license"))) or "unknown",
        gated=bool(info.gated),
        chat="chat_template" in _mapping(about.get("tokenizer_config")),
        languages=_texts(facts.get("language")),
        released=f"{created:%Y-%m}" if created else None,
        base=_base(facts),
        references=(f"https://huggingface.co/{hub_id}",),
    )


def _base(facts: Mapping[str, Any]) -> str | None:
    """The one model that the repository says it was tuned from; None for a merge of several."""
    bases = _texts(facts.get("base_model"))
    return bases[0] if len(bases) == 1 else None


def _mapping(value: object) -> Mapping[str, Any]:
    """A value of the metadata, which people write; empty where it is no mapping."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _texts(value: object) -> tuple[str, ...]:
    """The texts in a value of the metadata that may be one, or a list of them; others are left out."""
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    return tuple(one for one in values if isinstance(one, str) and one)
