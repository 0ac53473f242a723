"""A multiple-choice task of lm-evaluation-harness -> a task file of ours and its data.

lm-eval's templates are rendered once, on import: a question in our data is lm-eval's whole prompt. A task
is refused if our prompt would differ from lm-eval's in any character, so that both give the same scores.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.errors import BenchError, Unavailable, UsageError, did_you_mean, named_line, one_line
from bench.folders import safe_name
from bench.inputs.odd_rows import RowRules
from bench.inputs.prompts import ExemplarChoice, answer_text, is_template
from bench.inputs.row_error import RowError
from bench.inputs.rows import row_to_item
from bench.inputs.task import Scoring, Task
from bench.inputs.task_data import Columns, FilesData, Reading, Splits

COLUMNS = Columns(id="id")
_ANSWERS: Any = {"answer_form": "index", "answer_from": 0}
BLANK_LINE = "\n\n"
"""Our prompts have it between system text, exemplars and question."""
RANDOM, FIRST = "default", "first_n"
"""lm-eval's samplers of few-shot examples."""
Row = dict[str, object]


def not_installed() -> UsageError:
    return UsageError("lm-evaluation-harness is not installed: pip install 'slm-bench[lm-eval]'")


def import_task(name: str, include_path: Path | None, folder: Path, *, shown: bool = False) -> Path:
    """Write `folder/lm-eval-NAME.yaml` and its data in `folder/data`; returns the YAML's path.

    `include_path` is a folder of YAML files in lm-eval's format, searched before lm-eval's own tasks.
    Loading a task runs the Python functions that it names. `shown` is whether exemplars will be shown even
    if the task's file asks for none. They are those of lm-eval, as it draws them with its default seed for
    all documents. Raises a BenchError for what our tasks cannot express, and Unavailable if the data cannot
    be loaded.
    """
    manager = _manager(name, include_path)
    config = _config(manager, name)
    few_shot_problems = [] if "class" in config else list(_few_shot_problems(config))
    asked = shown or config.get("num_fewshot")
    if problems := [*_problems(config), *(few_shot_problems if asked else ())]:
        raise BenchError(f"{_refused(name)}: {'; '.join(problems)}")
    task = _load(manager, name)
    docs = list(task.eval_docs)
    rows = {"test": _rows(name, task, task.config, docs, "test")}
    if not few_shot_problems:
        rows["exemplars"] = _rows(name, task, task.fewshot_cfg, task.fewshot_docs(), "exemplars")
    return _write(_task(name, config, _system(name, task, docs), rows), rows, folder)


def _refused(name: str) -> str:
    return f"lm-eval's task '{name}' cannot be imported"


def _manager(name: str, include_path: Path | None) -> Any:
    try:
        from lm_eval.tasks import TaskManager
    except ModuleNotFoundError as error:
        raise not_installed() from error
    if include_path is None:
        return TaskManager()
    if not include_path.is_dir():
        raise UsageError(f"--include-path: there is no folder {include_path}")
    # Indexing lm-eval's own 14,000 tasks takes 6 s, so only if the folder has no such task.
    own = TaskManager(include_path=include_path, include_defaults=False)
    return own if name in own.all_tasks else TaskManager(include_path=include_path)


def _config(manager: Any, name: str) -> Mapping[str, Any]:
    """The task's YAML with its includes resolved, functions by name; reads no data."""
    entry = manager.task_index.get(name)
    if entry is None:
        raise UsageError(f"lm-eval has no task '{name}'{did_you_mean(name, manager.all_tasks)}")
    if name not in manager.all_subtasks:
        raise BenchError(f"'{name}' is a group of lm-eval's tasks; import them one by one")
    return entry.cfg


def _problems(config: Mapping[str, Any]) -> Iterator[str]:
    """What our tasks cannot express, as far as the YAML shows it."""
    if "class" in config:
        yield "it is written in Python (class)"
        return
    output = config.get("output_type", "generate_until")
    if output != "multiple_choice":
        yield f"its output_type is {output}, and only multiple_choice can be imported"
    if config.get("process_results"):
        yield "it scores answers with its own code (process_results)"
    if config.get("doc_to_image") or config.get("doc_to_audio"):
        yield "its questions contain images or audio"
    if config.get("gen_prefix") or _few_shot(config, "gen_prefix"):
        yield "it writes the beginning of the answer (gen_prefix)"


def _few_shot(config: Mapping[str, Any], key: str, default: Any = None) -> Any:
    return (config.get("fewshot_config") or {}).get(key, default)


def _few_shot_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Why exemplars cannot be those of lm-eval."""
    if (sampler := _few_shot(config, "sampler", RANDOM)) not in (RANDOM, FIRST):
        yield f"it chooses few-shot examples by a sampler of its own ({sampler})"
    default = config.get("fewshot_delimiter", BLANK_LINE)
    if (delimiter := _few_shot(config, "fewshot_delimiter", default)) != BLANK_LINE:
        yield f"its fewshot_delimiter is {delimiter!r}, and ours is a blank line"
    if not _has_exemplars(config):
        yield "its few-shot examples come from the split that it tests"


def _test_split(config: Mapping[str, Any]) -> str | None:
    return config.get("test_split") or config.get("validation_split")


def _has_exemplars(config: Mapping[str, Any]) -> bool:
    """Whether lm-eval draws few-shot examples from documents that it does not test."""
    split = _few_shot(config, "split", config.get("fewshot_split"))
    if split is None and _few_shot(config, "samples") is not None:
        return True
    default = config.get("training_split") or config.get("validation_split")
    return (split or default) not in (None, _test_split(config))


def _exemplar_choice(config: Mapping[str, Any]) -> ExemplarChoice:
    """Ours that shows what lm-eval's sampler shows.

    Where neither a test split nor one for few-shot examples is named, lm-eval takes the two for the same:
    it draws one more than it shows, in case the question is among them.
    """
    if _few_shot(config, "sampler", RANDOM) == FIRST:
        return "first"
    split = _few_shot(config, "split", config.get("fewshot_split"))
    return "lm_eval_spare" if split == config.get("test_split") else "lm_eval"


def _load(manager: Any, name: str) -> Any:
    try:
        [task] = manager.load(name)["tasks"].values()
    except OSError as error:
        reason = f"the data of lm-eval's task '{name}' cannot be loaded ({one_line(error)})"
        raise Unavailable(reason, "connect to the hub, or correct its dataset_path") from error
    except Exception as error:  # the task's own code and templates: whatever they raise
        raise _failed(f"lm-eval cannot load its task '{name}'", error) from error
    return task


def _failed(what: str, error: Exception) -> BenchError:
    return BenchError(f"{what}: {named_line(error)}")


def _rows(name: str, task: Any, templates: Any, docs: Iterable[Any], split: str) -> list[Row]:
    """The documents as rows of our data; ids number them as lm-eval's doc_id does.

    `templates` is the task's configuration, or that of its few-shot examples.
    """
    rows: list[Row] = []
    for number, doc in enumerate(docs):
        place = f"{_refused(name)}: document {number} of its {split} split"
        try:
            rows.append(_row(task, templates, doc, f"{split}-{number:05d}"))
        except RowError as error:
            raise BenchError(f"{place}: {error}") from error
        except Exception as error:  # as in `_load`
            raise _failed(place, error) from error
    return rows


def _row(task: Any, templates: Any, doc: Any, item_id: str) -> Row:
    question = task.doc_to_text(doc, templates.doc_to_text)
    if not isinstance(question, str):
        text = "gives an index, so every option has its own context; only one for all can be imported"
        raise RowError("doc_to_text", text)
    options = list(task.doc_to_choice(doc, templates.doc_to_choice))
    answer = _answer(task.doc_to_target(doc, templates.doc_to_target), options)
    row: Row = {"id": item_id, "question": question, "options": options, "answer": answer}
    item = row_to_item(row, Reading(columns=COLUMNS, **_ANSWERS), item_id)
    if len(item.options) < len(options):
        raise RowError("doc_to_choice", "gives an empty option")
    for option in item.options:
        _check_text(question, option, templates.target_delimiter)
    return row


def _answer(gold: object, options: Sequence[object]) -> object:
    """The right option's index. The check of the whole row finds one that is out of range."""
    if isinstance(gold, list):
        raise RowError("doc_to_target", "gives several right answers, and an item has one")
    if isinstance(gold, str):
        if gold not in options:
            raise RowError("doc_to_target", f"gives {gold!r}, which is none of the options")
        return options.index(gold)
    return int(gold) if isinstance(gold, bool) else gold


def _check_text(question: str, option: str, delimiter: str) -> None:
    theirs, ours = delimiter + option, answer_text(question, option.strip())
    if theirs != ours:
        text = f"lm-eval writes {theirs!r} after {question[-20:]!r}, but we would write {ours!r}"
        raise RowError("target_delimiter", text)


def _system(name: str, task: Any, docs: Iterable[Any]) -> str:
    """The task's description as our system text: lm-eval puts it directly before the first question."""
    descriptions = {task.resolve_field(doc, task.config.description) or "" for doc in docs}
    if len(descriptions) > 1:
        raise BenchError(f"{_refused(name)}: its description is not the same for all documents")
    [description] = descriptions
    system = description.removesuffix(BLANK_LINE)
    if description and system + BLANK_LINE != description:
        raise BenchError(f"{_refused(name)}: its description does not end in a blank line")
    if description and not system:
        raise BenchError(f"{_refused(name)}: its description is a blank line alone")
    if is_template(system):
        raise BenchError(f"{_refused(name)}: its description has '{{{{' or '{{%', which is a template here")
    return system


def _task(name: str, config: Mapping[str, Any], system: str, splits: Iterable[str]) -> Task:
    import lm_eval

    own = own_name(name)
    version = _version(config)
    source = " ".join(str(config[key]) for key in ("dataset_path", "dataset_name") if config.get(key))
    return Task(
        name=own,
        version=own_version(version),
        title=f"{name} (lm-evaluation-harness)",
        description=f"Task '{name}', version {version}, of lm-evaluation-harness {lm_eval.__version__}: "
        f"split '{_test_split(config)}' of {source}. A question is lm-eval's whole prompt.",
        license="unknown",
        data=FilesData(
            files={split: _data_file(own, split) for split in splits},
            splits=Splits(exemplars="exemplars" if "exemplars" in splits else None),
            columns=COLUMNS,
            rows=RowRules(doubled_answer="keep"),  # lm-eval asks such questions too
            **_ANSWERS,
        ),
        prompt="{{ question }}",
        system=system,
        scoring=Scoring(view="text", letters=False),
        exemplars=config.get("num_fewshot") or 0,
        exemplar_choice=_exemplar_choice(config) if "exemplars" in splits else "fixed",
        metrics=("accuracy",),
    )


def _data_file(name: str, split: str) -> str:
    return f"data/{name}_{split}.jsonl"


def _version(config: Mapping[str, Any]) -> str:
    """lm-eval's own version of the task, "unknown" where it has none."""
    match config:
        case {"metadata": {"version": version}}:
            return str(version)
        case _:
            return "unknown"


def own_name(name: str) -> str:
    """The name of lm-eval's task in our registry."""
    return f"lm-eval-{safe_name(name, 'task')}"


def own_version(given: str) -> int:
    """lm-eval's versions start at 0 and may be 1.0; ours are integers and start at 1."""
    number = re.match(r"\d+", given)
    return max(1, int(number.group())) if number else 1


def _write(task: Task, rows: Mapping[str, Sequence[Row]], folder: Path) -> Path:
    path = folder / f"{task.name}.yaml"
    try:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        for split, documents in rows.items():
            lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in documents]
            (folder / _data_file(task.name, split)).write_text("".join(lines), encoding="utf-8")
        # Last, so that a task file never exists without its data.
        content = task.model_dump(mode="json", exclude_defaults=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"the task cannot be written to {folder}: {error.strerror}") from error
    return path
