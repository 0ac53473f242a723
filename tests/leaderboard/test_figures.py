"""Figures as files, without a browser: `bench leaderboard figures`."""

import csv
import io
import re
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from click.testing import Result

from bench.board.citing import citation
from bench.board.forest import contrasts_on
from bench.board.reading import read_board
from bench.wording import MINUS, points
from conftest import ROOT
from leaderboard.standalone import read_styles, standalone

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The figures of the committed results, without pictures."""
    from click.testing import CliRunner

    from bench.cli import main

    out = tmp_path_factory.mktemp("figures")
    arguments = ["leaderboard", "figures", "--results", str(ROOT / "results"), "--out", str(out), "--no-png"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return out


def test_every_drawing_stands_alone_without_styles_scripts_or_addresses(figures: Path) -> None:
    drawings = sorted(figures.glob("*.svg"))
    assert len(drawings) > 5
    for path in drawings:
        root = ET.parse(path).getroot()
        assert root.find(f"{SVG}title") is not None
        assert root.findtext(f"{SVG}title")
        for part in root.iter():
            assert part.tag.removeprefix(SVG) not in ("style", "script", "image", "use", "a", "foreignObject")
            assert not {name for name in part.attrib if "href" in name or name in ("class", "style")}
            assert all("url(" not in value and "var(" not in value for value in part.attrib.values())
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text
        for circle in root.iter(f"{SVG}circle"):
            assert float(circle.get("r", "0").removesuffix("px")) > 0
            assert circle.get("stroke", "none") != "none"


def test_the_csv_of_a_figure_equals_the_table_of_its_numbers(figures: Path) -> None:
    board, _ = read_board(ROOT / "results", [])
    for table in board.tasks:
        text = (figures / f"difference-{table.task.name}.csv").read_bytes().decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        others = contrasts_on(table).others
        assert [row["Model"] for row in rows] == [each.name for each in others]
        for row, each in zip(rows, others, strict=True):
            assert row["Difference in points"] == points(each.difference).replace(MINUS, "-")
            interval = f"{points(each.low)} to {points(each.high)}"
            assert row["95 % interval"].removeprefix("'") == interval
            assert (row["p"], row["p by Holm"]) == (f"{each.p:.2g}", f"{each.adjusted:.2g}")
            assert row["Result"] == each.verdict
            assert each.pair is not None
            assert row["Only this one right"] == str(each.pair.only_second)


def test_drawings_of_confidence_and_of_probes_are_among_them_with_their_numbers(figures: Path) -> None:
    """Of each model's first variant, and of the first that was asked changed questions."""
    for kind, head in (
        ("reliability", ["Confidence", "From", "To", "Answers", "Right", "95 % interval"]),
        ("coverage", ["Answered", "Accuracy", "Risk"]),
        ("recall", ["Where the right option stood", "Right", "95 % interval"]),
        ("orders", ["Order of the options", "Right", "95 % interval"]),
    ):
        drawn = sorted(figures.glob(f"{kind}-smollm2-135m-instruct-q4_1-medqa-*.svg"))
        assert len(drawn) == 1, kind
        title = ET.parse(drawn[0]).getroot().findtext(f"{SVG}title") or ""
        rows = list(csv.reader(io.StringIO(drawn[0].with_suffix(".csv").read_text(encoding="utf-8"))))
        assert rows[0] == head
        assert len(rows) > 4
        assert "SmolLM2 135M Instruct (from Q4_1) on MedQA" in title
        assert re.search(r"\d\u202f%", title), "it says its values"


def test_tables_and_the_line_to_cite_are_there_for_each_task(figures: Path) -> None:
    board, _ = read_board(ROOT / "results", [])
    cites = (figures / "CITATION.txt").read_text(encoding="utf-8")
    for table in board.tasks:
        name = table.task.name
        assert (figures / f"{name}.tex").read_text(encoding="utf-8").startswith("\\begin{table}")
        assert (figures / f"{name}.md").read_text(encoding="utf-8").startswith("## ")
        assert f"difference-{name}.svg: {citation([table])}\n" in cites
        words = "".join(ET.parse(figures / f"difference-{name}.svg").getroot().itertext())
        assert table.data_sha256[:10] in words
    files = {path.name for path in figures.iterdir()} - {"CITATION.txt"}
    assert {line.partition(": ")[0] for line in cites.splitlines()} == files


def test_a_picture_has_twice_the_size_of_its_drawing_and_is_not_blank(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    from bench.cli.figures import png_maker

    sheet = read_styles(":root { --ink: #102030; --ground: #ffffff; } .charted text { fill: var(--ink); }")
    markup = '<svg class="chart" width="100%" height="50"><text x="0" y="30">words</text></svg>'
    svg = standalone(markup, ("figure", frozenset({"charted"})), "cited", sheet)
    root = ET.fromstring(svg)
    pixels = read_png(png_maker()(svg))
    assert pixels.shape[:2] == (2 * int(root.get("height", "0")), 2 * int(root.get("width", "0")))
    assert (pixels[0, 0, :3] == 255).all()
    ink = (pixels[:, :, :3] == [0x10, 0x20, 0x30]).all(axis=2)
    assert ink.any()
    assert not ink.all()


def read_png(data: bytes) -> np.ndarray:
    """(rows, columns, 4) of an RGBA picture of 8 bits without interlacing."""
    assert data.startswith(b"\x89PNG")
    at, packed = 8, b""
    width = height = 0
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height = int.from_bytes(body[:4]), int.from_bytes(body[4:8])
            assert body[8:] == b"\x08\x06\x00\x00\x00"
        packed += body if kind == b"IDAT" else b""
        at += 12 + size
    lines = np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(height, 1 + 4 * width)
    out = np.zeros((height, 4 * width), dtype=np.uint8)
    for row, line in enumerate(lines):
        out[row] = unfiltered(line[0], line[1:], out[row - 1] if row else np.zeros(4 * width, dtype=np.uint8))
    return out.reshape(height, width, 4)


def unfiltered(kind: int, line: np.ndarray, above: np.ndarray) -> np.ndarray:
    """The bytes of a row (PNG specification, section 9)."""
    if kind == 0:
        return line
    if kind == 2:
        return line + above
    row = np.zeros(len(line), dtype=np.uint8)
    for at in range(len(line)):
        left = int(row[at - 4]) if at >= 4 else 0
        up, corner = int(above[at]), int(above[at - 4]) if at >= 4 else 0
        near = min((left, up, corner), key=lambda value: abs(left + up - corner - value))
        row[at] = (int(line[at]) + {1: left, 3: (left + up) // 2, 4: near}[kind]) % 256
    return row


def test_without_the_library_for_pictures_one_line_says_what_to_do(
    bench: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    result = bench("leaderboard", "figures", "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "pip install 'slm-bench[figures]', or leave them out with --no-png" in result.output
    assert not (tmp_path / "out").exists()


def test_figures_of_no_runs_or_to_a_file_are_one_clear_error(
    bench: Callable[..., Result], tmp_path: Path
) -> None:
    arguments = ["leaderboard", "figures", "--no-png", "--results"]
    empty = bench(*arguments, str(tmp_path), "--out", str(tmp_path / "a"))
    assert empty.exit_code == 2
    assert "there are no runs in" in empty.output
    (tmp_path / "file").write_text("", encoding="utf-8")
    taken = bench(*arguments, str(ROOT / "results"), "--out", str(tmp_path / "file" / "b"))
    assert taken.exit_code == 1
    assert "the figures cannot be written to" in taken.output


def test_the_more_exact_rule_of_a_style_wins_and_media_queries_are_left_out() -> None:
    sheet = read_styles(
        ":root { --ink: #111111; } .drawing .strong circle { fill: var(--ink); } /* first { fill: red } */"
        ".drawing circle { fill: none; r: 4px; margin: 1px; } @media print { .drawing circle { fill: red; } }"
        "circle:hover { fill: red; } .other circle { fill: blue; }"
    )
    markup = '<svg viewBox="0 0 100 50"><g class="strong"><circle cx="1"/></g><circle cx="2"/></svg>'
    root = ET.fromstring(standalone(markup, ("figure", frozenset({"drawing"})), "cite", sheet))
    first, second = root.iter(f"{SVG}circle")
    assert first.attrib == {"cx": "1", "fill": "#111111", "r": "4px"}
    assert second.attrib == {"cx": "2", "fill": "none", "r": "4px"}
