"""A run of lm-eval that asked what a task of ours asks is a run of that task; any other is not."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from bench.board.board import TaskBoard, make_board
from bench.inputs.data import read_rows
from bench.inputs.prompts import choose_exemplars
from bench.results.answers import Answered, read_answered
from conftest import write_lines
from foreign import DOCS, LETTERS, SHOWN, run_lm_eval, write_task
from leaderboard.site import page_of
from tiny import save_causal

Bench = Callable[..., Result]
QUESTION = "Question: {{ question }}\n"
OPTIONS = "{% for letter, option in options %}{{ letter }}. {{ option }}\n{% endfor %}"


def rows(docs: list[dict[str, object]]) -> list[dict[str, object]]:
    return [
        {"id": f"q{n}", "question": doc["question"], "options": doc["choices"], "answer": doc["gold"]}
        for n, doc in enumerate(docs)
    ]


def write_ours(project: Path, name: str, docs: list[dict[str, object]] = DOCS, **changed: object) -> None:
    """A task of ours over the documents of the one of lm-eval's."""
    folder = project / "tasks"
    write_lines(folder / "data" / f"{name}.jsonl", rows(docs))
    write_lines(folder / "data" / "shown.jsonl", rows(SHOWN))
    content: dict[str, object] = {
        "name": name,
        "version": 1,
        "title": name.title(),
        "license": "unknown",
        "data": {
            "files": {"test": f"data/{name}.jsonl", "shown": "data/shown.jsonl"},
            "splits": {"test": "test", "exemplars": "shown"},
            "columns": {"id": "id"},
        },
        "prompt": f"{QUESTION}Answer:",
        "scoring": {"view": "text", "letters": False},
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content | changed), encoding="utf-8")


def write_card(project: Path, weights: Path, name: str = "tiny") -> None:
    (project / "model_cards").mkdir(exist_ok=True)
    card = {
        "name": name, "title": name.title(), "family": "tiny", "license": "mit", "context": 2048,
        "architecture": "decoder", "source": {"path": str(weights)},
    }  # fmt: skip
    (project / "model_cards" / f"{name}.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model on three tasks, of which one shows the exemplars that we would choose, in that order."""
    folder = tmp_path_factory.mktemp("lm-eval")
    write_lines(folder / "shown.jsonl", rows(SHOWN))
    chosen = choose_exemplars(read_rows(folder / "shown.jsonl").items, 3, 0)
    order = [int(item.id[1:]) for item in chosen.pool]
    write_task(folder / "tasks", "organs")
    write_lines(folder / "tasks" / "data" / "shown.jsonl", [SHOWN[n] for n in order])
    first = {"sampler": "first_n", "split": "shown"}
    write_task(folder / "tasks", "letters", num_fewshot=2, fewshot_config=first, **LETTERS)
    model = save_causal(folder / "models" / "llama", "llama")
    for name in ("organs", "letters"):
        run_lm_eval(folder / "tasks", model, folder / name, name)
    run_lm_eval(folder / "tasks", model, folder / "part", "organs", limit=5)
    return folder


@pytest.fixture
def ours(project: Path, evaluated: Path, cache: Path) -> Path:
    """The user's folder with both tasks of ours and a card of the model."""
    write_ours(project, "parts")
    letters = {"scoring": {"view": "letter"}, "prompt": f"{QUESTION}{OPTIONS}Answer:", "exemplars": 2}
    write_ours(project, "lettered", **letters)
    write_card(project, evaluated / "models" / "llama")
    for name in ("organs", "letters", "part"):
        shutil.copytree(evaluated / name, project / name)
    return project


def tables() -> dict[str, TaskBoard]:
    runs = [run for run in read_answered(Path("results")) if isinstance(run, Answered)]
    return {table.task.name: table for table in make_board(runs, [], []).tasks}


@pytest.mark.usefixtures("ours")
@pytest.mark.parametrize(("theirs", "task"), [("organs", "parts"), ("letters", "lettered")])
def test_an_equal_run_stands_beside_our_own_and_is_compared(bench: Bench, theirs: str, task: str) -> None:
    ran = bench("import", "lm-eval", theirs, "--as", task, "--model", "tiny")
    assert ran.exit_code == 0, ran.output
    own = bench("run", "-m", "tiny", "-t", task, "--dtype", "float32", "--offline")
    assert own.exit_code == 0, own.output
    assert list(tables()) == [task]
    table = tables()[task]
    assert not table.apart
    imported, mine = sorted(table.rows, key=lambda row: not row.result.imported)
    assert imported.tags[0] == "imported from lm-eval 0.4.13"
    assert imported.result.cell.model.name == mine.result.cell.model.name == "tiny"
    assert imported.result.cell.id != mine.result.cell.id
    assert imported.result.cell.data == mine.result.cell.data
    assert imported.result.cell.exemplar_ids == mine.result.cell.exemplar_ids
    assert imported.result.metrics.values == mine.result.metrics.values
    for theirs_, ours_ in zip(imported.answers.records(), mine.answers.records(), strict=True):
        same = ("question_id", "question", "options", "answer_gt", "group", "prompt", "model_output")
        assert all(getattr(theirs_, field) == getattr(ours_, field) for field in same)
        for view, scores in theirs_.scores.items():
            assert scores == pytest.approx(ours_.scores[view], rel=1e-4)
    suffix = "-2shot" if task == "lettered" else ""
    compared = bench("compare", f"tiny/float32{suffix}", f"tiny/lm-eval-float32{suffix}")
    assert compared.exit_code == 0, compared.output
    right = mine.result.metrics.accuracy.correct
    assert f"{right} and {right} right of 14; second minus first: +0.0 points" in compared.stdout
    assert bench("results", "check").stdout == "sound: 2 done\n"
    assert bench("leaderboard", "build").exit_code == 0
    page = Path("site", page_of(imported.run.folder)).read_text(encoding="utf-8")
    assert "This run was imported from lm-eval 0.4.13." in page


@pytest.mark.usefixtures("ours")
def test_a_run_stands_in_the_table_of_the_converted_task_of_lm_eval(bench: Bench, evaluated: Path) -> None:
    task = ("lm-eval:organs", "--include-path", str(evaluated / "tasks"), "--offline")
    ran = bench("import", "lm-eval", "organs", "--as", *task)
    assert ran.exit_code == 0, ran.output
    assert bench("run", "-m", "tiny,chance", "--dtype", "float32", "-t", *task).exit_code == 0
    table = tables()["lm-eval-organs"]
    assert [len(table.rows), len(table.apart)] == [3, 0]
    assert {row.result.cell.model.name for row in table.rows} == {"tiny", "llama", "chance"}


def test_the_records_of_a_mapped_run_have_the_extra_columns(bench: Bench, ours: Path) -> None:
    path = ours / "tasks" / "parts.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["data"]["columns"]["extra"] = {"source": "source"}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    lines = [row | {"source": f"book of {row['id']}"} for row in rows(DOCS)]
    write_lines(ours / "tasks" / "data" / "parts.jsonl", lines)
    shown = [row | {"source": "book"} for row in rows(SHOWN)]
    write_lines(ours / "tasks" / "data" / "shown.jsonl", shown)
    ran = bench("import", "lm-eval", "organs", "--as", "parts")
    assert ran.exit_code == 0, ran.output
    [row] = tables()["parts"].rows
    assert [one.extra for one in row.answers.records()] == [
        {"source": f"book of {one.question_id}"} for one in row.answers.records()
    ]


@pytest.mark.usefixtures("ours")
def test_importing_as_a_task_twice_changes_nothing(bench: Bench) -> None:
    words = ("import", "lm-eval", "organs", "--as", "parts")
    assert bench(*words).stdout.startswith("imported: ")
    assert bench(*words).stdout.startswith("unchanged: ")


def changed(docs: list[dict[str, object]], at: int, **fields: object) -> list[dict[str, object]]:
    return [doc | fields if n == at else doc for n, doc in enumerate(docs)]


SWAPPED = ["Spleen or Vitamin C", "Kidney", "Pancreas and insulin", "Liver"]
OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "another prompt": (
        {"prompt": "Question: {{ question }}\nThe answer:"},
        r"14 documents are .* only 0 of 14 were asked .* \(q0\): .* '.*\\nAnswer:' and .*\\nThe answer:'",
    ),
    "letters": (
        {"scoring": {"view": "letter"}},
        r"0 of 14 were asked .* \(q0\): lm-eval scored \[' Liver', .*\] and the task scores \[' A', ' B'",
    ),
    "another view": (
        {"scoring": {"view": "text_pmi", "letters": False}},
        "parts ranks by the view text_pmi, and lm-eval logs less than that needs",
    ),
    "fewer questions": (
        {"docs": DOCS[:12]},
        "12 of its 14 documents are questions of parts, which has 12; document 12 is not: 'Question: Which",
    ),
    "more questions": (
        {"docs": [*DOCS, *SHOWN[:1]]},
        "14 of its 14 documents are questions of parts, which has 15; without",
    ),
    "another question": (
        {"docs": changed(DOCS, 3, question="Who?")},
        "13 of its 14 documents are questions of parts, which has 14; document 3 is not: 'Question: Which",
    ),
    "another order of options": (
        {"docs": changed(DOCS, 0, choices=SWAPPED)},
        r"only 13 of 14 were asked as parts .* document 0 \(q0\): lm-eval scored \[' Liver', .*\[' Spleen or",
    ),
    "another right answer": (
        {"docs": changed(DOCS, 2, gold=0)},
        r"the right answer of document 2 \(q2\) is B, and in parts A",
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_run_that_asked_something_else_is_not_imported_and_the_first_difference_is_shown(
    bench: Bench, ours: Path, other: str
) -> None:
    task, message = OTHERS[other]
    write_ours(ours, "parts", **task)
    ran = bench("import", "lm-eval", "organs", "--as", "parts")
    assert ran.exit_code == 1
    assert re.search(message, ran.stderr), ran.stderr
    first, last = ran.stderr.splitlines()
    assert first.startswith("not the same: organs/")
    assert first.endswith("; without --as it is imported as a task of its own")
    assert last == "bench: 1 run not imported"
    assert not list(Path("results").rglob("result.json"))
    assert bench("import", "lm-eval", "organs").exit_code == 0


@pytest.mark.usefixtures("ours")
def test_a_part_of_the_questions_and_other_exemplars_are_not_the_task(bench: Bench, ours: Path) -> None:
    part = bench("import", "lm-eval", "part", "--as", "parts")
    assert "5 of its 5 documents are questions of parts, which has 14" in part.stderr
    path = ours / "tasks" / "data" / "shown.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    write_lines(path, [line | {"question": "Why?" + line["question"]} for line in lines])
    shown = bench("import", "lm-eval", "letters", "--as", "lettered")
    assert re.search(r"0 of 14 were asked .* at character 13, lm-eval wrote 'Question: Which", shown.stderr)


@pytest.mark.usefixtures("ours")
def test_prompts_of_a_chat_template_are_not_compared(bench: Bench, ours: Path) -> None:
    [path] = (ours / "organs").rglob("results_*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | {"chat_template": "{{ messages }}"}), encoding="utf-8")
    ran = bench("import", "lm-eval", "organs", "--as", "parts")
    assert (ran.exit_code, "a chat template wrote its prompts" in ran.stderr) == (1, True)


@pytest.mark.usefixtures("ours")
def test_a_task_that_cannot_be_asked_so_is_named(bench: Bench) -> None:
    Path("tasks/data/parts.jsonl").write_text('{"question": "?"}\n', encoding="utf-8")
    ran = bench("import", "lm-eval", "organs", "--as", "parts")
    assert (ran.exit_code, "tasks/data/parts.jsonl:1: " in ran.stderr) == (3, True)
    content = yaml.safe_load(Path("tasks/lettered.yaml").read_text(encoding="utf-8"))
    content["data"]["splits"] = {"test": "test"}
    Path("tasks/lettered.yaml").write_text(yaml.safe_dump(content | {"exemplars": 0}), encoding="utf-8")
    ran = bench("import", "lm-eval", "letters", "--as", "lettered")
    assert ran.exit_code == 1
    assert "task lettered names no exemplars split; add data.splits.exemplars" in ran.stderr


@pytest.mark.usefixtures("ours")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("all", "--as", "parts"), "--as needs --task NAME: all has the tasks letters, organs"),
        (("organs", "--as", "part"), "no task is named 'part'; did you mean 'parts'?"),
        (("organs", "--model", "tin"), "no model matches 'tin'; did you mean 'tiny'?"),
        (("organs", "--model", "chance"), "--model needs one model that lm-eval can run, and 'chance' is"),
        (("organs", "--model", "tiny,chance"), "and 'tiny,chance' is chance, tiny"),
        (("organs", "--include-path", "tasks"), "--include-path needs --as lm-eval:NAME"),
        (("organs", "--as", "parts", "--include-path", "tasks"), "needs a task named lm-eval:NAME"),
        (("models", "--model", "tiny"), "one model, and models has runs of models/llama, other/llama"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line(bench: Bench, ours: Path, words: tuple[str, ...], message: str) -> None:
    for name in ("organs", "letters"):
        shutil.copytree(ours / name, ours / "all" / name)
    for folder in ("models", "other"):
        copy_as(ours / "organs", ours / "models" / folder, pretrained=f"/weights/{folder}/llama")
    ran = bench("import", "lm-eval", *words)
    assert (ran.exit_code, ran.stderr.count("\n")) == (2, 1)
    assert message in ran.stderr


def copy_as(run: Path, folder: Path, **arguments: str) -> None:
    """The same run, of a model with other arguments."""
    shutil.copytree(run, folder)
    [path] = folder.rglob("results_*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    given = dict(pair.split("=") for pair in content["config"]["model_args"].split(",")) | arguments
    content["config"]["model_args"] = ",".join(f"{key}={value}" for key, value in given.items())
    content["model_name"] = given.get("peft", given["pretrained"])  # as lm-eval names it
    path.write_text(json.dumps(content), encoding="utf-8")


def test_models_that_differ_by_adapter_revision_or_folder_are_told_apart(bench: Bench, ours: Path) -> None:
    runs: list[dict[str, str]] = [
        {"pretrained": "/a/llama"},
        {"pretrained": "/b/llama"},
        {"pretrained": "/a/llama", "peft": "/x/final"},
        {"pretrained": "/a/llama", "peft": "/y/final"},
        {"pretrained": "org/llama", "revision": "step100"},
        {"pretrained": "org/llama", "revision": "main"},
    ]
    for number, arguments in enumerate(runs):
        copy_as(ours / "organs", ours / "runs" / str(number), **arguments)
    assert bench("import", "lm-eval", "runs").exit_code == 0
    [table] = tables().values()
    models = {row.result.cell.model.title: row for row in table.rows}
    assert {title: row.result.cell.model.name for title, row in models.items()} == {
        "a/llama": "llama",
        "b/llama": "llama",
        "a/llama + x/final": "llama-x-final-1cf58e1193ba",
        "a/llama + y/final": "llama-y-final-a0e21933b65b",
        "org/llama + step100": "org-llama-step100",
        "org/llama": "org-llama",
    }
    assert models["a/llama"].tags[1:] == ("pretrained=/a/llama",)
    assert models["a/llama + x/final"].tags[1:] == ()


def test_a_card_s_model_with_an_adapter_is_another_model(bench: Bench, ours: Path) -> None:
    copy_as(ours / "organs", ours / "tuned", peft="org/adapter")
    assert bench("import", "lm-eval", "tuned", "--as", "parts", "--model", "tiny").exit_code == 0
    [row] = tables()["parts"].rows
    assert (row.result.cell.model.name, row.result.cell.model.title) == (
        "tiny-org-adapter-14d0679255c9",
        "Tiny + org/adapter",
    )


def test_a_run_of_another_model_than_the_card_s_is_noted(bench: Bench, ours: Path) -> None:
    card = yaml.safe_load((ours / "model_cards" / "tiny.yaml").read_text(encoding="utf-8"))
    card["source"] = {"hub": "org/tiny"}
    (ours / "model_cards" / "tiny.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    copy_as(ours / "organs", ours / "same", pretrained="Org/Tiny")
    copy_as(ours / "organs", ours / "other", pretrained="org/large")
    noted = bench("import", "lm-eval", "other", "--model", "tiny").stdout
    assert noted.endswith("; lm-eval ran org/large, and the card is of org/tiny\n")
    assert "lm-eval ran" not in bench("import", "lm-eval", "same", "--model", "tiny").stdout


@pytest.mark.usefixtures("ours")
def test_a_run_of_an_older_version_of_the_task_is_set_apart(bench: Bench, ours: Path) -> None:
    bench("import", "lm-eval", "organs", "--as", "parts")
    write_ours(ours, "parts", version=2, prompt="{{ question }}\nAnswer:")
    assert bench("run", "-m", "chance", "-t", "parts").exit_code == 0
    [apart] = tables()["parts"].apart
    assert apart.apart == "version 1 of the task; the table shows version 2"
    write_ours(ours, "parts", docs=changed(DOCS, 0, gold=0))
    shutil.rmtree(ours / "results" / "parts" / "chance")
    assert bench("run", "-m", "chance", "-t", "parts").exit_code == 0
    [apart] = tables()["parts"].apart
    assert apart.apart == "different test data"


def test_arguments_of_similar_runs_are_tags(bench: Bench, ours: Path) -> None:
    copy_as(ours / "organs", ours / "runs" / "long", max_length="128")
    shutil.copytree(ours / "organs", ours / "runs" / "as-it-is")
    assert bench("import", "lm-eval", "runs", "--model", "tiny").exit_code == 0
    [table] = tables().values()
    assert sorted(row.tags[1:] for row in table.rows) == [("max_length=128",), ("no max_length",)]
