"""The command line. Only this package prints: results on stdout, progress and errors on stderr."""

import os
import signal
import sys

import click

import bench
from bench.cli import options
from bench.cli.bundle import bundle
from bench.cli.compare import compare
from bench.cli.doctor import doctor
from bench.cli.export import export
from bench.cli.gate import gate
from bench.cli.importing import importing
from bench.cli.leaderboard import leaderboard
from bench.cli.models import models
from bench.cli.pick import pick
from bench.cli.results import results
from bench.cli.run import run
from bench.cli.suites import suites
from bench.cli.tasks import tasks
from bench.cli.tune import tune
from bench.cli.verify import verify
from bench.errors import BenchError, FileError


class Bench(click.Group):
    """Shows a BenchError as its message, and exits with its code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[options.ARGUMENTS] = tuple(args)  # messages suggest this command with a change
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BenchError as error:
            click.echo(str(error) if isinstance(error, FileError) else f"bench: {error}", err=True)
            raise SystemExit(error.exit_code) from error
        except KeyboardInterrupt:
            click.echo("bench: stopped", err=True)
            raise SystemExit(130) from None
        except BrokenPipeError:
            # The reader of a pipe (head, less) has gone: end as a program that the signal ended.
            for stream in (sys.stdout, sys.stderr):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            raise SystemExit(128 + signal.SIGPIPE) from None


@click.group(cls=Bench, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(bench.__version__, prog_name="bench")
def main() -> None:
    """SLM Bench: which small language model should you run on the hardware you have?

    \b
    bench run --models available       score every model on this machine
    bench pick --memory 4GB            which of them to use within limits
    bench leaderboard build            build the site from the results
    bench tasks new my_task            start a task with your own questions
    """  # noqa: D301 (click reads the backspace as "keep these lines")


for command in (
    run,
    tune,
    results,
    compare,
    pick,
    gate,
    tasks,
    suites,
    models,
    leaderboard,
    export,
    importing,
    verify,
    bundle,
    doctor,
):
    options.refuse_empty(command)
    main.add_command(command)
