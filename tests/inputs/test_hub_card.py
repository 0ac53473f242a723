"""Drafting a card from metadata that people wrote: what is no fact is left out."""

from typing import Any

import pytest
from huggingface_hub import ModelInfo

from bench.inputs import hub_card
from bench.inputs.model_card import ModelCard

NAME = "Org/Tiny"
CONFIG = {"model_type": "no-such-model", "max_position_embeddings": 512}


def drafted(monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any]) -> ModelCard:
    describe: Any = ModelInfo
    info = describe(id=NAME, siblings=[], gated=False, **facts)
    monkeypatch.setattr(hub_card, "hub_reachable", lambda: True)
    monkeypatch.setattr(hub_card, "_fetch_metadata", lambda _: (info, CONFIG))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    return hub_card.draft_card(NAME, None)


@pytest.mark.parametrize(
    ("facts", "stated"),
    [
        ({"cardData": {"language": 5, "base_model": {"a": 1}, "license": 3}}, {}),
        ({"cardData": "x"}, {}),
        ({"cardData": {"language": ["en", None], "license": ["mit", "apache-2.0"]}},
            {"languages": ("en",), "license": "mit, apache-2.0"}),
        ({"config": "x"}, {}),
        ({"config": {"tokenizer_config": "chat_template"}}, {}),
        ({"config": {"tokenizer_config": {"chat_template": "{{ x }}"}}}, {"chat": True}),
        ({"safetensors": {"parameters": {"F32": 5}, "total": "many"}}, {}),
        ({"safetensors": {"parameters": {"F32": 5}, "total": 5}}, {"parameters": 5}),
    ],
)  # fmt: skip
def test_metadata_of_another_form_are_left_out(
    monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], stated: dict[str, Any]
) -> None:
    card = drafted(monkeypatch, facts)
    plain = drafted(monkeypatch, {})
    assert plain.license == "unknown"
    assert card == plain.model_copy(update=stated)
