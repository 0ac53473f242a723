"""`bench models`: list, show and add model cards."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.errors import FileError, UsageError
from bench.wording import count, or_dash

if TYPE_CHECKING:
    from rich.table import Table

    from bench.inputs.cards import CardFile
    from bench.inputs.model_card import ModelCard


@click.group()
def models() -> None:
    """List, show and add model cards."""


@models.command("list")
@click.argument("selection", default="all")
@options.as_json
def list_models(*, selection: str, as_json: bool) -> None:
    """List models, and whether they are on this machine.

    SELECTION: all, available, names, globs, family:qwen or 'params<1B'; separate several with commas.
    Default: all. Exit code 3 if a card is wrong; the others are listed.
    """
    from bench.cli.console import stdout
    from bench.inputs.cards import find_any_cards, split_broken
    from bench.inputs.hub import go_offline
    from bench.inputs.weights import on_this_machine

    go_offline()
    files, mistakes = split_broken(find_any_cards(selection, on_this_machine))
    if as_json:
        rows = [file.card.model_dump(mode="json") | {"available": on_this_machine(file)} for file in files]
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        stdout().print(_table(files))
    if mistakes:
        raise FileError(mistakes)


def _table(files: "Sequence[CardFile]") -> "Table":
    from rich.table import Table

    from bench.inputs.weights import on_this_machine

    table = Table("name", "parameters", "kind", "context", "licence", "here", box=None, header_style="bold")
    for file in files:
        card = file.card
        here = "yes" if on_this_machine(file) else "no, gated" if card.gated else "no"
        context = f"{card.context:,}" if card.context else or_dash(None)
        table.add_row(card.name, count(card.parameters), _kind(card), context, card.license, here)
    return table


def _kind(card: "ModelCard") -> str:
    if card.is_baseline:
        return "baseline"
    return f"{card.architecture}, chat" if card.chat else card.architecture


@models.command()
@click.argument("name")
def show(*, name: str) -> None:
    """Print a model card, and where its weights are."""
    from bench.errors import Unavailable
    from bench.inputs.cards import find_cards
    from bench.inputs.gated import REMEDY, has_token, needs_token
    from bench.inputs.hub import go_offline
    from bench.inputs.hub_card import card_yaml
    from bench.inputs.weights import Weights, find_weights, on_this_machine

    go_offline()
    for file in find_cards(name, on_this_machine):
        click.echo(card_yaml(file.card), nl=False)
        try:
            weights = find_weights(file, offline=True)
        except Unavailable as error:
            click.echo(f"# not on this machine: {error}")
            if needs_token(file, on_this_machine):
                click.echo(f"# gated, and {'a' if has_token() else 'no'} token is set: {REMEDY}")
        else:
            where = f"{weights.path} ({weights.revision})" if isinstance(weights, Weights) else "none needed"
            click.echo(f"# weights: {where}")


@models.command()
@click.argument("hub_id")
@click.option("--name", metavar="NAME", help="Name of the card. Default: the model's name in lower case.")
def add(*, hub_id: str, name: str | None) -> None:
    """Write model_cards/NAME.yaml from the hub's metadata of HUB_ID."""
    from bench.folders import yaml_files
    from bench.inputs.hub_card import card_yaml, draft_card

    card = draft_card(hub_id, name)
    path = Path("model_cards") / f"{card.name}.yaml"
    if path.exists() or card.name in yaml_files("model_cards"):
        raise UsageError(f"a card named '{card.name}' already exists; choose another name with --name")
    path.parent.mkdir(exist_ok=True)
    path.write_text(card_yaml(card), encoding="utf-8")
    click.echo(f"wrote {path}; check it, then: bench run --models {card.name}")
