"""Export for a model's repository on the hub: `.eval_results/*.yaml` and `model-index` metadata."""

from collections.abc import Iterator, Sequence

import yaml
from huggingface_hub import (
    EvalResult,
    EvalResultEntry,
    ModelCardData,
    eval_result_entries_to_yaml,
)

from bench.board.board import TaskBoard
from bench.errors import UsageError
from bench.results.result import DoneResult
from bench.sharing.export import (
    PROGRAM,
    Export,
    Publisher,
    comma_separated,
    describe_variant,
    finished_at,
    hub_data_set,
    hub_model,
)
from bench.wording import percent

_READ_ME = """\
---
{metadata}
---

Results of {title}, to be added to the repository that holds its weights{where}.
The metadata above goes into the `README.md` there (`huggingface_hub.metadata_update` merges it),
the folder `.eval_results`, where there is one, beside it.
{notices}"""


def hub_export(tables: Sequence[TaskBoard], publisher: Publisher) -> Export:
    """Files for each model, from the rows that the page compares; a publisher's name needs a URL."""
    if publisher.name and not publisher.url:
        raise UsageError("the hub accepts a source's name only with its URL; give --url too")
    notes = [note for table in tables for note in _left_out(table)]
    models: dict[str, list[DoneResult]] = {}
    for table in tables:
        for row in table.rows:
            if _has_published_weights(row.result):
                models.setdefault(row.result.cell.model.name, []).append(row.result)
    files: dict[str, bytes] = {}
    for model, results in sorted(models.items()):
        for task, entries in _entries(results, publisher).items():
            text = yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True)
            files[f"{model}/.eval_results/{task}.yaml"] = text.encode()
            notes.append(f"{model}/.eval_results/{task}.yaml: {_TASK_ID.format(task=task)}")
        files[f"{model}/README.md"] = _read_me(results, publisher).encode()
    return Export(files, tuple(dict.fromkeys(notes)))


_TASK_ID = "its task_id is our name, {task}; the eval.yaml of the data set says what it is called there"


def _has_published_weights(result: DoneResult) -> bool:
    """Whether a model's repository can hold the weights: not a baseline, and without an adapter."""
    return not result.cell.model.is_baseline and result.cell.variant.adapter is None


def _left_out(table: TaskBoard) -> Iterator[str]:
    """A note on each kind of run that is left out of all files, or of some."""
    task, results = table.task.name, [row.result for row in table.rows]
    baselines = [r.cell.model.name for r in results if r.cell.model.is_baseline]
    if baselines:
        yield f"left out: {comma_separated(baselines)}: baselines have no repository on the hub"
    tuned = [r.cell.model.name for r in results if r.cell.variant.adapter is not None]
    if tuned:
        names = comma_separated(tuned)
        yield f"left out: {names} on {task} with an adapter: not the weights of the model's repository"
    for row in table.apart:
        cell = row.result.cell
        yield f"left out: {cell.model.name} on {task} ({cell.variant.slug}): {row.apart}"
    tests = [result.cell.data["test"] for result in results if _has_published_weights(result)]
    files = [test.source for test in tests if hub_data_set(test) is None]
    if files:
        yield f"{task}: in model-index alone, as {comma_separated(files)} is no data set of the hub"


def _entries(results: Sequence[DoneResult], publisher: Publisher) -> dict[str, list[EvalResultEntry]]:
    """By task, an entry for each variant whose questions come from a data set of the hub."""
    entries: dict[str, list[EvalResultEntry]] = {}
    for result in results:
        data_set = hub_data_set(result.cell.data["test"])
        if data_set is not None:
            entry = _entry(result, data_set, publisher)
            entries.setdefault(result.cell.task.name, []).append(entry)
    return entries


def _entry(result: DoneResult, data_set: str, publisher: Publisher) -> EvalResultEntry:
    """The accuracy in percent, as the hub's leaderboards show it. Only the hub can issue a verify token."""
    rate = result.metrics.accuracy
    interval = f"95 % interval {percent(rate.low)} to {percent(rate.high)} of {rate.total:,} questions"
    return EvalResultEntry(
        dataset_id=data_set,
        task_id=result.cell.task.name,
        value=round(100 * rate.value, 4),
        date=finished_at(result.provenance).strftime("%Y-%m-%dT%H:%M:%SZ")
        if result.provenance.finished
        else None,
        source_url=publisher.url or None,
        source_name=_source(publisher),
        notes=f"{describe_variant(result)}; {interval}",
    )


def _source(publisher: Publisher) -> str | None:
    """A name; the hub accepts one only together with a URL."""
    return (publisher.name or PROGRAM) if publisher.url else None


def _read_me(results: Sequence[DoneResult], publisher: Publisher) -> str:
    cell = results[0].cell
    repository = hub_model(cell)
    name = repository.partition("/")[2] if repository else cell.model.name
    indexed = [_indexed(result, publisher) for result in results]
    notices = {result.cell.task.title: result.cell.task.notice for result in results}
    return _READ_ME.format(
        notices="".join(f"\n{title}: {notice}\n" for title, notice in notices.items() if notice),
        metadata=ModelCardData(model_name=name, eval_results=indexed).to_yaml(),
        title=cell.model.title,
        where=f" (https://huggingface.co/{repository})" if repository else "",
    )


def _indexed(result: DoneResult, publisher: Publisher) -> EvalResult:
    """The accuracy in [0, 1], as the hub defines that metric. The hub keeps the arguments of a data set only
    once for all variants, so the arguments that distinguish variants belong to the metric.
    """
    cell, rate = result.cell, result.metrics.accuracy
    test = cell.data["test"]
    return EvalResult(
        task_type="multiple-choice",
        task_name=cell.task.title,
        dataset_type=hub_data_set(test) or cell.task.name,
        dataset_name=cell.task.title,
        dataset_split=test.split,
        metric_type="accuracy",
        metric_name=f"Accuracy ({cell.variant.slug})",
        metric_value=rate.value,
        metric_args={
            "variant": describe_variant(result),
            "num_few_shot": cell.variant.exemplars,
            "interval_95": [rate.low, rate.high],
            "questions": rate.total,
            "task_version": cell.task.version,
            "weights": cell.weights,
            "run": cell.id,
        },
        source_name=_source(publisher),
        source_url=publisher.url or None,
    )
