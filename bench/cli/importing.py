"""`bench import`: runs that another program made, on the board beside ours."""

from pathlib import Path

import click

from bench.cli import options
from bench.errors import BenchError, FileError, Mistake


@click.group("import")
def importing() -> None:
    """Put runs that another program made on the board, marked as such."""


@importing.command("lm-eval")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options.results
@click.option("--task", metavar="NAME", help="This task of lm-eval's alone.")
@click.option("--fresh", is_flag=True, help="Replace a run that is there with other answers.")
def lm_eval(*, folder: Path, results: Path, task: str | None, fresh: bool) -> None:
    """The multiple-choice tasks that 'lm_eval --output_path DIR --log_samples' left in DIR.

    What lm-eval does not tell, such as memory and machine, stays unknown. Exit code 3: a file is wrong.
    """
    from bench.interop.lm_eval_import import Outcome, import_runs

    mistakes: list[Mistake] = []
    left: list[Outcome] = []
    for found in import_runs(folder, results, task, fresh=fresh):
        if isinstance(found, FileError):
            mistakes += found.mistakes
        elif found.kind in ("imported", "there"):
            click.echo(f"{found.kind}: {found.said}" if found.kind == "imported" else found.said)
        else:
            click.echo(found.said, err=True)
            left += [found] if found.kind != "skipped" else []
    if mistakes:
        raise FileError(mistakes)
    if left:
        raise BenchError(f"{len(left)} not imported")
