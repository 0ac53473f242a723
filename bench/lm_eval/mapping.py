"""A run of lm-eval -> the same run as one of a task of ours, where both asked exactly the same.

Every document is found among the task's items by its content. Then the whole prompt that lm-eval logged and
the continuations that it scored are compared with those that the task gives, character by character.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError, Unavailable
from bench.inputs.data import Split, load_split
from bench.inputs.exemplars import task_exemplars
from bench.inputs.prompts import NO_EXEMPLARS, Exemplars
from bench.inputs.task import Task, TaskFile
from bench.lm_eval.documents import all_texts
from bench.lm_eval.files import Sample
from bench.results.files import digest
from bench.results.identity import identity
from bench.results.result import CellFacts, DoneResult, split_facts, task_facts
from bench.results.store import records_bytes
from bench.scoring.asking import Asking, score_request
from bench.scoring.metrics import installed_metrics, measure
from bench.scoring.record import ModelOutput, Record
from bench.scoring.recording import ViewScores
from bench.types import Item, Role, ScoreRequest, ViewName
from bench.views import LETTER, TEXT, VIEWS, OptionScores, best

AROUND = 20
"""Characters shown before and after the first difference of two texts."""
_OF_TEXTS = (TEXT.name, "text_per_char")
"""The views that need nothing but the log-probabilities of the options' texts."""


class NotTheSame(BenchError):
    """The run did not ask what the task asks; the message says where they differ first."""


@dataclass(frozen=True, slots=True)
class Target:
    """The task of ours as which runs are imported, and where its data are."""

    file: TaskFile
    data_dir: Path | None
    offline: bool

    def split(self, role: Role) -> Split:
        """A split; raises Unavailable where there is none, and a FileError for mistakes in it."""
        split = load_split(self.file, role, data_dir=self.data_dir, offline=self.offline)
        if split is None:
            name = self.file.task.name
            raise Unavailable(f"task {name} names no {role} split", f"add data.splits.{role} to it")
        return split


@dataclass(frozen=True, slots=True)
class Pair:
    """A document of the run and the item that it is; `request` is what the task asks for it."""

    request: ScoreRequest
    sample: Sample

    @property
    def item(self) -> Item:
        return self.request.item


def as_ours(
    target: Target, result: DoneResult, records: Sequence[Record], samples: Sequence[Sample]
) -> tuple[DoneResult, list[Record]]:
    """The run as one of the task, in the order of its items.

    `records` are of the `samples`, in the same order. Raises NotTheSame where any question, prompt,
    continuation or right answer differs, and what loading the task's data raises.
    """
    task, cell = target.file.task, result.cell
    view = task.scoring.view
    if view not in (LETTER.name, *_OF_TEXTS):
        raise NotTheSame(f"{task.name} ranks by the view {view}, and lm-eval logs less than that needs")
    if cell.variant.prompt == "chat":
        raise NotTheSame("a chat template wrote its prompts, and only plain ones can be compared")
    splits: dict[Role, Split] = {"test": target.split("test")}
    exemplars = NO_EXEMPLARS
    if count := cell.variant.exemplars:
        splits["exemplars"] = target.split("exemplars")
        tested = splits["test"].items
        exemplars = task_exemplars(target.file, tested, splits["exemplars"], count, 0, task.exemplar_choice)
    asking = Asking(task, exemplars)
    requests = [score_request(asking, item, lambda _: "") for item in splits["test"].items]
    golds = [record.answer_gt for record in records]
    pairs = _compared(requests, samples, golds, task)
    made = [_record(pair, view) for pair in pairs]
    cell = _cell(cell, target.file, splits, exemplars)
    metrics = measure(made, installed_metrics(task.metrics))
    update = {"cell": cell, "metrics": metrics, "records_sha256": digest(records_bytes(made))}
    return result.model_copy(update=update), made


def _cell(cell: CellFacts, file: TaskFile, splits: Mapping[Role, Split], exemplars: Exemplars) -> CellFacts:
    """The cell with the task's facts. Its prompts are the task's, and so are how and by which seed
    exemplars are chosen.
    """
    facts: dict[str, object] = {
        "task": task_facts(file.task),
        "variant": cell.variant.model_copy(update={"exemplar_choice": exemplars.choice, "seed": 0}),
        "data": {role: split_facts(split) for role, split in splits.items()},
        "exemplar_ids": tuple(item.id for item in exemplars.shown),
        "limit": None,
        "limit_order": "file",
    }
    mapped = cell.model_copy(update=facts)
    return mapped.model_copy(update={"id": identity(mapped)})


def _compared(
    requests: Sequence[ScoreRequest], samples: Sequence[Sample], golds: Sequence[str], task: Task
) -> list[Pair]:
    """The documents in the order of the task's items; raises NotTheSame where anything differs."""
    sample_at = _found(requests, samples, golds)
    if len(sample_at) < max(len(samples), len(requests)):
        known = set(sample_at.values())
        lost = next((sample for n, sample in enumerate(samples) if n not in known), None)
        first = f"; document {lost.number} is not: {_start(lost.prompt)}" if lost else ""
        raise NotTheSame(
            f"{len(sample_at)} of its {len(samples)} documents are questions of {task.name}, which has "
            f"{len(requests)}{first}"
        )
    pairs = [Pair(requests[at], samples[n]) for at, n in sorted(sample_at.items())]
    if different := [(pair, text) for pair in pairs if (text := _difference(pair, task.scoring.view))]:
        pair, text = different[0]
        equal = f"{len(pairs) - len(different)} of {len(pairs)} were asked as {task.name} asks them"
        first = f"the first other one is document {pair.sample.number} ({pair.item.id}): {text}"
        documents = f"all of its {len(pairs)} documents are questions of {task.name}"
        raise NotTheSame(f"{documents}, but only {equal}; {first}")
    for pair, gold in zip(pairs, (golds[n] for _, n in sorted(sample_at.items())), strict=True):
        if gold != (right := _right(pair.item)):
            where = f"document {pair.sample.number} ({pair.item.id})"
            raise NotTheSame(f"the right answer of {where} is {gold}, and in {task.name} {right}")
    return pairs


def _right(item: Item) -> str:
    """The letter of the right answer."""
    return item.letters[item.answer]


def _found(
    requests: Sequence[ScoreRequest], samples: Sequence[Sample], golds: Sequence[str]
) -> dict[int, int]:
    """The place of each document among the samples, by the place of the item that it is."""
    by_prompt: dict[str, list[int]] = {}
    by_question: dict[str, list[int]] = {}
    for at, request in enumerate(requests):
        by_prompt.setdefault(request.prompt, []).append(at)
        by_question.setdefault(_plain(request.item.question), []).append(at)
    sample_at: dict[int, int] = {}
    for n, sample in enumerate(samples):
        texts = {_plain(text) for text in (*all_texts(sample.doc), *sample.choices)}
        similar = [at for text in sorted(texts) for at in by_question.get(text, ())]
        same = [at for at in similar if {_plain(option) for option in requests[at].item.options} <= texts]
        free = [at for at in (*by_prompt.get(sample.prompt, ()), *same) if at not in sample_at]
        # A question that repeats is the one with the same right answer.
        right = (at for at in free if _right(requests[at].item) == golds[n])
        place = next(right, free[0] if free else None)
        if place is not None:
            sample_at[place] = n
    return sample_at


def _plain(text: str) -> str:
    return " ".join(text.split())


def _difference(pair: Pair, view: ViewName) -> str:
    """The first difference between what was asked and what the task asks, "" where there is none."""
    ours, theirs = pair.request.prompt, pair.sample.prompt
    if ours != theirs:
        at = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
        at = min(len(ours), len(theirs)) if at is None else at
        shown = slice(max(0, at - AROUND), at + AROUND)
        return f"at character {at + 1}, lm-eval wrote {theirs[shown]!r} and the task writes {ours[shown]!r}"
    scored, scores = pair.sample.continuations, pair.request.continuations[0 if view == LETTER.name else -1]
    return "" if scored == scores else f"lm-eval scored {list(scored)} and the task scores {list(scores)}"


def _start(prompt: str) -> str:
    """The end of a prompt, where its question is."""
    return repr(prompt[-4 * AROUND :])


def _scores(pair: Pair, view: ViewName) -> ViewScores:
    """The scores of a document by every view that lm-eval's log-probabilities allow."""
    logprobs = pair.sample.logprobs
    options = tuple(option.strip() for option in pair.item.options)
    given = OptionScores(options, letters=logprobs, texts=logprobs, tokens=(), bare=())
    names = (LETTER.name,) if view == LETTER.name else _OF_TEXTS
    return {name: tuple(VIEWS.get(name).score(given)) for name in names}


def _record(pair: Pair, view: ViewName) -> Record:
    item, scores = pair.item, _scores(pair, view)
    answer, truth = item.letters[best(scores[view])], _right(item)
    return Record(
        question_id=item.id,
        question=item.question,
        options=item.options,
        answer_gt=truth,
        model_output=ModelOutput(reasoning_steps="", final_answer=answer),
        is_correct=answer == truth,
        group=item.group,
        cluster=item.cluster,
        extra=dict(item.extra),
        parse_status="scored",
        scores=scores,
        prompt=pair.request.prompt,
        prompt_tokens=None,
        seconds=None,
    )
