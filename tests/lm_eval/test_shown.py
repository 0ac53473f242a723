"""Prompts with exemplars are those that lm-eval logs, or the task is refused with the reason."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lm_eval
import pytest
import yaml
from click.testing import Result
from datasets import ClassLabel, Dataset, Features, Value
from datasets import Sequence as ListOf
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from bench.errors import BenchError
from bench.inputs.data import load_split
from bench.inputs.exemplars import task_exemplars
from bench.inputs.task import TaskFile, read_task
from bench.lm_eval.task import import_task
from bench.scoring.asking import Asking, score_request
from conftest import write_lines
from foreign import OPENING, SHOWN, write_task

Bench = Callable[..., Result]
MMLU = Path(lm_eval.__file__).parent / "tasks" / "mmlu" / "default"
FEATURES = Features(
    {
        "question": Value("string"),
        "subject": Value("string"),
        "choices": ListOf(Value("string")),
        "answer": ClassLabel(names=["A", "B", "C", "D"]),
    }
)
"""The columns of cais/mmlu."""
SIZES = {"test": 7, "validation": 3, "dev": 5}
OURS = """\
name: anatomy5
version: 1
title: Anatomy, five exemplars
license: CC0-1.0
data:
  hub: mmlu
  config: {config}
  splits: {{test: test, exemplars: dev}}
  columns: {{options: choices, group: subject}}
system: The following are multiple choice questions (with answers) about {{{{ group | replace("_", " ") }}}}.
prompt: |-
  {{{{ question | trim }}}}
  {{% for letter, option in options %}}{{{{ letter }}}}. {{{{ option }}}}
  {{% endfor %}}Answer:
exemplars: 5
exemplar_choice: first
{more}scoring: {{view: letter}}
"""


@pytest.fixture(autouse=True)
def own_cache(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", project / "datasets")
    # What it writes down of the machine takes it 2.5 s each time, and is not looked at here.
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)


def rows(subject: str, split: str) -> list[dict[str, Any]]:
    """Invented rows; a question may have white space around it and lines in it, as some of MMLU's have."""
    return [
        {
            "question": f"{' ' * (n % 2)}Of {subject} {n}.\nWhich part of {split} is it?{' ' * (n % 3)}",
            "subject": subject,
            "choices": [f"part {n} {letter}" for letter in "wxyz"],
            "answer": (n * n + len(split)) % 4,
        }
        for n in range(SIZES[split])
    ]


@pytest.fixture
def mmlu(project: Path) -> Path:
    """A data set in the schema of cais/mmlu, with two subjects and `all`, and lm-eval's own tasks on it."""
    folder = project / "mmlu"
    subjects = {"anatomy": ["anatomy"], "college_biology": ["college_biology"]}
    configs = []
    for config, names in (subjects | {"all": ["anatomy", "college_biology"]}).items():
        files = []
        for split in SIZES:
            path = folder / config / f"{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            made = [row for name in names for row in rows(name, split)]
            Dataset.from_list(made, features=FEATURES).to_parquet(path)
            files.append({"split": split, "path": f"{config}/{split}-*"})
        configs.append({"config_name": config, "data_files": files})
    front = yaml.safe_dump({"configs": configs})
    (folder / "README.md").write_text(f"---\n{front}---\n", encoding="utf-8")
    tasks = project / "tasks_of_lm_eval"
    tasks.mkdir()
    template = (MMLU / "_default_template_yaml").read_text(encoding="utf-8")
    assert "dataset_path: cais/mmlu" in template
    text = template.replace("cais/mmlu", str(folder))
    (tasks / "_default_template_yaml").write_text(text, encoding="utf-8")
    for subject in subjects:
        text = (MMLU / f"mmlu_{subject}.yaml").read_text(encoding="utf-8")
        (tasks / f"mmlu_{subject}.yaml").write_text(text, encoding="utf-8")
    return tasks


def logged(folder: Path, task: str, **options: Any) -> list[list[tuple[str, str]]]:
    """(prompt, continuation) of each option of each document, as lm-eval logs them."""
    manager = TaskManager(include_path=folder, include_defaults=False)
    evaluated = simple_evaluate(
        model="dummy", tasks=[task], task_manager=manager, bootstrap_iters=0, log_samples=True, **options
    )
    assert evaluated is not None
    samples = sorted(evaluated["samples"][task], key=lambda sample: sample["doc_id"])
    return [[tuple(pair) for pair in sample["arguments"]] for sample in samples]


def asked(file: TaskFile, count: int | None = None) -> list[list[tuple[str, str]]]:
    """The same of ours, by the first set of continuations: letters, or texts where there are no letters."""
    test, split = (load_split(file, role, data_dir=None, offline=True) for role in ("test", "exemplars"))
    assert test is not None
    assert split is not None
    task = file.task
    count = task.exemplars if count is None else count
    exemplars = task_exemplars(file, test.items, split, count, 0, task.exemplar_choice)
    requests = [score_request(Asking(task, exemplars), item, str) for item in test.items]
    return [[(one.prompt, text) for text in one.continuations[0]] for one in requests]


def test_five_exemplars_of_mmlu_are_lm_eval_s_to_the_letter(mmlu: Path, project: Path) -> None:
    theirs = logged(mmlu, "mmlu_anatomy", num_fewshot=5)
    assert len(theirs) == SIZES["test"]
    assert theirs[0][0][0].startswith(
        "The following are multiple choice questions (with answers) about anatomy."
    )
    assert theirs[0][0][0].count("Answer:") == 6
    imported = read_task(import_task("mmlu_anatomy", mmlu, project / "imported", shown=True))
    assert imported.task.exemplar_choice == "first"
    assert asked(imported, 5) == theirs
    path = project / "anatomy5.yaml"
    path.write_text(OURS.format(config="anatomy", more=""), encoding="utf-8")
    assert asked(read_task(path)) == theirs


def test_all_subjects_of_mmlu_are_one_task_with_each_subject_s_own_exemplars(
    mmlu: Path, project: Path, bench: Bench
) -> None:
    path = project / "anatomy5.yaml"
    path.write_text(OURS.format(config="all", more="exemplars_within: group\n"), encoding="utf-8")
    theirs = [
        pairs
        for name in ("anatomy", "college_biology")
        for pairs in logged(mmlu, f"mmlu_{name}", num_fewshot=5)
    ]
    assert "about college biology." in theirs[-1][0][0]
    assert asked(read_task(path)) == theirs
    proved = bench("tasks", "validate", str(path))
    assert proved.exit_code == 0
    assert "exemplars: the first 5 of the dev split with the question's group (mmlu[dev])" in proved.stdout


def test_without_exemplars_an_imported_task_of_mmlu_asks_as_before(mmlu: Path, project: Path) -> None:
    imported = read_task(import_task("mmlu_anatomy", mmlu, project / "imported"))
    assert imported.task.exemplars == 0
    assert asked(imported) == logged(mmlu, "mmlu_anatomy")


def some_shown(folder: Path, count: int = 9) -> None:
    """More documents to draw from than the usual ones."""
    more = [{**SHOWN[0], "question": f"Which organ is {n}?", "gold": n % 3} for n in range(count)]
    write_lines(folder / "data" / "shown.jsonl", more)


@pytest.mark.parametrize(
    ("changed", "choice"),
    [
        ({}, "lm_eval"),
        ({"fewshot_config": {"sampler": "default"}}, "lm_eval"),
        ({"fewshot_config": {"sampler": "first_n"}}, "first"),
        ({"fewshot_config": {"split": "shown"}, "fewshot_split": None}, "lm_eval"),
        ({"description": OPENING}, "lm_eval"),
        ({"fewshot_config": {"doc_to_text": "Solved: {{question}}\nAnswer:"}}, "lm_eval"),
        ({"target_delimiter": "\n", "doc_to_text": "{{question}}\nAnswer:"}, None),
        (
            {
                "fewshot_split": None,
                "training_split": "shown",
                "test_split": None,
                "validation_split": "test",
            },
            "lm_eval_spare",
        ),
        ({"fewshot_split": None, "training_split": "shown"}, "lm_eval"),
        ({"doc_to_target": "{{choices[gold]}}"}, "lm_eval"),
    ],
)
@pytest.mark.parametrize("count", [1, 4])
def test_drawn_exemplars_are_lm_eval_s_to_the_letter_or_refused(
    tmp_path: Path, changed: dict[str, Any], choice: str | None, count: int
) -> None:
    write_task(tmp_path, num_fewshot=count, **changed)
    some_shown(tmp_path)
    if choice is None:
        with pytest.raises(BenchError, match="target_delimiter"):
            import_task("organs", tmp_path, tmp_path / "tasks")
        return
    file = read_task(import_task("organs", tmp_path, tmp_path / "tasks"))
    assert (file.task.exemplars, file.task.exemplar_choice) == (count, choice)
    theirs = logged(tmp_path, "organs")
    assert asked(file) == theirs
    assert len({prompt.rpartition("\n\n")[0] for [(prompt, _), *_] in theirs}) > 1 or choice == "first"
    # --exemplars 2 shows what lm-eval's --num_fewshot 2 shows.
    assert asked(file, 2) == logged(tmp_path, "organs", num_fewshot=2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fewshot_delimiter": "\n"}, r"its fewshot_delimiter is '\\n', and ours is a blank line"),
        ({"fewshot_config": {"fewshot_delimiter": "\n"}}, "its fewshot_delimiter is"),
        ({"fewshot_split": "test"}, "its few-shot examples come from the split that it tests"),
        ({"fewshot_split": None}, "its few-shot examples come from the split that it tests"),
    ],
)
def test_exemplars_that_cannot_be_lm_eval_s_are_refused_also_where_the_command_asks_for_them(
    tmp_path: Path, bench: Bench, changed: dict[str, Any], message: str
) -> None:
    write_task(tmp_path, **changed)
    words = ["run", "-m", "chance", "-t", "lm-eval:organs", "--include-path", str(tmp_path), "--dry-run"]
    assert bench(*words).exit_code == 0
    refused = bench(*words, "--exemplars", "0,2")
    assert refused.exit_code != 0
    assert re.search(f"'organs' cannot be imported: {message}", refused.stderr)
    file = read_task(import_task("organs", tmp_path, tmp_path / "tasks"))
    assert file.task.data.splits.exemplars is None


def test_a_sampler_of_its_own_is_refused(tmp_path: Path) -> None:
    write_task(tmp_path, num_fewshot=1, fewshot_config={"sampler": "balanced"})
    with pytest.raises(BenchError, match=r"by a sampler of its own \(balanced\)"):
        import_task("organs", tmp_path, tmp_path / "tasks")


@pytest.mark.parametrize(
    ("description", "message"),
    [("\n\n", "is a blank line alone"), ("{{'{{ group }}'}}\n\n", "which is a template here")],
)
def test_a_description_that_our_system_text_cannot_hold_is_refused(
    tmp_path: Path, description: str, message: str
) -> None:
    write_task(tmp_path, description=description)
    with pytest.raises(BenchError, match=message):
        import_task("organs", tmp_path, tmp_path / "tasks")
