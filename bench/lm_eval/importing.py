"""Imports lm-eval's runs: what lm-eval reports is kept, what it does not report stays unknown.

The answers are computed from the log-likelihoods by our own rule, and must equal those that lm-eval
counted.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.errors import FileError, Mistake, UsageError, did_you_mean, one_line
from bench.folders import display, is_file
from bench.inputs.model_card import ModelCard
from bench.lm_eval.documents import options_of, question_of
from bench.lm_eval.facts import cell_of, model_of, other_model, provenance_of
from bench.lm_eval.files import (
    OLDER_RESULTS,
    OTHERS,
    RESULTS,
    ResultsFile,
    Sample,
    mistake,
    read_results_file,
    read_samples,
    wrong,
)
from bench.lm_eval.mapping import NotTheSame, Target, as_ours
from bench.results.cost import Cost, EngineFacts
from bench.results.files import digest
from bench.results.identity import folder_of, summary_in
from bench.results.mirrored import send
from bench.results.result import DoneResult
from bench.results.store import begin, find_run, records_bytes, write_run
from bench.scoring.metrics import measure
from bench.scoring.record import ModelOutput, Record
from bench.scoring.recording import ViewScores
from bench.stats.metrics import ACCURACY
from bench.types import LETTERS, Item, ViewName
from bench.views import best

_UNKNOWN = Cost(
    load_seconds=None,
    scoring_seconds=None,
    items_per_second=None,
    prompt_tokens=None,
    tokens_per_second=None,
    peak_memory_bytes=None,
    peak_device_memory_bytes=None,
    weights_bytes=None,
)
OURS = "slm-bench"
"""The program that `bench export lm-eval` names for our own runs."""
Kind = Literal["imported", "unchanged", "differs", "skipped", "no samples", "not the same"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one task of a results file; `message` says where and why."""

    kind: Kind
    message: str


@dataclass(frozen=True, slots=True)
class As:
    """What runs are imported as: as runs of a task of ours, of the model with this card."""

    target: Target | None = None
    model: ModelCard | None = None


ITSELF = As()


def import_runs(
    folder: Path, results: Path, task: str | None, *, fresh: bool, given: As = ITSELF
) -> Iterator[Outcome | FileError]:
    """Import every multiple-choice task of every results file below the folder, or only `task`.

    A damaged file is yielded as its error. A run that exists with different answers is replaced only if
    `fresh`. Raises a UsageError where the folder has no such task, or has several tasks or models where
    `given` can only be one of them.
    """
    files = list(_files(folder))
    contents = [file.content for file in files if isinstance(file, ResultsFile)]
    names = {name for content in contents for name in content.configs}
    if task is not None and task not in names:
        known = f"there are {', '.join(sorted(names))}" if names else "none can be read"
        raise UsageError(f"{folder} has no task '{task}'{did_you_mean(task, names)} ({known})")
    if given.target and task is None and len(names) > 1:
        raise UsageError(f"--as needs --task NAME: {folder} has the tasks {', '.join(sorted(names))}")
    models = {model_of(content).title for content in contents if task in (None, *content.configs)}
    if given.model and len(models) > 1:
        text = f"--model names one model, and {folder} has runs of {', '.join(sorted(models))}"
        raise UsageError(f"{text}; give the folder of one of them")
    begin(results)
    for file in files:
        if isinstance(file, FileError):
            yield file
            continue
        for name in sorted(file.content.configs):
            if task in (None, name):
                yield _outcome(file, name, results, fresh=fresh, given=given)


def _outcome(file: ResultsFile, task: str, results: Path, *, fresh: bool, given: As) -> Outcome | FileError:
    """What importing a task comes to; raises Unavailable where the data of the task of ours are missing."""
    try:
        return _import(file, task, results, fresh=fresh, given=given)
    except NotTheSame as error:
        text = f"{display(file.path)}, {task}: {error}; without --as it is imported as a task of its own"
        return Outcome("not the same", text)
    except FileError as error:
        return error
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, OSError) as error:
        text = f"not in lm-eval's format: {one_line(error)}"
        return FileError([mistake(file.path, 0, task, text)])


def _files(folder: Path) -> Iterator[ResultsFile | FileError]:
    names = (f"{RESULTS}*.json", OLDER_RESULTS)
    paths = sorted(path for name in names for path in folder.rglob(name)) if folder.is_dir() else []
    if not paths:
        text = f"holds no {RESULTS}*.json and no {OLDER_RESULTS} of lm-eval"
        raise UsageError(f"{folder} {text}; give the folder of its --output_path")
    for path in paths:
        try:
            yield read_results_file(path)
        except FileError as error:
            yield error


def _import(file: ResultsFile, task: str, results: Path, *, fresh: bool, given: As) -> Outcome:
    place = f"{display(file.path)}, {task}"
    if file.content.config.model == OURS:
        text = "an export of this program, with less in it than the run; copy its folder in results/ instead"
        return Outcome("skipped", f"{place}: {text}")
    output = file.content.configs[task].get("output_type", "generate_until")
    if output != "multiple_choice":
        text = f"its output_type is {output}, and only multiple_choice can be imported"
        return Outcome("skipped", f"{place}: {text}")
    if not is_file(file.samples_path(task)):
        text = "not imported; run lm-eval with --log_samples"
        return Outcome("no samples", f"{place}: {text}")
    samples = read_samples(file, task)
    records, notes = _records(samples, file.samples_path(task))
    result = _result(file, task, records, given.model)
    if given.target:
        result, records = as_ours(given.target, result, records, samples)
        notes = []  # on views that the task of ours has of its own
    notes += other_model(file.content, given.model)
    return _keep(result, records, results, fresh=fresh, notes=notes)


def _keep(
    result: DoneResult, records: Sequence[Record], results: Path, *, fresh: bool, notes: Sequence[str]
) -> Outcome:
    """Write the run, unless it exists already."""
    folder = folder_of(result.cell)
    run = find_run(results, folder, result.cell.id)
    earlier = run.result if run and isinstance(run.result, DoneResult) else None
    if earlier and earlier.records_sha256 == result.records_sha256 and earlier.imported == result.imported:
        send(results, summary_in(folder))
        return Outcome("unchanged", str(results / folder))
    if earlier and not fresh:
        text = f"{results / folder} was imported with different answers; --fresh replaces it"
        return Outcome("differs", text)
    write_run(results, folder, result, records_bytes(records))
    rate = result.metrics.accuracy
    text = "; ".join([f"{rate.correct:,} of {rate.total:,} right", *notes])
    return Outcome("imported", f"{results / folder}: {text}")


def _result(file: ResultsFile, task: str, records: Sequence[Record], model: ModelCard | None) -> DoneResult:
    items = [Item(r.question_id, r.question, r.options, LETTERS.index(r.answer_gt), r.group) for r in records]
    view: ViewName = "letter" if "letter" in records[0].scores else "text"
    cell, path = cell_of(file, task, items, view, model), file.samples_path(task)
    metrics = measure(records, {ACCURACY.name: ACCURACY.estimate})
    theirs = file.content.results.get(task, {}).get("acc,none")
    if isinstance(theirs, float) and not math.isclose(theirs, metrics.accuracy.value, abs_tol=1e-9):
        text = f"the results file says {theirs:.4f}, but its samples give {metrics.accuracy.value:.4f}"
        wrong(path, 0, "acc", text)
    version = file.content.lm_eval_version or "of an unknown version"
    return DoneResult(
        cell=cell,
        metrics=metrics,
        cost=_UNKNOWN,
        engine=EngineFacts(path="", batch_tokens=None),
        provenance=provenance_of(file.content),
        records_sha256=digest(records_bytes(records)),
        imported=f"lm-eval {version}",
    )


def _records(samples: Sequence[Sample], path: Path) -> tuple[list[Record], list[str]]:
    """A record for each sample, and notes on what was left out."""
    for sample in samples:
        _check(sample, path)
    golds = _golds(samples, path)
    in_letters = all(sample.choices == tuple(LETTERS[: len(sample.choices)]) for sample in samples)
    by_length = not in_letters and all(
        sample.acc_norm in (None, float(best(_per_char(sample)) == gold))
        for sample, gold in zip(samples, golds, strict=True)
    )
    left_out = "acc_norm is left out: it is not normalised by the options' lengths"
    notes = [] if by_length or in_letters else [left_out]
    records: list[Record] = []
    for sample, gold in zip(samples, golds, strict=True):
        scores: ViewScores = {"letter": sample.logprobs} if in_letters else {"text": sample.logprobs}
        if by_length:
            scores["text_per_char"] = _per_char(sample)
        records.append(_record(sample, gold, scores))
    return records, notes


def _check(sample: Sample, path: Path) -> None:
    if not 2 <= len(sample.choices) <= len(LETTERS):
        text = f"{len(sample.choices)} options; expected 2 to {len(LETTERS)}"
        wrong(path, sample.line, "arguments", text, OTHERS)
    if not all(math.isfinite(value) for value in sample.logprobs):
        wrong(path, sample.line, "filtered_resps", "log-likelihoods must be finite numbers")


def _per_char(sample: Sample) -> tuple[float, ...]:
    """Log-likelihood by character of the option, as lm-eval computes its acc_norm."""
    return tuple(
        value / (len(text) or 1) for value, text in zip(sample.logprobs, sample.choices, strict=True)
    )


def _golds(samples: Sequence[Sample], path: Path) -> list[int]:
    """The index of each sample's right option.

    A target is an option's index or its text, and the file does not say which. The reading is chosen
    under which every sample has the accuracy that lm-eval gave it.
    """
    readings: list[Callable[[Sample], int | None]] = [_by_index, _by_text]
    consistent: list[list[int]] = []
    mistakes: list[Mistake] = []
    for read in readings:
        golds = [read(sample) for sample in samples]
        bad = next((n for n, gold in enumerate(golds) if not _agrees(samples[n], gold)), None)
        if bad is None:
            consistent.append([gold for gold in golds if gold is not None])
        else:
            text = _disagreement(samples[bad], golds[bad])
            mistakes.append(mistake(path, samples[bad].line, "acc", text))
    if len(consistent) == 2 and consistent[0] != consistent[1]:
        wrong(path, 0, "target", "ambiguous: the targets may be the options' indices or their texts", OTHERS)
    if not consistent:  # the reading that holds longer is more likely the right one
        raise FileError([max(mistakes, key=lambda each: each.line)])
    return consistent[0]


def _by_index(sample: Sample) -> int | None:
    digits = {"True": "1", "False": "0"}.get(sample.target, sample.target)
    index = int(digits) if digits.isascii() and digits.isdigit() else None
    return index if index is not None and index < len(sample.choices) else None


def _by_text(sample: Sample) -> int | None:
    return sample.choices.index(sample.target) if sample.target in sample.choices else None


def _agrees(sample: Sample, gold: int | None) -> bool:
    return gold is not None and sample.acc in (None, float(best(sample.logprobs) == gold))


def _disagreement(sample: Sample, gold: int | None) -> str:
    if gold is None:
        return f"the target {sample.target!r} is none of the options"
    ours = float(best(sample.logprobs) == gold)
    return f"lm-eval says {sample.acc}, but its log-likelihoods give {ours}"


def _record(sample: Sample, gold: int, scores: ViewScores) -> Record:
    answer = LETTERS[best(sample.logprobs)]
    truth = LETTERS[gold]
    return Record(
        question_id=f"test-{sample.number:05d}",
        question=question_of(sample.doc),
        options=options_of(sample) if "letter" in scores else tuple(text.strip() for text in sample.choices),
        answer_gt=truth,
        model_output=ModelOutput(reasoning_steps="", final_answer=answer),
        is_correct=answer == truth,
        group="",
        parse_status="scored",
        scores=scores,
        prompt=sample.prompt,
        prompt_tokens=None,
        seconds=None,
    )
