"""Records -> the rows of Every Eval Ever's samples file, one for each question."""

from collections.abc import Iterator
from typing import Any

from bench.results.result import CellFacts
from bench.scoring.record import Record
from bench.sharing.export import Finished, sha256, strings
from bench.stats.metrics import ACCURACY


def samples(run: Finished, evaluation_id: str, model_id: str, schema: str) -> Iterator[dict[str, Any]]:
    """One row for each record, in the records' order."""
    cell = run.result.cell
    for record in run.records:
        yield {
            "schema_version": schema,
            "evaluation_id": evaluation_id,
            "model_id": model_id,
            "evaluation_name": cell.task.name,
            "evaluation_result_id": ACCURACY.name,
            "sample_id": record.question_id,
            "sample_hash": sha256(record.question + record.answer_gt) if record.question else None,
            "interaction_type": "single_turn",
            "input": _input(record),
            "output": _output(cell, record),
            "messages": None,
            "answer_attribution": _attribution(cell, record),
            "evaluation": {
                "score": float(record.is_correct),
                "is_correct": record.is_correct,
                "num_turns": 1,
            },
            "token_usage": _token_usage(record),
            "performance": _performance(record),
            "error": "the prompt is longer than the model takes, and nothing was asked"
            if record.parse_status == "prompt_too_long"
            else None,
            "metadata": _metadata(record),
        }


def _input(record: Record) -> dict[str, Any]:
    """The reference is the letter of the right option; choices are in the order of the letters."""
    return {
        "raw": record.question,
        "formatted": record.prompt or None,
        "reference": [record.answer_gt],
        "choices": list(record.options) if any(record.options) else None,
    }


def _output(cell: CellFacts, record: Record) -> dict[str, Any]:
    """What the model wrote; where options were scored, the letter of the highest score."""
    answer = record.model_output.final_answer
    raw = record.completion if cell.variant.generate else answer
    trace = record.model_output.reasoning_steps
    return {"raw": [raw] if raw else [], "reasoning_trace": [trace] if trace else None}


def _attribution(cell: CellFacts, record: Record) -> list[dict[str, Any]]:
    """How the answer was extracted; empty without an answer, and parse_status in the metadata says why."""
    answer = record.model_output.final_answer
    if answer is None:
        return []
    method = "rules on the text" if cell.variant.generate else f"highest score, {cell.task.view} view"
    return [
        {
            "turn_idx": 0,
            "source": "output.raw",
            "extracted_value": answer,
            "extraction_method": method,
            "is_terminal": True,
        }
    ]


def _token_usage(record: Record) -> dict[str, int] | None:
    """None where no tokens are counted, as for a baseline."""
    if not record.prompt_tokens:
        return None
    total = record.prompt_tokens + record.new_tokens
    return {
        "input_tokens": record.prompt_tokens,
        "output_tokens": record.new_tokens,
        "total_tokens": total,
    }


def _performance(record: Record) -> dict[str, Any] | None:
    """A question's share of its batch's time is not a latency, so it has a name of its own."""
    if not record.seconds:
        return None
    return {"additional_details": {"share_of_its_batch_seconds": str(record.seconds)}}


def _metadata(record: Record) -> dict[str, str]:
    scores = {f"scores_{view}": list(values) for view, values in record.scores.items()}
    return strings(
        {
            "group": record.group,
            "parse_status": record.parse_status,
            "options": len(record.options),
            **scores,
            "samples": list(record.samples) or None,
        }
    )
