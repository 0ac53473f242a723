"""`bench probe contamination`: real models, trained here on a data set in some order, and not."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from sealing import sealed
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from bench.board.contamination import LIMITS, finding, p_text
from bench.cells.wish import Settings
from bench.cli.single_cell import one_card, plan_one
from bench.errors import FileError
from bench.inputs.choices import Choices
from bench.inputs.tasks import find_task
from bench.results.contamination import ContaminationTest, read_test, read_tests
from bench.scoring.orders import BREAK, LEAD, as_published
from bench.sweeps.contamination import Probe, probe_of, run_probe
from bench.sweeps.events import Loading, Progress
from bench.types import Item
from conftest import TASK, write_lines
from tiny import SIZES, add_card, bpe_tokenizer, save_t5

pytestmark = pytest.mark.usefixtures("torch_imported_once")

Bench = Callable[..., Result]
QUESTIONS, SHARD_TOKENS = 72, 96
WORDS = ("--task", "plants", "--shard-tokens", str(SHARD_TOKENS), "--dtype", "float32")


def questions() -> list[Item]:
    """Questions of made-up words, so that nothing but their order in the file links one with the next."""
    rng = random.Random(11)
    syllables = ("ka", "lo", "mi", "ru", "se", "ta", "vo", "ne")

    def word() -> str:
        return "".join(rng.choices(syllables, k=3))

    return [Item(f"q{n}", f"Is {word()} a {word()}?", (word(), word()), n % 2) for n in range(QUESTIONS)]


ITEMS = questions()


def text_of(items: Sequence[Item]) -> str:
    return LEAD + BREAK + "".join(as_published(item) + BREAK for item in items)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return bpe_tokenizer([text_of(ITEMS)], size=320)


def trained(
    tokenizer: PreTrainedTokenizerFast, orders: Iterator[Sequence[Item]], steps: int
) -> torch.nn.Module:
    """A Llama that has read the questions in these orders, one an epoch, in random windows."""
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=len(tokenizer), **SIZES))
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for _ in range(steps):
        ids = torch.tensor(tokenizer(text_of(next(orders)))["input_ids"])
        starts = torch.randint(0, len(ids) - SHARD_TOKENS, (16,))
        batch = torch.stack([ids[start : start + SHARD_TOKENS] for start in starts])
        optimizer.zero_grad()
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
    return model.eval()


def published() -> Iterator[Sequence[Item]]:
    while True:
        yield ITEMS


def shuffled() -> Iterator[Sequence[Item]]:
    """One other order, as of a training set that was shuffled once."""
    other = random.Random(2).sample(ITEMS, len(ITEMS))
    while True:
        yield other


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> dict[str, Path]:
    """Three models by what they have read."""
    made = {
        "saw": trained(tokenizer, published(), 150),
        "other-order": trained(tokenizer, shuffled(), 150),
        "untrained": trained(tokenizer, published(), 0),
    }
    folders: dict[str, Path] = {}
    for name, model in made.items():
        folders[name] = tmp_path_factory.mktemp(name)
        model.save_pretrained(folders[name])
        tokenizer.save_pretrained(folders[name])
    return folders


@pytest.fixture
def plants(project: Path, weights: dict[str, Path]) -> Path:
    """The questions as a task, and the models with cards; returns the results folder."""
    rows = [
        {"id": item.id, "question": item.question, "options": [*item.options], "answer": item.answer}
        for item in ITEMS
    ]
    write_lines(project / "tasks" / "test.jsonl", rows)
    write_lines(project / "tasks" / "train.jsonl", [])
    (project / "tasks" / "plants.yaml").write_text(TASK.replace("anatomy", "plants"), encoding="utf-8")
    for name, folder in weights.items():
        add_card(project, name, folder)
    return project / "results"


def probe(bench: Bench, model: str, *more: str) -> ContaminationTest:
    result = bench("probe", "contamination", "--model", model, *WORDS, "--json", *more)
    assert result.exit_code == 0, result.output
    return ContaminationTest.model_validate_json(result.stdout)


def test_a_model_that_was_trained_on_the_file_knows_its_order_and_the_same_model_on_another_order_does_not(
    bench: Bench, plants: Path
) -> None:
    saw, other, untrained = (probe(bench, name) for name in ("saw", "other-order", "untrained"))
    assert saw.p <= 0.01
    assert saw.t_test_p is not None
    assert saw.t_test_p <= 0.01
    assert other.p > 0.05
    assert untrained.p > 0.05
    assert saw.questions + saw.left_out == QUESTIONS
    assert len(list(read_tests(plants))) == 3
    shown = bench("probe", "contamination", "--model", "saw", *WORDS)
    assert "the published order is likelier than shuffled ones" in shown.stdout
    assert "It is evidence and no proof; the score is not changed." in shown.stdout
    assert "done before; --fresh makes it again" in shown.stderr
    assert LIMITS in bench("probe", "contamination", "--model", "untrained", *WORDS).stdout
    for test in (saw, other):
        assert not any(item.question in test.model_dump_json() for item in ITEMS)
    assert bench("results", "check").exit_code == 0
    again = bench(*saw.cell.command.split()[1:])
    assert again.exit_code == 0, again.output
    [repeated] = [read_test(path) for path in (plants / "contamination").glob("saw-*.json")]
    assert [shard.logprobs for shard in repeated.shards] == [shard.logprobs for shard in saw.shards]


def planned(model: str) -> Probe:
    choices = Choices(dtype="float32", prompt="plain", exemplars=0)
    cell = plan_one(
        one_card(model), find_task("plants"), choices, Settings(limit_order="file"), None, offline=True
    )
    return probe_of(cell.cell, 3, SHARD_TOKENS, 0, "bench probe contamination")


def test_a_killed_test_resumes_with_the_same_numbers(plants: Path) -> None:
    *_, whole = run_probe(planned("saw"), plants.with_name("whole"))
    with closing(run_probe(planned("saw"), plants)) as events:
        for event in events:
            if isinstance(event, Progress) and event.done > QUESTIONS // 3:
                break  # closing the generator kills the process
    assert not list((plants / "contamination").glob("*.json"))
    [journal] = (plants / "contamination").glob("*.unfinished.jsonl")
    journal.write_bytes(journal.read_bytes() + b'{"first": 3, "questi')
    first, *_, resumed = run_probe(planned("saw"), plants)
    assert isinstance(first, Loading)
    assert first.done > 0
    assert isinstance(whole, ContaminationTest)
    assert isinstance(resumed, ContaminationTest)
    assert [shard.logprobs for shard in resumed.shards] == [shard.logprobs for shard in whole.shards]
    assert (resumed.p, resumed.id) == (whole.p, whole.id)
    assert not journal.exists()


def test_a_file_that_is_sorted_by_group_is_said_to_be(bench: Bench, plants: Path) -> None:
    path = plants.with_name("tasks") / "test.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    write_lines(path, [row | {"genus": f"g{at // 3}"} for at, row in enumerate(rows)])
    task = path.with_name("plants.yaml")
    task.write_text(
        task.read_text(encoding="utf-8").replace("{id: id}", "{id: id, group: genus}"), encoding="utf-8"
    )
    saw = probe(bench, "saw")
    assert saw.group_p is not None
    assert saw.group_p <= 0.05
    assert "the file is sorted by the questions' groups" in finding(saw, saw.p)
    assert "groups" not in finding(saw.model_copy(update={"group_p": 0.4}), saw.p)


def test_what_was_asked_is_in_the_name_of_the_file(bench: Bench, plants: Path) -> None:
    first = probe(bench, "untrained", "--shuffles", "2", "--limit", "40")
    second = probe(bench, "untrained", "--shuffles", "2", "--limit", "40", "--seed", "1")
    assert {path.stem for path in (plants / "contamination").glob("*.json")} == {
        first.file_name, second.file_name,
    }  # fmt: skip
    assert first.cell.limit == 40
    assert max(shard.first + shard.questions for shard in first.shards) <= 40
    published = [shard.logprobs[0] for shard in first.shards]
    assert published == [shard.logprobs[0] for shard in second.shards]
    assert first.shards[0].logprobs[1:] != second.shards[0].logprobs[1:]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-m", "chance", "-t", "plants"), "chance is a baseline, which reads no text"),
        (
            ("-m", "t5", "-t", "plants"),
            "t5 is an encoder-decoder, which has no log-probability of a text alone",
        ),
        (("-m", "saw", "-t", "plants", "--limit", "12"), "12 questions, too few for an order to be seen"),
        (("-m", "family:mine", "-t", "plants"), "must name one model (bench models list)"),
        (("-m", "saw", "-t", "nothing"), "no task is named 'nothing'"),
        (("-m", "saw", "-t", "plants", "--shard-tokens", "20"), "change --shard-tokens or --shuffles"),
        (
            ("-m", "saw", "-t", "plants", "--shard-tokens", "9000", "--shuffles", "1"),
            "cannot give a p of 0.05 or less",
        ),
        (
            ("-m", "saw", "-t", "plants", "--include-path", "x"),
            "--include-path needs a task named lm-eval:NAME",
        ),
    ],
)
def test_what_cannot_be_tested_is_said_in_a_sentence(
    bench: Bench, plants: Path, words: tuple[str, ...], message: str
) -> None:
    save_t5(plants.parent / "t5-weights")
    add_card(plants.parent, "t5", plants.parent / "t5-weights")
    card = plants.parent / "model_cards" / "t5.yaml"
    card.write_text(card.read_text("utf-8").replace(": decoder", ": encoder-decoder"), encoding="utf-8")
    result = bench("probe", "contamination", *words)
    assert result.exit_code != 0
    assert message in result.stderr
    assert not list((plants / "contamination").glob("*.json"))


CHANGES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda raw: raw | {"p": 0.9}, "p: not what the log-probabilities of its shards give"),
    (lambda raw: raw | {"statistic": 0.0}, "statistic: not what the log-probabilities"),
    (lambda raw: raw | {"seed": 5}, "id: not the identity that the file's facts give"),
    (lambda raw: raw | {"shuffles": 2}, "each has the published order and 2 others"),
    (lambda raw: raw | {"shards": raw["shards"][::-1]}, "they overlap, or are not in order"),
    (lambda raw: raw | {"shards": []}, "shards: not a contamination test"),
    (lambda raw: raw | {"p": 0}, "p: not a contamination test: Input should be greater than 0"),
    (lambda raw: raw | {"t_test_p": float("nan")}, "t_test_p: not a result file: nan is not a finite"),
    (lambda raw: raw | {"verdict": "guilty"}, "verdict: not a contamination test: Extra inputs"),
    (lambda raw: raw | {"schema_version": 99}, "written by a newer version"),
    (lambda raw: [], "not a contamination test"),
]


def test_a_file_that_was_changed_is_refused_and_stops_no_site(bench: Bench, plants: Path) -> None:
    probe(bench, "untrained", "--shuffles", "3", "--limit", "24")
    assert bench("run", "--models", "chance", "--tasks", "plants").exit_code == 0
    [path] = (plants / "contamination").glob("*.json")
    whole = json.loads(path.read_bytes())
    for change, message in CHANGES:
        raw = change(whole)
        path.write_text(sealed(raw) if isinstance(raw, dict) else json.dumps(raw), encoding="utf-8")
        checked = bench("results", "check")
        assert checked.exit_code == 3
        assert message in checked.stderr
        shown = bench("leaderboard", "show")
        assert shown.exit_code == 0
        is_damaged = isinstance(next(read_tests(plants)), FileError)
        assert is_damaged == ("not shown: results/contamination" in shown.stderr)
    path.write_text("{", encoding="utf-8")
    assert bench("leaderboard", "build").exit_code == 0
    assert "not JSON" in bench("results", "check").stderr


def test_a_copy_without_texts_has_the_tests_too(bench: Bench, plants: Path) -> None:
    probe(bench, "untrained")
    [file] = Path("results/contamination").glob("*.json")
    copied = bench("results", "strip", "--out", "public")
    assert f"copied: {Path('public/contamination') / file.name}" in copied.output
    assert (Path("public/contamination") / file.name).read_bytes() == file.read_bytes()
    assert "there already" in bench("results", "strip", "--out", "public").output


def test_tests_are_shown_beside_the_scores_and_never_change_them(bench: Bench, plants: Path) -> None:
    for model in ("saw", "untrained"):
        run = bench("run", "--models", model, "--tasks", "plants", "--dtype", "float32")
        assert run.exit_code == 0, run.output
    before = json.loads(bench("export", "json").stdout)
    assert "contamination_p" not in before[0]
    assert "published order: " not in bench("leaderboard", "show").stdout
    tests = {model: probe(bench, model) for model in ("saw", "untrained")}
    rows = json.loads(bench("export", "json").stdout)
    for row, old in zip(rows, before, strict=True):
        test = tests[row["model"]]
        assert (row.pop("contamination_p"), row.pop("contamination_shards")) == (test.p, len(test.shards))
        assert row == old
    header = bench("export", "csv").stdout.splitlines()[0]
    assert "contamination_p,contamination_shards" in header
    shown = bench("leaderboard", "show").stdout
    corrected = min(1.0, 2 * tests["saw"].p)
    assert f"published order: saw: p = {p_text(tests['saw'].p)}, by Holm {p_text(corrected)}: the" in shown
    assert "adjusted for all 2 tests in these results (Holm)" in shown
    assert bench("leaderboard", "build").exit_code == 0
    task, model = (
        (plants.parent / "site" / path).read_text(encoding="utf-8")
        for path in ("tasks/plants.html", "models/untrained.html")
    )
    assert "likelier than shuffled ones, as it is when a model was trained on the file" in task
    assert "no sign that the model saw these questions" in model
    assert "likelier than shuffled ones" not in model
    assert all("contaminated" not in page.lower() for page in (task, model))
