"""Reads what `lm_eval --output_path DIR --log_samples` wrote: a results file and its samples.

The format is that of lm-eval 0.4.13, and of older versions from 0.4.0 on. Up to 0.4.2 the results file is
`results.json`, and a task's samples are in a file named by the model's arguments. Up to 0.4.3 samples are
one JSON array; since then they are JSON Lines.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.errors import FileError, Mistake
from bench.folders import display, is_file, read_text
from bench.numbers import Amount, Count, Real, Whole
from bench.plain_files import LARGE

RESULTS = "results_"
OLDER_RESULTS = "results.json"
_GAP = re.compile(r"\s*[\[,]\s*(?=[^\s\]])")
"""What stands before each element of a JSON array."""
AGAIN = "run lm-eval again with --log_samples, or remove the file"
"""What to do about a damaged file."""
OTHERS = "import the other tasks by --task"
"""What to do about a task that cannot be imported."""
M = TypeVar("M", bound="Lenient")


class Lenient(BaseModel):
    """A part of a file that lm-eval wrote. Unlike in `Strict`, keys that are not used here are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Counts(Lenient):
    """How many documents a task's split has, and how many of them were asked."""

    original: Count
    effective: Count


class Config(Lenient):
    """How lm-eval was called: the model, and the options of the command."""

    model: str = ""
    model_args: str | dict[str, Any] | None = None
    model_num_parameters: Whole | None = None
    model_dtype: str | None = None
    model_sha: str | None = None
    device: str | None = None
    limit: Real | None = None
    fewshot_seed: Whole | None = None


class Results(Lenient):
    """The content of a results file: one model on one or more tasks. Dictionaries are by task."""

    results: dict[str, dict[str, Any]]
    configs: dict[str, dict[str, Any]]
    config: Config
    versions: dict[str, Any] = Field(default_factory=dict)
    shots: dict[str, Count] = Field(default_factory=dict, alias="n-shot")
    counts: dict[str, Counts] = Field(default_factory=dict, alias="n-samples")
    task_hashes: dict[str, str] = Field(default_factory=dict)
    lm_eval_version: str = ""
    transformers_version: str = ""
    date: Real | None = None
    total_evaluation_time_seconds: Amount | None = None
    model_name: str | None = None
    max_length: Whole | None = None
    system_instruction: str | None = None
    chat_template: str | dict[str, str] | None = None


class _Line(Lenient):
    """A line of a samples file: one document."""

    doc_id: Count
    doc: Any
    target: str | Whole | Real | list[Any]
    arguments: dict[str, dict[str, Any]] | list[list[Any]]
    filtered_resps: list[Any]
    filter: str = "none"
    doc_hash: str = ""
    prompt_hash: str = ""
    target_hash: str = ""
    acc: Real | None = None
    acc_norm: Real | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A document as it was asked. `continuations` were scored after the prompt, and `choices` are the same
    without the delimiter before each; `logprobs` are their natural log-probabilities. `number` is lm-eval's
    doc_id.
    """

    line: int
    number: int
    doc: Any
    target: str
    prompt: str
    continuations: tuple[str, ...]
    choices: tuple[str, ...]
    logprobs: tuple[float, ...]
    acc: Real | None
    acc_norm: Real | None


@dataclass(frozen=True, slots=True)
class ResultsFile:
    path: Path
    content: Results

    def samples_path(self, task: str) -> Path:
        """Where the task's samples are, if they were logged: in the same folder, with the same date, or named
        as older versions did.
        """
        paths = [self.path.with_name(name) for name in self._samples_names(task)]
        return next(filter(is_file, paths), paths[0])

    def _samples_names(self, task: str) -> Iterator[str]:
        for name in (f"samples_{task}_{self.path.stem.removeprefix(RESULTS)}", self._older_name(task)):
            yield f"{name}.jsonl"
            yield f"{name}.json"

    def _older_name(self, task: str) -> str:
        arguments = self.content.config.model_args
        return f"{re.sub('[/=]', '__', arguments if isinstance(arguments, str) else '')}_{task}"


def read_results_file(path: Path) -> ResultsFile:
    """Raises a FileError if it is not a results file of lm-eval, or is damaged."""
    return ResultsFile(path, _checked(Results, _json(read_text(path, LARGE), path, 0), path, 0))


def read_samples(file: ResultsFile, task: str) -> list[Sample]:
    """The task's answered documents, sorted by number; raises a FileError if they are damaged or do not
    belong to the results file.
    """
    path = file.samples_path(task)
    raw = _samples(read_text(path, LARGE), path)
    lines = [(number, _checked(_Line, sample, path, number)) for number, sample in raw]
    _check_hash([line for _, line in lines], file.content.task_hashes.get(task), path)
    delimiter = str(file.content.configs[task].get("target_delimiter", " "))
    samples = [_sample(line, number, delimiter, path) for number, line in lines if line.filter == "none"]
    if not samples:
        wrong(path, 0, "", "no unfiltered answers (filter: none)")
    numbers = [sample.number for sample in samples]
    if len(set(numbers)) < len(numbers):
        wrong(path, 0, "doc_id", "a document occurs more than once")
    return sorted(samples, key=lambda sample: sample.number)


def mistake(path: Path, line: int, key: str, text: str, remedy: str = AGAIN) -> Mistake:
    return Mistake(display(path), line, key, f"{text}; {remedy}")


def wrong(path: Path, line: int, key: str, text: str, remedy: str = AGAIN) -> NoReturn:
    raise FileError([mistake(path, line, key, text, remedy)])


def _samples(text: str, path: Path) -> Iterator[tuple[int, object]]:
    """Every sample with its line: of JSON Lines, or of one JSON array, where it is the line it begins on."""
    if text.lstrip().startswith("["):
        yield from _elements(text, path)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, _json(line, path, number)


def _elements(text: str, path: Path) -> Iterator[tuple[int, object]]:
    _json(text, path, 0)  # raises where it is not JSON: what follows needs that
    decoder, end, line = json.JSONDecoder(), 0, 1
    while gap := _GAP.match(text, end):
        line += text.count("\n", end, gap.end())
        element, end = decoder.raw_decode(text, gap.end())
        yield line, element
        line += text.count("\n", gap.end(), end)


def _json(text: str, path: Path, line: int) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        wrong(path, line, "", f"not JSON: {error}")


def _checked(model: type[M], raw: object, path: Path, line: int) -> M:
    if not isinstance(raw, dict):
        wrong(path, line, "", "not a file of lm-eval: expected a JSON object")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        wrong(path, line, ".".join(map(str, first["loc"])), f"not a file of lm-eval: {first['msg']}")


def _check_hash(lines: Sequence[_Line], expected: str | None, path: Path) -> None:
    """lm-eval hashes documents, prompts and answers of all samples; the results file holds the hash."""
    if expected is None or not all(line.doc_hash for line in lines):
        return
    joined = "".join(line.doc_hash + line.prompt_hash + line.target_hash for line in lines)
    if hashlib.sha256(joined.encode()).hexdigest() != expected:
        wrong(path, 0, "task_hashes", "these are not the samples of the results file")


def _sample(line: _Line, number: int, delimiter: str, path: Path) -> Sample:
    try:
        asked = list(_pairs(line.arguments))
    except (KeyError, ValueError):
        asked = []
    if not asked:
        wrong(path, number, "arguments", "expected pairs of a context and a continuation")
    if line.prompt_hash and hashlib.sha256(asked[0][0].encode()).hexdigest() != line.prompt_hash:
        wrong(path, number, "arguments", "the prompt does not match its prompt_hash")
    if len({prompt for prompt, _ in asked}) != 1:
        wrong(
            path,
            number,
            "arguments",
            "every option has its own context; only one context for all options can be imported",
            OTHERS,
        )
    try:
        logprobs = tuple(float(reply[0]) for reply in line.filtered_resps)
    except (TypeError, ValueError, IndexError, KeyError):
        wrong(path, number, "filtered_resps", "expected log-likelihoods")
    if len(logprobs) != len(asked):
        wrong(path, number, "filtered_resps", f"{len(logprobs)} log-likelihoods for {len(asked)} options")
    return Sample(
        line=number,
        number=line.doc_id,
        doc=line.doc,
        target=str(line.target),
        prompt=asked[0][0],
        continuations=tuple(text for _, text in asked),
        choices=tuple(text.removeprefix(delimiter) for _, text in asked),
        logprobs=logprobs,
        acc=line.acc,
        acc_norm=line.acc_norm,
    )


def _pairs(arguments: Mapping[str, Mapping[str, Any]] | Sequence[Sequence[Any]]) -> Iterator[tuple[str, str]]:
    """(context, continuation) of each option: by name (`gen_args_0`), or as lists in older files."""
    if isinstance(arguments, Mapping):
        for index in range(len(arguments)):
            pair = arguments[f"gen_args_{index}"]
            yield str(pair["arg_0"]), str(pair["arg_1"])
    else:
        for context, continuation in arguments:
            yield str(context), str(continuation)
