"""A board's tables in forms for papers, pages and programs."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Literal

from bench.board.board import Row, TaskBoard
from bench.board.column import Column, Value, rounded
from bench.board.columns import INTERVAL, columns_of, known

Alignment = Literal["left", "center", "right"]
_RULES: dict[Alignment, str] = {"left": "---", "center": ":---:", "right": "---:"}
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "–": "--", "—": "---", "\u202f": r"\,",
}  # fmt: skip


def row_values(rows: Sequence[Row]) -> list[dict[str, Value]]:
    """Every row by column; floats have four decimals."""
    columns = known(columns_of("export"), rows)
    return [{column.name: rounded(column.value(row)) for column in columns} for row in rows]


def as_csv(rows: Sequence[Row]) -> str:
    """RFC 4180, with a header; an unknown value is an empty field."""
    out = io.StringIO()
    columns = known(columns_of("export"), rows)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(column.name for column in columns)
    writer.writerows([no_formula(rounded(column.value(row))) for column in columns] for row in rows)
    return out.getvalue()


def no_formula(value: Value) -> Value:
    """A text that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps(row_values(rows), indent=1, ensure_ascii=False) + "\n"


def as_markdown(table: TaskBoard) -> str:
    """A heading, the headline, and a pipe table; text of models is escaped."""
    columns = columns_of("paper")
    lines = [f"## {_escaped(table.task.title)}", "", _escaped(table.headline), ""]
    lines += [
        _pipes(column.title for column in columns),
        _pipes(_RULES[_alignment(column)] for column in columns),
    ]
    lines += [_pipes(_escaped(column.format(row)) for column in columns) for row in table.rows]
    note = f"{table.items:,} questions, {table.task.name} version {table.task.version}; ranks are ranges."
    return "\n".join([*lines, "", f"{note} {_escaped(table.task.notice)}".rstrip(), ""])


def _pipes(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _alignment(column: Column) -> Alignment:
    return "center" if column is INTERVAL else "right" if column.number else "left"


def _escaped(text: str) -> str:
    text = " ".join(text.split())
    for sign in "\\`*_{}[]<>#|":
        text = text.replace(sign, f"\\{sign}")
    return text


def as_latex(table: TaskBoard) -> str:
    """A tabular for booktabs, with its caption."""
    columns = columns_of("paper")
    alignments = "".join(_alignment(column)[0] for column in columns)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(table.task.title)}. {_tex(table.headline)}}}",
        rf"\begin{{tabular}}{{{alignments}}}",
        r"\toprule",
        _line(column.title for column in columns),
        r"\midrule",
    ]
    lines += [_line(column.format(row) for column in columns) for row in table.rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _line(cells: Iterable[str]) -> str:
    return " & ".join(map(_tex, cells)) + r" \\"


def _tex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split(" ")))
