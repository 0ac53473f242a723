"""What the README says works, as it says it."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
from click.testing import Result

from bench.cli import main
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(section: str) -> list[tuple[str, str]]:
    """(language, text) of the fenced blocks under a heading."""
    [text] = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_a_task_written_from_the_readme_alone_validates_runs_and_is_on_the_board(
    bench: Callable[..., Result], project: Path
) -> None:
    (_, task), (_, data), (_, commands) = blocks("Add a task")
    (project / "tasks" / "data").mkdir(parents=True)
    (project / "tasks" / "capitals.yaml").write_text(task, encoding="utf-8")
    (project / "tasks" / "data" / "capitals.jsonl").write_text(data, encoding="utf-8")
    for line in commands.splitlines():
        # The embedded model has tests of its own; baselines are quick.
        words = shlex.split(line.replace("--models available", "--models family:baseline"))
        assert words[0] == "bench"
        result = bench(*words[1:])
        assert result.exit_code == 0, result.output
    page = (project / "site" / "index.html").read_text(encoding="utf-8")
    assert "Capitals of Europe" in page


def test_a_card_written_from_the_readme_is_read(bench: Callable[..., Result], project: Path) -> None:
    [(_, card)] = blocks("Add a model")
    (project / "model_cards").mkdir()
    (project / "model_cards" / "my-model.yaml").write_text(card, encoding="utf-8")
    shown = bench("models", "show", "my-model")
    assert shown.exit_code == 0
    assert "correct source.path, which starts at the card's folder" in shown.stdout


def test_every_command_in_the_documents_exists_with_its_options() -> None:
    text = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line.split("#")[0] for block in blocks for line in block.splitlines()]
    commands = [
        part.strip() for line in lines for part in line.split("&&") if part.strip().startswith("bench ")
    ]
    assert len(commands) >= 8
    for command in commands:
        found: click.Command | None = main
        words = shlex.split(command)[1:]
        while isinstance(found, click.Group):
            found, words = found.get_command(click.Context(found), words[0]), words[1:]
        assert found is not None, command
        found.make_context("bench", words)
