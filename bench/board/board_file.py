"""`board.yaml` in a results folder: the board's title, the order of its tasks, and their weights."""

from dataclasses import replace
from pathlib import Path

from pydantic import Field

from bench.board.board import Board
from bench.config import Strict, read_yaml
from bench.inputs.suite import TaskWeights, check_tasks
from bench.plain_files import is_there

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
    if not is_there(path):
        return board
    file = read_yaml(path, BoardFile)
    tables = {table.task.name: table for table in board.tasks}
    # Of a task whose runs are all damaged, the folder is there: the board is shown without it.
    empty = {name for name in file.tasks.keys() - tables.keys() if (results / name).is_dir()}
    check_tasks(path, [name for name in file.tasks if name not in empty], tables, "task with runs")
    weights = {name: weight for name, weight in file.tasks.items() if name not in empty}
    weights |= {name: 1.0 for name in tables if name not in file.tasks}
    tasks = tuple(tables[name] for name in weights)
    return replace(board, title=file.title, tasks=tasks, weights=weights)
