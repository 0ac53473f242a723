"""Any models compared in the browser, and figures taken away: the numbers and words are Python's."""

import csv
import io
import re
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from bench.board.board import Board
from bench.board.candidates import candidates
from bench.board.clustered import in_clusters
from bench.board.facts import names_of
from bench.board.forest import Contrasts, contrasts_across, contrasts_on, forest
from bench.board.pairs import describe_detectable, describe_pair
from bench.board.reading import read_board
from bench.results.answers import Answered, read_answered
from bench.results.files import digest, read_result
from bench.results.result import DoneResult
from bench.results.store import records_bytes
from bench.results.summary import summary_bytes
from bench.scoring.metrics import installed_metrics, measure
from bench.scoring.record import Record
from bench.stats.paired import paired
from bench.stats.ranking import holm
from bench.wording import MINUS, points
from browsing import listed, run_page, visit
from conftest import ROOT
from leaderboard.build import make_site, write_site
from leaderboard.lone_pages import STATIC

pytestmark = pytest.mark.browser
PAGE = '<!doctype html><meta charset="utf-8">' + "".join(
    f'<script src="{name}"></script>' for name in ("statistics.js", "wording.js", "compare.js")
)
DRAWN = """\
(svg) => [...svg.querySelectorAll("g")].map((row) => {
  const value = (place, name) => Number(row.querySelector(place).getAttribute(name).replace("%", ""));
  return {
    name: row.querySelector(".name").textContent,
    text: row.querySelector(".value").textContent,
    strong: row.classList.contains("strong"),
    places: [value(".span", "x1"), value("circle", "cx"), value(".span", "x2")],
  };
})
"""


@pytest.fixture(scope="module")
def board() -> Board:
    return read_board(ROOT / "results", [])[0]


@pytest.fixture(scope="module")
def scripts(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A page with nothing but the scripts of a comparison."""
    folder = tmp_path_factory.mktemp("scripts")
    for name in ("statistics.js", "wording.js", "compare.js"):
        (folder / name).write_bytes((STATIC / name).read_bytes())
    (folder / "page.html").write_text(PAGE, encoding="utf-8")
    return visit(browser, folder / "page.html")[0]


def shown(page: Page) -> str:
    """The sentence, as soon as the answers are there."""
    page.wait_for_selector(".drawing svg")
    return page.locator("#compare [role=status]").inner_text()


@pytest.mark.parametrize(
    ("lost", "won"), [(0, 4), (0, 5), (1, 3), (1, 6), (3, 1), (0, 0), (2, 40), (0, 60), (300, 310), (7, 7)]
)
def test_p_has_the_digits_that_python_gives_it(scripts: Page, lost: int, won: int) -> None:
    same = 8
    first = np.array([True] * lost + [False] * won + [True] * same)
    second = np.array([False] * lost + [True] * (won + same))
    pair = paired(first, second, clusters=None)
    counts = [pair.both, pair.only_first, pair.only_second, pair.neither]
    said = scripts.evaluate("(counts) => benchCompare.describePair('One', 'Two', ...counts)", counts)
    assert said == describe_pair("One", "Two", pair)
    detectable = scripts.evaluate(
        "(asked) => benchCompare.describeDetectable(benchCompare.detectable(...asked))",
        [len(first), (lost + won) / len(first), 1],
    )
    assert detectable == describe_detectable(pair)


def test_holm_in_the_browser_is_python_s(scripts: Page) -> None:
    draw = np.random.default_rng(3)
    for size in (1, 2, 7, 40):
        p = np.round(draw.uniform(0, 0.2, size), 2)  # with equal values
        adjusted = scripts.evaluate("(values) => benchCompare.holm(values)", p.tolist())
        assert adjusted == pytest.approx(holm(p).tolist(), abs=1e-15)


def test_any_two_are_compared_in_the_words_and_numbers_of_the_terminal(browser: Browser, site: Path) -> None:
    page, asked, messages = visit(browser, site / "compare.html")
    address = page.url.partition("?")[0]
    rows = {run.result.cell.id: run for run in read_answered(ROOT / "results") if isinstance(run, Answered)}
    ids = [str(row["run"]) for row in listed(site)]
    names = dict(zip(ids, names_of([rows[run].result.cell for run in ids]), strict=True))
    for first, second in combinations(ids, 2):
        page.goto(f"{address}?task=medqa_sample&runs={first[:10]},{second[:10]}&reference={first[:10]}")
        pair = paired(rows[first].right, rows[second].right, clusters=None)
        assert shown(page) == describe_pair(names[first], names[second], pair)
        assert page.locator(".detectable").inner_text() == describe_detectable(pair)
        counts = [int(text) for text in page.locator("#two td.number").all_inner_texts()]
        assert counts == [pair.both, pair.only_first, pair.only_second, pair.neither]
    alone = page.locator("#two details >> nth=0")
    assert alone.locator("li").count() == pair.only_first
    alone.locator("a >> nth=0").click()
    page.wait_for_url("**/questions/medqa_sample/*.html")
    page.go_back()
    shown(page)
    page.select_option("#add", label=names[ids[0]])
    page.wait_for_url(f"**runs={first[:10]},{second[:10]},{ids[0][:10]}&reference={first[:10]}")
    assert page.locator("#two").is_hidden()
    page.goto(run_page(site).as_uri())
    page.click("text=Compare it")
    shown(page)
    assert "task=medqa_sample&reference=" in page.url
    assert all(url.startswith("file://") for url in asked)
    assert messages == []


def is_drawn_as(page: Page, contrasts: Contrasts) -> None:
    """The drawing and the table beside it have the contrasts' numbers, in their order."""
    shown(page)
    rows: list[dict[str, Any]] = page.locator(".drawing svg").evaluate(DRAWN)
    chart = forest(contrasts, "", "")
    assert [row["name"] for row in rows] == [row.label for row in chart.rows]
    assert [row["text"] for row in rows] == [row.text for row in chart.rows]
    assert [row["strong"] for row in rows] == [row.strong for row in chart.rows]
    for row, drawn in zip(rows, chart.rows, strict=True):
        assert row["places"] == pytest.approx([drawn.low, drawn.at, drawn.high], abs=0.011)
    cells = page.locator("#contrasts tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    assert cells == [
        [
            each.name,
            points(each.difference),
            f"{points(each.low)} to {points(each.high)}",
            f"{each.p:.2g}",
            f"{each.adjusted:.2g}",
            each.verdict,
        ]
        for each in contrasts.others
    ]
    significant = sum(each.verdict == "better" for each in contrasts.others)
    assert f"{significant} of {len(contrasts.others)} are significantly better" in shown(page)
    least = f"at least {100 * contrasts.detectable:.1f} points"
    assert least in page.locator(".detectable").inner_text()


def test_every_reference_of_a_task_is_drawn_as_python_draws_it(
    browser: Browser, site: Path, board: Board
) -> None:
    page, _, messages = visit(browser, site / "compare.html")
    address = page.url.partition("?")[0]
    table = next(table for table in board.tasks if table.task.name == "medqa_sample")
    for reference, row in enumerate(table.rows):
        page.goto(f"{address}?task=medqa_sample&reference={row.result.cell.id[:10]}")
        is_drawn_as(page, contrasts_on(table, reference))
    assert messages == []


def test_every_reference_over_all_tasks_is_drawn_as_python_draws_it(
    browser: Browser, site: Path, board: Board
) -> None:
    page, _, messages = visit(browser, site / "compare.html")
    address = page.url.partition("?")[0]
    for model in candidates(board.tasks):
        contrasts = contrasts_across(board.tasks, board.weights, model.name)
        if contrasts is None:  # lacks a task
            continue
        page.goto(f"{address}?reference={model.first.cell.id[:10]}")
        is_drawn_as(page, contrasts)
    assert messages == []


def test_the_choice_of_models_stays_from_one_task_to_another_and_can_be_taken_back(
    browser: Browser, site: Path
) -> None:
    page, _, _ = visit(browser, site / "compare.html")
    shown(page)
    page.select_option("#task", "medqa_sample")
    page.wait_for_url("**task=medqa_sample**")
    names = page.locator("#reference option").all_inner_texts()
    page.select_option("#reference", label=names[2])
    page.select_option("#add", label=names[0])
    expect(page.locator(".drawing g")).to_have_count(1)
    page.select_option("#task", "medqa")
    page.wait_for_url("**task=medqa&**")
    assert page.locator("#reference option:checked").inner_text() == names[2]
    assert page.locator(".chips .chip").all_inner_texts()[0].startswith(names[0])
    page.locator(".chips .chip").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".drawing g").nth(1)).to_be_attached()
    assert "runs=" not in page.url


def test_a_run_or_a_task_that_is_not_there_is_said_and_the_rest_is_shown(
    browser: Browser, site: Path
) -> None:
    page, _, _ = visit(browser, site / "compare.html")
    address = page.url.partition("?")[0]
    problem = page.locator("#problem")
    page.goto(f"{address}?task=medqa_sample&reference=nobody")
    assert shown(page).startswith("Compared with ")
    assert problem.inner_text() == "There is no single run named nobody here; it is ignored."
    page.goto(f"{address}?task=%22%3E%3Cscript%3E&runs=,,")
    assert shown(page).startswith("Compared with ")
    assert problem.inner_text() == 'There is no task named "><script> here; this is both tasks.'
    page.select_option("#task", "medqa_sample")
    page.wait_for_url("**task=medqa_sample**")
    assert problem.is_hidden()
    assert page.locator("#compare [role=status]").inner_text().startswith("Comp")
    (site / "data" / "answers" / "medqa.js").rename(site / "data" / "answers" / "hidden.js")
    try:
        page.goto(f"{address}?task=medqa")
        missing = "data/answers/medqa.js is missing. Build the site again."
        expect(page.locator("#compare [role=status]")).to_have_text(missing)
    finally:
        (site / "data" / "answers" / "hidden.js").rename(site / "data" / "answers" / "medqa.js")


def test_a_run_is_named_as_in_the_terminal_by_its_id_eight_of_its_characters_or_its_model(
    browser: Browser, site: Path
) -> None:
    page, _, _ = visit(browser, site / "compare.html")
    address = page.url.partition("?")[0]
    [run, *_] = [row for row in listed(site) if row["model"] == "chance"]
    run_id = str(run["run"])
    for name in (run_id, run_id[:8], "chance", "chance/baseline"):
        page.goto(f"{address}?task=medqa_sample&runs={name}")
        assert shown(page).startswith("Compared with Chance (baseline)")
        assert page.locator("#problem").is_hidden()
    for name in (run_id[0], run_id[:7], "smollm2-135m-instruct-q4_1"):
        page.goto(f"{address}?task=medqa_sample&runs={name}")
        assert shown(page).startswith("Compared with SmolLM2")
        assert (
            page.locator("#problem").inner_text()
            == f"There is no single run named {name} here; it is ignored."
        )


def as_number(text: str) -> str:
    """A number with the sign that programs read."""
    plain = text.replace(MINUS, "-")
    return plain if re.fullmatch(r"[+-]?[\d.]+", plain) else text


def test_a_drawing_is_taken_away_as_svg_png_and_csv(browser: Browser, site: Path) -> None:
    page, _, messages = visit(browser, site / "compare.html", accept_downloads=True)
    shown(page)

    def taken(form: str) -> bytes:
        with page.expect_download() as waiting:
            page.click(f"#compare figure .forms >> text={form}")
        assert waiting.value.suggested_filename == f"difference.{form.lower()}"
        return Path(waiting.value.path()).read_bytes()

    root = ET.fromstring(taken("SVG"))
    names = page.locator(".drawing .name").all_text_contents()
    words = ["".join(part.itertext()) for part in root.iter("{http://www.w3.org/2000/svg}text")]
    assert set(names) <= set(words)
    assert any(word.startswith("SLM Bench, medqa, data ") for word in words)
    for part in root.iter():
        assert not {name for name in part.attrib if "href" in name or name in ("class", "style")}
        assert all("url(" not in value and "var(" not in value for value in part.attrib.values())
    colours = {part.get("stroke") for part in root.iter("{http://www.w3.org/2000/svg}line")}
    assert len(colours) > 2
    picture = taken("PNG")
    assert picture.startswith(b"\x89PNG")
    size = int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])
    assert size == (2 * int(root.get("width", "0")), 2 * int(root.get("height", "0")))
    inks = page.evaluate(
        """async (bytes) => {
          const picture = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type: "image/png" }));
          const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
          canvas.drawImage(picture, 0, 0);
          const { data } = canvas.getImageData(0, 0, picture.width, picture.height);
          return new Set(new Uint32Array(data.buffer)).size;
        }""",
        list(picture),
    )
    assert inks > 10
    rows = list(csv.reader(io.StringIO(taken("CSV").decode())))
    cells = page.locator("#contrasts tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim()))"
    )
    assert [[cell.removeprefix("'") for cell in row] for row in rows] == [
        [as_number(" ".join(cell.split())) for cell in row] for row in cells
    ]
    assert messages == []


def test_without_scripts_every_task_and_all_tasks_stand_there_with_drawing_and_table(
    browser: Browser, site: Path, board: Board
) -> None:
    page, _, _ = visit(browser, site / "compare.html", java_script_enabled=False)
    assert page.locator("#compare").is_hidden()
    assert page.locator("#fixed figure svg:visible").count() == 1 + len(board.tasks)
    assert (
        page.locator("#table-across tbody tr").count()
        == page.locator("[data-name=difference-all-tasks] svg g").count()
    )
    assert page.locator("#fixed button").count() == 0
    assert page.locator("#fixed >> text=can show differences of at least").count() == 1 + len(board.tasks)


def test_runs_of_questions_in_clusters_are_compared_in_the_words_and_numbers_of_the_terminal(
    browser: Browser, tmp_path: Path
) -> None:
    """Copies of committed runs whose questions come in cases of three, as if their task had named them."""
    shutil.copytree(ROOT / "results" / "medqa_sample", tmp_path / "results" / "medqa_sample")
    for file in (tmp_path / "results").rglob("records.jsonl"):
        in_cases(file)
    runs = [run for run in read_answered(tmp_path / "results") if isinstance(run, Answered)]
    write_site(make_site(tmp_path / "results", []), tmp_path / "site")
    page, _, _ = visit(browser, tmp_path / "site" / "compare.html")
    address = page.url.partition("?")[0]
    rows = {run.result.cell.id: run for run in runs}
    ids = [str(row["run"]) for row in listed(tmp_path / "site")]
    names = dict(zip(ids, names_of([rows[run].result.cell for run in ids]), strict=True))
    for first, second in list(combinations(ids, 2))[:12]:
        page.goto(f"{address}?task=medqa_sample&runs={first[:10]},{second[:10]}&reference={first[:10]}")
        pair = rows[first].compared_with(rows[second])
        assert pair.clusters == 34
        assert shown(page) == describe_pair(names[first], names[second], pair)
        assert "sign-flip p = " in shown(page)
        told = page.locator(".detectable").inner_text()
        assert told == f"{describe_detectable(pair)} {in_clusters(34)}"


def in_cases(file: Path) -> None:
    """Give a run's records clusters, and its summary the metrics and the digest that follow."""
    lines = file.read_text("utf-8").splitlines()
    records = [Record.model_validate_json(line) for line in lines]
    records = [each.model_copy(update={"cluster": f"case {at // 3}"}) for at, each in enumerate(records)]
    data = records_bytes(records)
    result = read_result(file.with_name("result.json"))
    assert isinstance(result, DoneResult)
    metrics = measure(records, installed_metrics(result.metrics.values))
    changed = result.model_copy(update={"metrics": metrics, "records_sha256": digest(data)})
    file.write_bytes(data)
    file.with_name("result.json").write_bytes(summary_bytes(changed))
