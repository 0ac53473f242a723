"""Export as the files that `lm_eval --output_path DIR --log_samples` writes (0.4.13). Needs no lm-eval."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from bench.inputs.prompts import ChosenExemplars
from bench.results.result import CellFacts, DoneResult
from bench.sharing.export import (
    Export,
    Finished,
    as_json,
    as_lines,
    deviation,
    finished_at,
    hub_data_set,
    hub_model,
    program,
    sha256,
    tuned_name,
    without_none,
)
from bench.sharing.lm_eval_samples import Measures, generation, logprobs, measures, rate, samples
from bench.types import LETTERS

_UNSAFE = re.compile(r'["<>:/|\\?*\[\]]+')
_RESPS = {
    "letter": "natural log-probability of each option's letter after the prompt",
    "text": "natural log-probability of each option's text after the prompt, summed over its tokens",
}


def lm_eval_export(runs: Sequence[Finished]) -> Export:
    """Two files for each run, in its model's folder. `config.model_args` tells variants apart."""
    files: dict[str, bytes] = {}
    for run in runs:
        task = run.result.cell.task.name
        folder = sanitized(model_name(run.result.cell))
        date = next(
            date
            for date in _dates(finished_at(run.result.provenance))
            if f"{folder}/results_{date}.json" not in files
        )
        lines = list(samples(run))
        hashes = (line["doc_hash"] + line["prompt_hash"] + line["target_hash"] for line in lines)
        results = _results(run) | {"task_hashes": {task: sha256("".join(hashes))}}
        files[f"{folder}/results_{date}.json"] = as_json(results)
        files[f"{folder}/samples_{task}_{date}.jsonl"] = as_lines(lines)
    return Export(files)


def model_name(cell: CellFacts) -> str:
    return hub_model(cell) or tuned_name(cell)


def sanitized(name: str) -> str:
    """The name of a model's folder, as lm-eval makes it."""
    return _UNSAFE.sub("__", name)


def _dates(end: datetime) -> Iterator[str]:
    """The end of the run in UTC as lm-eval writes it, then one microsecond later, and so on, so that no two
    runs share a file.
    """
    for microsecond in range(10**6):
        date = end.replace(tzinfo=None, microsecond=microsecond)
        yield date.isoformat(timespec="microseconds").replace(":", "-")


def _results(run: Finished) -> dict[str, Any]:
    result = run.result
    cell, provenance, metrics = result.cell, result.provenance, measures(run.result)
    task = cell.task.name
    name = model_name(cell)
    return without_none(
        {
            "results": {task: _scores(result, metrics)},
            "group_subtasks": {task: []},
            "configs": {task: _task_config(result, metrics)},
            "versions": {task: cell.task.version},
            "n-shot": {task: cell.variant.exemplars},
            "higher_is_better": {task: dict.fromkeys(metrics, True)},
            "n-samples": {task: {"original": cell.data["test"].rows, "effective": len(run.records)}},
            "config": _config(result),
            "git_hash": provenance.git,
            "date": finished_at(provenance).timestamp(),
            "pretty_env_info": f"{provenance.system}, {provenance.processor}, Python {provenance.python}",
            "transformers_version": provenance.libraries.get("transformers"),
            "lm_eval_version": _lm_eval_version(result),
            "max_length": cell.model.context,
            "model_source": _source(result),
            "model_name": name,
            "model_name_sanitized": sanitized(name),
            "fewshot_as_multiturn": cell.variant.prompt == "chat",
            "total_evaluation_time_seconds": _seconds(result),
        }
    )


def _seconds(result: DoneResult) -> str | None:
    load, scoring = result.cost.load_seconds, result.cost.scoring_seconds
    return None if load is None or scoring is None or result.cost.measured else str(load + scoring)


def _source(result: DoneResult) -> str:
    """The program that ran the model; `slm-bench` is the name of our engine in lm-eval."""
    return program(result)[0] if result.imported else "slm-bench"


def _lm_eval_version(result: DoneResult) -> str | None:
    """None unless lm-eval itself made the run."""
    name, version = program(result)
    return version if name.casefold() in ("lm-eval", "lm_eval", "lm-evaluation-harness") else None


def _scores(result: DoneResult, metrics: Measures) -> dict[str, Any]:
    """`METRIC,FILTER` and its standard error, computed as in lm-eval."""
    task, filtered = result.cell.task, _filter(result.cell)
    scores: dict[str, Any] = {"name": task.name, "alias": task.name}
    scores["sample_len"] = result.metrics.accuracy.total
    for name, view in metrics.items():
        accuracy = rate(result, view)
        spread = deviation(accuracy)
        scores[f"{name},{filtered}"] = accuracy.value
        scores[f"{name}_stderr,{filtered}"] = "N/A" if spread is None else spread / accuracy.total**0.5
    return scores


def _filter(cell: CellFacts) -> str:
    return "read-answer" if cell.variant.generate else "none"


def _task_config(result: DoneResult, metrics: Measures) -> dict[str, Any]:
    """The prompts are our templates, in which `options` are (letter, option) pairs."""
    cell = result.cell
    task, test, generate = cell.task, cell.data["test"], cell.variant.generate
    letters = f'{{{{ "{LETTERS}"[:options | length] | list }}}}'
    templates = {
        "output_type": "multiple_choice",
        "doc_to_text": task.prompt,
        "doc_to_target": f'{{{{ "{LETTERS}".index(answer) }}}}',
        "doc_to_choice": letters if logprobs(result) == "letter" else "{{ options }}",
        "description": task.system,
    }
    if generate:
        templates = {
            "output_type": "generate_until",
            "doc_to_text": generate.prompt,
            "doc_to_target": "{{ answer }}",
            "description": generate.system,
            "generation_kwargs": generation(cell),
        }
    return {
        "task": task.name,
        "dataset_path": hub_data_set(test) or test.source,
        "test_split": test.split,
        **templates,
        "num_fewshot": cell.variant.exemplars,
        **_sampler(cell),
        "metric_list": [
            {"metric": name, "aggregation": "mean", "higher_is_better": True} for name in metrics
        ],
        "repeats": generate.samples if generate else 1,
        "should_decontaminate": False,
        "metadata": _metadata(result),
    }


def _sampler(cell: CellFacts) -> dict[str, Any]:
    """lm-eval's sampler, where the exemplars are those that it gives."""
    samplers: dict[ChosenExemplars, str] = {
        "first": "first_n", "lm_eval": "default", "lm_eval_spare": "default",
    }  # fmt: skip
    sampler = samplers.get(cell.variant.exemplar_choice) if cell.variant.exemplars else None
    return {"fewshot_config": {"sampler": sampler}} if sampler else {}


def _metadata(result: DoneResult) -> dict[str, Any]:
    """Facts of the run that lm-eval has no key for."""
    cell = result.cell
    if cell.variant.generate:
        resps = "what the model wrote"
    elif cell.model.is_baseline:
        resps = "logarithm of the baseline's share for each option"
    else:
        resps = _RESPS[logprobs(result)]
    partial = {"limit_order": cell.limit_order} if cell.limit is not None else {}
    within = {"exemplars_within": cell.variant.exemplars_within} if cell.variant.exemplars_within else {}
    return {
        "version": cell.task.version,
        "made_by": " ".join(program(result)),
        "run": cell.id,
        "task_sha256": cell.task.sha256,
        "questions_sha256": cell.data["test"].sha256,
        "view": cell.task.view,
        "resps": resps,
        "texts": result.texts,
        "notice": cell.task.notice,
        "command": cell.command,
        **partial,
        **within,
    }


def _config(result: DoneResult) -> dict[str, Any]:
    cell, adapter = result.cell, result.cell.variant.adapter
    variant = cell.variant
    arguments = {
        "model": hub_model(cell) or cell.model.name,
        "dtype": variant.dtype,
        "quantize": variant.weights_format or (None if variant.quantize == "none" else variant.quantize),
        "peft": f"{adapter.name} {adapter.sha256}" if adapter else None,
        "apply_chat_template": variant.prompt == "chat",
    }
    return without_none(
        {
            "model": _source(result),
            "model_args": without_none(arguments),
            "model_num_parameters": cell.model.parameters,
            "model_dtype": variant.dtype,
            "model_sha": cell.weights,
            "device": result.provenance.device,
            "limit": cell.limit,
            "gen_kwargs": generation(cell) or None,
            "fewshot_seed": variant.seed if variant.exemplars else None,
        }
    )
