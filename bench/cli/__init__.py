"""The command line. Only this package prints: results on stdout, progress and errors on stderr."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import click

import bench
from bench.cli import options
from bench.cli.encoding import print_any_text
from bench.errors import BenchError, FileError, visible

MODULES = {
    "bundle": "bundle",
    "cluster": "cluster",
    "compare": "compare",
    "doctor": "doctor",
    "export": "export",
    "gate": "gate",
    "hub": "hub",
    "import": "importing",
    "leaderboard": "leaderboard",
    "models": "models",
    "pick": "pick",
    "probe": "probe",
    "results": "results",
    "run": "run",
    "suites": "suites",
    "tasks": "tasks",
    "tune": "tune",
    "verify": "verify",
}
"""Of each command, the module of this package that has it, as a function that is called like the module."""


class Commands(Mapping[str, click.Command]):
    """The commands by name. One is imported when it is looked up: a call loads no other."""

    def __getitem__(self, name: str) -> click.Command:
        return _command(MODULES[name])

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


@cache
def _command(module: str) -> click.Command:
    command: click.Command = getattr(import_module(f"bench.cli.{module}"), module)
    options.refuse_empty(command)
    return command


class Bench(click.Group):
    """Shows a BenchError as its message, and exits with its code."""

    def main(self, *args: Any, **settings: Any) -> Any:
        print_any_text()
        return super().main(*args, **settings)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[options.ARGUMENTS] = tuple(args)  # messages suggest this command with a change
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BenchError as error:
            click.echo(visible(str(error) if isinstance(error, FileError) else f"bench: {error}"), err=True)
            raise SystemExit(error.exit_code) from error
        except KeyboardInterrupt:
            # Pressed again while Python ends, Ctrl-C ends it at once and without a traceback.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            click.echo("bench: stopped", err=True)
            raise SystemExit(130) from None
        except BrokenPipeError:
            # The reader of a pipe (head, less) has gone: end as a program that the signal ended.
            for stream in (sys.stdout, sys.stderr):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            raise SystemExit(128 + signal.SIGPIPE) from None


@click.group(
    cls=Bench,
    commands=Commands(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(bench.__version__, prog_name="bench")
def main() -> None:
    """SLM Bench: which small language model should you run on the hardware you have?

    \b
    bench run --models available       score every model on this machine
    bench pick --memory 4GB            which of them to use within limits
    bench leaderboard build            build the site from the results
    bench tasks new my_task            start a task with your own questions
    """  # noqa: D301 (click reads the backspace as "keep these lines")
