"""What the documents say is true: commands run or parse, keys and errors are all there, links lead somewhere.

What stands after the language of a fenced block is for these tests, and no reader sees it:

    ```bash              its `bench` commands must parse
    ```bash run          they are run, in the page's order, in a temporary project
    ```bash later        they need what is not there yet
    ```bash refused      they are run last, and each says what the next block says
    ```text refused      which is this one
    ```yaml PATH         the file is written to the project before the page's commands run; where it holds
                         `data` alone, with the other keys of the page's first file
"""

import importlib
import inspect
import json
import re
import shlex
import shutil
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import Result
from pydantic import BaseModel

from bench import errors
from bench.board.policy import Policy
from bench.cli import main
from bench.inputs.data import load_split
from bench.inputs.model_card import ModelCard
from bench.inputs.suite import Suite
from bench.inputs.sweep_file import Sweep
from bench.inputs.task import Task, read_task
from bench.scoring.record import Record
from conftest import ROOT

PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
    if path.name != "cli.md"  # made from the commands' own help
)
GROUPS = {
    f"bench.{name}"
    for name in ("choices", "columns", "engines", "executors", "exports", "metrics", "pages", "views")
}
OF_OTHER_PROGRAMS = {
    "--build-constraint", "--constraint", "--enable-prefix-caching", "--log_samples", "--logits_all",
    "--omit-lockfile-registry-resolved", "--output_path", "--package-lock-only", "--require-hashes",
    "--upgrade",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, what stands after that, and its text."""

    language: str
    note: str
    text: str


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    blocks = re.findall(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)
    return [Block(*parts) for parts in blocks]


def prose(page: str) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def commands(block: Block) -> Iterator[list[str]]:
    """The words after `bench` of every command of a block."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            if words[0] == "bench":
                yield words[1:end]
            words = words[end + 1 :]


def files_of(page: str) -> dict[str, str]:
    """The files that a page writes, by path."""
    files = {b.note: b.text for b in blocks(page) if b.language != "bash" and b.note not in ("", "refused")}
    first = next(iter(text for path, text in files.items() if path.endswith(".yaml")), "")
    for path, text in files.items():
        if text.startswith("data:"):
            head, rest = first.split("data:\n")[0], first[first.index("prompt:") :]
            files[path] = head.replace(str(yaml.safe_load(head)["name"]), Path(path).stem) + text + rest
    return files


def follow(page: str, bench: Callable[..., Result], project: Path) -> None:
    """Do what the page says, in a project with the committed runs of the sample."""
    shutil.copytree(ROOT / "results" / "medqa_sample", project / "results" / "medqa_sample")
    for path, text in files_of(page).items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, encoding="utf-8")
    for block in blocks(page):
        for words in commands(block) if (block.language, block.note) == ("bash", "run") else ():
            # The embedded model has tests of its own; baselines are quick.
            result = bench(*("family:baseline" if word == "available" else word for word in words))
            assert result.exit_code == 0, f"{shlex.join(words)}: {result.output}"
    refused = [block for block in blocks(page) if block.note == "refused"]
    for block, said in zip(refused[::2], refused[1::2], strict=True):
        for words in commands(block):
            result = bench(*words)
            assert (result.exit_code, result.stderr) == (3, said.text), shlex.join(words)


def test_a_task_and_a_card_written_from_the_readme_alone_work(
    bench: Callable[..., Result], project: Path
) -> None:
    follow("README.md", bench, project)
    assert "Capitals of Europe" in (project / "site" / "index.html").read_text(encoding="utf-8")
    shown = bench("models", "show", "my-model")
    assert shown.exit_code == 0
    assert "correct source.path, which starts at the card's folder" in shown.stdout


RUN = [page for page in PAGES if any(block.note == "run" for block in blocks(page)) and page != "README.md"]


@pytest.mark.parametrize("page", RUN)
def test_the_commands_that_a_page_marks_work_in_its_order(
    page: str, bench: Callable[..., Result], project: Path
) -> None:
    follow(page, bench, project)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_on_a_page_exists_with_its_options(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # sweep files are read with their option
    for block in blocks(page):
        if block.language != "bash":
            continue
        assert block.note in ("", "run", "later", "refused"), f"no such mark: {block.note}"
        for words in commands(block) if block.note == "" else ():
            check_words(words)


def check_words(words: list[str]) -> None:
    """Parse the words of a command as the command line does; a mistake in them raises click's error."""
    context = main.make_context("bench", [words[0]])
    command: click.Command = main
    while isinstance(command, click.Group):
        child = command.get_command(context, words[0])
        assert child is not None, f"there is no command {words[0]}"
        command, words = child, words[1:]
        parsed = words[:1] if isinstance(command, click.Group) else words
        context = command.make_context(command.name, list(parsed), parent=context)


def options(command: click.Command, parent: click.Context | None = None) -> Iterator[str]:
    """Every flag of a command and of those below it."""
    context = click.Context(command, parent=parent, help_option_names=["-h", "--help"])
    for parameter in command.get_params(context):
        yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from options(child, context)


@pytest.mark.parametrize("page", PAGES)
def test_every_flag_that_a_page_names_is_an_option(page: str) -> None:
    known = {*options(main), "--help", "--version", *OF_OTHER_PROGRAMS}
    named = {
        flag for code in re.findall(r"`([^`]+)`", prose(page)) for flag in re.findall(r"--[a-z][\w-]*", code)
    }
    assert not named - known


def keys(model: type[BaseModel], above: str = "") -> set[str]:
    """Every key of a file of that form, with the keys above it: `data.splits.test`."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        names.add(above + name)
        for inner in models_in(field.annotation):
            names |= keys(inner, f"{above}{name}.")
    return names


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from models_in(part)


def explained(page: str, head: str) -> set[str]:
    """What stands as code in the first column of the page's tables with that heading."""
    names: set[str] = set()
    for table in re.findall(rf"^\| {head} \|.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", text_of(page), re.MULTILINE):
        for row in table.splitlines():
            names.update(re.findall(r"`([^`]+)`", row.split("|")[1]))
    return names


def test_every_key_of_a_task_is_explained_and_no_other() -> None:
    assert explained("docs/data.md", "key") == keys(Task) | {"include"}  # a key of the file, not of the task


def test_every_key_of_data_has_an_example_that_is_run() -> None:
    shown = {
        key for path, text in files_of("docs/data.md").items() if path.endswith(".yaml")
        for key in paths_in(yaml.safe_load(text))
    }  # fmt: skip
    shown = {re.sub(r"^data\.where\.\w+", "data.where", key) for key in shown}
    assert {key for key in keys(Task) if key.startswith("data.")} <= shown


def paths_in(value: Any, above: str = "") -> Iterator[str]:
    """The keys of a YAML file, with the keys above them."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield f"{above}{key}"
        yield from paths_in(inner, f"{above}{key}.")


def test_the_examples_of_data_become_the_items_that_the_page_says(
    bench: Callable[..., Result], project: Path
) -> None:
    follow("docs/data.md", bench, project)

    def answers(name: str) -> list[str]:
        split = load_split(read_task(project / "tasks" / name), "test", data_dir=None, offline=True)
        assert split is not None
        return [item.options[item.answer] for item in split.items]

    assert answers("first_aid.yaml") == ["Pressure", "5 cm", "Upper arm"]
    assert answers("bones.yaml") == ["Femur", "Ulna"]
    assert answers("vitamins.yaml") == ["Vitamin C", "Vitamin D"]
    assert answers("blood.yaml") == ["B", "0"]
    assert answers("abstracts.yaml") == ["yes", "no"]
    assert answers("fever.yaml") == ["No", "Yes"]
    assert answers("odd.yaml") == ["Ulna", "Liver"]
    assert len(answers("health.yaml")) == 2


def test_every_key_of_a_model_card_is_explained_and_no_other() -> None:
    of_results = {"source.program", "source.arguments"}  # an imported run has them, no card in a file may
    own = {key for key in keys(ModelCard) if not key.startswith("gguf.")}  # a file's keys are a source's
    assert explained("docs/models.md", "key") == own - of_results


def test_every_key_and_every_choice_of_a_sweep_file_is_explained_and_no_other() -> None:
    sweep_keys = keys(Sweep)
    assert explained("docs/sweeps.md", "key") == {key for key in sweep_keys if "." not in key}
    choices = {key.removeprefix("variants.") for key in sweep_keys if key.startswith("variants.")}
    assert explained("docs/sweeps.md", "choice") == choices
    assert "quantize" in choices


def test_every_key_of_a_suite_is_explained_and_no_other() -> None:
    assert explained("docs/sweeps.md", "key of a suite") == keys(Suite)


def test_every_key_of_a_policy_is_explained_and_no_other() -> None:
    every = keys(Policy)
    assert explained("docs/gate.md", "key") == {key for key in every if "." not in key}
    of_requirements = {key.removeprefix("requirements.") for key in every if "." in key}
    assert explained("docs/gate.md", "key of a requirement") == of_requirements
    assert {"not_worse_than", "each_task", "p95"} < of_requirements


def test_everything_that_is_kept_of_an_answer_is_explained() -> None:
    leaves = {key for key in keys(Record) if not any(other.startswith(f"{key}.") for other in keys(Record))}
    assert explained("docs/scoring.md", "key") == leaves
    statuses = set(literals(Record.model_fields["parse_status"].annotation))
    assert explained("docs/scoring.md", "`parse_status`") == statuses


def literals(annotation: Any) -> Iterator[str]:
    for part in typing.get_args(annotation):
        if isinstance(part, str):
            yield part
        else:
            yield from literals(part)


def test_every_error_is_explained_with_its_exit_code() -> None:
    classes = {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, BaseException) and kind.__module__ == errors.__name__
    }
    assert explained("docs/sweeps.md", "class") == classes.keys()
    assert all(name in (errors.__doc__ or "") for name in classes)
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", text_of("docs/sweeps.md"), re.MULTILINE)}
    assert {kind.exit_code for kind in classes.values()} < codes


def test_every_group_of_entry_points_has_a_place_in_the_documents() -> None:
    text = "".join(map(prose, PAGES))
    assert {group for group in GROUPS if f"`{group}`" in text} == GROUPS


@pytest.mark.parametrize("page", PAGES)
def test_every_module_function_and_file_that_a_page_names_exists(page: str) -> None:
    for code in re.findall(r"`([^`\n]+)`", prose(page)):
        if re.fullmatch(r"bench(\.\w+)+", code) and code not in GROUPS:
            assert is_importable(code), code
        if re.fullmatch(r"(bench|leaderboard|docs|tests|sweeps|\.github)/[\w./-]+", code):
            assert (ROOT / code).exists(), code


def is_importable(name: str) -> bool:
    """Whether a module has that name, or holds what has it."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return bool(module) and hasattr(importlib.import_module(module), attribute)
    return True


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub links to them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_between_documents_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


def test_the_readme_leads_to_every_page_and_has_fewer_than_200_lines() -> None:
    assert len(text_of("README.md").splitlines()) < 200
    linked = set(re.findall(r"\]\(([^)#\s]+)\)", text_of("README.md")))
    assert {page for page in PAGES if page != "README.md"} <= linked


def test_the_glossary_says_each_word_once() -> None:
    words = re.findall(r"^\| ([a-z][^|]*) \|", text_of("docs/glossary.md"), re.MULTILINE)
    words = [word for word in words if word != "word"]
    assert len(words) == len(set(words)) > 40


def test_what_the_readme_answers_is_what_the_committed_runs_say(bench: Callable[..., Result]) -> None:
    [answer] = re.findall(
        r"^\*\*What this board answers:\*\*.*?\n\n", text_of("README.md"), re.DOTALL | re.MULTILINE
    )
    shown = bench("export", "json", "--task", "medqa", "--results", str(ROOT / "results"))
    rows: list[dict[str, Any]] = json.loads(shown.stdout)
    models = [row for row in rows if row["family"] != "baseline"]
    [chance] = [row for row in rows if row["model"] == "chance"]
    best = max(models, key=lambda row: row["accuracy"])
    low, high = (f"{100 * best[end]:.1f}" for end in ("low", "high"))
    assert f"{100 * best['accuracy']:.1f} % (95 % interval {low}–{high} %)" in " ".join(answer.split())
    assert f"{100 * chance['accuracy']:.1f} %" in answer
    assert (chance["rank_best"], chance["may_be_best"]) == (1, "yes")  # no row is better
    assert {row["title"].partition(" (")[0] for row in models} == {"SmolLM2 135M Instruct"}
    assert (len(models), "eight variants" in answer) == (8, True)


def test_the_table_of_speeds_is_that_of_the_committed_comparisons() -> None:
    names = (
        "smollm2-135m-instruct-q4_1-medqa-0shot",
        "smollm2-135m-instruct-q4_1-medqa-5shot",
        "random-t5-small-medqa-0shot",
    )
    files = [ROOT / "results" / "verify" / f"{name}-bfloat16.json" for name in names]
    comparisons: list[dict[str, Any]] = [json.loads(path.read_bytes()) for path in files]
    work = {"letters": "letters", "option texts": "texts", "all views": "all views"}
    for row, key in work.items():
        assert numbers("docs/verify.md", row) == [
            f"{comparison['work'][key]['ratio']:.1f}" for comparison in comparisons
        ]
    peaks = [f"{comparison['peak_ours'] / comparison['peak_reference']:.2f}" for comparison in comparisons]
    assert numbers("docs/verify.md", "peak memory") == peaks


def test_the_scores_equal_the_references_as_far_as_the_documents_say() -> None:
    path = ROOT / "results" / "verify" / "smollm2-135m-instruct-q4_1-medqa-0shot-float32.json"
    views: dict[str, dict[str, Any]] = json.loads(path.read_bytes())["views"]
    assert {view["agree"] for view in views.values()} == {view["items"] for view in views.values()} == {128}
    [apart, of_two] = re.findall(r"\d(?:\.\d)?e-\d", text_of("docs/verify.md"))
    assert max(views[name]["max_difference"] for name in ("letter", "text")) <= float(apart)
    assert f"{views['text_pmi']['max_difference']:.1e}" == f"{float(of_two):.1e}"


def numbers(page: str, row: str) -> list[str]:
    """The first number of each further cell in the table row that begins so."""
    [cells] = re.findall(rf"^\| {row} \|(.*)\|$", text_of(page), re.MULTILINE)
    return [digits[0] for cell in cells.split("|") if (digits := re.findall(r"[\d.]+", cell))]
