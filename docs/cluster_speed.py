"""How a sweep on a Ray cluster scales, and what a cell costs there: python docs/cluster_speed.py [SECONDS].

A cluster of four nodes with two processors each is started on this machine. First 24 cells of an engine that
sleeps SECONDS (30) over its questions run on its 8 workers, and their time is compared with an eighth of the
sum. Then 24 cells of ten questions that are answered at once run there and, one after the other, in processes
of this machine. Both by the command as users call it; its start is measured with a dry run and subtracted.
"""

import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from sweep_overhead import CARD, PLUGIN, bench, write_task

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

clusters: Any = import_module("clusters")

CELLS, NODES, CPUS = 24, 4, 2
QUESTIONS = 10


def write_cards(folder: Path, seconds: float) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(CELLS):
        name = f"fake-{number:02d}"
        settings = f"settings: {{accuracy: 0.5, batch: 1, seconds: {seconds}}}\n"
        card = CARD.replace("NAME", name).replace("settings: {accuracy: 0.5}\n", settings)
        (folder / f"{name}.yaml").write_text(card, encoding="utf-8")


def main(seconds: float = 30.0) -> None:
    os.environ["PYTHONPATH"] = str(PLUGIN)  # of the nodes, too
    run = ("run", "-m", "fake-*", "-t", "overhead", "--offline", "--results")
    with tempfile.TemporaryDirectory() as folder, clusters.cluster(NODES, CPUS) as started:
        address: str = started.address
        on_ray = ("--executor", "ray", "--address", address)
        write_task(Path(folder) / "tasks", "overhead", QUESTIONS)
        write_cards(Path(folder) / "model_cards", seconds / QUESTIONS)
        start, _, _ = bench(folder, *run, "empty", "--dry-run")
        asleep, _, _ = bench(folder, *run, "asleep", *on_ray)
        write_cards(Path(folder) / "model_cards", 0)
        quick, _, _ = bench(folder, *run, "quick", *on_ray)
        local, _, _ = bench(folder, *run, "local")
    workers = NODES * CPUS
    share = CELLS * seconds / workers / (asleep - start)
    print(
        f"{CELLS} cells of {seconds:g} s on {workers} workers: {asleep - start:.1f} s, {share:.0%} of linear"
    )
    each, here = (quick - start) / CELLS, (local - start) / CELLS
    print(f"a quick cell: {each:.2f} s on Ray, {here:.2f} s in processes of this machine")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
