"""A board's tables in forms for papers, pages and programs."""

from collections.abc import Sequence

from bench.wording import DASH, number, percent, size
from leaderboard.board import Row, TaskBoard

COLUMNS = ("Rank", "Model", "Variant", "Accuracy", "95 % interval", "Questions/s", "Peak memory")
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "–": "--", "—": "---", "\u202f": r"\,",
}  # fmt: skip


def _cells(row: Row) -> tuple[str, ...]:
    rate, cost, cell = row.result.metrics.accuracy, row.result.cost, row.result.cell
    return (
        row.standing.text if row.standing else DASH,
        cell.model.title,
        cell.variant.slug,
        percent(rate.value),
        f"{percent(rate.low)} – {percent(rate.high)}",
        number(cost.items_per_second),
        size(cost.peak_memory_bytes),
    )


def as_markdown(table: TaskBoard) -> str:
    """A heading, what the table comes to, and a pipe table; nothing of a model's words is markup."""
    lines = [f"## {_escaped(table.task.title)}", "", _escaped(table.headline), ""]
    lines += [f"| {' | '.join(COLUMNS)} |", "| --- | --- | --- | ---: | :---: | ---: | ---: |"]
    lines += [f"| {' | '.join(_escaped(cell) for cell in _cells(row))} |" for row in table.rows]
    note = f"{table.items} questions, {table.task.name} version {table.task.version}; ranks are ranges."
    return "\n".join([*lines, "", f"{note} {_escaped(table.task.notice)}".rstrip(), ""])


def _escaped(text: str) -> str:
    text = " ".join(text.split())
    for sign in "\\`*_{}[]<>#|":
        text = text.replace(sign, f"\\{sign}")
    return text


def as_latex(table: TaskBoard) -> str:
    """A tabular for booktabs, with its caption."""
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(table.task.title)}. {_tex(table.headline)}}}",
    ]
    lines += [r"\begin{tabular}{lllrcrr}", r"\toprule", _line(COLUMNS), r"\midrule"]
    lines += [_line(_cells(row)) for row in table.rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _line(cells: Sequence[str]) -> str:
    return " & ".join(map(_tex, cells)) + r" \\"


def _tex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split(" ")))
