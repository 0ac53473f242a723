"""How long `bench results merge` takes: python docs/merge_speed.py [PARTS] [QUESTIONS].

A run of the tests' fake engine on QUESTIONS (2,000) questions is cut into PARTS (1,000), which are written as
shards write them; then the command is timed, from its start to its end, three times.
"""

import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "plugin"))  # the fake engine

from sweep_overhead import CARD, bench, write_task

from bench.cells.shards import dealt
from bench.results.files import digest
from bench.results.identity import folder_of
from bench.results.result import DoneResult, Shard
from bench.results.store import read_runs, records_bytes, write_run
from bench.scoring.metrics import installed_metrics, measure
from bench.types import Item


def cut(results: Path, parts: int) -> None:
    """Put parts in the place of the folder's only run."""
    [run] = read_runs(results)
    assert not isinstance(run, Exception)
    assert isinstance(run.result, DoneResult)
    items = [Item(one.question_id, one.question, one.options, 0) for one in run.records]
    for index, positions in enumerate(dealt(items, parts), start=1):
        shard = Shard(index=index, count=parts, positions=positions)
        records = [run.records[position] for position in positions]
        data = records_bytes(records)
        changed = {
            "shard": shard,
            "records_sha256": digest(data),
            "metrics": measure(records, installed_metrics([])),
        }
        write_run(results, folder_of(run.result.cell, shard), run.result.model_copy(update=changed), data)
    (results / run.folder / "result.json").unlink()
    (results / run.folder / "records.jsonl").unlink()


def main(parts: int = 1000, questions: int = 2000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        write_task(here / "tasks", "overhead", questions)
        (here / "model_cards").mkdir()
        (here / "model_cards" / "fake.yaml").write_text(CARD.replace("NAME", "fake"), encoding="utf-8")
        bench(folder, "run", "-m", "fake", "-t", "overhead", "--offline")
        cut(here / "results", parts)
        seconds = []
        for number in range(3):
            taken, _, printed = bench(folder, "results", "merge", "results", "--results", f"merged{number}")
            assert f"{parts:,} parts" in printed, printed
            seconds.append(taken)
    taken = f"{median(seconds):.1f} s (fastest {min(seconds):.1f})"
    print(f"{parts:,} parts of {questions:,} questions merged in {taken}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
