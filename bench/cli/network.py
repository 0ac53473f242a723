"""Whether a command works offline: decided once, before any library that uses the hub is imported."""

from collections.abc import Sequence
from pathlib import Path

import click

from bench.inputs.cards import AnyCard, CardFile
from bench.inputs.data import needs_hub
from bench.inputs.hub import go_offline, hub_reachable
from bench.inputs.model_card import HubSource
from bench.inputs.task import TaskFile


def decide_offline(
    files: Sequence[TaskFile], cards: Sequence[AnyCard], data_dir: Path | None, *, offline: bool
) -> bool:
    """Whether to work offline; asks the hub once, and only if a task or a card needs it."""
    readable = [file.card for file in cards if isinstance(file, CardFile)]
    needed = any(isinstance(card.source, HubSource) for card in readable)
    needed = needed or any(needs_hub(file, data_dir) for file in files)
    if needed or offline:
        return check_hub(offline=offline)
    return False


def check_hub(*, offline: bool) -> bool:
    """Whether to work offline, by request or because the hub does not answer; then turns off its clients."""
    if not offline and not hub_reachable():
        click.echo("the model hub is unreachable; using only what is on this machine", err=True)
        offline = True
    if offline:
        go_offline()
    return offline
