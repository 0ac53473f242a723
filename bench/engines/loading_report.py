"""The reason why transformers could not load weights, with the names of the tensors."""

import traceback
from collections.abc import Iterator

from transformers.utils.loading_report import LoadStateDictInfo

from bench.errors import one_line

SHOWN = 3
"""Tensors that a message names."""


def loading_error(error: BaseException) -> str:
    """Why weights could not be loaded, in one line.

    Transformers logs a table of the tensors and raises an error that points to it. The table's rows are
    read from the frames that the error passed through, because the log is silenced.
    """
    infos = (
        value
        for frame, _ in traceback.walk_tb(error.__traceback__)
        for value in frame.f_locals.values()
        if isinstance(value, LoadStateDictInfo)
    )
    rows = [row for info in infos for row in _rows(info)]
    rows = list(dict.fromkeys(rows))
    if not rows:
        return one_line(error)
    more = [f"and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    return "; ".join([*rows[:SHOWN], *more])


def _rows(info: LoadStateDictInfo) -> Iterator[str]:
    for name, in_files, in_model in sorted(info.mismatched_keys):
        yield f"{name} has the shape {tuple(in_files)} in the files and {tuple(in_model)} in the model"
    for name, reason in sorted(info.conversion_errors.items()):
        yield f"{name} cannot be converted: {' '.join(reason.split())[-200:]}"
