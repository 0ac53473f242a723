"""`bench import`: put the runs of another program on the board."""

from pathlib import Path

import click

from bench.cli import options
from bench.errors import BenchError, FileError, Mistake


@click.group("import")
def importing() -> None:
    """Import runs of other programs. The board marks them as imported."""


@importing.command("lm-eval")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options.results
@click.option("--task", metavar="NAME", help="Import this lm-eval task only. Default: every task.")
@click.option("--fresh", is_flag=True, help="Replace runs that were imported before with different answers.")
def lm_eval(*, folder: Path, results: Path, task: str | None, fresh: bool) -> None:
    """Import the multiple-choice tasks that 'lm_eval --output_path DIR --log_samples' wrote to DIR.

    What lm-eval does not report, such as memory and machine, stays unknown. Exit code 3 if a file is wrong.
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
        raise BenchError(f"{failed} {'run' if failed == 1 else 'runs'} not imported")
