"""Records -> the lines of lm-eval's samples file.

A question's `resps` hold, for each option, the natural log-probability of its continuation in `arguments`
after the prompt: of the letter, or of the option's text. lm-eval's second value, whether every token was the
likeliest, is not kept in a run, so it is "None". Where the model wrote, `resps` hold its text, and
`filtered_resps` the letter that was read from it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.inputs.prompts import answer_text
from bench.results.result import CellFacts, DoneResult
from bench.scoring.metrics import Rate
from bench.scoring.record import Record
from bench.sharing.export import Finished, sha256
from bench.types import ViewName
from bench.views import LETTER, TEXT

NO_ANSWER = "[invalid]"
"""The output of lm-eval's own filters where they find no answer."""
Measures = Mapping[str, ViewName | None]
"""lm-eval's metric -> the view whose accuracy it is; None where the model wrote its answer."""


def measures(result: DoneResult) -> Measures:
    """lm-eval's metrics of a run: `acc` compares log-probabilities as they are, `acc_norm` divides them by
    the options' lengths in characters. A view that lm-eval does not have keeps our name.
    """
    if result.cell.variant.generate:
        return {"exact_match": None}
    if logprobs(result) == "letter":
        return {"acc": "letter"}
    metrics: dict[str, ViewName] = {"acc": "text", "acc_norm": "text_per_char"}
    ranking, views = result.cell.task.view, result.metrics.views
    if ranking not in metrics.values():
        metrics[f"acc_{ranking}"] = ranking
    return {name: view for name, view in metrics.items() if view in views or not views}


def logprobs(result: DoneResult) -> ViewName:
    """The view whose scores are plain log-probabilities; for a baseline, the one that the task ranks by."""
    ranking = result.cell.task.view
    return ranking if result.cell.model.is_baseline or ranking == LETTER.name else TEXT.name


def rate(result: DoneResult, view: ViewName | None) -> Rate:
    """The accuracy by a view; that of the answers themselves if they were written, or if it has no scores."""
    accuracy = result.metrics.accuracy
    return accuracy if view is None else result.metrics.views.get(view, accuracy)


def samples(run: Finished) -> Iterator[dict[str, Any]]:
    """One line for each record, in the records' order."""
    result = run.result
    generate = result.cell.variant.generate
    for number, record in enumerate(run.records):
        doc = _doc(record)
        target = record.answer_gt if generate else str(record.letters.index(record.answer_gt))
        replies = _written(result.cell, record) if generate else _scored(result, record)
        yield {
            "doc_id": number,
            "doc": doc,
            "target": target,
            **replies,
            "metrics": list(measures(result)),
            "doc_hash": sha256(json.dumps(doc, indent=2, ensure_ascii=False)),
            "prompt_hash": sha256(record.prompt),
            "target_hash": sha256(target),
            **{name: _right(record, view) for name, view in measures(result).items()},
        }


def _doc(record: Record) -> dict[str, Any]:
    return {
        "question_id": record.question_id,
        "question": record.question,
        "options": list(record.options),
        "answer": record.answer_gt,
        "group": record.group,
    }


def _scored(result: DoneResult, record: Record) -> dict[str, Any]:
    """The continuations with their log-probabilities; none if the prompt did not fit the model."""
    view = logprobs(result)
    texts = list(record.letters) if view == "letter" else [text.strip() for text in record.options]
    chat = result.cell.variant.prompt == "chat"
    continuations = [text if chat else answer_text(record.prompt, text) for text in texts]
    replies = [[str(score), "None"] for score in record.scores.get(view, ())]
    return {
        "arguments": _arguments((record.prompt, continuation) for continuation in continuations),
        "resps": [[reply] for reply in replies],
        "filtered_resps": replies,
        "filter": "none",
    }


def _written(cell: CellFacts, record: Record) -> dict[str, Any]:
    """A run keeps the text of one of several samples; the answer is the most frequent of all."""
    return {
        "arguments": _arguments([(record.prompt, generation(cell))]),
        "resps": [[record.completion]],
        "filtered_resps": [record.model_output.final_answer or NO_ANSWER],
        "filter": "read-answer",
    }


def generation(cell: CellFacts) -> dict[str, Any]:
    """The generation settings by lm-eval's names; empty where options were scored."""
    generate = cell.variant.generate
    if generate is None:
        return {}
    return {
        "until": list(generate.stop),
        "max_gen_toks": generate.max_new_tokens,
        "do_sample": generate.temperature > 0,
        "temperature": generate.temperature,
    }


def _arguments(pairs: Iterable[tuple[str, Any]]) -> dict[str, dict[str, Any]]:
    return {f"gen_args_{at}": {"arg_0": first, "arg_1": second} for at, (first, second) in enumerate(pairs)}


def _right(record: Record, view: ViewName | None) -> float:
    if view is None:
        return float(record.is_correct)
    return float(record.is_right_by(view))
