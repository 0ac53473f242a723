"""Extra columns are shown wherever a question is, as the question is often nothing without them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from conftest import ITEMS, write_lines


@pytest.mark.parametrize("limit", [(), ("--limit", "2")])
def test_the_pages_of_whole_and_of_partial_runs_show_extra_columns(
    anatomy: Path, bench: Callable[..., Result], limit: tuple[str, ...]
) -> None:
    rows = [row | {"study": {"texts": ["First part.", f"Abstract of {row['id']}."]}} for row in ITEMS]
    write_lines(anatomy.parent / "test.jsonl", rows)
    text = anatomy.read_text().replace("{id: id}", "{id: id, extra: {contexts: study.texts}}")
    anatomy.write_text(text.replace("Question: ", "{{ contexts | join(' ') }} Question: "))
    ran = bench("run", "-m", "chance", "-t", "anatomy", "--offline", *limit)
    assert ran.exit_code == 0, ran.output
    assert bench("leaderboard", "build").exit_code == 0
    pages = [path.read_text(encoding="utf-8") for path in Path("site").rglob("*.html")]
    shown = [page for page in pages if "<details><summary>contexts</summary>" in page]
    asked = [
        row["id"] for row in ITEMS if any(f"First part.\nAbstract of {row['id']}." in page for page in shown)
    ]
    assert len(asked) == (2 if limit else 3)
