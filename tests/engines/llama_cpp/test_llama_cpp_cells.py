"""Cells of the engine llama.cpp: which file runs, what the result holds, and what a person can do wrong."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from bench.engines.engine import Opening, in_order
from bench.engines.llama_cpp.library import REBUILD
from bench.engines.loading import open_transformers
from bench.inputs.cards import read_card
from bench.inputs.weights import Weights, find_weights
from bench.results.result import DoneResult
from bench.results.store import Run, read_runs
from bench.types import Item, ScoreRequest
from conftest import ROOT
from gguf_files import expand, save_gguf
from tiny import add_card, save_causal

Bench = Callable[..., Result]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in safetensors, with GGUF files of it beside."""
    folder = save_causal(tmp_path_factory.mktemp("weights") / "llama", "llama")
    for form in ("F16", "Q8_0"):
        words = "gpt-2" if form == "F16" else "smollm"
        save_gguf(folder, folder.parent / f"tiny-{form}.gguf", form, words=words)
    return folder


@pytest.fixture
def card(project: Path, files: Path, anatomy: Path) -> Path:
    """A card of the model that names its GGUF files."""
    add_card(project, "tiny", files)
    path = project / "model_cards" / "tiny.yaml"
    names = "".join(f"  {form}: {{path: {files.parent}/tiny-{form}.gguf}}\n" for form in ("F16", "Q8_0"))
    path.write_text(f"{path.read_text('utf-8')}gguf:\n{names}", encoding="utf-8")
    return path


def done() -> dict[str, DoneResult]:
    results = [run.result for run in read_runs(Path("results")) if isinstance(run, Run)]
    return {one.cell.variant.slug: one for one in results if isinstance(one, DoneResult)}


def run(bench: Bench, *more: str) -> Result:
    return bench("run", "--models", "tiny", "--tasks", "anatomy", "--offline", *more)


@pytest.mark.llama_cpp
def test_a_model_runs_in_both_engines_as_variants_that_are_compared(
    bench: Bench, card: Path, files: Path
) -> None:
    words = ("--dtype", "float32", "--quantize", "none,int8", "--gguf", "F16,Q8_0", "--latency")
    result = run(bench, "--engine", "transformers,llama.cpp", *words)
    assert result.exit_code == 0, result.stderr
    assert "unavailable" not in result.stderr
    results = done()
    assert set(results) == {"float32", "float32-int8", "llama.cpp-F16", "llama.cpp-Q8_0"}
    one = results["llama.cpp-Q8_0"]
    assert one.cell.model.name == "tiny"
    assert (one.cell.model.engine, one.cell.variant.runtime) == ("llama.cpp", "llama.cpp")
    assert one.engine.weight_bits == pytest.approx(8.5, rel=0.05)
    assert one.engine.build
    assert one.engine.path == "shared"
    assert one.engine.tokens.startswith("llama.cpp makes other tokens of 1 of 3 prompts")
    assert f"note: {one.engine.tokens}" in result.stderr
    assert not results["llama.cpp-F16"].engine.tokens
    assert one.cost.alone
    assert one.cost.weights_bytes == (files.parent / "tiny-Q8_0.gguf").stat().st_size
    assert one.provenance.libraries["llama-cpp-python"]
    assert one.provenance.threads
    assert one.cell.command.endswith("--engine llama.cpp --gguf Q8_0 --fresh")
    text = bench("compare", "tiny/float32", "tiny/llama.cpp-Q8_0", "--task", "anatomy").stdout
    assert "tiny (8-bit Q8_0, llama.cpp)" in text
    assert bench("leaderboard", "build", "--out", "site").exit_code == 0
    page = Path("site/models/tiny.html").read_text(encoding="utf-8")
    assert "8-bit Q8_0" in page
    assert re.search(r"Q8_0 in llama\.cpp: .* points .*McNemar.*; weights in memory .* peak memory ", page)
    assert "int8 in llama.cpp" not in page
    rows = list(csv.DictReader(io.StringIO(bench("export", "csv").stdout)))
    assert {row["runtime"] for row in rows} == {"transformers", "llama.cpp"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--gguf", "Q2_K"),
            "tiny's card has no GGUF file Q2_K, it has: F16, Q8_0; leave it out of --gguf",
        ),
        pytest.param(
            ("--engine", "llama.cpp", "--quantize", "nf4"),
            "tiny's engine, llama.cpp, does not support --quantize; leave --quantize out for it",
            marks=pytest.mark.llama_cpp,
        ),
        (
            ("--engine", "lama.cpp"),
            "no engine is named 'lama.cpp'; did you mean 'llama.cpp'?",
        ),
    ],
)
def test_what_cannot_run_is_one_sentence(
    bench: Bench, card: Path, words: tuple[str, ...], message: str
) -> None:
    result = run(bench, *words)
    assert result.exit_code in (2, 5)
    assert message in result.stderr.replace("\n", " ")


def test_a_card_without_gguf_files_says_what_to_add(
    bench: Bench, project: Path, files: Path, anatomy: Path
) -> None:
    add_card(project, "tiny", files)
    result = run(bench, "--engine", "llama.cpp")
    assert result.exit_code == 5
    text = result.stderr.replace("\n", " ")
    assert (
        "tiny's card names no GGUF file, and the engine llama.cpp needs one; add its files to the card"
        in text
    )


@pytest.mark.llama_cpp
def test_a_torn_file_is_a_failed_row_and_everything_else_runs(bench: Bench, card: Path, files: Path) -> None:
    torn = card.parent / "torn.gguf"
    torn.write_bytes((files.parent / "tiny-F16.gguf").read_bytes()[:-100])
    text = card.read_text("utf-8").replace(f"{files.parent}/tiny-F16.gguf", "torn.gguf")
    card.write_text(text, encoding="utf-8")
    result = run(bench, "--engine", "llama.cpp", "--gguf", "F16,Q8_0")
    assert result.exit_code == 1
    assert "torn.gguf is not a whole GGUF file: it has " in result.stderr
    assert set(done()) == {"llama.cpp-Q8_0"}


def test_a_card_says_which_file_of_a_repository_runs(project: Path) -> None:
    folder = project / "model_cards"
    folder.mkdir()
    text = "name: {name}\ntitle: T\nfamily: f\nengine: {engine}\nsource: {source}\n"
    text += "architecture: decoder\nlicense: mit\n"
    for name, engine, source, wrong in (
        (
            "whole",
            "llama.cpp",
            "{hub: a/b}",
            "source.file: missing: the engine llama.cpp needs the name of one",
        ),
        (
            "named",
            "transformers",
            "{hub: a/b, file: x.gguf}",
            "source.file: the engine transformers reads whole",
        ),
    ):
        path = folder / f"{name}.yaml"
        path.write_text(text.format(name=name, engine=engine, source=source), encoding="utf-8")
        with pytest.raises(Exception, match=wrong):
            read_card(path)


@pytest.fixture
def wrong_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library whose first instruction ends the process, as one built for another processor does."""
    package = tmp_path / "wrong" / "llama_cpp"
    package.mkdir(parents=True)
    text = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
    (package / "__init__.py").write_text(text, encoding="utf-8")
    info = tmp_path / "wrong" / "llama_cpp_python-9.9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 9.9.9\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path / "wrong")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "wrong"), prepend=":")


@pytest.mark.usefixtures("wrong_build")
def test_a_library_for_another_processor_fails_its_cell_with_the_remedy(bench: Bench, card: Path) -> None:
    result = run(bench, "--engine", "transformers,llama.cpp", "--dtype", "float32")
    assert result.exit_code == 1
    assert set(done()) == {"float32"}
    assert "llama-cpp-python was built for another processor" in result.stderr
    assert REBUILD in result.stderr.replace("\n", " ")


@pytest.mark.usefixtures("wrong_build")
def test_doctor_tries_the_library_in_a_process_of_its_own(bench: Bench) -> None:
    result = bench("doctor", "--offline", "--json")
    [row] = [row for row in json.loads(result.stdout) if row["name"] == "llama.cpp"]
    assert row == {
        "name": "llama.cpp",
        "verdict": "bad",
        "found": "llama-cpp-python 9.9.9 does not run: it was built for another processor and uses "
        "instructions that this one lacks",
        "remedy": REBUILD,
    }


@pytest.mark.llama_cpp
def test_doctor_says_which_instructions_are_in_use(bench: Bench) -> None:
    rows = json.loads(bench("doctor", "--offline", "--json").stdout)
    [row] = [row for row in rows if row["name"] == "llama.cpp"]
    assert row["verdict"] == "good"
    assert row["found"].startswith("llama-cpp-python 0.")


@pytest.mark.llama_cpp
@pytest.mark.model
def test_the_embedded_weights_in_float32_score_as_by_transformers(tmp_path: Path) -> None:
    """The same file natively differs by what its integer kernels round."""
    from bench.engines.llama_cpp.engine import open_llama_cpp

    file = read_card(ROOT / "model_cards" / "smollm2-135m-instruct-q4_1.yaml")
    weights = find_weights(file, offline=True)
    assert isinstance(weights, Weights)
    whole = Weights(expand(weights.path, tmp_path / "whole.gguf", "F32"), "", 1)
    native = file.card.model_copy(update={"engine": "llama.cpp", "settings": {"cache": "f32"}})
    item = Item("q", "?", ("x", "y"), 0)
    asked = [
        ScoreRequest(
            item,
            f"Question: Which {what}?\nA. Liver\nB. Pancreas\nAnswer:",
            ((" A", " B"), (" Liver", " Pancreas")),
        )
        for what in ("organ makes insulin", "organ makes bile", "gland is behind the stomach")
    ]

    def logprobs(engine: Any) -> list[float]:
        replies = in_order(engine.score([engine.encode(request) for request in asked]))
        engine.close()
        return [value for reply in replies for values in reply.logprobs for value in values]

    reference = logprobs(open_transformers(Opening(file.card, "float32"), weights))
    assert logprobs(open_llama_cpp(Opening(native), whole)) == pytest.approx(reference, abs=1e-3)
    rounded = logprobs(open_llama_cpp(Opening(native), weights))
    differences = [abs(a - b) for a, b in zip(rounded, reference, strict=True)]
    assert sum(differences) / len(differences) < 0.5
    assert max(differences) < 1.5
    assert rounded != pytest.approx(reference, abs=1e-3)
