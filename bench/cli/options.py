"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path

import click

from bench.errors import UsageError

WORDS = "bench.words"
"""Under this key a command's context keeps the words after `bench`."""

data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with mirror files of hub data sets (or BENCH_DATA_DIR).",
)
offline = click.option("--offline", is_flag=True, help="Do not ask the hub.")


trust_remote_code = click.option(
    "--trust-remote-code", is_flag=True, help="Run the code that comes with weights."
)
allow_pickle = click.option(
    "--allow-pickle",
    is_flag=True,
    help="Take weights that are pickles, which can run any code, where there are no safetensors.",
)


def _address(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value and not value.startswith(("https://", "http://")):
        raise UsageError(f"--url {value}: an address begins with https://")
    return value


def url(text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`--url`, "" for none, with that help."""
    return click.option("--url", default="", metavar="URL", callback=_address, help=text)


as_json = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


results = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    metavar="DIR",
    help="Where runs are kept.",
)
site = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("site"),
    show_default=True,
    metavar="DIR",
    help="The folder of the site.",
)
