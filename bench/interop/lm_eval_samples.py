"""Records -> the lines of lm-eval's samples file.

A question's `resps` hold, for each option, the natural log-probability that its continuation in
`arguments` has after the prompt: of the letter, or of the option's text. Whether each token was the
likeliest, lm-eval's second value, is not kept in a run, so "None" stands there. Where the model wrote,
`resps` hold its words, and `filtered_resps` the letter that was read in them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.inputs.prompts import answer_text
from bench.interop.sharing import Finished, sha256
from bench.runs.result import CellFacts, DoneResult
from bench.scoring.metrics import Rate
from bench.scoring.record import Record
from bench.types import LETTERS, ViewName

NO_ANSWER = "[invalid]"
"""What lm-eval's own filters give where they read no answer."""
Measures = Mapping[str, ViewName | None]
"""lm-eval's metrics, and the view that each is the accuracy of; None for what the model wrote."""


def measures(result: DoneResult) -> Measures:
    """What a run's answers come to in lm-eval's terms: `acc` compares the log-probabilities as they are,
    `acc_norm` by the character. A view that lm-eval does not have keeps our name.
    """
    if result.cell.variant.generate:
        return {"exact_match": None}
    if logprobs(result) == "letter":
        return {"acc": "letter"}
    found: dict[str, ViewName] = {"acc": "text", "acc_norm": "text_per_char"}
    ranks, views = result.cell.task.view, result.metrics.views
    if ranks not in found.values():
        found[f"acc_{ranks}"] = ranks
    return {name: view for name, view in found.items() if view in views or not views}


def logprobs(result: DoneResult) -> ViewName:
    """The view of plain log-probabilities that the answers come from; a baseline has the letters' alone."""
    ranks, views = result.cell.task.view, result.metrics.views
    return "letter" if ranks == "letter" or (views and "text" not in views) else "text"


def rate(result: DoneResult, view: ViewName | None) -> Rate:
    """The accuracy of a view; of the answers themselves where they were written, or none was scored."""
    accuracy = result.metrics.accuracy
    return accuracy if view is None else result.metrics.views.get(view, accuracy)


def samples(run: Finished) -> Iterator[dict[str, Any]]:
    """A line for each record, in the records' order."""
    result = run.result
    generate = result.cell.variant.generate
    for number, record in enumerate(run.records):
        doc = _doc(record)
        target = record.answer_gt if generate else str(LETTERS.index(record.answer_gt))
        asked = _written(result.cell, record) if generate else _scored(result, record)
        yield {
            "doc_id": number,
            "doc": doc,
            "target": target,
            **asked,
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
    """The continuations with their log-probabilities; none where the prompt was too long to ask."""
    view = logprobs(result)
    texts = LETTERS[: len(record.options)] if view == "letter" else [text.strip() for text in record.options]
    chat = result.cell.variant.prompt == "chat"
    asked = [text if chat else answer_text(record.prompt, text) for text in texts]
    replies = [[str(score), "None"] for score in record.scores.get(view, ())]
    return {
        "arguments": _arguments((record.prompt, continuation) for continuation in asked),
        "resps": [[reply] for reply in replies],
        "filtered_resps": replies,
        "filter": "none",
    }


def _written(cell: CellFacts, record: Record) -> dict[str, Any]:
    """Of several samples a run keeps the words of one; the answer is the commonest of all."""
    return {
        "arguments": _arguments([(record.prompt, generation(cell))]),
        "resps": [[record.completion]],
        "filtered_resps": [record.model_output.final_answer or NO_ANSWER],
        "filter": "read-answer",
    }


def generation(cell: CellFacts) -> dict[str, Any]:
    """How the model was let write, in lm-eval's words; empty where options were scored."""
    generate = cell.variant.generate
    if generate is None:
        return {}
    return {
        "until": list(generate.stop),
        "max_gen_toks": generate.max_new_tokens,
        "do_sample": generate.temperature > 0,
        "temperature": generate.temperature,
    }


def _arguments(asked: Iterable[tuple[str, Any]]) -> dict[str, dict[str, Any]]:
    return {f"gen_args_{at}": {"arg_0": first, "arg_1": second} for at, (first, second) in enumerate(asked)}


def _right(record: Record, view: ViewName | None) -> float:
    if view is None:
        return float(record.is_correct)
    return float(record.is_right_by(view))
