"""The medical tasks read their sets as they are on the hub, and ask as the reference harness does."""

import json
import re
from pathlib import Path
from typing import Any

import lm_eval
import pytest
import yaml
from lm_eval.tasks import TaskManager
from medical_rows import SETS, SUBJECTS, subject_of
from medical_sets import TESTED, Question, Small, write_hub, write_mirror

from bench.inputs.data import Split, load_split, needs_hub
from bench.inputs.exemplars import task_exemplars
from bench.inputs.items import sample_notes
from bench.inputs.prompts import Template, plain_prompt
from bench.inputs.task import TaskFile, read_task
from bench.inputs.task_data import HubData
from bench.inputs.validate import prove
from bench.types import Item

pytestmark = pytest.mark.usefixtures("datasets_cache")
TASKS = Path(__file__).resolve().parents[2] / "tasks"
REFERENCE = Path(lm_eval.__file__).parent / "tasks"
PARQUET = "refs/convert/parquet"
DROPPED = {
    "careqa_en": ["1 row without a question: dropped (data.rows.empty_question)"],
    "headqa_es": ["1 row without an answer: dropped (data.rows.no_answer)"],
    "headqa_v2": ["1 row without an answer: dropped (data.rows.no_answer)"],
    "afrimedqa": ["1 row with several right answers: dropped (data.rows.several_answers)"],
}
"""The warnings about rows that are left out."""
EMPTY = {
    "medbullets_4options": "3 rows", "m_arc": "1 row", "afrimedqa": "1 row", "medexpqa": "1 row",
}  # fmt: skip
"""Rows in which some options are empty; a shorter list of options has none."""


def hub_task(name: str, folder: Path | None = None) -> TaskFile:
    """The task as it is shipped; with a folder, the set is read from there instead of the hub."""
    file = read_task(TASKS / f"{name}.yaml")
    if folder is None:
        return file
    data = file.task.data.model_copy(update={"hub": str(folder)})
    return file.model_copy(update={"task": file.task.model_copy(update={"data": data})})


def data_of(file: TaskFile) -> HubData:
    assert isinstance(file.task.data, HubData)
    return file.task.data


def loaded(file: TaskFile, data_dir: Path | None = None) -> Split:
    split = load_split(file, "test", data_dir=data_dir, offline=False)
    assert split is not None
    return split


def from_hub(name: str, project: Path) -> tuple[TaskFile, Split]:
    """The task, and its test split from its set in miniature."""
    data = data_of(hub_task(name))
    write_hub(project / "set", SETS[name], data, converted=data.revision == PARQUET)
    file = hub_task(name, project / "set")
    return file, loaded(file)


def expected(small: Small, data: HubData) -> list[tuple[str, tuple[str, ...], int, str]]:
    def of(question: Question) -> tuple[str, tuple[str, ...], int, str]:
        options = small.options or question.options[: question.count]
        return small.asked(question), options, question.answer, question.group

    return [of(question) for config in data.configs or ("",) for question in small.tested(config)]


def warnings(name: str) -> list[str]:
    rows = EMPTY.get(name)
    drawn = data_of(hub_task(name)).sample
    asked = len(expected(SETS[name], data_of(hub_task(name))))
    few = list(sample_notes(asked, drawn)) if drawn else []
    empty = [f"{rows} with empty options: kept without them (data.rows.empty_options)"] if rows else []
    return sorted([*few, *empty, *DROPPED.get(name, [])])


def test_every_task_of_the_hub_has_a_set_in_miniature() -> None:
    shipped = {path.stem for path in TASKS.glob("*.yaml")} - {"medqa_sample"}
    assert shipped == set(SETS)


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_read_from_its_own_columns(project: Path, name: str) -> None:
    file, split = from_hub(name, project)
    items = [(item.question, item.options, item.answer, item.group) for item in split.items]
    assert items == expected(SETS[name], data_of(file))
    assert sorted(split.warnings()) == warnings(name)
    for role in ("train", "exemplars"):
        other = load_split(file, role, data_dir=None, offline=False)
        assert other is None or len(other.items) == 2 * max(1, len(data_of(file).configs))


@pytest.mark.parametrize("name", SETS)
def test_a_mirror_stands_in_for_a_set(project: Path, name: str) -> None:
    file, split = from_hub(name, project)
    write_mirror(project / "mirror", SETS[name], data_of(file))
    assert not needs_hub(file, project / "mirror")
    mirrored = loaded(file, project / "mirror")
    assert mirrored.mirrored
    assert mirrored.sha256 == split.sha256


@pytest.mark.parametrize("name", SETS)
def test_a_task_is_valid_with_its_set(project: Path, name: str) -> None:
    write_mirror(project, SETS[name], data_of(hub_task(name)))
    proof = prove(TASKS / f"{name}.yaml", data_dir=project, offline=True)
    told = [text.removeprefix("test split: ") for text in proof.warnings if "split: " in text]
    assert sorted(text for text in told if "train" not in text and "exemplars" not in text) == warnings(name)
    assert not any("was not checked" in text or "have the same prompt" in text for text in proof.warnings)


@pytest.mark.parametrize("name", SETS)
def test_a_task_says_what_it_uses_and_how_to_work_without_the_hub(name: str) -> None:
    file = hub_task(name)
    data, text = data_of(file), file.path.read_text(encoding="utf-8")
    assert file.task.license
    assert re.fullmatch(r"[0-9a-f]{40}", data.revision) or re.search(r"\n  revision: \S+  # .", text)
    assert data.revision != "main" or data.revision in text
    assert sorted(data.mirror) == data.splits.names()
    assert all(("{config}" in file) == bool(data.configs) for file in data.mirror.values())
    assert data.answer_form is not None
    assert (data.answer_form == "index") == (data.answer_from is not None)
    assert file.task.generate is not None


def test_the_page_of_medical_tasks_lists_each_with_its_set_and_licence() -> None:
    page = (TASKS.parent / "docs" / "medical.md").read_text(encoding="utf-8")
    for name in SETS:
        task = hub_task(name).task
        [line] = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert f"`{data_of(hub_task(name)).hub}`" in line
        assert line.endswith(f"| {task.license} |")
        reference = {reference for ours, _, reference, _ in REFERENCES if ours == name}
        assert bool(reference) == (line.split("|")[5].strip() != "–")


# What the reference harness asks: (our task, its folder, its task, our configuration if there are several)
REFERENCES = [
    ("medqa", "medqa", "medqa_4options", ""),
    ("medmcqa", "medmcqa", "medmcqa", ""),
    ("pubmedqa", "pubmedqa", "pubmedqa", ""),
    *(("mmlu_medical", "mmlu", f"mmlu_{subject}", subject) for subject in SUBJECTS),
    ("mmlu_pro_health", "mmlu_pro", "mmlu_pro_health", ""),
    ("glianorex", "glianorex", "glianorex", ""),
    ("medconceptsqa", "med_concepts_qa", "med_concepts_qa_icd10cm_medium", ""),
    ("headqa_en", "headqa", "headqa_en", ""),
    ("headqa_es", "headqa", "headqa_es", ""),
    ("careqa_en", "careqa", "careqa_en", ""),
    ("careqa_es", "careqa", "careqa_es", ""),
    *(("kormedmcqa", "kormedmcqa", f"kormedmcqa_{c}", c) for c in data_of(hub_task("kormedmcqa")).configs),
    *(
        ("global_mmlu_medical", f"global_mmlu/full/{c}", f"global_mmlu_full_{c}_anatomy", c)
        for c in ("de", "sw")
    ),
    *(
        ("mmmlu_medical", "openai-mmmlu", f"mmmlu_{c.lower()}_{subject_of(TESTED[0], c)}", c)
        for c in data_of(hub_task("mmmlu_medical")).configs
    ),
]


def reference_task(folder: str, name: str, project: Path) -> Any:
    """The reference's task on the set in `project`."""
    index = TaskManager(include_path=str(REFERENCE / folder), include_defaults=False).task_index
    wrapped = {"include": str(index[name].yaml_path), "task": name, "dataset_path": str(project / "set")}
    (project / "wrapped").mkdir()
    (project / "wrapped" / "task.yaml").write_text(yaml.safe_dump(wrapped), encoding="utf-8")
    manager = TaskManager(include_path=str(project / "wrapped"), include_defaults=False)
    [task] = manager.load(name)["tasks"].values()
    return task


def _prompt(task: Any, doc: Any) -> str:
    return (task.resolve_field(doc, task.config.description) or "") + task.doc_to_text(doc)


def _answer(task: Any, doc: Any) -> str:
    target = task.doc_to_target(doc)
    if task.config.output_type == "generate_until":
        return target
    choices = task.doc_to_choice(doc)
    return target if isinstance(target, str) else choices[target]


def one_configuration(file: TaskFile, config: str) -> TaskFile:
    """The task with one of its configurations alone, and with what there is of it in the set in miniature."""
    data = data_of(file).model_copy(update={"revision": "main", "configs": (config,) if config else ()})
    if "Subject" in data.where:
        data = data.model_copy(update={"where": {"Subject": subject_of(TESTED[0], config)}})
    return file.model_copy(update={"task": file.task.model_copy(update={"data": data})})


def ours(file: TaskFile, item: Item) -> tuple[str, str]:
    """Our prompt and answer, with --generate where the reference has the model write its reasoning first."""
    template = file.task.template
    if file.task.name == "mmlu_pro_health":
        assert file.task.generate
        template = Template(file.task.generate.prompt, file.task.generate.system, "letter")
    return plain_prompt(template, (), item), template.answer(item)


@pytest.mark.parametrize(("name", "folder", "reference", "config"), REFERENCES)
def test_prompts_and_answers_equal_those_of_the_reference(
    project: Path, name: str, folder: str, reference: str, config: str
) -> None:
    write_hub(project / "set", SETS[name], data_of(hub_task(name)))
    file = one_configuration(hub_task(name, project / "set"), config)
    mine = [ours(file, item) for item in loaded(file).items]
    task = reference_task(folder, reference, project)
    theirs = [(_prompt(task, doc), _answer(task, doc)) for doc in task.eval_docs]
    assert mine == theirs[: len(mine)]
    assert len(theirs) - len(mine) == (name in ("careqa_en", "headqa_es"))  # a row that only we leave out


@pytest.mark.parametrize("subject", ["anatomy", "professional_medicine"])
def test_exemplars_of_mmlu_are_the_first_of_the_question_s_subject(project: Path, subject: str) -> None:
    file, split = from_hub("mmlu_medical", project)
    shown = load_split(file, "exemplars", data_dir=None, offline=False)
    assert shown is not None
    exemplars = task_exemplars(file, split.items, shown, 2, 0, file.task.exemplar_choice)
    items = [item for item in split.items if item.group == subject]
    task = reference_task("mmlu", f"mmlu_{subject}", project)
    theirs = [task.fewshot_context(doc, num_fewshot=2) for doc in task.eval_docs]
    assert [plain_prompt(file.task.template, exemplars.of(item), item) for item in items] == theirs


# As a new user writes them: a prompt, and where the data are.
QUESTION = """
  Question: {{ question }}
  {% for letter, option in options %}{{ letter }}. {{ option }}
  {% endfor %}Answer:
"""
WRITTEN = {
    "medmcqa": """
  splits: {test: validation}
  columns: {question: question, options: [opa, opb, opc, opd], answer: cop, group: subject_name}
prompt: |-""" + QUESTION,
    "pubmedqa": """
  config: pubmed_qa_labeled_fold0_source
  columns:
    question: QUESTION
    options: {fixed: ["yes", "no", "maybe"]}
    answer: final_decision
    extra: {contexts: CONTEXTS}
scoring: {view: text, letters: false}
prompt: "Abstract: {{ contexts | join(' ') }} Question: {{ question }} Answer:"
""",
    **dict.fromkeys(
        SUBJECTS,
        """
  config: NAME
  columns: {question: question, options: choices, answer: answer}
prompt: |-""" + QUESTION,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_eight_tasks_are_written_with_no_conversion_and_no_dropped_row(project: Path, name: str) -> None:
    shipped = "mmlu_medical" if name in SUBJECTS else name
    write_hub(project / "set", SETS[shipped], data_of(hub_task(shipped)))
    head = f"name: t\nversion: 1\ntitle: T\nlicense: MIT\ndata:\n  hub: {project / 'set'}"
    (project / "t.yaml").write_text(head + WRITTEN[name].replace("NAME", name), encoding="utf-8")
    split = loaded(read_task(project / "t.yaml"))
    config = name if name in SUBJECTS else ""
    found = [(item.question, item.options, item.answer) for item in split.items]
    wanted = [
        (q.text, SETS[shipped].options or q.options[:4], q.answer) for q in SETS[shipped].tested(config)
    ]
    assert (found, split.warnings()) == (wanted, [])


def test_the_two_copies_of_medqa_that_are_no_tasks_of_their_own_can_be_read(project: Path) -> None:
    """`davidheineman/medqa-en`, and the English file of MMedBench's archive."""
    copy = [{"question": q.text, "choices": q.options[:4], "answer_idx": q.answer} for q in TESTED]
    english = [
        {"question": q.text, "options": q.lettered("ABCD"), "answer_idx": q.letter, "rationale": ""}
        for q in TESTED
    ]
    for name, rows, keys in (
        ("copy", copy, "columns: {options: choices, answer: answer_idx}"),
        ("English", english, "columns: {answer: answer_idx}"),
    ):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (project / f"{name}.jsonl").write_text(lines, encoding="utf-8")
        head = f"name: {name.lower()}\nversion: 1\ntitle: T\nlicense: MIT\nprompt: |-{QUESTION}data:\n"
        path = project / f"{name.lower()}.yaml"
        path.write_text(f"{head}  files: {{test: {name}.jsonl}}\n  {keys}\n", encoding="utf-8")
        split = loaded(read_task(path))
        assert [(item.options, item.answer) for item in split.items] == [
            (q.options[:4], q.answer) for q in TESTED
        ]
        assert split.warnings() == []
