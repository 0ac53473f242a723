"""The names of files in a store and in its mirror, and which of them a summary refers to."""

import json
from pathlib import Path
from typing import Any, cast

from bench.results.files import PROBED

SUMMARIES = ("result.json", "part.json")
TESTS = "contamination"
"""The folder of tests of the published order, whose files are whole by themselves."""
DIGEST_LETTERS = 16
"""So much of a digest is in the name of a file of records."""


def is_summary(name: str) -> bool:
    """Whether a file says that a run, a part or a test of contamination is whole."""
    path = Path(name)
    return path.name in SUMMARIES or (path.parent.name == TESTS and path.suffix == ".json")


def sent_name(summary: Path) -> Path:
    """The file beside a summary in a mirror that says what the store has of it."""
    return summary.with_name(f".{summary.stem}.sent")


def stored_name(records: Path, sha256: str) -> str:
    """The name in the store of a file of records: with its digest, so that it is never written anew."""
    return records.with_name(f"{records.stem}-{sha256[:DIGEST_LETTERS]}{records.suffix}").as_posix()


def refers_to(summary: bytes) -> dict[str, str]:
    """The files of records that a summary of any version refers to, with their digests."""
    facts = _facts(summary)
    probes = facts.get("probes")
    digests = {
        "records.jsonl": facts.get("records_sha256"),
        PROBED: cast("dict[str, Any]", probes).get("records_sha256") if isinstance(probes, dict) else None,
    }
    return {name: sha256 for name, sha256 in digests.items() if sha256 and isinstance(sha256, str)}


def is_summary_text(data: bytes) -> bool:
    """Whether a file can be a summary: one that was cut off cannot."""
    return bool(_facts(data))


def is_finished(summary: bytes | None) -> bool:
    """Whether a summary says that something is done, and not that it failed. A test says nothing else."""
    return summary is not None and bool(facts := _facts(summary)) and facts.get("status", "done") == "done"


def _facts(summary: bytes) -> dict[str, Any]:
    try:
        raw: object = json.loads(summary)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
