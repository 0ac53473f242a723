"""Runs as other programs read them: the hub, Every Eval Ever, lm-eval, each by its own rules."""

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from click.testing import Result
from huggingface_hub import metadata_load, parse_eval_result_entries
from huggingface_hub.repocard_data import model_index_to_eval_results
from jsonschema.validators import validator_for
from lm_eval.api.metrics import mean_stderr
from lm_eval.result_schema import EvalResults, SampleResult
from lm_eval.utils import (
    get_file_task_name,
    get_latest_filename,
    get_results_filenames,
    get_sample_results_filenames,
    hash_string,
    make_table,
    sanitize_model_name,
)

from bench.board.board import Board, make_board
from bench.inputs.generate import Generate
from bench.inputs.model_card import HubSource
from bench.results.identity import folder_of, identity
from bench.results.result import DoneResult
from bench.results.store import Run, read_runs, records_bytes, write_run
from bench.scoring.metrics import installed_metrics, measure
from bench.scoring.record import Record
from bench.scoring.recording import too_long, written
from bench.sharing.every_eval_ever import every_eval_ever_export
from bench.sharing.every_eval_ever_results import evaluation_results
from bench.sharing.export import Export, Finished, Publisher, describe_variant, finished, program
from bench.sharing.hub import hub_export
from bench.sharing.lm_eval import _task_config, lm_eval_export
from bench.types import Completion, Item
from conftest import ROOT
from outside import bench_without
from played import answered

Bench = Callable[..., Result]
COMMITTED = ROOT / "results"
MODEL = "smollm2-135m-instruct-q4_1"
HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
MEDQA = "GBaker/MedQA-USMLE-4-options-hf"
NOBODY = Publisher()


@cache
def committed() -> tuple[Run, ...]:
    return tuple(run for run in read_runs(COMMITTED / "medqa_sample") if isinstance(run, Run))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The committed results of the sample alone: all of them are read before anything is written."""
    folder = tmp_path_factory.mktemp("sample") / "results"
    shutil.copytree(COMMITTED / "medqa_sample", folder / "medqa_sample")
    return str(folder)


def board_of(*runs: Run) -> Board:
    return make_board([answered(run) for run in runs], [], [])


def run_of(name: str) -> Run:
    """The committed run of the small model whose folder begins so."""
    [run] = [run for run in committed() if run.folder.name.startswith(name) and MODEL in run.folder.parts]
    return run


def done(run: Run) -> DoneResult:
    assert isinstance(run.result, DoneResult)
    return run.result


def changed(run: Run, *, cell: dict[str, Any] | None = None, **result: Any) -> Run:
    """The run with other facts; its metrics are those of its records."""
    facts = done(run).cell.model_copy(update=cell or {})
    return Run(run.folder, done(run).model_copy(update={"cell": facts} | result), run.records)


def with_records(run: Run, records: list[Record]) -> Run:
    metrics = measure(records, installed_metrics(["accuracy", "macro_f1"]))
    return Run(run.folder, done(run).model_copy(update={"metrics": metrics}), tuple(records))


def from_hub(run: Run) -> Run:
    """The run as if its weights and its questions had come from the hub."""
    cell = done(run).cell
    test = cell.data["test"].model_copy(update={"source": f"{MEDQA}[test]"})
    model = cell.model.model_copy(update={"source": HubSource(hub=HUB), "name": "small"})
    return changed(run, cell={"data": {"test": test}, "model": model})


def without_words(run: Run) -> Run:
    """The run as `texts: answers` keeps it."""
    records = [
        record.model_copy(
            update={
                "question": "",
                "options": ("",) * len(record.options),
                "prompt": "",
                "completion": "",
                "model_output": record.model_output.model_copy(update={"reasoning_steps": ""}),
            }
        )
        for record in run.records
    ]
    return Run(run.folder, done(run).model_copy(update={"texts": "answers"}), tuple(records))


ITEM = Item("odd", 'Which "one"?\n\u2028', ("first", "second ", "th\tird"), 1)


def odd_runs() -> list[Run]:
    """Small runs at the edges: a prompt too long, several samples, options' texts, one item, no words."""
    scored = run_of("bfloat16-chat-a6")
    generated = run_of("bfloat16-chat-generate")
    generate = Generate(prompt="{{ question }}", samples=3, temperature=0.5)
    variant = done(generated).cell.variant.model_copy(update={"generate": generate})
    replies = [Completion(f"I think.\nAnswer: {letter}", True, 4) for letter in "BAB"]
    texts = done(scored).cell.task.model_copy(update={"view": "text_pmi"})
    return [
        with_records(scored, [too_long(ITEM, "long", 9000), *scored.records[:3]]),
        with_records(scored, [too_long(ITEM, "long", 9000)]),
        changed(
            with_records(generated, [written(ITEM, "asked", 7, replies, 0.5), *generated.records[:3]]),
            cell={"variant": variant, "limit": 4},
        ),
        changed(with_records(scored, list(scored.records[:20])), cell={"task": texts}),
        without_words(scored),
        without_words(generated),
        from_hub(scored),
        changed(scored, imported="lm-eval 0.4.13"),
        changed(scored, imported="some other program"),
    ]


def written_files(export: Export, folder: Path) -> Path:
    for name, data in export.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def put(results: Path, *runs: Run) -> None:
    """Keep the runs in a results folder, under the ids that their facts give."""
    results.mkdir(exist_ok=True)
    for run in runs:
        cell = done(run).cell.model_copy(update={"id": identity(done(run).cell)})
        result = done(run).model_copy(update={"cell": cell})
        write_run(results, folder_of(cell), result, records_bytes(run.records))


# The hub


def entries(data: bytes) -> list[Any]:
    return parse_eval_result_entries(yaml.safe_load(data))


def test_the_hub_reads_each_variant_of_a_model_with_its_accuracy() -> None:
    runs = [from_hub(run_of(name)) for name in ("bfloat16-chat-a6", "bfloat16-nf4-chat", "bfloat16-7")]
    made = hub_export(
        board_of(*runs).tasks,
        Publisher("A group", "https://example.org/board"),
    )
    assert sorted(made.files) == ["small/.eval_results/medqa_sample.yaml", "small/README.md"]
    written = entries(made.files["small/.eval_results/medqa_sample.yaml"])
    assert [(one.dataset_id, one.task_id) for one in written] == [(MEDQA, "medqa_sample")] * 3
    assert sorted(one.value for one in written) == [19.0, 25.0, 26.0]
    assert {one.source_name for one in written} == {"A group"}
    assert {one.source_url for one in written} == {"https://example.org/board"}
    assert {one.verify_token for one in written} == {None}
    [chat, plain] = [next(one for one in written if one.value == value) for value in (19.0, 25.0)]
    assert chat.date == "2026-11-23T16:23:28Z"
    assert chat.notes.startswith("bfloat16, chat template, 0-shot, likeliest option by view: letter")
    assert "95 % interval 12.5\u202f% to 27.8\u202f% of 100 questions" in chat.notes
    assert "plain prompt" in plain.notes
    assert len({one.notes for one in written}) == 3


def test_the_hub_reads_the_model_index_and_tells_its_variants_apart(tmp_path: Path) -> None:
    runs = [from_hub(run_of(name)) for name in ("bfloat16-chat-a6", "bfloat16-nf4-chat")]
    written_files(hub_export(board_of(*runs).tasks, NOBODY), tmp_path)
    metadata = metadata_load(tmp_path / "small" / "README.md")
    assert metadata is not None
    name, results = model_index_to_eval_results(metadata["model-index"])
    assert name == "SmolLM2-135M-Instruct"
    assert {(one.dataset_type, one.dataset_split, one.metric_type) for one in results} == {
        (MEDQA, "test", "accuracy")
    }
    assert sorted(one.metric_value for one in results) == [0.19, 0.26]
    assert {one.metric_args["run"] for one in results if one.metric_args} == {done(r).cell.id for r in runs}
    assert len({one.metric_name for one in results}) == 2
    assert {one.source_url for one in results} == {None}


def test_questions_of_no_data_set_of_the_hub_are_in_the_model_index_alone(
    bench: Bench, sample: str, project: Path
) -> None:
    done = bench("export", "hub", "--task", "medqa_sample", "--results", sample, "--out", "out")
    assert done.exit_code == 0, done.output
    assert not list((project / "out").rglob("*.yaml"))
    assert "left out: chance, majority, tfidf: baselines have no repository on the hub" in done.stderr
    assert "in model-index alone, as medqa_sample_test.jsonl is no data set of the hub" in done.stderr
    metadata = metadata_load(project / "out" / MODEL / "README.md")
    assert metadata is not None
    _, results = model_index_to_eval_results(metadata["model-index"])
    assert {one.dataset_type for one in results} == {"medqa_sample"}
    assert len(results) == 8
    assert "It is not MedQA" in (project / "out" / MODEL / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("source", ["mirror.jsonl", "a[test]", "./a/b[test]", f"{MEDQA}[train]"])
def test_a_source_that_only_looks_like_the_hubs_is_none(source: str) -> None:
    run = from_hub(run_of("bfloat16-chat-a6"))
    test = done(run).cell.data["test"].model_copy(update={"source": source})
    made = hub_export(board_of(changed(run, cell={"data": {"test": test}})).tasks, NOBODY)
    assert list(made.files) == ["small/README.md"]


def test_the_hub_gets_neither_partial_runs_nor_tuned_weights() -> None:
    whole, partial = from_hub(run_of("bfloat16-chat-a6")), from_hub(run_of("bfloat16-7"))
    runs = [whole, changed(partial, cell={"limit": 50}), from_hub(run_of("bfloat16-lora"))]
    made = hub_export(board_of(*runs).tasks, NOBODY)
    [entry] = entries(made.files["small/.eval_results/medqa_sample.yaml"])
    assert entry.value == 19.0
    assert "left out: small on medqa_sample (bfloat16): partial run: the first 50 of 100" in str(made.notes)
    assert "left out: small on medqa_sample with an adapter" in str(made.notes)


# Every Eval Ever


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    """Their JSON Schemas, closed: a key that they do not name is a mistake too."""
    spec = importlib.util.find_spec("every_eval_ever")
    assert spec is not None, "the wheel every-eval-ever is not installed (make test does it)"
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "schemas"
    raw = {
        name: json.loads((folder / f"{name}.schema.json").read_bytes())
        for name in ("eval", "instance_level_eval")
    }
    return {name: validator_for(schema)(closed(schema)) for name, schema in raw.items()}


def closed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    strict = dict(schema)
    if "properties" in schema:
        strict.setdefault("additionalProperties", False)
        strict["properties"] = {name: closed(one) for name, one in schema["properties"].items()}
    if "$defs" in schema:
        strict["$defs"] = {name: closed(one) for name, one in schema["$defs"].items()}
    for name in ("items", "additionalProperties"):
        if name in schema:
            strict[name] = closed(schema[name])
    return strict


def mistakes(schemas: dict[str, Any], export: Export) -> Iterator[str]:
    for name, data in export.files.items():
        samples = name.endswith(".jsonl")
        for line in data.decode().split("\n")[:-1] if samples else [data]:
            schema = schemas["instance_level_eval" if samples else "eval"]
            yield from (
                f"{name}: {error.json_path}: {error.message}"
                for error in schema.iter_errors(json.loads(line))
            )


def summaries(export: Export) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Each summary by its path, with the rows of its samples."""
    for name, data in export.files.items():
        if name.endswith(".json"):
            lines = export.files[name.replace(".json", "_samples.jsonl")].decode().split("\n")[:-1]
            yield name, json.loads(data), [json.loads(line) for line in lines]


@pytest.mark.schemas
def test_every_eval_ever_takes_every_committed_run(schemas: dict[str, Any]) -> None:
    made = every_eval_ever_export(finished(committed()), Publisher("A group", "https://example.org"))
    assert len(made.files) == 2 * len(committed()) == 24
    assert list(mistakes(schemas, made)) == []


@pytest.mark.schemas
@pytest.mark.parametrize("run", odd_runs())
def test_every_eval_ever_takes_runs_at_the_edges(schemas: dict[str, Any], run: Run) -> None:
    assert list(mistakes(schemas, every_eval_ever_export(finished([run]), NOBODY))) == []


@pytest.mark.schemas
def test_the_schemas_find_a_mistake(schemas: dict[str, Any]) -> None:
    made = every_eval_ever_export(finished(committed()[:1]), NOBODY)
    [name] = [name for name in made.files if name.endswith(".json")]
    summary = json.loads(made.files[name])
    summary["evaluation_results"][0]["score_details"]["uncertainty"]["interval"] = {}
    wrong = Export({name: json.dumps(summary).encode()})
    assert "'interval' was unexpected" in next(mistakes(schemas, wrong))


def test_a_summary_is_what_its_samples_come_to() -> None:
    runs = {done(run).cell.id: run for run in committed()}
    made = every_eval_ever_export(finished(runs.values()), NOBODY)
    for name, summary, rows in summaries(made):
        run = runs[summary["eval_library"]["additional_details"]["run"]]
        detailed = summary["detailed_evaluation_results"]
        assert detailed["file_path"] == name.replace(".json", "_samples.jsonl")
        assert hash_string(made.files[detailed["file_path"]].decode()) == detailed["checksum"]
        assert detailed["total_rows"] == len(rows) == len(run.records)
        score = summary["evaluation_results"][0]["score_details"]
        assert score["score"] == sum(row["evaluation"]["score"] for row in rows) / len(rows)
        spread = mean_stderr([row["evaluation"]["score"] for row in rows])
        assert score["uncertainty"]["standard_error"]["value"] == pytest.approx(spread)
        assert {row["evaluation_id"] for row in rows} == {summary["evaluation_id"]}
        assert {row["model_id"] for row in rows} == {summary["model_info"]["id"]}


def test_the_data_store_files_a_run_by_task_developer_and_model_under_a_name_that_stays() -> None:
    [run] = finished([from_hub(run_of("bfloat16-chat-a6"))])
    [first, again] = [list(every_eval_ever_export([run], NOBODY).files) for _ in range(2)]
    assert first == again
    *folders, name = first[0].split("/")
    assert folders == ["data", "medqa_sample", "HuggingFaceTB", "SmolLM2-135M-Instruct"]
    assert UUID(name.removesuffix(".json")).version == 4
    [(_, summary, _)] = summaries(every_eval_ever_export([run], NOBODY))
    source = summary["evaluation_results"][0]["source_data"]
    assert (source["source_type"], source["hf_repo"], source["hf_split"]) == ("hf_dataset", MEDQA, "test")
    assert source["sample_ids"] == [record.question_id for record in run.records]


def test_what_a_model_was_held_in_and_tuned_with_stands_in_the_summary() -> None:
    made = every_eval_ever_export(finished([run_of("bfloat16-nf4"), run_of("bfloat16-lora")]), NOBODY)
    [(_, nf4, _), (_, lora, _)] = summaries(made)
    assert nf4["model_info"]["additional_details"]["quantization"] == "nf4"
    assert nf4["model_info"]["additional_details"]["precision"] == "bfloat16"
    assert nf4["model_info"]["id"] == MODEL
    assert lora["model_info"]["id"] == f"{MODEL}-lora-d5f39b9b"
    assert lora["model_info"]["additional_details"]["adapter_method"] == "lora"


@pytest.mark.parametrize(
    ("by", "relationship"),
    [("", "other"), ("A group", "third_party"), ("huggingfacetb", "first_party")],
)
def test_who_publishes_a_run_stands_to_its_model_as_they_say(by: str, relationship: str) -> None:
    made = every_eval_ever_export(finished([from_hub(run_of("bfloat16-chat-a6"))]), Publisher(by))
    [(_, summary, _)] = summaries(made)
    assert summary["source_metadata"]["evaluator_relationship"] == relationship


# lm-eval


def read_by_lm_eval(folder: Path) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each results file with its samples, found as lm-eval finds them."""
    names = [path.as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    samples = get_sample_results_filenames(names)
    for name in get_results_filenames(names):
        results = json.loads(Path(name).read_bytes())
        [task] = results["results"]
        date = name.rpartition("results_")[2].removesuffix(".json")
        [own] = [one for one in samples if one == f"{Path(name).parent}/samples_{task}_{date}.jsonl"]
        assert get_file_task_name(Path(own).name) == task
        lines = Path(own).read_text(encoding="utf-8").split("\n")[:-1]
        yield results, [json.loads(line) for line in lines]


def test_lm_eval_reads_every_committed_run_and_finds_the_same_numbers(tmp_path: Path) -> None:
    runs = {done(run).cell.id: run for run in committed()}
    pairs = list(read_by_lm_eval(written_files(lm_eval_export(finished(runs.values())), tmp_path)))
    assert len(pairs) == len(runs) == 12
    for results, lines in pairs:
        run = runs[results["configs"]["medqa_sample"]["metadata"]["run"]]
        metric, kept = ("exact_match", "read-answer") if done(run).cell.variant.generate else ("acc", "none")
        scores = results["results"]["medqa_sample"]
        assert scores[f"{metric},{kept}"] == done(run).metrics.accuracy.value
        values = [line[metric] for line in lines]
        assert scores[f"{metric}_stderr,{kept}"] == pytest.approx(mean_stderr(values))
        assert [line["doc"]["question_id"] for line in lines] == [r.question_id for r in run.records]
        row = next(line for line in make_table(results).splitlines() if metric in line)
        assert f"|{round(scores[f'{metric},{kept}'], 4)}|" in row.replace(" ", "")
        assert set(results) <= set(EvalResults.__annotations__)


def test_lm_eval_finds_the_answer_in_the_log_probabilities_of_each_option(tmp_path: Path) -> None:
    runs = [run for run in committed() if not done(run).cell.variant.generate]
    for results, lines in read_by_lm_eval(written_files(lm_eval_export(finished(runs)), tmp_path)):
        hashes = ""
        for line in lines:
            likeliest = max(range(4), key=[float(score) for score, _ in line["filtered_resps"]].__getitem__)
            assert line["acc"] == float(likeliest == int(line["target"]))
            assert line["resps"] == [[reply] for reply in line["filtered_resps"]]
            assert set(SampleResult.__annotations__) <= set(line)
            first = line["arguments"]["gen_args_0"]
            assert line["prompt_hash"] == hash_string(first["arg_0"])
            assert line["target_hash"] == hash_string(line["target"])
            assert line["doc_hash"] == hash_string(json.dumps(line["doc"], indent=2, ensure_ascii=False))
            hashes += line["doc_hash"] + line["prompt_hash"] + line["target_hash"]
        assert results["task_hashes"] == {"medqa_sample": hash_string(hashes)}


@pytest.mark.parametrize(("name", "continuation"), [("bfloat16-chat-a6", "B"), ("bfloat16-7", " B")])
def test_what_lm_eval_reads_of_an_option_is_what_was_asked(name: str, continuation: str) -> None:
    export = lm_eval_export(finished([run_of(name)]))
    [lines] = [data for file, data in export.files.items() if file.endswith(".jsonl")]
    line = json.loads(lines.splitlines()[0])
    record = run_of(name).records[0]
    asked = line["arguments"]["gen_args_1"]
    assert (asked["arg_0"], asked["arg_1"]) == (record.prompt, continuation)
    assert line["resps"][1] == [[str(record.scores["letter"][1]), "None"]]


def test_after_a_chat_template_an_answer_begins_without_a_space(tmp_path: Path) -> None:
    run = run_of("bfloat16-chat-a6")
    record = run.records[0].model_copy(update={"prompt": "Which? [/INST]"})
    files = lm_eval_export(finished([with_records(run, [record])]))
    [(_, [line])] = read_by_lm_eval(written_files(files, tmp_path))
    assert line["arguments"]["gen_args_0"] == {"arg_0": "Which? [/INST]", "arg_1": "A"}


def test_lm_eval_compares_texts_as_they_are_and_by_the_character(tmp_path: Path) -> None:
    [run] = [run for run in odd_runs() if done(run).cell.task.view == "text_pmi"]
    [(results, lines)] = read_by_lm_eval(written_files(lm_eval_export(finished([run])), tmp_path))
    scores, views = results["results"]["medqa_sample"], done(run).metrics.views
    assert scores["acc,none"] == views["text"].value
    assert scores["acc_norm,none"] == views["text_per_char"].value
    assert scores["acc_text_pmi,none"] == views["text_pmi"].value
    assert len({one.value for one in views.values()}) > 1
    for record, line in zip(run.records, lines, strict=True):
        lengths = [len(text.strip()) for text in record.options]
        logprobs = [float(score) for score, _ in line["filtered_resps"]]
        norm = [score / length for score, length in zip(logprobs, lengths, strict=True)]
        assert line["acc_norm"] == float(norm.index(max(norm)) == int(line["target"]))


@pytest.mark.parametrize("run", odd_runs())
def test_lm_eval_reads_runs_at_the_edges(tmp_path: Path, run: Run) -> None:
    [(results, lines)] = read_by_lm_eval(written_files(lm_eval_export(finished([run])), tmp_path))
    assert "medqa_sample" in make_table(results)
    assert results["n-samples"]["medqa_sample"]["effective"] == len(lines) == len(run.records)
    for line in lines:
        assert set(SampleResult.__annotations__) <= set(line)


def test_variants_that_ended_in_the_same_second_keep_a_file_each(tmp_path: Path) -> None:
    runs = [from_hub(run_of("bfloat16-chat-a6")), from_hub(run_of("bfloat16-nf4-chat"))]
    same = [changed(run, provenance=done(runs[0]).provenance) for run in runs]
    pairs = list(read_by_lm_eval(written_files(lm_eval_export(finished(same)), tmp_path)))
    assert {results["config"]["model_args"].get("quantize") for results, _ in pairs} == {None, "nf4"}
    [folder] = tmp_path.iterdir()
    assert folder.name == sanitize_model_name(HUB)
    names = [path.as_posix() for path in folder.glob("results_*")]
    assert get_latest_filename(names).endswith("results_2026-11-23T16-23-28.000001.json")


# What holds for all


def test_a_run_that_another_program_made_is_exported_as_its_own(tmp_path: Path) -> None:
    run = changed(from_hub(run_of("bfloat16-chat-a6")), imported="lm-eval 0.4.13")
    made = hub_export(board_of(run).tasks, NOBODY)
    assert "made by lm-eval 0.4.13;" in entries(made.files["small/.eval_results/medqa_sample.yaml"])[0].notes
    [(_, summary, _)] = summaries(every_eval_ever_export(finished([run]), NOBODY))
    assert summary["eval_library"]["name"] == summary["source_metadata"]["source_name"] == "lm-eval"
    assert summary["eval_library"]["version"] == "0.4.13"
    assert "inference_engine" not in summary["model_info"]
    [(results, _)] = read_by_lm_eval(written_files(lm_eval_export(finished([run])), tmp_path))
    assert (results["model_source"], results["lm_eval_version"]) == ("lm-eval", "0.4.13")
    assert program(done(changed(run, imported="some other program"))) == ("some other program", "unknown")


def test_a_run_without_its_words_is_shared_without_them() -> None:
    run = from_hub(without_words(run_of("bfloat16-chat-generate")))
    word = "pacifier"
    assert word in run_of("bfloat16-chat-generate").records[0].prompt
    for made in (
        every_eval_ever_export(finished([run]), NOBODY),
        lm_eval_export(finished([run])),
        hub_export(board_of(run).tasks, NOBODY),
    ):
        assert made.files
        assert not any(word.encode() in data for data in made.files.values())
    [(_, summary, rows)] = summaries(every_eval_ever_export(finished([run]), NOBODY))
    assert summary["detailed_evaluation_results"]["additional_details"] == {"texts": "answers"}
    assert {row["sample_hash"] for row in rows} == {None}
    assert [row["evaluation"]["is_correct"] for row in rows] == [r.is_correct for r in run.records]


@pytest.mark.parametrize("form", ["hub", "every-eval-ever", "lm-eval"])
def test_an_export_replaces_its_own_files_and_refuses_a_folder_with_any_other(
    bench: Bench, project: Path, form: str
) -> None:
    put(project / "results", from_hub(run_of("bfloat16-chat-a6")), run_of("bfloat16-nf4-chat"))
    assert bench("export", form, "--out", "out").exit_code == 0
    both = {path for path in (project / "out").rglob("*") if path.is_file()}
    shutil.rmtree(project / "results" / folder_of(done(run_of("bfloat16-nf4-chat")).cell))
    assert bench("export", form, "--out", "out").exit_code == 0
    one = {path for path in (project / "out").rglob("*") if path.is_file()}
    assert one < both
    assert not any(MODEL in path.as_posix() for path in one)
    mine = project / "out" / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    refused = bench("export", form, "--out", "out")
    assert refused.exit_code == 2
    assert "out holds mine.txt, which was not written by an export in this format" in refused.stderr
    assert {path for path in (project / "out").rglob("*") if path.is_file()} == one | {mine}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("hub",), "Missing option '--out'"),
        (("csv", "--out", "out"), "No such option '--out'"),
        (("markdown", "--model", "chance"), "No such option '--model'"),
        (("lm-eval", "--out", "out", "--by", "me"), "No such option '--by'"),
        (("lm-evla", "--out", "out"), "no export format is named 'lm-evla'; did you mean 'lm-eval'?"),
        (("hub", "--out", "out", "--by", "me"), "give --url too"),
        (("hub", "--out", "out", "--task", "medq"), "on task 'medq' (tasks with runs: medqa_sample)"),
        (("lm-eval", "--out", "out", "--model", "chanc"), "no finished run of model 'chanc' (models"),
        (("hub", "--out", "out", "--model", "chance"), "no finished run to export"),
        (("hub", "--out", "file"), "file is not a folder"),
    ],
)  # fmt: skip
def test_an_export_that_cannot_be_says_why_and_writes_nothing(
    bench: Bench, sample: str, project: Path, words: tuple[str, ...], message: str
) -> None:
    (project / "file").write_text("", encoding="utf-8")
    refused = bench("export", *words, "--results", sample)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert [path.name for path in project.iterdir()] == ["file"]


def test_one_model_is_exported_alone(bench: Bench, sample: str, project: Path) -> None:
    words = ("--results", sample, "--task", "medqa_sample", "--model", "tfidf", "--out", "out")
    assert bench("export", "lm-eval", *words).exit_code == 0
    assert {path.name for path in (project / "out").iterdir()} == {"tfidf", ".slm-bench-lm-eval"}


def test_a_run_is_exported_without_the_libraries_that_run_models(sample: str, project: Path) -> None:
    heavy = ("torch", "transformers", "datasets", "sklearn", "peft", "lm_eval", "every_eval_ever")
    forms = ("hub", "every-eval-ever", "lm-eval")
    exports = [["export", form, "--results", sample, "--out", form] for form in forms]
    bench_without(heavy, project, *exports)
    assert len(list((project / "lm-eval").rglob("results_*.json"))) == len(committed())


def test_a_played_run_goes_from_the_sweep_to_every_form(bench: Bench, anatomy: Path, project: Path) -> None:
    from played import add_fake

    add_fake(project, "played")
    assert bench("run", "-m", "played", "-t", "anatomy").exit_code == 0
    [run] = finished(run for run in read_runs(project / "results") if isinstance(run, Run))
    for form in ("every-eval-ever", "lm-eval"):
        assert bench("export", form, "--out", form).exit_code == 0
    [(results, lines)] = read_by_lm_eval(project / "lm-eval")
    assert results["results"]["anatomy"]["acc,none"] == run.result.metrics.accuracy.value
    assert [line["doc"]["options"] for line in lines] == [list(record.options) for record in run.records]
    [path] = (project / "every-eval-ever" / "data" / "anatomy" / "slm-bench" / "played").glob("*.json")
    assert json.loads(path.read_bytes())["evaluation_results"][0]["score_details"]["score"] == pytest.approx(
        run.result.metrics.accuracy.value
    )


@pytest.mark.parametrize(
    ("choice", "sampler", "words"),
    [
        ("fixed", None, "2-shot, likeliest"),
        ("first", "first_n", "2-shot, exemplars the first of their split, of the question's group"),
        ("lm_eval", "default", "2-shot, exemplars drawn for each question as in lm-eval"),
        (("t2", "t1"), None, "2-shot, exemplars named: t2, t1"),
    ],
)
def test_exports_say_which_exemplars_were_shown_and_which_questions_were_asked(
    choice: Any, sampler: str | None, words: str
) -> None:
    run = run_of("bfloat16-chat-a6")
    within = "group" if choice == "first" else ""
    change = {"exemplars": 2, "exemplar_choice": choice, "exemplars_within": within}
    variant = done(run).cell.variant.model_copy(update=change)
    drawn = changed(run, cell={"variant": variant, "limit": 50, "limit_order": "drawn"})
    assert words in describe_variant(done(drawn))
    config = _task_config(done(drawn), {})
    assert config.get("fewshot_config") == ({"sampler": sampler} if sampler else None)
    assert config["metadata"]["limit_order"] == "drawn"
    assert config["metadata"].get("exemplars_within", "") == within
    [result, *_] = evaluation_results(Finished(done(drawn), drawn.records))
    assert result["source_data"]["additional_details"]["drawn_questions_asked"] == "50"
    assert "first_questions_asked" not in result["source_data"]["additional_details"]
    named = result["generation_config"]["additional_details"]["exemplar_choice"]
    assert named == (choice if isinstance(choice, str) else "named")
