"""Cells that a server answers: what the result holds, what is unavailable, and how a run goes on."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from played_server import Played, serve

from bench.cells.cell import Cell
from bench.cells.plan import plan
from bench.cells.wish import Settings, Wish
from bench.inputs.cards import read_card
from bench.inputs.choices import Choices
from bench.inputs.located import Trust
from bench.inputs.task import read_task
from bench.results.contamination import ContaminationTest
from bench.results.result import DoneResult
from bench.results.store import Run, read_runs

Bench = Callable[..., Result]
KEY = "sk-0123456789abcdef"


@pytest.fixture
def played() -> Iterator[Played]:
    with serve(Played()) as server:
        yield server


def write_card(project: Path, url: str, **settings: Any) -> None:
    card = {
        "name": "served", "title": "Served", "family": "served", "architecture": "decoder", "license": "mit",
        "chat": True, "prompt": "plain", "engine": "openai",
        "settings": {"url": url, "model": "played", "concurrency": 2, "timeout": 5} | settings,
    }  # fmt: skip
    path = project / "model_cards" / "served.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(card), encoding="utf-8")


def run(bench: Bench, *more: str, task: str = "quiz") -> Result:
    return bench("run", "--models", "served", "--tasks", task, *more)


def breaks(_path: str, _headers: object, body: dict[str, Any]) -> Any:
    """A fault in the middle of the questions."""
    return (403, {}, {"error": "no more"}) if "Which number is 9?" in str(body) else None


def done() -> list[Run]:
    return [run for run in read_runs(Path("results")) if isinstance(run, Run)]


def only_result() -> DoneResult:
    [run] = done()
    assert isinstance(run.result, DoneResult), run.result
    return run.result


def test_a_server_is_a_runtime_on_the_board(
    bench: Bench, project: Path, anatomy: Path, played: Played
) -> None:
    write_card(project, played.url)
    shown = run(bench, "--latency", "--offline", task="anatomy")
    assert shown.exit_code == 0, shown.stderr
    result = only_result()
    assert (result.cell.variant.slug, result.cell.variant.runtime) == ("openai", "openai")
    assert set(result.metrics.views) == {"letter", "text", "text_per_char", "text_per_token", "text_pmi"}
    cost = result.cost
    unknown = (cost.load_seconds, cost.peak_memory_bytes, cost.weights_bytes, cost.model_bytes, cost.joules)
    assert unknown == (None,) * 5
    assert cost.joules_note == "the server's energy is unknown"
    assert cost.alone
    assert cost.prompt_tokens
    server = result.provenance.server
    assert server
    assert (server.url, server.model, server.fingerprint) == (played.url, "played", "fp_1")
    assert not server.runs_here  # the test's own process answered
    assert result.provenance.processor == "server 127.0.0.1"
    assert result.provenance.memory_bytes is None
    assert bench("results", "check").exit_code == 0
    assert bench("leaderboard", "build", "--out", "site").exit_code == 0
    page = next(Path("site").glob("runs/**/*.html")).read_text(encoding="utf-8")
    assert f"{played.url}, model played, version 9.9, fingerprint fp_1" in page
    assert "as the client sees it" in page
    assert "(client)" in Path("site/index.html").read_text(encoding="utf-8")


def test_letters_alone_say_what_is_missing(bench: Bench, project: Path, quiz: Path, played: Played) -> None:
    played.echo, played.most = False, 5
    write_card(project, played.url)
    shown = run(bench)
    assert shown.exit_code == 0, shown.stderr
    result = only_result()
    assert set(result.metrics.views) == {"letter"}
    missing, bounded = result.engine.limits
    assert missing == "the server gives no log-probabilities of the text of prompts (echo)"
    assert f"note: {missing}" in shown.stderr
    records = done()[0].records
    assert bounded.startswith(
        f"a letter of {sum(bool(each.bounded) for each in records)} of 40 questions was not"
    )
    for record in records:
        if record.parse_status == "not_listed":
            assert (record.bounded, record.scores, record.model_output.final_answer) == ("ABC", {}, None)
        else:
            assert record.model_output.final_answer not in record.bounded
    assert any(0 < len(record.bounded) < 3 for record in records)
    assert bench("results", "check").exit_code == 0
    assert bench("leaderboard", "build", "--out", "site").exit_code == 0
    page = next(Path("site").glob("runs/**/*.html")).read_text(encoding="utf-8")
    assert "an upper bound" in page


def test_a_task_without_letters_cannot_be_scored_by_letters(
    bench: Bench, project: Path, quiz: Path, played: Played
) -> None:
    played.echo = False
    write_card(project, played.url)
    quiz.write_text(f"{quiz.read_text('utf-8')}scoring: {{view: text}}\n", encoding="utf-8")
    shown = run(bench)
    assert shown.exit_code == 1
    assert "ranks by the view 'text', which needs options' texts" in " ".join(shown.stderr.split())


def test_a_run_that_broke_off_goes_on_with_the_same_model(
    bench: Bench, project: Path, quiz: Path, played: Played
) -> None:
    write_card(project, played.url, views="letters")
    played.fault = breaks
    shown = run(bench)
    assert shown.exit_code == 1
    assert "wants a key (403): no more" in shown.stderr
    played.fault, before = lambda *_: None, len(played.requests)
    assert run(bench).exit_code == 0
    assert only_result().provenance.stops == 1
    asked = [body for _, _, body in played.requests[before:] if "Which number" in str(body)]
    assert not any("Which number is 0?" in str(body) for body in asked)


def test_probes_are_asked_of_a_server_and_of_no_other_model_later(
    bench: Bench, project: Path, quiz: Path, played: Played
) -> None:
    write_card(project, played.url, views="letters")
    assert run(bench, "--probe", "order").exit_code == 0
    probes = only_result().probes
    assert probes is not None
    assert probes.order is not None
    assert probes.order.questions == 40
    before = only_result()
    played.named = "larger"
    shown = run(bench, "--probe", "nota")
    assert shown.exit_code == 1
    assert "and larger 9.9 answers now: run it again with --fresh" in " ".join(shown.output.split())
    assert only_result() == before
    played.named = ""
    assert run(bench, "--probe", "nota").exit_code == 0
    assert only_result().probes != probes


def test_answers_of_another_model_are_asked_again(
    bench: Bench, project: Path, quiz: Path, played: Played
) -> None:
    write_card(project, played.url, views="letters")
    played.fault = breaks
    assert run(bench).exit_code == 1
    played.fault, played.named, before = lambda *_: None, "larger", len(played.requests)
    shown = run(bench)
    assert shown.exit_code == 0
    text = " ".join(shown.stderr.split())
    assert "the server now has another model or abilities: 8 questions are asked again" in text
    assert any("Which number is 0?" in str(body) for *_, body in played.requests[before:])
    server = only_result().provenance.server
    assert server
    assert server.model == "larger"


def test_a_server_with_other_abilities_is_asked_again(
    bench: Bench, project: Path, quiz: Path, played: Played
) -> None:
    """Records of all views and of letters alone are not mixed."""

    write_card(project, played.url)
    played.fault = breaks
    assert run(bench).exit_code == 1
    played.fault, played.echo = lambda *_: None, False
    assert run(bench).exit_code == 0
    assert set(only_result().metrics.views) == {"letter"}


def test_a_latency_that_is_missing_is_measured_later(
    bench: Bench, project: Path, quiz: Path, played: Played
) -> None:
    write_card(project, played.url, views="letters")
    assert run(bench).exit_code == 0
    assert only_result().cost.alone is None
    assert run(bench, "--latency").exit_code == 0
    assert only_result().cost.alone


def test_a_server_writes(bench: Bench, project: Path, quiz: Path, played: Played) -> None:
    played.most = None
    write_card(project, played.url)
    quiz.write_text(
        f"{quiz.read_text('utf-8')}generate: {{prompt: '{{{{ question }}}} Reply:', max_new_tokens: 20}}\n",
        encoding="utf-8",
    )
    shown = run(bench, "--generate", "--prompt", "plain,chat")
    assert shown.exit_code == 0, shown.stderr
    assert len(done()) == 2
    for one in done():
        assert isinstance(one.result, DoneResult)
        assert one.result.metrics.statuses == {"parsed": 40}
        assert one.result.cost.new_tokens == 40 * 4


def test_settings_that_change_no_number_change_no_id(
    bench: Bench, project: Path, anatomy: Path, played: Played
) -> None:
    write_card(project, played.url, views="letters")
    assert run(bench, task="anatomy").exit_code == 0
    write_card(project, played.url, views="letters", concurrency=7, timeout=9)
    assert "done before" in run(bench, task="anatomy").stderr
    write_card(project, played.url, views="all")
    assert "done before" not in run(bench, task="anatomy").stderr


def test_no_key_is_in_any_file_or_message(
    bench: Bench, project: Path, quiz: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVED_KEY", KEY)
    write_card(project, played.url, key="SERVED_KEY", views="letters")
    shown = run(bench)
    assert shown.exit_code == 0
    played.fault = lambda _path, headers, _body: (401, {}, {"error": {"message": str(headers)}})
    failed = run(bench, "--fresh")
    assert failed.exit_code == 1
    assert "Bearer …" in failed.stderr
    assert bench("leaderboard", "build", "--out", "site").exit_code == 0
    assert KEY not in shown.output + failed.output
    for path in project.rglob("*"):
        assert not path.is_file() or KEY not in path.read_text("utf-8", "replace"), path


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "ftp://127.0.0.1/v1"}, "settings.url: must be an address such as http://127.0.0.1:8080/v1"),
        ({"url": f"http://me:{KEY}@127.0.0.1/v1"}, "settings.url: must have no user name, password or query"),
        (
            {"url": f"http://127.0.0.1/v1?key={KEY}"},
            "settings.url: must have no user name, password or query",
        ),
        ({"url": "http://127.0.0.1:port/v1"}, "settings.url: "),
        ({"key": KEY}, "settings.key: must be the name of an environment variable"),
        ({"model": ""}, "settings.model: "),
        ({"concurrency": 0}, "settings.concurrency: "),
        ({"timeout": float("inf")}, "settings.timeout: "),
        ({"keys": "X"}, "settings.keys: "),
    ],
)
def test_wrong_settings_are_one_sentence_without_a_key(
    bench: Bench, project: Path, quiz: Path, settings: dict[str, Any], message: str
) -> None:
    write_card(project, **({"url": "http://127.0.0.1:9/v1"} | settings))
    shown = run(bench)
    assert shown.exit_code in (1, 3)
    text = re.sub(r"\s+", " ", shown.output)
    assert message in text
    assert KEY not in text


@pytest.mark.parametrize(
    ("url", "more", "message"),
    [
        ("http://127.0.0.1:9/v1", (), "no server answers at http://127.0.0.1:9/v1; start it, or correct"),
        ("https://api.example/v1", (), "would send the questions to api.example; allow it with --send-to"),
        ("https://127.0.0.1.example/v1", (), "would send the questions to 127.0.0.1.example"),
        (
            "https://api.example/v1", ("--offline", "--send-to", "api.example"),
            "served is answered by api.example, and --offline allows only this machine",
        ),
    ],
)  # fmt: skip
def test_a_server_that_may_not_be_asked_is_unavailable(
    bench: Bench, project: Path, quiz: Path, url: str, more: tuple[str, ...], message: str
) -> None:
    write_card(project, url)
    shown = run(bench, *more)
    assert shown.exit_code == 5
    assert message in re.sub(r"\s+", " ", shown.output)
    assert not Path("results").exists() or not list(Path("results").rglob("result.json"))


def test_other_models_run_where_a_server_is_not_there(bench: Bench, project: Path, quiz: Path) -> None:
    write_card(project, "http://127.0.0.1:9/v1")
    shown = bench("run", "--models", "served,chance", "--tasks", "quiz")
    assert shown.exit_code == 0, shown.output
    assert "no server answers at http://127.0.0.1:9/v1" in shown.stderr
    assert only_result().cell.model.name == "chance"


def test_a_host_that_the_user_names_is_in_the_command(project: Path, quiz: Path) -> None:
    write_card(project, "https://api.example/v1")
    settings = Settings(trust=Trust(send_to=("other.example", "api.example")))
    cards = [read_card(project / "model_cards" / "served.yaml")]
    [cell], missing = plan(
        [read_task(quiz)], cards, [Wish(Choices())], settings, data_dir=None, offline=False
    )
    assert not missing
    assert isinstance(cell, Cell)
    assert "--send-to api.example --fresh" in cell.facts.command
    assert "other.example" not in cell.facts.command


def probe(bench: Bench, *more: str) -> Result:
    words = ("--shard-tokens", "120", "--shuffles", "2", "--offline")
    return bench("probe", "contamination", "--model", "served", "--task", "quiz", *words, *more)


def test_a_server_that_gives_the_log_probabilities_of_a_text_is_probed_for_the_published_order(
    bench: Bench, project: Path, quiz: Path, played: Played
) -> None:
    write_card(project, played.url)
    probed = probe(bench, "--json")
    assert probed.exit_code == 0, probed.stderr
    test = ContaminationTest.model_validate_json(probed.stdout)
    assert len(test.shards) == 5
    assert {shard.server for shard in test.shards} == {test.shards[0].server}
    assert "played" in test.shards[0].server
    assert bench("results", "check").exit_code == 0


@pytest.mark.parametrize("most", [100, None])
def test_a_server_that_does_not_is_told_so(
    bench: Bench, project: Path, quiz: Path, played: Played, most: int | None
) -> None:
    played.echo, played.most = False, most
    write_card(project, played.url)
    probed = probe(bench)
    assert probed.exit_code != 0
    assert "the test needs the log-probability of a given text" in probed.stderr
