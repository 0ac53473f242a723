"""Runs that lm-eval made come to the board with lm-eval's own numbers, marked, and damaged ones do not."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sealing import resettle

from bench.board.board import Board, make_board
from bench.board.exporting import as_json
from bench.errors import FileError
from bench.inputs.cards import read_card
from bench.lm_eval.task import own_name
from bench.results.answers import Answered, read_answered
from bench.results.result import DoneResult
from bench.results.store import Run, read_runs
from foreign import DOCS, LETTERS, run_lm_eval, write_task
from leaderboard.site import page_of
from played import add_fake
from tiny import save_causal

Bench = Callable[..., Result]
Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models on two tasks in `whole`, one of them on the first five documents in `part`."""
    folder = tmp_path_factory.mktemp("lm-eval")
    write_task(folder / "tasks", "organs")
    write_task(folder / "tasks", "Letters::1", num_fewshot=2, **LETTERS)
    for family in ("llama", "qwen2"):
        model = save_causal(folder / "models" / family, family)
        run_lm_eval(folder / "tasks", model, folder / "whole", "organs", "Letters::1")
    run_lm_eval(folder / "tasks", folder / "models" / "llama", folder / "part", "organs", limit=5)
    return folder


@pytest.fixture
def out(evaluated: Path, project: Path) -> Path:
    """What lm-eval wrote of one model, in the user's folder."""
    [path] = (evaluated / "whole").glob("*llama")
    return shutil.copytree(path, project / "out" / "llama").parent


def done(results: Path = Path("results")) -> dict[str, tuple[DoneResult, Run]]:
    """Every finished run by its task's and model's name."""
    runs_by_name: dict[str, tuple[DoneResult, Run]] = {}
    for run in read_runs(results):
        assert isinstance(run, Run)
        assert isinstance(run.result, DoneResult)
        runs_by_name[f"{run.result.cell.task.name}/{run.result.cell.model.name}"] = run.result, run
    return runs_by_name


def board() -> Board:
    return make_board([run for run in read_answered(Path("results")) if isinstance(run, Answered)], [], [])


def results_file(out: Path) -> Path:
    [path] = out.rglob("results_*.json")
    return path


def samples_file(out: Path, task: str = "organs") -> Path:
    [path] = out.rglob(f"samples_{task}_*.jsonl")
    return path


def change_results(out: Path, change: Change) -> None:
    path = results_file(out)
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def change_samples(out: Path, change: Change, task: str = "organs") -> None:
    """`change` gets the list of samples, and changes it or returns another list."""
    path = samples_file(out, task)
    content = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    changed = change(content)
    content = changed if isinstance(changed, list) else content
    path.write_text("".join(json.dumps(one) + "\n" for one in content), encoding="utf-8")


def test_every_number_is_lm_eval_s_own(bench: Bench, out: Path) -> None:
    ran = bench("import", "lm-eval", "out")
    assert ran.exit_code == 0, ran.output
    theirs = json.loads(results_file(out).read_text(encoding="utf-8"))["results"]
    runs = done()
    assert sorted(runs) == ["imported-lm-eval-letters-1-d4ec748b44f9/llama", "imported-lm-eval-organs/llama"]
    for task, view in (("Letters::1", "letter"), ("organs", "text")):
        result, run = runs[f"imported-{own_name(task)}/llama"]
        assert result.metrics.accuracy.value == theirs[task]["acc,none"]
        if view == "text":
            assert result.metrics.views["text_per_char"].value == theirs[task]["acc_norm,none"]
        lines = samples_file(out, task).read_text(encoding="utf-8").splitlines()
        assert len(lines) == len(run.records) == len(DOCS)
        for line, record, doc in zip(lines, run.records, DOCS, strict=True):
            content = json.loads(line)
            assert record.question_id == f"test-{content['doc_id']:05d}"
            assert record.scores[view] == tuple(float(one[0]) for one in content["filtered_resps"])
            assert (record.is_correct, record.prompt) == (
                bool(content["acc"]), content["arguments"]["gen_args_0"]["arg_0"],
            )  # fmt: skip
            assert (record.question, list(record.options)) == (doc["question"], doc["choices"])
            assert record.answer_gt == "ABCD"[int(str(doc["gold"]))]
    assert bench("results", "check").stdout == "sound: 2 done\n"


def test_what_lm_eval_does_not_tell_is_unknown_and_what_it_tells_is_kept(bench: Bench, out: Path) -> None:
    bench("import", "lm-eval", "out", "--task", "Letters::1")
    [(result, run)] = done().values()
    content = json.loads(results_file(out).read_text(encoding="utf-8"))
    assert {value for value in result.cost.model_dump().values() if value != ""} == {None}
    where = result.provenance
    assert (where.processor, where.cores, where.memory_bytes, where.python, where.git) == (
        "",
        None,
        None,
        "",
        None,
    )
    assert (where.device, where.machine) == ("cpu", "unknown")
    assert where.libraries == {"lm-eval": "0.4.13", "transformers": content["transformers_version"]}
    assert {(record.prompt_tokens, record.seconds) for record in run.records} == {(None, None)}
    cell = result.cell
    assert result.imported == "lm-eval 0.4.13"
    assert (cell.task.version, cell.task.view, cell.limit, cell.weights) == (2, "letter", None, None)
    assert (cell.variant.dtype, cell.variant.exemplars, cell.variant.seed) == ("float32", 2, 1234)
    assert (cell.variant.prompt, cell.variant.exemplar_choice) == ("plain", "per_question")
    assert (cell.model.architecture, cell.model.license) == ("unknown", "unknown")
    assert cell.model.parameters == content["config"]["model_num_parameters"]
    assert cell.command.startswith("lm_eval --model hf --model_args dtype=float32,pretrained=")
    assert "--tasks Letters::1 --num_fewshot 2 --log_samples" in cell.command


def test_board_terminal_and_pages_say_that_it_was_imported(bench: Bench, out: Path, project: Path) -> None:
    bench("import", "lm-eval", "out", "--task", "organs")
    [table] = board().tasks
    [row] = table.rows
    assert row.tags == ("imported from lm-eval 0.4.13",)
    assert json.loads(as_json(table.rows))[0]["imported"] == "lm-eval 0.4.13"
    assert "done, imported from lm-eval 0.4.13" in bench("results", "list").stdout
    assert bench("leaderboard", "build").exit_code == 0
    index = (project / "site" / "tasks" / f"{table.task.name}.html").read_text(encoding="utf-8")
    assert '<span class="tag">imported from lm-eval 0.4.13</span>' in index
    assert '<span class="tag">unknown</span>' not in index
    page = (project / "site" / page_of(row.run.folder)).read_text(encoding="utf-8")
    assert "This run was imported from lm-eval 0.4.13." in page
    assert "Engine version" not in page
    shown = bench("results", "show", row.result.cell.id[:10]).stdout
    assert "\nimported from lm-eval 0.4.13\n" in shown
    assert "0.0" not in shown
    assert "imported" in bench("export", "csv").stdout.splitlines()[0]


def test_two_models_of_one_task_stand_in_one_table(bench: Bench, evaluated: Path, project: Path) -> None:
    shutil.copytree(evaluated / "whole", project / "out")
    ran = bench("import", "lm-eval", "out")
    assert ran.stdout.count("imported: ") == 4
    for table in board().tasks:
        assert {row.result.cell.model.name for row in table.rows} == {"llama", "qwen2"}
        assert not table.apart
        assert table.machine == "unknown"


def test_a_part_is_set_apart_as_a_part(bench: Bench, evaluated: Path, project: Path) -> None:
    shutil.copytree(evaluated / "part", project / "out")
    assert bench("import", "lm-eval", "out").exit_code == 0
    [table] = board().tasks
    assert [row.apart for row in table.apart] == ["partial run: the first 5 of 14 questions"]
    assert bench("results", "check").exit_code == 0


def test_a_run_imported_as_itself_never_stands_in_the_table_of_the_converted_task(
    bench: Bench, out: Path, evaluated: Path, project: Path
) -> None:
    bench("import", "lm-eval", "out", "--task", "organs")
    before = {path: path.read_bytes() for path in Path("results").rglob("*.json*")}
    add_fake(project, "llama")
    task = ("lm-eval:organs", "--include-path", str(evaluated / "tasks"))
    own = bench("run", "-m", "llama", "-t", *task, "--data-dir", str(evaluated), "--offline")
    assert own.exit_code == 0, own.output
    assert "done before" not in own.output
    mapped = bench("import", "lm-eval", "out", "--task", "organs", "--as", *task, "--offline")
    assert mapped.exit_code == 0, mapped.output
    assert {path: path.read_bytes() for path in before} == before
    tables = {table.task.name: table for table in board().tasks}
    assert not any(table.apart for table in tables.values())
    assert {name: len(table.rows) for name, table in tables.items()} == {
        "lm-eval-organs": 2,
        "imported-lm-eval-organs": 1,
    }
    assert len({table.task.title for table in tables.values()}) == 2
    assert bench("results", "check").exit_code == 0


def test_a_run_imported_under_the_name_of_the_converted_task_is_set_apart(
    bench: Bench, out: Path, evaluated: Path, project: Path
) -> None:
    bench("import", "lm-eval", "out", "--task", "organs")
    [path] = Path("results").rglob("result.json")
    resettle(path, lambda text: text.replace('"imported-lm-eval-', '"lm-eval-'))
    add_fake(project, "llama")
    own = ("run", "-m", "llama", "-t", "lm-eval:organs", "--include-path", str(evaluated / "tasks"))
    assert bench(*own, "--data-dir", str(evaluated), "--offline").exit_code == 0
    [table] = board().tasks
    assert [row.result.imported for row in table.rows] == [""]
    [apart] = table.apart
    assert apart.apart == "scored by lm-eval; the table shows runs of our engine"
    assert "nothing to remove" in bench("results", "prune", "outdated", "--dry-run").stdout
    assert (
        "these two cannot be compared: they were scored by different programs"
        in bench("compare", table.rows[0].result.cell.id[:9], apart.result.cell.id[:9]).output
    )


def test_importing_twice_changes_nothing(bench: Bench, out: Path) -> None:
    bench("import", "lm-eval", "out")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path("results").rglob("*.json*")}
    again = bench("import", "lm-eval", "out")
    assert again.exit_code == 0
    assert again.stdout.count("unchanged: ") == 2
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path("results").rglob("*.json*")}
    assert after == before


def test_other_answers_of_the_same_cell_need_fresh(bench: Bench, out: Path) -> None:
    bench("import", "lm-eval", "out", "--task", "organs")
    [(first, _)] = done().values()

    def nudge(samples: list[dict[str, Any]]) -> None:
        for one in samples:
            one["filtered_resps"] = [
                [float(logprob) - 1e-3, greedy] for logprob, greedy in one["filtered_resps"]
            ]

    change_samples(out, nudge)
    ran = bench("import", "lm-eval", "out", "--task", "organs")
    assert ran.exit_code == 1
    assert "was imported with different answers; --fresh replaces it" in ran.stderr
    assert done()["imported-lm-eval-organs/llama"][0] == first
    assert bench("import", "lm-eval", "out", "--task", "organs", "--fresh").exit_code == 0
    [(second, _)] = done().values()
    assert (second.cell.id, second.metrics.accuracy) == (first.cell.id, first.metrics.accuracy)
    assert second.records_sha256 != first.records_sha256


def test_without_samples_there_is_nothing_to_compare(bench: Bench, out: Path) -> None:
    samples_file(out).unlink()
    ran = bench("import", "lm-eval", "out")
    assert ran.exit_code == 1
    assert "organs: not imported; run lm-eval with --log_samples" in ran.stderr
    assert list(done()) == ["imported-lm-eval-letters-1-d4ec748b44f9/llama"]


def test_tasks_without_options_are_left_out_with_a_reason(bench: Bench, out: Path) -> None:
    change_results(out, lambda content: content["configs"]["organs"].update(output_type="generate_until"))
    ran = bench("import", "lm-eval", "out")
    assert ran.exit_code == 0
    assert "organs: its output_type is generate_until, and only multiple_choice can be imported" in ran.stderr
    assert list(done()) == ["imported-lm-eval-letters-1-d4ec748b44f9/llama"]


def swap(samples: list[dict[str, Any]]) -> None:
    """The likeliest option of the first question is now the least likely."""
    values = samples[0]["filtered_resps"]
    best, worst = (choose(range(len(values)), key=lambda at: float(values[at][0])) for choose in (max, min))
    gold = int(samples[0]["target"])
    other = gold if best != gold else worst
    values[best], values[other] = values[other], values[best]


def set_first(**fields: Any) -> Change:
    return lambda samples: samples[0].update(fields)


def set_argument(option: int, context: str) -> Change:
    return lambda samples: samples[0]["arguments"][f"gen_args_{option}"].update(arg_0=context)


def set_reply(*reply: str) -> Change:
    return lambda samples: samples[0]["filtered_resps"].__setitem__(0, reply)


def unhashed(samples: list[dict[str, Any]], **fields: Any) -> list[dict[str, Any]]:
    return [one | {"doc_hash": ""} | fields for one in samples]


def with_one_option(samples: list[dict[str, Any]]) -> None:
    one = samples[0]
    one["arguments"] = {"gen_args_0": one["arguments"]["gen_args_0"]}
    del one["filtered_resps"][1:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (swap, r":1: acc: lm-eval says \d.0, but its log-likelihoods give \d.0"),
        (lambda samples: samples[:-1], "these are not the samples of the results file"),
        (lambda samples: [*samples, samples[0]], "these are not the samples of the results file"),
        (lambda samples: unhashed(samples, doc_id=0), "occurs more than once"),
        (lambda samples: unhashed(samples)[1:], "13 answers, but the results file says 14"),
        (set_first(prompt_hash="0"), "these are not the samples of"),
        (set_argument(0, "x"), "the prompt does not match its prompt_hash"),
        (set_argument(1, "x"), "every option has its own context"),
        (lambda samples: samples[0]["arguments"].pop("gen_args_0"), "expected pairs of a context and a"),
        (with_one_option, "1 options; expected 2 to 26"),
        (lambda samples: samples[0]["filtered_resps"].clear(), "0 log-likelihoods for 4 options"),
        (set_reply("nan", "False"), "must be finite numbers"),
        (set_reply("liver"), "expected log-likelihoods"),
        (set_reply(), "expected log-likelihoods"),
        (set_first(target="[0, 1]"), "the target .* is none of the options"),
        (set_first(target="7"), "the target '7' is none of the options"),
        (lambda samples: samples[0].pop("doc_id"), ":1: doc_id: not a file of lm-eval: Field required"),
        (lambda samples: unhashed(samples, filter="take_first"), "no unfiltered answers"),
        (lambda samples: [1], ":1: not a file of lm-eval: expected a JSON object"),
    ],
)  # fmt: skip
def test_damaged_samples_are_named_and_the_rest_is_imported(
    bench: Bench, out: Path, change: Change, message: str
) -> None:
    change_samples(out, change)
    ran = bench("import", "lm-eval", "out")
    assert ran.exit_code == 3
    assert "samples_organs_" in ran.stderr
    assert re.search(message, ran.stderr), ran.stderr
    assert re.search("; (run lm-eval again with --log_samples|import the other tasks by --task)", ran.stderr)
    assert ran.stderr.count("\n") == 1
    assert list(done()) == ["imported-lm-eval-letters-1-d4ec748b44f9/llama"]


@pytest.mark.parametrize("text", ["{", "[]", '{"results": {}, "configs": {}}', '{"a": "\ud83d', b"\xff"])
def test_a_damaged_results_file_is_named_and_the_rest_is_imported(
    bench: Bench, out: Path, text: str | bytes
) -> None:
    path = out / "other" / "results_2026-01-01.json"
    path.parent.mkdir()
    path.write_bytes(text if isinstance(text, bytes) else text.encode(errors="replace"))
    torn = samples_file(out)
    torn.write_text(torn.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    ran = bench("import", "lm-eval", "out")
    assert ran.exit_code == 3
    assert "other/results_2026-01-01.json" in ran.stderr
    assert ":14: not JSON" in ran.stderr
    assert list(done()) == ["imported-lm-eval-letters-1-d4ec748b44f9/llama"]


def test_a_result_that_its_samples_do_not_come_to_is_not_imported(bench: Bench, out: Path) -> None:
    change_results(out, lambda content: content["results"]["organs"].update({"acc,none": 0.5}))
    ran = bench("import", "lm-eval", "out")
    assert (ran.exit_code, "says 0.5000, but its samples give 0." in ran.stderr) == (3, True)


@pytest.mark.parametrize(
    "facts",
    [
        {"date": 1e18},
        {"date": float("nan")},
        {"versions": {"organs": "9" * 5000}},
        {"n-samples": {"organs": {"original": 1, "effective": 3}}},
    ],
)
def test_facts_that_cannot_be_are_reported_and_the_other_task_is_imported(
    bench: Bench, out: Path, facts: dict[str, Any]
) -> None:
    key, value = next(iter(facts.items()))
    change_results(
        out, lambda content: content.update({key: content[key] | value if isinstance(value, dict) else value})
    )
    ran = bench("import", "lm-eval", "out")
    assert ran.exit_code == 3
    assert "results_" in ran.stderr or "samples_organs" in ran.stderr
    assert list(done()) == ([] if key == "date" else ["imported-lm-eval-letters-1-d4ec748b44f9/llama"])


def test_a_run_without_a_date_is_imported_and_left_out_of_exports(bench: Bench, out: Path) -> None:
    change_results(out, lambda content: content.pop("date"))
    assert bench("import", "lm-eval", "out", "--task", "organs").exit_code == 0
    ran = bench("export", "lm-eval", "--out", "export")
    assert ran.exit_code == 2
    assert "it has no date" in ran.stderr
    assert bench("export", "hub", "--out", "hub").exit_code == 0


def test_the_developer_of_an_imported_run_s_model_is_unknown_to_every_eval_ever(
    bench: Bench, out: Path
) -> None:
    bench("import", "lm-eval", "out", "--task", "organs")
    assert bench("export", "every-eval-ever", "--out", "export").exit_code == 0
    [summary] = Path("export").rglob("*.json")
    assert summary.parent == Path("export/data/imported-lm-eval-organs/unknown/llama")
    assert json.loads(summary.read_bytes())["model_info"]["developer"] == "unknown"


def test_an_acc_norm_of_another_kind_is_left_out_with_a_reason(bench: Bench, out: Path) -> None:
    change_samples(out, lambda samples: [one | {"acc_norm": 1.0 - one["acc_norm"]} for one in samples])
    ran = bench("import", "lm-eval", "out", "--task", "organs")
    assert "acc_norm is left out: it is not normalised by the options' lengths" in ran.stdout
    [(result, _)] = done().values()
    assert list(result.metrics.views) == ["text"]


def test_older_files_of_the_same_shape_are_read(bench: Bench, out: Path) -> None:
    def older(samples: list[dict[str, Any]]) -> None:
        for one in samples:
            for key in ("filter", "doc_hash", "prompt_hash", "target_hash"):
                del one[key]
            one["arguments"] = [[pair["arg_0"], pair["arg_1"]] for pair in one["arguments"].values()]
            one["filtered_resps"] = [[float(value), False] for value, _ in one["filtered_resps"]]
            one["target"] = int(one["target"])

    def without_new_keys(content: dict[str, Any]) -> None:
        for key in (
            "n-samples",
            "task_hashes",
            "lm_eval_version",
            "model_name",
            "total_evaluation_time_seconds",
        ):
            del content[key]

    bench("import", "lm-eval", "out", "--task", "organs", "--results", "new")
    change_samples(out, older)
    change_results(out, without_new_keys)
    assert bench("import", "lm-eval", "out", "--task", "organs").exit_code == 0
    [(new, new_run)], [(old, old_run)] = done(Path("new")).values(), done().values()
    assert old_run.records == new_run.records
    assert old.cell == new.cell
    assert old.imported == "lm-eval of an unknown version"
    change_results(out, lambda content: content["config"].update(limit=5))
    ran = bench("import", "lm-eval", "out", "--task", "organs")
    assert (ran.exit_code, "the file does not say how many there are" in ran.stderr) == (3, True)


def as_array(samples: list[dict[str, Any]]) -> str:
    """As lm-eval wrote them up to 0.4.3."""
    return json.dumps(samples, indent=2, ensure_ascii=False)


def read_samples(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("version", ["0.4.3", "0.4.2"])
def test_the_older_form_of_samples_is_read(bench: Bench, out: Path, version: str) -> None:
    bench("import", "lm-eval", "out", "--results", "new")
    for task in ("organs", "Letters::1"):
        path = samples_file(out, task)
        older = path.with_suffix(".json")
        if version == "0.4.2":
            given = json.loads(results_file(out).read_text(encoding="utf-8"))["config"]["model_args"]
            older = path.with_name(f"{re.sub('/|=', '__', given)}_{task}.jsonl")
        older.write_text(as_array(read_samples(path)), encoding="utf-8")
        path.unlink()
    if version == "0.4.2":
        results_file(out).rename(results_file(out).with_name("results.json"))
    ran = bench("import", "lm-eval", "out")
    assert ran.exit_code == 0, ran.output
    new, old = done(Path("new")), done()
    assert sorted(old) == ["imported-lm-eval-letters-1-d4ec748b44f9/llama", "imported-lm-eval-organs/llama"]
    for name, (result, run) in old.items():
        assert (result.cell, run.records) == (new[name][0].cell, new[name][1].records)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-20], ".json: not JSON: "),
        (lambda text: "[ ]", ".json: task_hashes: these are not the samples of the results file"),
        (lambda text: text.replace('"doc_id": 1,', '"id": 1,'), ".json:LINE: doc_id: not a file of lm-eval"),
        (lambda text: "[1,\n 2]", ".json:1: not a file of lm-eval: expected a JSON object"),
    ],
)  # fmt: skip
def test_damaged_samples_in_the_older_form_are_named(
    bench: Bench, out: Path, change: Callable[[str], str], message: str
) -> None:
    path = samples_file(out)
    samples = read_samples(path)
    path.unlink()
    path.with_suffix(".json").write_text(change(as_array(samples)), encoding="utf-8")
    second = as_array(samples[:1]).count("\n") + 1
    ran = bench("import", "lm-eval", "out", "--task", "organs")
    assert ran.exit_code == 3
    assert message.replace("LINE", str(second)) in ran.stderr


def test_targets_are_places_or_texts_as_the_accuracies_say(bench: Bench, out: Path) -> None:
    def by_text(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            one | {"doc_hash": "", "target": one["doc"]["choices"][int(one["target"])]} for one in samples
        ]

    bench("import", "lm-eval", "out", "--task", "organs", "--results", "places")
    change_samples(out, by_text)
    assert bench("import", "lm-eval", "out", "--task", "organs").exit_code == 0
    [(_, places)], [(_, texts)] = done(Path("places")).values(), done().values()
    assert texts.records == places.records


def test_targets_that_could_be_both_are_refused(bench: Bench, out: Path) -> None:
    def ambiguous(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
        one = samples[0]
        asked = {f"gen_args_{n}": {"arg_0": "?", "arg_1": f" {text}"} for n, text in enumerate("120")}
        replies = [["-1", "False"], ["-2", "False"], ["-3", "False"]]
        new = one | {
            "arguments": asked,
            "filtered_resps": replies,
            "target": "1",
            "acc": None,
            "acc_norm": None,
        }
        return [new | {"doc_hash": "", "prompt_hash": ""}]

    change_samples(out, ambiguous)
    ran = bench("import", "lm-eval", "out", "--task", "organs")
    assert ran.exit_code == 3
    assert "ambiguous: the targets may be the options' indices or their texts" in ran.stderr


def test_secrets_among_a_model_s_arguments_are_not_kept(bench: Bench, out: Path) -> None:
    args = (
        "pretrained=org/m,token=hf_secret,api_key=hf_secret,apikey=hf_secret,headers=Bearer hf_secret,"
        "extra=hf_secretsecret,add_bos_token=True,load_in_8bit=True,tokenizer=org/t"
    )
    change_results(out, lambda content: content["config"].update(model_args=args, model_sha="c" * 40))
    bench("import", "lm-eval", "out", "--task", "organs")
    [(result, _)] = done().values()
    assert "hf_secret" not in result.model_dump_json()
    assert "add_bos_token=True" in result.cell.command
    assert "tokenizer=org/t" in result.cell.command
    assert (result.cell.weights, result.cell.variant.quantize) == ("c" * 40, "int8")


def test_a_model_without_a_dtype_is_no_baseline(bench: Bench, out: Path) -> None:
    change_results(
        out, lambda content: content["config"].update(model="vllm", model_dtype=None, model_num_parameters=-1)
    )
    assert bench("import", "lm-eval", "out", "--task", "organs").exit_code == 0
    [(result, _)] = done().values()
    assert (result.cell.variant.slug, result.cell.variant.precision) == ("lm-eval", None)
    assert result.cell.model.parameters is None


def test_a_task_or_a_folder_that_does_not_exist_is_an_error(bench: Bench, out: Path) -> None:
    ran = bench("import", "lm-eval", "out", "--task", "organ")
    assert ran.exit_code == 2
    assert "did you mean 'organs'? (there are Letters::1, organs)" in ran.stderr
    for folder in ("nowhere", "out/llama/none"):
        ran = bench("import", "lm-eval", folder)
        assert ran.exit_code == 2
        assert "holds no results_*.json and no results.json of lm-eval" in ran.stderr
    assert not Path("results").exists()


def test_a_card_in_a_file_says_what_its_model_is(project: Path) -> None:
    path = project / "m.yaml"
    path.write_text(
        "{name: m, title: M, family: m, source: {path: .}, architecture: unknown, license: mit}",
        encoding="utf-8",
    )
    with pytest.raises(FileError, match="architecture: must be decoder, encoder-decoder or baseline"):
        read_card(path)
