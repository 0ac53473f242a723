"""The real hub client against a small hub whose publishers change their files."""

import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from test_hub import COMMIT, MODEL, RUN, Hub, add_hub_card, bench_with_hub, served

from bench.results.result import DoneResult
from bench.results.store import Run, read_runs
from tiny import save_causal

NEW = "deadbee" + "0" * 33
SET = "Org/Anatomy"
ROWS = [
    {"question": f"Which of these is the number {n}?", "options": ["0", "1", "2"], "answer": n}
    for n in range(3)
]


class ChangedHub(Hub):
    """The same repository after its publisher changed it."""

    commit: ClassVar[str] = NEW


class DataHub(Hub):
    """As much of the hub as one data set needs: a folder with a file of rows."""

    missing: ClassVar[str] = "EntryNotFound"

    def body(self, path: str) -> bytes | None:
        files = sorted(self.folder.iterdir())
        if re.fullmatch(f"/api/datasets/{SET}/revision/[^/]+", path) or path == f"/api/datasets/{SET}":
            siblings = [{"rfilename": file.name} for file in files]
            facts = {"id": SET, "sha": self.commit, "tags": [], "gated": False, "siblings": siblings}
            return json.dumps(facts | {"private": False, "downloads": 0, "likes": 0}).encode()
        if re.match(f"/api/datasets/{SET}/tree/", path):
            rows = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": file.name}
                for file in files
            ]
            return json.dumps(rows).encode()
        name = path.rpartition("/")[2] if path.startswith(f"/datasets/{SET}/resolve/") else ""
        return next((file.read_bytes() for file in files if file.name == name), super().body(path))


class ChangedDataHub(DataHub):
    """The same data set after its publisher changed it."""

    commit: ClassVar[str] = NEW


def weights_of_runs(project: Path) -> list[str | None]:
    runs = [run for run in read_runs(project / "results") if isinstance(run, Run)]
    assert all(isinstance(run.result, DoneResult) for run in runs)
    return sorted(str(run.result.cell.weights) for run in runs)


def test_weights_that_their_publisher_changed_are_used_only_when_they_are_accepted(
    project: Path, anatomy: Path
) -> None:
    folder = save_causal(project / "repository", "qwen3")
    add_hub_card(project, "qwen9-tiny", MODEL)
    with served(partial(Hub, folder)) as address:
        code, output = bench_with_hub([*RUN, "--dry-run"], address, project)
        assert code == 0, output
        assert not (project / "cache" / "hub.json").exists(), "a dry run downloads nothing"
        code, output = bench_with_hub(RUN, address, project)
        assert code == 0, output
    assert COMMIT in (project / "cache" / "hub.json").read_text(encoding="utf-8")
    shutil.rmtree(project / "hf")
    with served(partial(ChangedHub, folder)) as address:
        _, output = bench_with_hub(RUN, address, project)
        said = " ".join(output.split())
        assert f"the publisher of {MODEL} changed the files since" in said
        assert "(main: commit c0ffee0 → deadbee)" in said
        assert f"bench hub accept {MODEL}" in said
        assert f"write {COMMIT} as source.revision in a card" in said
        assert "Traceback" not in said
        assert not list((project / "hf").rglob("*.safetensors"))
        assert weights_of_runs(project) == [COMMIT]
        code, output = bench_with_hub(["hub", "list"], address, project)
        assert (code, COMMIT in output) == (0, True), output
        code, output = bench_with_hub(["hub", "accept", MODEL], address, project)
        assert code == 0, output
        code, output = bench_with_hub(RUN, address, project)
        assert code == 0, output
    assert weights_of_runs(project) == [COMMIT, NEW], "runs of other weights are other runs"
    code, output = bench_with_hub(["hub", "accept", "Org/Other"], address, project)
    assert code == 2
    assert "no commit of 'Org/Other' is kept" in output


def test_weights_that_another_program_updated_in_the_cache_are_not_taken_for_the_first(
    project: Path, anatomy: Path
) -> None:
    folder = save_causal(project / "repository", "qwen3")
    add_hub_card(project, "qwen9-tiny", MODEL)
    with served(partial(Hub, folder)) as address:
        code, output = bench_with_hub(RUN, address, project)
        assert code == 0, output
    [snapshot] = (project / "hf").rglob(f"snapshots/{COMMIT}")
    snapshot.rename(snapshot.with_name(NEW))
    [branch] = (project / "hf").rglob("refs/main")
    branch.write_text(NEW, encoding="utf-8")
    _, output = bench_with_hub([*RUN, "--offline"], "http://127.0.0.1:9", project)
    assert "commit c0ffee0 → deadbee" in " ".join(output.split())


def test_rows_that_their_publisher_changed_are_used_only_when_they_are_accepted(
    project: Path, anatomy: Path
) -> None:
    folder = project / "set"
    folder.mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (folder / "test.jsonl").write_text(lines, encoding="utf-8")
    text = anatomy.read_text(encoding="utf-8")
    data = f"data: {{hub: {SET}, splits: {{test: test}}}}\n"
    (project / "tasks" / "hubbed.yaml").write_text(
        re.sub(r"(?ms)^data:.*?^(?=\w)", data, text).replace("name: anatomy", "name: hubbed"),
        encoding="utf-8",
    )
    words = ["run", "-m", "chance", "-t", "hubbed"]
    with served(partial(DataHub, folder)) as address:
        code, output = bench_with_hub(words, address, project)
        assert code == 0, output
    code, output = bench_with_hub([*words, "--fresh", "--offline"], "http://127.0.0.1:9", project)
    assert code == 0, output
    with served(partial(ChangedDataHub, folder)) as address:
        _, output = bench_with_hub([*words, "--fresh"], address, project)
        said = " ".join(output.split())
        assert f"the publisher of {SET} changed the files since" in said
        assert f"write {COMMIT} as data.revision in a task" in said
        code, output = bench_with_hub(["hub", "accept", SET], address, project)
        assert code == 0, output
        code, output = bench_with_hub([*words, "--fresh"], address, project)
        assert code == 0, output
    kept = json.loads((project / "cache" / "hub.json").read_text(encoding="utf-8"))["commits"]
    assert [(one["kind"], one["hub"], one["commit"]) for one in kept] == [("data set", SET, NEW)]


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"commits": [{"kind": "model"}]}', '{"commits": [], "more": 1}'],
)
def test_a_damaged_file_of_commits_is_one_error_with_its_remedy(
    project: Path, anatomy: Path, text: str
) -> None:
    (project / "cache").mkdir()
    (project / "cache" / "hub.json").write_text(text, encoding="utf-8")
    code, output = bench_with_hub(["hub", "list"], "http://127.0.0.1:9", project)
    assert code == 3, output
    assert "cache/hub.json: " in output
    assert "delete the file to keep commits anew" in " ".join(output.split())
    assert "Traceback" not in output
