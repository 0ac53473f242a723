"""The tasks that come with the project are what they say they are."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from bench.inputs.data import load_split
from bench.inputs.tasks import find_tasks
from bench.inputs.validate import prove
from conftest import ROOT

SAMPLE = [
    json.loads(line)
    for split in ("test", "train")
    for line in (ROOT / "tasks" / "data" / f"medqa_sample_{split}.jsonl").read_text().splitlines()
]


def shingles(text: str, size: int = 4) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[index : index + size]) for index in range(len(words) - size + 1)}


def test_the_sample_has_100_test_and_60_train_items_over_sixteen_subjects() -> None:
    sizes = Counter(row["id"].split("-")[1] for row in SAMPLE)
    assert sizes == {"test": 100, "train": 60}
    assert len({row["group"] for row in SAMPLE if "test" in row["id"]}) == 16


@pytest.mark.parametrize(("split", "each"), [("test", 25), ("train", 15)])
def test_the_sample_s_answer_keys_are_balanced(split: str, each: int) -> None:
    keys = Counter(row["answer"] for row in SAMPLE if row["id"].split("-")[1] == split)
    assert keys == dict.fromkeys("ABCD", each)


def test_every_sample_item_is_a_vignette_with_four_options_and_a_rationale_of_one_sentence() -> None:
    for row in SAMPLE:
        assert list(row["options"]) == list("ABCD")
        assert len({option.lower() for option in row["options"].values()}) == 4
        assert 40 <= len(row["question"].split()) <= 120
        assert row["question"].endswith("?")
        assert len(re.findall(r"[.!?](?:\s|$)", row["rationale"])) == 1


def test_no_two_sample_items_are_alike() -> None:
    texts = [shingles(row["question"]) for row in SAMPLE]
    for index, one in enumerate(texts):
        for other in texts[:index]:
            assert len(one & other) / len(one | other) < 0.15


def test_the_longest_option_is_not_a_way_to_guess_the_sample() -> None:
    right = sum(
        max(row["options"], key=lambda letter: len(row["options"][letter])) == row["answer"] for row in SAMPLE
    )
    assert right / len(SAMPLE) < 0.35


@pytest.mark.medqa
def test_no_sample_item_was_taken_from_medqa(medqa_dir: Path) -> None:
    ours = [shingles(row["question"]) for row in SAMPLE]
    for path in sorted(medqa_dir.glob("medqa_usmle_*.jsonl")):
        for line in path.read_text().splitlines():
            theirs = shingles(json.loads(line)["question"])
            assert max(len(one & theirs) / len(one) for one in ours) < 0.3


def test_the_sample_task_is_proved_without_a_model() -> None:
    proof = prove(ROOT / "tasks" / "medqa_sample.yaml", data_dir=None, offline=True)
    assert (proof.items, proof.prompts, proof.majority, proof.warnings) == (100, 100, 0.25, ())


@pytest.mark.medqa
def test_the_mirror_stands_in_for_the_hub_s_medqa(medqa_dir: Path) -> None:
    proof = prove(ROOT / "tasks" / "medqa.yaml", data_dir=medqa_dir, offline=True)
    assert proof.answers == {"A": 353, "B": 309, "C": 346, "D": 265}
    [medqa] = find_tasks(["medqa"])
    test = load_split(medqa, "test", data_dir=medqa_dir, offline=True)
    assert test is not None
    assert test.source == "medqa_usmle_4_options_test.jsonl"
    assert len({item.id for item in test.items}) == 1273
