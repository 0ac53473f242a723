"""`bench import`: put runs that another program made on the board."""

from pathlib import Path

import click

from bench.cli import options
from bench.errors import BenchError, FileError, Mistake


@click.group("import")
def importing() -> None:
    """Put runs that another program made on the board. They are marked as imported."""


@importing.command("lm-eval")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options.results
@click.option("--task", metavar="NAME", help="Import this task of lm-eval alone.")
@click.option("--fresh", is_flag=True, help="Replace a run that was imported with different answers.")
def lm_eval(*, folder: Path, results: Path, task: str | None, fresh: bool) -> None:
    """Import the multiple-choice tasks that 'lm_eval --output_path DIR --log_samples' wrote to DIR.

    What lm-eval does not report, such as memory and machine, stays unknown. Exit code 3: a file is wrong.
    """
    from bench.lm_eval.importing import import_runs

    mistakes: list[Mistake] = []
    failed = 0
    for outcome in import_runs(folder, results, task, fresh=fresh):
        if isinstance(outcome, FileError):
            mistakes += outcome.mistakes
            continue
        click.echo(f"{outcome.kind}: {outcome.message}", err=outcome.kind not in ("imported", "unchanged"))
        failed += outcome.kind in ("differs", "no samples")
    if mistakes:
        raise FileError(mistakes)
    if failed:
        raise BenchError(f"{failed} not imported")
