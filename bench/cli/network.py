"""Whether a command may ask the hub: settled once, before anything heavy is imported."""

from collections.abc import Sequence
from pathlib import Path

import click

from bench.inputs.cards import AnyCard, CardFile
from bench.inputs.data import needs_hub
from bench.inputs.hub import go_offline, hub_reachable
from bench.inputs.model_card import HubSource
from bench.inputs.task import TaskFile


def settle_offline(
    files: Sequence[TaskFile], cards: Sequence[AnyCard], data_dir: Path | None, *, offline: bool
) -> bool:
    """Ask the hub once, if anything comes from there; when it is silent, nobody asks it again."""
    whole = [file.card for file in cards if isinstance(file, CardFile)]
    wanted = any(isinstance(card.source, HubSource) for card in whole)
    wanted = wanted or any(needs_hub(file, data_dir) for file in files)
    if wanted or offline:
        return settle_hub(offline=offline)
    return False


def settle_hub(*, offline: bool) -> bool:
    """Whether to work offline: as told, or because the hub is silent; its clients then know it too."""
    if not offline and not hub_reachable():
        click.echo("the model hub is out of reach: using only what is on this machine", err=True)
        offline = True
    if offline:
        go_offline()
    return offline
