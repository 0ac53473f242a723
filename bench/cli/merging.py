"""`bench results merge`: runs of the parts that shards answered."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.errors import FileError, Mistake, UsageError
from bench.wording import percent

if TYPE_CHECKING:
    from bench.results.parts import Part
    from bench.results.result import DoneResult


@click.command()
@click.argument("folders", nargs=-1, metavar="[DIR]...", type=str)
@options.results
def merge(*, folders: tuple[str, ...], results: Path) -> None:
    """Make runs of the parts in the folders DIR, which are results folders of 'bench run --shard I/N'.

    A run is made where each of its questions is in exactly one part, and all parts are of the same cell and
    the same engine; what is missing or differs is said, with exit code 3. Runs are stored in the folder
    --results, where DIR is by default, too; the parts stay (bench results prune parts).
    """
    from bench.results.merge import by_cell
    from bench.results.mirrored import address_of
    from bench.results.parts import part_files, read_parts
    from bench.results.store import existing

    places = tuple(existing(options.results_folder(folder)) for folder in folders) or (existing(results),)
    read = list(read_parts(part_files(places)))
    mistakes = [mistake for part in read if isinstance(part, FileError) for mistake in part.mistakes]
    parts = [part for part in read if not isinstance(part, FileError)]
    if not read:
        names = ", ".join(folders or [address_of(results)])
        raise UsageError(f"there are no parts of runs in {names}: run 'bench run --shard 1/2' and 2/2 first")
    for group in by_cell(parts).values():
        try:
            for line in _merged(group, parts, results):
                click.echo(line)
        except FileError as error:
            mistakes += error.mistakes
    if mistakes:
        raise FileError(list[Mistake](dict.fromkeys(mistakes)), shown=100)


def _merged(group: "Sequence[Part]", every: "Iterable[Part]", results: Path) -> Iterator[str]:
    """Make and store the run of a cell's parts; yields what became of it."""
    from bench.results.identity import folder_of, summary_in
    from bench.results.merge import complete, merge
    from bench.results.mirrored import send
    from bench.results.store import begin, find_run, write_run
    from bench.scoring.metrics import installed_metrics

    cell = group[0].result.cell
    folder = folder_of(cell)
    before = find_run(results, folder, cell.id)
    if before and before.result.provenance.finished >= max(part.result.provenance.finished for part in group):
        send(results, summary_in(folder))
        yield f"there already: {results / folder}"
        return
    parts = complete(group, [part for part in every if part.result.cell.id != cell.id])
    names = group[0].result.metrics.values
    metrics = installed_metrics(names)
    run = merge(parts, metrics)
    begin(results)
    write_run(results, folder, run.result, run.records, run.probed)
    yield f"merged: {results / folder}: {_described(run.result, len(parts))}"
    if missing := [name for name in names if name not in metrics]:
        yield f"  without {', '.join(missing)}, not installed here: 'bench run' without --shard adds it"


def _described(result: "DoneResult", parts: int) -> str:
    rate, measured = result.metrics.accuracy, result.cost.measured
    text = f"{parts:,} parts, {rate.correct:,} of {rate.total:,} right ({percent(rate.value)})"
    if not measured:
        return text
    where = result.merged[0].machine
    return f"{text}; costs measured on {measured.words}, {where}"
