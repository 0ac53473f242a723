"""A run's metrics -> Every Eval Ever's evaluation results: score, interval, data, generation settings."""

from dataclasses import dataclass
from typing import Any

from bench.results.result import DoneResult
from bench.results.variant import Variant
from bench.scoring.metrics import Rate
from bench.sharing.export import Finished, deviation, hub_data_set, strings, without_none
from bench.stats.bootstrap import RESAMPLES
from bench.stats.metrics import ACCURACY, Estimate, Metric, find_metric


@dataclass(frozen=True, slots=True)
class _Words:
    """What the data store calls a metric."""

    id: str
    name: str
    kind: str


_THEIR_WORDS = {"macro_f1": _Words("f1_macro", "F1, mean over the letters", "f1")}
"""By our name, where theirs is another."""


def evaluation_results(run: Finished) -> list[dict[str, Any]]:
    """The accuracy first: the samples refer to it. A metric whose package is not installed is left out,
    because its bounds are not known.
    """
    metrics = run.result.metrics
    rate = metrics.accuracy
    details = {"correct": rate.correct, "unread": metrics.unread, "statuses": metrics.statuses}
    details |= {f"accuracy_{view}": by_view.value for view, by_view in metrics.views.items()}
    details |= {f"accuracy {name}": group.accuracy.value for name, group in metrics.groups.items()}
    score = {"score": rate.value, "details": strings(details), "uncertainty": _wilson(rate, metrics.clusters)}
    results = [_result(run, ACCURACY, score)]
    for name, estimate in metrics.values.items():
        metric = find_metric(name)
        if metric and metric != ACCURACY and estimate.value is not None:
            uncertainty = _uncertainty(metric, estimate, rate.total, metrics.clusters)
            results.append(_result(run, metric, {"score": estimate.value, "uncertainty": uncertainty}))
    return results


def _result(run: Finished, metric: Metric, score: dict[str, Any]) -> dict[str, Any]:
    task = run.result.cell.task
    words = _THEIR_WORDS.get(metric.name) or _Words(metric.name, metric.title, metric.name)
    low, high = metric.bounds
    config = {
        "evaluation_description": task.description or task.title,
        "metric_id": words.id,
        "metric_name": words.name,
        "metric_kind": words.kind,
        "metric_unit": "proportion" if metric.bounds == (0.0, 1.0) else None,
        "lower_is_better": metric.lower_is_better,
        "score_type": "continuous",
        "min_score": low,
        "max_score": high,
    }
    return {
        "evaluation_result_id": words.id,
        "evaluation_name": task.name,
        "source_data": _source_data(run),
        "evaluation_timestamp": run.result.provenance.finished,
        "metric_config": without_none(config),
        "score_details": score,
        "generation_config": _generation_config(run.result),
    }


def _wilson(rate: Rate, clusters: int | None) -> dict[str, Any]:
    spread = deviation(rate)
    if clusters is not None:
        return _clustered(rate, spread, clusters)
    interval = {"lower": rate.low, "upper": rate.high, "confidence_level": 0.95, "method": "Wilson score"}
    error = None if spread is None else {"value": spread / rate.total**0.5, "method": "analytic"}
    values = {"standard_error": error, "confidence_interval": interval, "standard_deviation": spread}
    return without_none(values | {"num_samples": rate.total})


def _clustered(rate: Rate, spread: float | None, clusters: int) -> dict[str, Any]:
    """No standard error: theirs is of independent samples."""
    interval = {"lower": rate.low, "upper": rate.high, "confidence_level": 0.95}
    interval |= {"method": f"Wilson score, effective sample size of {clusters} clusters"}
    values = {"confidence_interval": interval, "standard_deviation": spread, "num_samples": rate.total}
    return without_none(values)


def _uncertainty(metric: Metric, estimate: Estimate, total: int, clusters: int | None) -> dict[str, Any]:
    if estimate.low is None or estimate.high is None:
        return {"num_samples": total}
    interval = {"lower": estimate.low, "upper": estimate.high, "confidence_level": 0.95}
    if metric.interval != "bootstrap":
        return {"confidence_interval": interval, "num_samples": total}
    interval |= {"method": "percentile bootstrap" if clusters is None else "percentile cluster bootstrap"}
    return {"confidence_interval": interval, "num_samples": total, "num_bootstrap_samples": RESAMPLES}


def _source_data(run: Finished) -> dict[str, Any]:
    cell = run.result.cell
    task, test = cell.task, cell.data["test"]
    details = {
        "title": task.title,
        "task_version": task.version,
        "task_sha256": task.sha256,
        "questions_sha256": test.sha256,
        "first_questions_asked": cell.limit if cell.limit_order == "file" else None,
        "drawn_questions_asked": cell.limit if cell.limit_order == "drawn" else None,
        "license": task.license,
        "notice": task.notice,
    }
    repository = hub_data_set(test)
    if repository is None:
        details |= {"file": test.source, "split": test.split, "samples_number": test.rows}
        return {"dataset_name": task.name, "source_type": "other", "additional_details": strings(details)}
    return {
        "dataset_name": task.name,
        "source_type": "hf_dataset",
        "hf_repo": repository,
        "hf_split": test.split,
        "samples_number": test.rows,
        "sample_ids": [record.question_id for record in run.records],
        "additional_details": strings(details),
    }


def _choice(variant: Variant) -> str:
    """The ids of named exemplars are in `exemplar_ids`."""
    return variant.exemplar_choice if isinstance(variant.exemplar_choice, str) else "named"


def _generation_config(result: DoneResult) -> dict[str, Any]:
    cell = result.cell
    variant, generate = cell.variant, cell.variant.generate
    arguments: dict[str, object] = {
        "execution_command": cell.command,
        "reasoning": generate is not None,
        "prompt_template": generate.prompt if generate else cell.task.prompt,
    }
    details: dict[str, object] = {
        "num_fewshot": variant.exemplars,
        "exemplar_choice": _choice(variant) if variant.exemplars else None,
        "exemplars_within": variant.exemplars_within or None,
        "exemplar_ids": list(cell.exemplar_ids) or None,
        "prompt_style": variant.prompt,
        "system": generate.system if generate else cell.task.system,
        "seed": variant.seed,
    }
    if generate:
        arguments |= {"temperature": generate.temperature, "max_tokens": generate.max_new_tokens}
        details |= {"stop": list(generate.stop), "samples": generate.samples}
    else:
        details |= {"answer": "the option of the highest score", "view": cell.task.view}
    return {"generation_args": arguments, "additional_details": strings(details)}
