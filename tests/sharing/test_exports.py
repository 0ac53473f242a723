"""An export format of another package: listed, explained, run, and alone when it is broken."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from outside import install

Bench = Callable[..., Result]
SOURCE = '''
import json

from bench.sharing.formats import ExportFormat, Files, Printed
from bench.sharing.export import Export


def _answers(selected):
    """A file for each run: which letter was answered to which question."""
    files = {
        f"{run.result.cell.model.name}.json": json.dumps(
            {record.question_id: record.model_output.final_answer for record in run.records}
        ).encode()
        for run in selected.runs
    }
    return Export(files, (f"published by {selected.publisher.name}",))


ANSWERS = ExportFormat(
    "answers", "Write the answered letters. One file for each run.", Files(_answers, publisher=True)
)
TITLES = ExportFormat(
    "titles",
    "Print the models' titles.",
    Printed(lambda table: "".join(f"{row.result.cell.model.title}\\n" for row in table.rows)),
)
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"answers": "extras:ANSWERS", "titles": "extras:TITLES", "broken": "extras:NO_SUCH"}
    install(tmp_path / "packages", monkeypatch, {"bench.exports": points}, SOURCE)


def test_an_export_format_of_another_package_is_listed_explained_and_writes(
    bench: Bench, anatomy: Path, package: None
) -> None:
    assert bench("run", "-m", "majority,chance", "-t", "anatomy").exit_code == 0
    assert "answers          Write the answered letters.\n" in bench("export", "--help").stdout
    explained = bench("export", "answers", "--help").stdout
    assert "One file for each run." in explained
    assert "--by NAME" in explained
    made = bench("export", "answers", "--out", "out", "--by", "A group")
    assert made.exit_code == 0, made.output
    assert made.stderr == "published by A group\n"
    assert made.stdout == "2 files in out\n"
    assert sorted(path.name for path in Path("out").iterdir()) == [
        ".slm-bench-answers", "chance.json", "majority.json",
    ]  # fmt: skip
    assert bench("export", "titles").stdout.count("\n") == 2


def test_a_printed_format_takes_one_task_unless_it_says_otherwise(
    bench: Bench, quiz: Path, package: None
) -> None:
    assert bench("run", "-m", "chance", "-t", "medqa_sample,quiz").exit_code == 0
    refused = bench("export", "titles")
    assert refused.exit_code == 2
    assert "titles exports one task; choose it with --task (medqa_sample, quiz)" in refused.stderr
    assert bench("export", "titles", "--task", "quiz").stdout.count("\n") == 1
    assert bench("export", "markdown").stdout.count("## ") == 2


def test_a_format_that_cannot_be_loaded_breaks_no_other(bench: Bench, anatomy: Path, package: None) -> None:
    assert bench("run", "-m", "majority", "-t", "anatomy").exit_code == 0
    listed = bench("export", "--help")
    assert listed.exit_code == 0
    assert "broken           Cannot be loaded.\n" in listed.stdout
    refused = bench("export", "broken")
    assert refused.exit_code == 1
    assert "cannot be loaded: AttributeError" in refused.stderr
    assert bench("export", "csv").exit_code == 0
