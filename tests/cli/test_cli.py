"""The command line, as a person or a script meets it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result

from bench.cli import main
from conftest import ROOT, TASK
from tiny import add_card, save_causal

Bench = Callable[..., Result]


def test_help_imports_nothing_but_click() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"  # an editable install starts Python with modules of its own
        "from bench.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(names - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['bench', 'click']"
    assert "Usage: " in done.stdout


def test_pick_imports_no_other_command_and_nothing_that_it_does_not_use(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path))
    results = tmp_path / "results"  # of one machine: of several, it asks which one this is
    shutil.copytree(ROOT / "results", results, ignore=shutil.ignore_patterns("llama.cpp-*"))
    time.sleep(2.1)  # the cache takes no file that has just changed
    bench("pick", "--results", str(results))  # from here on, runs are in the cache
    code = (
        "import sys\n"
        "from bench.cli import MODULES, main\n"
        "main(['pick', '--results', sys.argv[1]], standalone_mode=False)\n"
        "unused = {'jinja2', 'numpy.ma', 'psutil', 'scipy', 'sklearn', 'torch', 'transformers'}\n"
        "unused |= {'bench.board.explain', 'bench.sweeps'}\n"
        "unused |= {f'bench.cli.{module}' for module in MODULES.values() if module != 'pick'}\n"
        "print(sorted(unused & set(sys.modules)))"
    )
    words = [sys.executable, "-c", code, str(results)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_mistyped_command_is_answered_with_the_nearest_one(bench: Bench) -> None:
    assert "pick" in bench("pik").stderr


def test_the_command_reference_is_the_commands_own_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    from cli_reference import reference

    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference(), "run make reference"


def texts_of(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every option, of a command and those below it, that takes a text."""
    for name, each in command.commands.items() if isinstance(command, click.Group) else ():
        yield from texts_of(each, (*words, name))
    for param in command.params:
        if isinstance(param, click.Option) and param.type is click.STRING and param.metavar:
            yield (*words, param.opts[0])


def test_an_option_without_a_word_is_refused_by_every_command(bench: Bench) -> None:
    """A script's variable that is not set would else mean all tasks, or any machine."""
    options = list(texts_of(main))
    assert {("pick", "--tasks"), ("pick", "--machine"), ("run", "--models"), ("bundle", "--tasks")} < {
        *options
    }
    for words in options:
        for empty in ("", " , "):
            done = bench(*words, empty)
            assert (done.exit_code, done.stderr) == (
                2,
                f"bench: {words[-1]} is empty: write a value, or leave the option out\n",
            )


def test_a_run_ends_with_a_table_and_keeps_its_files(bench: Bench, anatomy: Path, project: Path) -> None:
    result = bench("run", "--models", "family:baseline", "--tasks", "anatomy")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()[2:5]]
    assert {row[0] for row in rows} == {"chance", "majority", "tfidf"}
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)
    assert "saved in results; to build the site: bench leaderboard build" in result.stderr
    assert "[1/3] chance on anatomy: 3 items, baseline" in result.stderr
    assert len(list((project / "results").rglob("records.jsonl"))) == 3
    again = bench("run", "--models", "family:baseline", "--tasks", "anatomy")
    assert again.exit_code == 0
    assert again.stderr.count("right; --fresh reruns it") == 3
    assert again.stdout == result.stdout


def test_results_as_json_are_nothing_but_json(bench: Bench, anatomy: Path) -> None:
    result = bench("run", "--models", "chance", "--tasks", "anatomy", "--json")
    [row] = json.loads(result.stdout)
    assert row["status"] == "done"
    assert row["metrics"]["accuracy"]["total"] == 3


def test_without_tasks_every_task_of_the_registry_is_planned(bench: Bench, anatomy: Path) -> None:
    result = bench("run", "--models", "chance", "--dry-run", "--json", "--offline")
    assert [row["task"] for row in json.loads(result.stdout)] == ["anatomy", "medqa_sample"]
    assert "unavailable: 25 tasks (afrimedqa, careqa_en, " in result.stderr


def test_a_dry_run_says_what_is_done_and_writes_nothing(bench: Bench, anatomy: Path, project: Path) -> None:
    plan = bench("run", "--models", "chance", "--tasks", "anatomy", "--dry-run")
    assert plan.exit_code == 0
    assert "to do" in plan.stdout
    assert not (project / "results").exists()
    bench("run", "--models", "chance", "--tasks", "anatomy")
    assert "to do" not in bench("run", "--models", "chance", "--tasks", "anatomy", "--dry-run").stdout


def test_a_partial_run_is_named_so(bench: Bench, anatomy: Path, project: Path) -> None:
    result = bench("run", "--models", "chance", "--tasks", "anatomy", "--limit", "2")
    assert "baseline, 2 drawn" in result.stdout
    [drawn] = (project / "results" / "anatomy" / "chance").iterdir()
    assert drawn.name.startswith("baseline-2drawn-")
    first = bench("run", "-m", "chance", "-t", "anatomy", "--limit", "2", "--limit-order", "file")
    assert "baseline, first 2" in first.stdout
    [folder] = {*(project / "results" / "anatomy" / "chance").iterdir()} - {drawn}
    assert folder.name.startswith("baseline-first2-")


def test_models_that_are_not_here_do_not_stop_the_rest(bench: Bench, anatomy: Path) -> None:
    result = bench("run", "--models", "chance,phi-2,flan-t5-small", "--tasks", "anatomy", "--offline")
    assert result.exit_code == 0
    assert (
        "unavailable: 2 models (flan-t5-small, phi-2): the weights are not on this machine" in result.stderr
    )
    assert "hf download google/flan-t5-small, and so on" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--models", "phi-2", "--tasks", "anatomy"], 5, "unavailable: model phi-2"),
        (
            ["--models", "phi-2,chance", "--tasks", "anatomy", "--strict"],
            1,
            "--strict was given, and not everything is on this",
        ),
        (["--models", "phi2", "--tasks", "anatomy"], 2, "no model matches 'phi2'; did you mean 'phi-2'?"),
        (
            ["--models", "chance", "--tasks", "anatomie"],
            2,
            "no task is named 'anatomie'; did you mean 'anatomy'?",
        ),
        (["--models", "chance", "--tasks", "none.yaml"], 3, "none.yaml: No such file or directory"),
        (
            ["--models", "chance", "--tasks", "anatomy", "--data-dir", "none"],
            2,
            "the data folder none does not",
        ),
        (["--models", "chance", "--limit", "0"], 2, "Invalid value for '--limit'"),
        (["--tasks", "anatomy"], 2, "Missing option '--models'"),
    ],
)
def test_each_kind_of_trouble_has_its_exit_code_and_one_message(
    bench: Bench, anatomy: Path, words: list[str], code: int, message: str
) -> None:
    result = bench("run", "--offline", *words)
    assert result.exit_code == code
    assert result.stderr.count(message) == 1


def test_a_wrong_task_file_stops_a_run_and_a_wrong_card_is_a_failed_row(
    bench: Bench, anatomy: Path, project: Path
) -> None:
    anatomy.write_text(TASK.replace("title: Anatomy", "titel: Anatomy"), encoding="utf-8")
    result = bench("run", "--models", "chance", "--tasks", "anatomy")
    assert result.exit_code == 3
    assert "tasks/anatomy.yaml:3: titel: unknown key; did you mean 'title'?" in result.stderr
    anatomy.write_text(TASK, encoding="utf-8")
    add_card(project, "mine", project)
    (project / "model_cards" / "mine.yaml").write_text("name: mine\n", encoding="utf-8")
    result = bench("run", "--models", "mine,chance", "--tasks", "anatomy")
    assert result.exit_code == 1
    assert "failed: mine: model_cards/mine.yaml:1: " in result.stdout
    assert "model_cards/mine.yaml:1: architecture: missing" in result.stdout
    assert "chance" in result.stdout
    assert bench("run", "--models", "chance", "--tasks", "anatomy").exit_code == 0, "it is not asked for"


def test_a_template_that_reaches_for_python_stops_with_one_message(bench: Bench, anatomy: Path) -> None:
    anatomy.write_text(TASK.replace("{{ question }}", "{{ question.__class__.__mro__ }}"), encoding="utf-8")
    result = bench("tasks", "show", "anatomy")
    assert result.exit_code == 1
    assert (
        "the template failed on item q1, line 1 of the template: access to attribute '__class__'"
        in result.stderr
    )


def test_a_failed_cell_is_a_row_and_exit_code_1(bench: Bench, anatomy: Path, project: Path) -> None:
    weights = save_causal(project / "weights", "llama")
    (weights / "model.safetensors").write_bytes(b"not a tensor")
    add_card(project, "broken", weights)
    result = bench("run", "--models", "broken,chance", "--tasks", "anatomy")
    assert result.exit_code == 1
    assert "failed" in result.stdout
    assert "chance" in result.stdout
    assert "failed: the weights cannot be loaded" in result.stderr


def test_a_results_folder_that_is_a_file_is_an_error(bench: Bench, anatomy: Path, project: Path) -> None:
    (project / "taken").write_text("", encoding="utf-8")
    result = bench("run", "--models", "chance", "--tasks", "anatomy", "--results", "taken")
    assert result.exit_code == 2
    assert "the results folder taken cannot be written" in result.stderr


def test_tokens_are_shown_with_where_the_scored_ones_begin(
    bench: Bench, anatomy: Path, project: Path
) -> None:
    add_card(project, "mine", save_causal(project / "weights", "llama"))
    result = bench("tasks", "show", "anatomy", "--model", "mine", "--offline")
    assert result.exit_code == 0
    assert "BOS at the start: no" in result.stdout
    assert "' A': ĠA" in result.stdout
    assert bench("tasks", "show", "anatomy", "--model", "chance").exit_code == 2


@pytest.mark.parametrize(("ending", "first"), [(signal.SIGINT, "mine"), (signal.SIGTERM, "chance,mine")])
def test_a_stopped_sweep_ends_with_130_and_whole_files(
    anatomy: Path, project: Path, ending: signal.Signals, first: str
) -> None:

    add_card(project, "mine", save_causal(project / "weights", "llama"))
    command = [
        sys.executable,
        "-m",
        "bench",
        "run",
        "-m",
        first,
        "-t",
        "anatomy",
        "--dtype",
        "float32",
    ]
    process = subprocess.Popen(
        command,
        cwd=project,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "mine on anatomy: 3 items" in line:
            break
    if ending == signal.SIGINT:  # a terminal sends it to the whole group, `kill` to one process
        os.killpg(process.pid, ending)
    else:
        process.send_signal(ending)
    output = process.stderr.read()
    assert process.wait(timeout=60) == 130
    assert "all answers so far are kept" in output
    assert output.endswith("bench: stopped\n")
    assert "Traceback" not in output
    kept = sorted(path.name for path in (project / "results").rglob("*.json*"))
    finished = ["records.jsonl", "result.json"] if "chance" in first else []
    assert [name for name in kept if name != "unfinished.jsonl"] == finished


def test_the_hub_is_asked_once_and_its_silence_does_not_stop_a_run(anatomy: Path, project: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if "OFFLINE" not in name}
    environment |= {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(project / "hf")}
    command = [sys.executable, "-m", "bench", "run", "--models", "all", "--tasks", "anatomy", "--dry-run"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the model hub is unreachable") == 1
    assert "unavailable: 44 models (falcon-h1-0.5b-instruct, flan-t5-base, " in done.stderr
    assert "gated: 7 models (gemma-3-1b-it, " in done.stderr
