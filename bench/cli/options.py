"""Options that several commands share."""

from pathlib import Path

import click

data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with mirror files of hub data sets (or BENCH_DATA_DIR).",
)
offline = click.option("--offline", is_flag=True, help="Do not ask the hub.")
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
