"""A multiple-choice task of lm-evaluation-harness -> a task file of ours, and its data.

lm-eval's templates are rendered here, once: a question of the data is the whole prompt. What our
form would ask in other words than lm-eval is refused, so that both give the same scores.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.errors import BenchError, Unavailable, UsageError, did_you_mean, first_line
from bench.inputs.prompts import answer_text
from bench.inputs.rows import RowError, row_to_item
from bench.inputs.task import Columns, FilesData, Scoring, Splits, Task

COLUMNS = Columns(id="id")
BLANK_LINE = "\n\n"
"""What our prompts put between system text, exemplars and question."""
Row = dict[str, object]


def not_installed() -> BenchError:
    return BenchError("lm-evaluation-harness is not installed: pip install 'slm-bench[lm-eval]'")


def import_task(name: str, include_path: Path | None, folder: Path) -> Path:
    """Write `folder/lm-eval-NAME.yaml` and its data in `folder/data`; returns the YAML's path.

    `include_path` is a folder of lm-eval's YAML files that goes before its own tasks. Loading a task
    runs the Python functions it names. Exemplars are the same documents as lm-eval's, but which of
    them are shown is our own choice. Raises a BenchError that says what our form cannot hold, and
    Unavailable where the data are not to be had.
    """
    manager = _manager(name, include_path)
    config = _config(manager, name)
    if problems := list(_problems(config)):
        raise BenchError(f"lm-eval's task '{name}' cannot be imported: {'; '.join(problems)}")
    task = _load(manager, name)
    docs = list(task.eval_docs)
    rows = {"test": _rows(name, task, task.config, docs, "test")}
    if _has_exemplars(config):
        rows["exemplars"] = _rows(name, task, task.fewshot_cfg, task.fewshot_docs(), "exemplars")
    return _write(_task(name, config, _system(name, task, docs), rows), rows, folder)


def _manager(name: str, include_path: Path | None) -> Any:
    try:
        from lm_eval.tasks import TaskManager
    except ModuleNotFoundError as error:
        raise not_installed() from error
    if include_path is None:
        return TaskManager()
    if not include_path.is_dir():
        raise UsageError(f"there is no folder {include_path} to look for lm-eval's tasks in")
    # Indexing lm-eval's own 14,000 tasks takes 6 s: only where the folder has no such task.
    own = TaskManager(include_path=include_path, include_defaults=False)
    return own if name in own.all_tasks else TaskManager(include_path=include_path)


def _config(manager: Any, name: str) -> Mapping[str, Any]:
    """The task's YAML with what it includes, functions by their names; no data are read for it."""
    entry = manager.task_index.get(name)
    if entry is None:
        raise UsageError(f"lm-eval has no task '{name}'{did_you_mean(name, manager.all_tasks)}")
    if name not in manager.all_subtasks:
        raise BenchError(f"'{name}' is a group of lm-eval's tasks: import them one by one")
    return entry.cfg


def _problems(config: Mapping[str, Any]) -> Iterator[str]:
    """What our form cannot hold, as far as it can be seen without data."""
    if "class" in config:
        yield "it is written in Python (class)"
        return
    output = config.get("output_type", "generate_until")
    if output != "multiple_choice":
        yield f"its output_type is {output}, and only multiple_choice has options to score"
    if config.get("process_results"):
        yield "it scores answers by code of its own (process_results)"
    if config.get("doc_to_image") or config.get("doc_to_audio"):
        yield "it shows pictures or plays sounds"
    if config.get("gen_prefix") or _few_shot(config, "gen_prefix"):
        yield "it begins the answer itself (gen_prefix)"
    if config.get("num_fewshot"):
        yield from _few_shot_problems(config)


def _few_shot(config: Mapping[str, Any], key: str, default: Any = None) -> Any:
    return (config.get("fewshot_config") or {}).get(key, default)


def _few_shot_problems(config: Mapping[str, Any]) -> Iterator[str]:
    usual = config.get("fewshot_delimiter", BLANK_LINE)
    if (delimiter := _few_shot(config, "fewshot_delimiter", usual)) != BLANK_LINE:
        yield f"its fewshot_delimiter is {delimiter!r}, and ours is a blank line"
    if not _has_exemplars(config):
        yield "its few-shot examples come from the split that it tests"


def _tested(config: Mapping[str, Any]) -> str | None:
    return config.get("test_split") or config.get("validation_split")


def _has_exemplars(config: Mapping[str, Any]) -> bool:
    """Whether lm-eval draws few-shot examples from documents that it does not test."""
    split = _few_shot(config, "split", config.get("fewshot_split"))
    if split is None and _few_shot(config, "samples") is not None:
        return True
    usual = config.get("training_split") or config.get("validation_split")
    return (split or usual) not in (None, _tested(config))


def _load(manager: Any, name: str) -> Any:
    try:
        [task] = manager.load(name)["tasks"].values()
    except OSError as error:
        reason = f"the data of lm-eval's task '{name}' cannot be had ({first_line(error)})"
        raise Unavailable(reason, "import it with the hub in reach, or correct its dataset_path") from error
    except Exception as error:  # a stranger's code and templates: whatever they raise is their mistake
        raise _failed(f"lm-eval cannot load its task '{name}'", error) from error
    return task


def _failed(what: str, error: Exception) -> BenchError:
    return BenchError(f"{what}: {type(error).__name__}: {first_line(error)}")


def _rows(name: str, task: Any, form: Any, docs: Iterable[Any], split: str) -> list[Row]:
    """The documents in our form; ids count them as lm-eval's doc_id does.

    `form` has the templates: the task's own, or those of its few-shot examples.
    """
    rows: list[Row] = []
    for number, doc in enumerate(docs):
        place = f"lm-eval's task '{name}' cannot be imported: document {number} of its {split} split"
        try:
            rows.append(_row(task, form, doc, f"{split}-{number:05d}"))
        except RowError as error:
            raise BenchError(f"{place}: {error}") from error
        except Exception as error:  # a stranger's code and templates
            raise _failed(place, error) from error
    return rows


def _row(task: Any, form: Any, doc: Any, item_id: str) -> Row:
    question = task.doc_to_text(doc, form.doc_to_text)
    if not isinstance(question, str):
        raise RowError("doc_to_text", "gives an index: a context for each option, and ours has one for all")
    options = list(task.doc_to_choice(doc, form.doc_to_choice))
    answer = _answer(task.doc_to_target(doc, form.doc_to_target), options)
    row: Row = {"id": item_id, "question": question, "options": options, "answer": answer}
    item = row_to_item(row, COLUMNS, item_id)
    for option in item.options:
        _check_text(question, option, form.target_delimiter)
    return row


def _answer(gold: object, options: Sequence[object]) -> object:
    """The right option's index; one that is out of range is left to the check of the whole row."""
    if isinstance(gold, list):
        raise RowError("doc_to_target", "gives a list of right answers, and ours has one")
    if isinstance(gold, str):
        if gold not in options:
            raise RowError("doc_to_target", f"gives {gold!r}, which is none of the options")
        return options.index(gold)
    return int(gold) if isinstance(gold, bool) else gold


def _check_text(question: str, option: str, delimiter: str) -> None:
    if not option.strip():
        raise RowError("doc_to_choice", "gives an empty option")
    theirs, ours = delimiter + option, answer_text(question, option.strip())
    if theirs != ours:
        text = f"lm-eval writes {theirs!r} after {question[-20:]!r}, and we would write {ours!r}"
        raise RowError("target_delimiter", text)


def _system(name: str, task: Any, docs: Iterable[Any]) -> str:
    """The description, which lm-eval puts straight before the first question, as our system text."""
    told = {task.resolve_field(doc, task.config.description) or "" for doc in docs}
    refused = f"lm-eval's task '{name}' cannot be imported: its description"
    if len(told) > 1:
        raise BenchError(f"{refused} is not the same for all documents")
    [description] = told
    system = description.removesuffix(BLANK_LINE)
    if description and system + BLANK_LINE != description:
        raise BenchError(f"{refused} does not end in a blank line, as our system text does")
    return system


def _task(name: str, config: Mapping[str, Any], system: str, splits: Iterable[str]) -> Task:
    import lm_eval

    own = own_name(name)
    version = _given_version(config)
    source = " ".join(str(config[key]) for key in ("dataset_path", "dataset_name") if config.get(key))
    return Task(
        name=own,
        version=own_version(version),
        title=f"{name} (lm-evaluation-harness)",
        description=f"Task '{name}', version {version}, of lm-evaluation-harness {lm_eval.__version__}: "
        f"split '{_tested(config)}' of {source}. A question is lm-eval's whole prompt.",
        license="unknown",
        data=FilesData(
            files={split: f"data/{own}_{split}.jsonl" for split in splits},
            splits=Splits(exemplars="exemplars" if "exemplars" in splits else None),
            columns=COLUMNS,
        ),
        prompt="{{ question }}",
        system=system,
        scoring=Scoring(view="text", letters=False),
        exemplars=config.get("num_fewshot") or 0,
        metrics=("accuracy",),
    )


def _given_version(config: Mapping[str, Any]) -> str:
    match config:
        case {"metadata": {"version": version}}:
            return str(version)
        case _:
            return "unknown"


def own_name(name: str) -> str:
    """The name that lm-eval's task has here."""
    return "lm-eval-" + re.sub(r"[^a-z0-9_.-]", "-", name.lower())


def own_version(given: str) -> int:
    """lm-eval's versions begin at 0 and may be 1.0; ours are whole and begin at 1."""
    number = re.match(r"\d+", given)
    return max(1, int(number.group())) if number else 1


def _write(task: Task, rows: Mapping[str, Sequence[Row]], folder: Path) -> Path:
    assert isinstance(task.data, FilesData)
    path = folder / f"{task.name}.yaml"
    try:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        for split, file in task.data.files.items():
            lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows[split]]
            (folder / file).write_text("".join(lines), encoding="utf-8")
        # Last, so that a task which is there has its data.
        told = task.model_dump(mode="json", exclude_defaults=True)
        path.write_text(yaml.safe_dump(told, sort_keys=False, allow_unicode=True), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"the task cannot be written to {folder}: {error.strerror}") from error
    return path
