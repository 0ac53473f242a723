"""What the board says of models that others tuned: from which model, and on which questions."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from bench.board.descent import described, leak
from bench.board.pairs import describe_pair
from bench.inputs.cards import CardFile, all_cards
from bench.inputs.model_card import HubSource, ModelCard, PackageSource, Source
from bench.results.answers import Answered
from bench.results.result import CellFacts
from bench.stats.paired import paired
from leaderboard.build import make_site
from leaderboard.pages import pages_of, renderer
from leaderboard.site import Options, Site, content_of
from played import cell_of, fake_card, run_to_end

Bench = Callable[..., Result]
MARK = "tuned on this task&#39;s training questions"


def card_of(name: str, accuracy: float = 0.6, **facts: object) -> ModelCard:
    return fake_card(name, accuracy=accuracy).model_copy(update=facts)


def write_card(card: ModelCard) -> None:
    path = Path("model_cards") / f"{card.name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(card.model_dump(mode="json", exclude_defaults=True)), encoding="utf-8")


def html(site: Site) -> dict[str, str]:
    content = content_of(site)
    render = renderer(content)
    return {page.path: render(page).decode() for page in pages_of(content) if page.path.endswith(".html")}


@pytest.fixture
def results(quiz: Path, project: Path) -> Path:
    """Runs of a model and of one that was tuned from it, whose cards did not say so yet."""
    run_to_end(cell_of(quiz, card_of("original", 0.4)), project / "results")
    run_to_end(cell_of(quiz, card_of("medical", 0.9)), project / "results")
    return project / "results"


def cell(site: Site, name: str) -> CellFacts:
    [cell] = [run.result.cell for run in answered(site) if run.result.model_name == name]
    return cell


def answered(site: Site) -> list[Answered]:
    return [run for run in site.runs if isinstance(run, Answered)]


def site_of(results: Path, *cards: ModelCard, options: Options = Options()) -> Site:  # noqa: B008 (frozen)
    return make_site(results, [CardFile(card, Path("m.yaml")) for card in cards], options)


def test_a_model_that_had_the_training_questions_is_marked_wherever_its_score_stands(results: Path) -> None:
    pages = html(site_of(results, card_of("medical", 0.9, trained_on=("quiz",)), card_of("original", 0.4)))
    rows = re.findall(r"<tr [^>]*data-run=.*?</tr>", pages["tasks/quiz.html"], re.DOTALL)
    assert [("Medical</a>" in row, MARK in row) for row in rows] == [(True, True), (False, False)]
    assert f"{MARK.capitalize()}: Medical." in pages["index.html"], "the headline says so too"
    marked = {
        path.split("/")[0] + path.count("medical") * "!" for path, page in pages.items() if MARK in page
    }
    assert marked == {"index.html", "tasks", "models!", "runs!"}
    assert "<dt>Trained on</dt><dd>quiz</dd>" in pages["models/medical.html"]
    unmarked = html(site_of(results))
    assert not [path for path, page in unmarked.items() if MARK in page], "the mark is of the card alone"


def test_the_terminal_names_them_too(results: Path, bench: Bench) -> None:
    assert "training questions" not in bench("leaderboard", "show").stdout
    write_card(card_of("medical", 0.9, trained_on=("quiz",)))
    assert "Tuned on this task's training questions: Medical." in bench("leaderboard", "show").stdout


@pytest.mark.parametrize(
    ("named", "is_leak"),
    [
        ((), False),
        (("medqa",), False),
        (("medmcqa", "Quiz"), True),
        (("org/questions",), True),
        (("Org/Questions",), True),
        (("org/questions[test]",), False),
    ],
)
def test_training_data_are_named_by_task_or_by_data_set(
    results: Path, named: tuple[str, ...], is_leak: bool
) -> None:
    facts = cell(site_of(results), "medical")
    split = facts.data["test"].model_copy(update={"source": "org/questions[test]"})
    model = facts.model.model_copy(update={"trained_on": named})
    assert bool(leak(facts.model_copy(update={"model": model, "data": {"test": split}}))) == is_leak


def test_a_card_of_other_weights_describes_no_earlier_run(results: Path) -> None:
    other = card_of("medical", 0.9, trained_on=("quiz",), source=HubSource(hub="org/other"))
    assert not [path for path, page in html(site_of(results, other)).items() if MARK in page]


def test_a_tuned_model_is_paired_with_the_one_it_came_from(results: Path) -> None:
    site = site_of(results, card_of("medical", 0.9, base="original"), card_of("original", 0.4))
    pages = html(site)
    before, after = cell(site, "original"), cell(site, "medical")
    runs = {run.result.model_name: run for run in answered(site)}
    pair = paired(runs["original"].right, runs["medical"].right, clusters=None)
    difference = describe_pair("", "", pair).partition("second minus first: ")[2].rstrip(".")
    compare = (
        f"compare.html?task=quiz&amp;runs={before.id[:10]},{after.id[:10]}&amp;reference={before.id[:10]}"
    )
    for path, root in (
        ("tasks/quiz.html", "../"),
        ("models/medical.html", "../"),
        ("models/original.html", "../"),
    ):
        [line] = [line for line in pages[path].splitlines() if "tuned from Original: " in line]
        assert difference.replace("'", "&#39;") in line
        assert f'href="{root}{compare}"' in line
    assert (
        '<dt>Tuned from</dt><dd><a href="../models/original.html">Original</a></dd>'
        in pages["models/medical.html"]
    )
    assert (
        '<dt>Tuned versions</dt><dd><a href="../models/medical.html">Medical</a></dd>'
        in pages["models/original.html"]
    )
    assert "tuned from" not in "".join(html(site_of(results)).values()), "the pair is of the card alone"


def test_without_texts_a_pair_has_no_way_to_the_questions(results: Path) -> None:
    card = card_of("medical", 0.9, base="original")
    index = html(site_of(results, card, options=Options(texts="none")))["tasks/quiz.html"]
    assert "tuned from Original: " in index
    assert "Question by question" not in index


def test_a_base_without_a_run_is_named(results: Path) -> None:
    pages = html(site_of(results, card_of("medical", 0.9, base="org/elsewhere")))
    assert "<dt>Tuned from</dt><dd>org/elsewhere</dd>" in pages["models/medical.html"]
    assert "tuned from" not in pages["tasks/quiz.html"]


def test_the_project_s_bases_are_those_of_the_hub_too() -> None:
    """So that a card of `bench models add`, which has hub ids, is paired as well."""
    from bench.board.descent import is_base

    cards = {file.name: file.card for file in all_cards()}
    tuned = cards["medpsy-1.7b"]
    by_hub = tuned.model_copy(update={"base": "Qwen/Qwen3-1.7B"})
    for card in (tuned, by_hub):
        assert [name for name, base in cards.items() if is_base(base, card)] == ["qwen3-1.7b"]


def test_a_run_is_described_by_a_card_that_names_its_weights_more_exactly(results: Path) -> None:
    run = answered(site_of(results))[0]
    commit, digest = "a" * 40, "b" * 64
    branch, package = HubSource(hub="o/n"), PackageSource(package="p", file="m.gguf", requirement="p==1")

    def note_of(source: Source, today: Source) -> str:
        model = run.result.cell.model.model_copy(update={"source": source})
        cell = run.result.cell.model_copy(update={"model": model, "weights": commit})
        ran = replace(run, result=run.result.model_copy(update={"cell": cell}))
        [shown] = described([ran], [model.model_copy(update={"source": today, "base": "o/base"})])
        assert isinstance(shown, Answered)
        return shown.result.cell.model.base or ""

    assert note_of(branch, branch.model_copy(update={"revision": commit})) == "o/base"
    assert note_of(branch, branch.model_copy(update={"revision": "c" * 40})) == ""
    assert note_of(package, package.model_copy(update={"sha256": digest})) == "o/base"
    assert note_of(package, package.model_copy(update={"file": "other.gguf"})) == ""
