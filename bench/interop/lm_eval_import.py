"""lm-eval's runs -> runs of ours: what it tells is taken over, what it does not tell stays unknown.

Answers follow from the log-likelihoods by our own rule, and must be those that lm-eval counted.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from bench.config import display
from bench.errors import FileError, Mistake, UsageError, did_you_mean, first_line
from bench.interop.lm_eval_facts import cell_of, provenance_of
from bench.interop.lm_eval_files import RESULTS, ResultsFile, Sample, read_results_file, read_samples, wrong
from bench.runs.cell import folder_of
from bench.runs.result import Cost, DoneResult, EngineFacts
from bench.runs.store import begin, digest, find_run, records_bytes, write_run
from bench.scoring.metrics import measure
from bench.scoring.record import ModelOutput, Record
from bench.scoring.views import ViewScores, best
from bench.stats.metrics import ACCURACY
from bench.types import LETTERS, Item, ScoredView

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
QUESTIONS = ("question", "question_stem", "query", "ctx", "goal", "sentence", "problem", "input", "text")
"""What lm-eval's tasks call the question of a document."""
OPTIONS = ("choices", "options", "endings", "answers", "candidates", "text")
"""What they call the list of its options, where the prompt asks for a letter."""
OURS = "slm-bench"
"""What `bench export lm-eval` calls the model's program."""
Kind = Literal["imported", "there", "differs", "skipped", "no samples"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one task of a results file, and why."""

    kind: Kind
    said: str


def import_runs(
    folder: Path, results: Path, task: str | None, *, fresh: bool
) -> Iterator[Outcome | FileError]:
    """Every multiple-choice task of every results file below the folder; a damaged one comes as its error.

    A run that is there with other answers is replaced only if `fresh`.
    """
    files = list(_files(folder))
    names = {name for file in files if isinstance(file, ResultsFile) for name in file.told.configs}
    if task is not None and task not in names:
        told = f"there are {', '.join(sorted(names))}" if names else "there are none that can be read"
        raise UsageError(f"{folder} has no task '{task}'{did_you_mean(task, names)} ({told})")
    begin(results)
    for file in files:
        if isinstance(file, FileError):
            yield file
            continue
        for name in sorted(file.told.configs):
            if task in (None, name):
                try:
                    yield _import(file, name, results, fresh=fresh)
                except FileError as error:
                    yield error
                except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
                    text = f"not as lm-eval writes it: {first_line(error)}"
                    yield FileError([Mistake(display(file.path), 0, name, text)])


def _files(folder: Path) -> Iterator[ResultsFile | FileError]:
    paths = sorted(folder.rglob(f"{RESULTS}*.json")) if folder.is_dir() else []
    if not paths:
        raise UsageError(f"{folder} holds no {RESULTS}*.json of lm-eval: give the DIR of its --output_path")
    for path in paths:
        try:
            yield read_results_file(path)
        except FileError as error:
            yield error


def _import(file: ResultsFile, task: str, results: Path, *, fresh: bool) -> Outcome:
    what = f"{display(file.path)}, {task}"
    if file.told.config.model == OURS:
        text = "an export of this program, which says less than the run: take its folder in results/ instead"
        return Outcome("skipped", f"{what}: {text}")
    output = file.told.configs[task].get("output_type", "generate_until")
    if output != "multiple_choice":
        return Outcome(
            "skipped", f"{what}: its output_type is {output}, and only multiple_choice has options"
        )
    if not file.samples_path(task).is_file():
        text = "there are no answers to compare, so it is not imported: run lm-eval with --log_samples"
        return Outcome("no samples", f"{what}: {text}")
    records, notes = _records(read_samples(file, task), file.samples_path(task))
    result = _result(file, task, records)
    return _keep(result, records, results, fresh=fresh, notes=notes)


def _keep(
    result: DoneResult, records: Sequence[Record], results: Path, *, fresh: bool, notes: Sequence[str]
) -> Outcome:
    """Write the run, unless it is there already."""
    folder = folder_of(result.cell)
    before = find_run(results, folder, result.cell.id)
    there = before.result if before and isinstance(before.result, DoneResult) else None
    if there and there.records_sha256 == result.records_sha256 and there.imported == result.imported:
        return Outcome("there", f"{results / folder}: there already")
    if there and not fresh:
        return Outcome("differs", f"{results / folder}: there with other answers; --fresh replaces it")
    write_run(results, folder, result, records_bytes(records))
    rate = result.metrics.accuracy
    told = "; ".join([f"{rate.correct} of {rate.total} right", *notes])
    return Outcome("imported", f"{results / folder}: {told}")


def _result(file: ResultsFile, task: str, records: Sequence[Record]) -> DoneResult:
    items = [Item(r.question_id, r.question, r.options, LETTERS.index(r.answer_gt), r.group) for r in records]
    view: ScoredView = "letter" if "letter" in records[0].scores else "text"
    cell, path = cell_of(file, task, items, view), file.samples_path(task)
    metrics = measure(records, {ACCURACY.name: ACCURACY.compute})
    told = file.told.results.get(task, {}).get("acc,none")
    if isinstance(told, float) and not math.isclose(told, metrics.accuracy.value, abs_tol=1e-9):
        text = f"the results file says {told:.4f}, its samples come to {metrics.accuracy.value:.4f}"
        wrong(path, 0, "acc", text)
    version = file.told.lm_eval_version or "of an unknown version"
    return DoneResult(
        cell=cell,
        metrics=metrics,
        cost=_UNKNOWN,
        engine=EngineFacts(path="", batch_tokens=None),
        provenance=provenance_of(file.told),
        records_sha256=digest(records_bytes(records)),
        imported=f"lm-eval {version}",
    )


def _records(samples: Sequence[Sample], path: Path) -> tuple[list[Record], list[str]]:
    """The answers by our rule, and a word on what was left out."""
    for sample in samples:
        _check(sample, path)
    golds = _golds(samples, path)
    in_letters = all(sample.choices == tuple(LETTERS[: len(sample.choices)]) for sample in samples)
    by_length = not in_letters and all(
        sample.acc_norm in (None, float(best(_per_char(sample)) == gold))
        for sample, gold in zip(samples, golds, strict=True)
    )
    notes = [] if by_length or in_letters else ["acc_norm is not by its options' lengths, and left out"]
    found: list[Record] = []
    for sample, gold in zip(samples, golds, strict=True):
        scores: ViewScores = {"letter": sample.logprobs} if in_letters else {"text": sample.logprobs}
        if by_length:
            scores["text_per_char"] = _per_char(sample)
        found.append(_record(sample, gold, scores))
    return found, notes


def _check(sample: Sample, path: Path) -> None:
    if not 2 <= len(sample.choices) <= len(LETTERS):
        text = f"{len(sample.choices)} options; there must be 2 to {len(LETTERS)}"
        wrong(path, sample.line, "arguments", text)
    if not all(math.isfinite(value) for value in sample.logprobs):
        wrong(path, sample.line, "filtered_resps", "log-likelihoods that are not finite numbers")


def _per_char(sample: Sample) -> tuple[float, ...]:
    """As lm-eval divides for its acc_norm."""
    return tuple(
        value / (len(text) or 1) for value, text in zip(sample.logprobs, sample.choices, strict=True)
    )


def _golds(samples: Sequence[Sample], path: Path) -> list[int]:
    """The right options. A target is an option's place or its text, which the file does not tell:

    the way is taken in which every sample has the accuracy that lm-eval gave it.
    """
    ways: list[Callable[[Sample], int | None]] = [_by_place, _by_text]
    found: list[list[int]] = []
    first: Mistake | None = None
    for way in ways:
        golds = [way(sample) for sample in samples]
        bad = next((n for n, gold in enumerate(golds) if not _agrees(samples[n], gold)), None)
        if bad is None:
            found.append([gold for gold in golds if gold is not None])
        elif first is None or samples[bad].line > first.line:
            first = Mistake(display(path), samples[bad].line, "acc", _disagreement(samples[bad], golds[bad]))
    if len(found) == 2 and found[0] != found[1]:
        wrong(path, 0, "target", "its targets can be read as options' places and as their texts")
    if not found:
        assert first is not None
        raise FileError([first])
    return found[0]


def _by_place(sample: Sample) -> int | None:
    word = {"True": "1", "False": "0"}.get(sample.target, sample.target)
    place = int(word) if word.isascii() and word.isdigit() else None
    return place if place is not None and place < len(sample.choices) else None


def _by_text(sample: Sample) -> int | None:
    return sample.choices.index(sample.target) if sample.target in sample.choices else None


def _agrees(sample: Sample, gold: int | None) -> bool:
    return gold is not None and sample.acc in (None, float(best(sample.logprobs) == gold))


def _disagreement(sample: Sample, gold: int | None) -> str:
    if gold is None:
        return f"its target, {sample.target!r}, is none of its options"
    ours = float(best(sample.logprobs) == gold)
    return f"lm-eval says {sample.acc}, its log-likelihoods come to {ours}"


def _record(sample: Sample, gold: int, scores: ViewScores) -> Record:
    answer = LETTERS[best(sample.logprobs)]
    truth = LETTERS[gold]
    return Record(
        question_id=f"test-{sample.number:05d}",
        question=_question(sample.doc),
        options=_options(sample) if "letter" in scores else tuple(text.strip() for text in sample.choices),
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


def _question(doc: Any) -> str:
    """What the document asks; where nothing in it is called a question, all its texts."""
    texts = {key: value for key, value in _fields(doc).items() if isinstance(value, str) and value.strip()}
    named = next((texts[key] for key in QUESTIONS if key in texts), None)
    return named or "\n".join(f"{key}: {value}" for key, value in texts.items()) or json.dumps(doc)


def _fields(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _options(sample: Sample) -> tuple[str, ...]:
    """What the letters stand for, where the document tells it in a way that tasks share; else the letters."""
    known = _fields(sample.doc)
    for fields in (known, *(_fields(known.get(key)) for key in OPTIONS)):
        if tuple(fields) == sample.choices:
            return tuple(str(text) for text in fields.values())
        for key in OPTIONS:
            texts = cast("list[Any]", fields[key]) if isinstance(fields.get(key), list) else []
            if len(texts) == len(sample.choices):
                return tuple(str(text) for text in texts)
    return sample.choices
