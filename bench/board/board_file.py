"""`board.yaml` in a results folder: the board's title, the order of its tasks, and their weights."""

from dataclasses import replace
from pathlib import Path

from pydantic import Field

from bench.board.board import Board
from bench.config import Strict, line_of, read_yaml
from bench.errors import FileError, Mistake, there_are
from bench.folders import display
from bench.inputs.suite import TaskWeights

NAME = "board.yaml"


class BoardFile(Strict):
    """The file's contents. Tasks that it does not name come after those that it names, with weight 1."""

    title: str = Field(default="", max_length=120)
    tasks: TaskWeights = Field(default_factory=dict)


def arranged(board: Board, results: Path) -> Board:
    """The board in the order and with the weights of the results folder's file, where it has one.

    Raises a FileError with all mistakes of the file, such as a task without runs.
    """
    path = results / NAME
    if not path.is_file():
        return board
    file = read_yaml(path, BoardFile)
    tables = {table.task.name: table for table in board.tasks}
    mistakes = [
        Mistake(
            display(path),
            line_of(path, ("tasks", name)) or line_of(path, ("tasks", number)),
            f"tasks.{name}",
            f"no task with runs is named '{name}'{there_are(name, tables)}",
        )
        for number, name in enumerate(file.tasks)
        if name not in tables
    ]
    if mistakes:
        raise FileError(mistakes)
    weights = dict(file.tasks) | {name: 1.0 for name in tables if name not in file.tasks}
    tasks = tuple(tables[name] for name in weights)
    return replace(board, title=file.title, tasks=tasks, weights=weights)
