"""The choice in the browser: its answers and words are Python's."""

import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator, default_rng
from playwright.sync_api import Browser, Page

from bench import wording
from bench.board.board import Row, TaskBoard, make_board
from bench.board.candidates import candidates
from bench.board.choice import Choice, choose
from bench.board.choice_facts import facts_of
from bench.board.choice_words import sentence, support, to_measure
from bench.board.clustered import clusters_on
from bench.board.limits import Limits, read_bytes, read_seconds
from bench.board.reading import read_board
from bench.errors import UsageError
from bench.inputs.cards import all_cards
from bench.results.answers import Answered
from bench.stats.across import across, guessing_p, worth
from bench.stats.clusters import clusters_of
from conftest import ROOT
from leaderboard.choice_data import choice_value
from leaderboard.lone_pages import STATIC
from leaderboard.scripts import script

pytestmark = pytest.mark.browser

Tables = Sequence[TaskBoard]
Asked = tuple[Limits, dict[str, float]]
SCRIPTS = ("statistics.js", "wording.js", "choice.js", "choice_words.js")
PAGE = """\
<!doctype html><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' file:">
<script src="data.js"></script>{}
"""
CHOOSE = """\
(asked) => {
  const opened = benchChoice.open(benchData.choice);
  const name = (each) => each.name;
  return asked.map(([limits, weights]) => {
    const choice = opened.choose(limits, weights);
    const { answer, price, better } = choice;
    return {
      because: benchChoice.support(choice),
      kind: answer.kind,
      parts: benchChoice.sentenceParts(choice).map((part) => part?.name ?? part),
      tied: choice.fitting.filter(({ tied }) => tied).map(name),
      fitting: choice.fitting.map(name),
      scores: choice.fitting.map(({ score }) => score),
      beyond: choice.beyond.map((each) => [each.name, each.over]),
      unclear: choice.unclear.map((each) => [each.name, each.unknown]),
      excluded: choice.excluded.map((each) => [each.name, each.over]),
      holes: choice.holes.map(name),
      baselines: choice.baselines.map(name),
      machines: choice.machines,
      price: price && [price.best.name, price.difference, price.margin],
      better: better && better.name,
      detectable: choice.detectable,
      not_measured: benchChoice.toMeasure(choice),
    };
  });
}
"""
COMPARE = """\
(weights) => {
  const field = benchChoice.open(benchData.choice).fieldOf(weights);
  const table = (of) => field.models.map((_, first) => field.models.map((_, second) => of(first, second)));
  return {
    names: field.models.map(({ name }) => name),
    scores: field.scores,
    guessing: field.guessing,
    difference: table(field.difference),
    margin: table(field.margin),
    p: table(field.p),
  };
}
"""
FORMAT = """\
(values) => {
  const { size, number, latency, percent, points } = benchWording;
  return values.map((value) => [
    size(Math.floor(value)), number(value), latency(value), percent(value / 100, 0),
    [points(value / 100), points(0 - value / 100)],
  ]);
}
"""
READ = "([kind, text]) => benchChoice.readLimit(kind, text)"
KINDS = {
    "nothing measured": "nothing",
    "use none": "none",
    "one best": "one",
    "cheapest of the best": "cheapest",
}
CARD = "name", "title", "architecture", "license", "trained_on"
COST = "peak_memory_bytes", "peak_device_memory_bytes", "weights_bytes", "model_bytes", "joules"
EACH_TASK = {"small": (37, (3, 4, 5)), "two": (150, (2,)), "four": (100, (4,)), "mixed": (60, (4, 5))}
"""Questions, and the numbers of options that they have."""


Opener = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Opens a page, from the disk, that has only the scripts and the data of a board."""
    pages: list[Page] = []

    def open_page(tables: Tables, *, with_answers: bool = True) -> Page:
        for name in SCRIPTS:
            shutil.copy(STATIC / name, tmp_path)
        weights = {table.task.name: 1.0 for table in tables}
        data = script("choice", choice_value(tables, weights, with_answers=with_answers))
        assert with_answers or '"right":' not in data
        (tmp_path / "data.js").write_text(data, encoding="utf-8")
        tags = "".join(f'<script src="{name}"></script>' for name in SCRIPTS)
        (tmp_path / "page.html").write_text(PAGE.format(tags), encoding="utf-8")
        pages.append(browser.new_page())
        pages[-1].goto((tmp_path / "page.html").as_uri())
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()


def in_browser(page: Page, asked: Sequence[Asked]) -> list[dict[str, Any]]:
    return page.evaluate(CHOOSE, [[asdict(limits), weights] for limits, weights in asked])


def in_python(choice: Choice) -> dict[str, Any]:
    facts: dict[str, Any] = facts_of(choice)
    answer, price = facts["answer"], choice.price
    may_be_best = [answer.get("model"), *answer.get("others", ()), *answer.get("unproven", ())]
    text, name = sentence(choice), answer.get("model")
    before, after = ("Use ", text[4 + len(name) :]) if name else (text, "")
    return {
        "because": support(choice),
        "kind": KINDS[answer["kind"]],
        "parts": [before, name, after],
        "tied": sorted(filter(None, may_be_best)),
        "fitting": [each.candidate.name for each in choice.fitting],
        "scores": [each.score for each in choice.fitting],
        "beyond": [[each.candidate.name, list(each.over)] for each in choice.beyond],
        "unclear": [[each.candidate.name, list(each.unknown)] for each in choice.unclear],
        "excluded": [[each.name, list(words)] for each, words in choice.excluded],
        "holes": [each.name for each in choice.holes],
        "baselines": [each.candidate.name for each in choice.baselines],
        "machines": list(choice.machines),
        "price": price and [price.best.candidate.name, price.difference, pytest.approx(price.margin)],
        "better": facts["better"],
        "detectable": choice.detectable and pytest.approx(choice.detectable),
        "not_measured": [list(pair) for pair in to_measure(choice)],
    }


def assert_equal(page: Page, tables: Tables, asked: Sequence[Asked]) -> Counter[str]:
    """Every choice is the same in both; returns how often there was each kind of answer."""
    kinds: Counter[str] = Counter()
    for (limits, weights), browsers in zip(asked, in_browser(page, asked), strict=True):
        pythons = in_python(choose(tables, weights, limits))
        if browsers["kind"] in ("one", "cheapest"):
            browsers["tied"].sort()
        else:
            assert browsers["tied"] == []
        assert browsers == pythons, (limits, weights)
        kinds[browsers["kind"]] += 1
    return kinds


def run_of(
    base: Answered, task: str, right: Sequence[bool], options: Sequence[int], **facts: Any
) -> Answered:
    """A run with those answers. `facts` are of its card, its cost and its provenance."""
    result, cell = base.result, base.result.cell
    name, number = facts["name"], len(right)
    pick: Callable[..., dict[str, Any]] = lambda *keys: {key: facts[key] for key in keys if key in facts}  # noqa: E731
    alone = facts.get("p50") and result.cost.batched
    latency = alone and alone.model_copy(update=pick("p50", "p95", "seconds") | {"questions": 20})
    rows = cell.data["test"].model_copy(update={"rows": number})
    accuracy = result.metrics.accuracy.model_copy(update={"total": number})
    command = f"bench run --models {name} --tasks {task} --dtype bfloat16 --fresh"
    cell_update = pick("weights") | {
        "id": f"{facts.get('weights', 'none')[:4]}{name}-{task}{facts.get('finished', '')}",
        "task": cell.task.model_copy(update={"name": task, "title": task.title()}),
        "model": cell.model.model_copy(update=pick(*CARD)),
        "data": cell.data | {"test": rows},
        "variant": cell.variant.model_copy(update=pick("dtype")),
        "command": command,
    }
    update = pick("imported") | {
        "cell": cell.model_copy(update=cell_update),
        "cost": result.cost.model_copy(update=pick(*COST) | {"alone": latency or None}),
        "metrics": result.metrics.model_copy(update={"accuracy": accuracy}),
        "provenance": result.provenance.model_copy(update=pick("processor", "finished")),
    }
    answers = replace(base.answers, right=np.array(right, dtype=np.bool_), options=tuple(options), views={})
    return Answered(base.folder / name / task, result.model_copy(update=update), answers)


def options_of(draw: Generator) -> dict[str, list[int]]:
    return {task: draw.choice(kinds, number).tolist() for task, (number, kinds) in EACH_TASK.items()}


def played_model(
    base: Answered, draw: Generator, options: Mapping[str, list[int]], name: str, skill: float, **facts: Any
) -> list[Answered]:
    """Runs of a model on the tasks, with the costs and the gaps that boards have."""
    holes = {task for task in options if draw.random() < 0.08 and "architecture" not in facts}
    facts = {
        "name": name,
        "title": name.title(),
        "license": draw.choice(["mit", "Apache-2.0", "gemma", ""]),
    } | facts
    facts["processor"] = draw.choice(["first", "second"]).item()
    memory, speed, keeps_seconds = int(draw.lognormal(22, 1)), draw.lognormal(-1, 1.5), draw.random() < 0.5
    facts["peak_device_memory_bytes"] = memory if draw.random() < 0.3 else None
    runs: list[Answered] = []
    for task, counts in options.items():
        chance = 1 / np.array(counts)
        right = draw.random(len(counts)) < chance + skill * (1 - chance)
        p50 = None if draw.random() < 0.02 else digits(speed * draw.uniform(1, 2), 3)
        seconds = np.sort(speed * draw.uniform(0.8, 3, 20)).tolist()
        facts |= {
            "p50": p50,
            "p95": p50 and 2 * p50,
            "seconds": seconds if keeps_seconds else (),
            "joules": None if draw.random() < 0.1 else 40 * speed * len(counts),
            "weights_bytes": None if draw.random() < 0.02 else memory // 2,
            "model_bytes": None if draw.random() < 0.1 else memory // 3,
            "peak_memory_bytes": None if draw.random() < 0.02 else int(memory * draw.uniform(1, 1.3)),
        }
        if "imported" in facts:  # other programs report neither
            facts |= {"processor": "fourth", "p50": None, "peak_memory_bytes": None}
            facts["peak_device_memory_bytes"] = None
        runs += [run_of(base, task, right.tolist(), counts, **facts)] if task not in holes else []
        if draw.random() < 0.3:  # the same on another machine, and earlier
            other = {"processor": "third", "finished": "2020-01-01T00:00:00+00:00"}
            runs.append(run_of(base, task, right[::-1].tolist(), counts, **facts | other))
        elif draw.random() < 0.3 and task not in holes:  # the very same on another machine
            other = {"processor": "third", "p50": None, "peak_memory_bytes": memory // 2}
            runs[-1] = replace(
                runs[-1], elsewhere=(run_of(base, task, right.tolist(), counts, **facts | other).result,)
            )
    return runs


def played_board(base: Answered, draw: Generator, skills: Sequence[float]) -> tuple[TaskBoard, ...]:
    """A board of models with these skills, from 0 for guessing to 1 for all right, and of two baselines."""
    options = options_of(draw)
    runs = [
        run
        for number, skill in enumerate(skills)
        for run in played_model(base, draw, options, f"model{number}", skill)
    ]
    for name, skill in (("words", 0.1), ("letter", 0.0)):
        runs += played_model(base, draw, options, name, skill, architecture="baseline")
    runs += played_model(base, draw, options, "tuned", 0.5, trained_on=("two",))
    runs += played_model(base, draw, options, "imported", 0.5, imported="lm-eval 0.4.9")
    runs += played_model(base, draw, options, "model0", 0.3, weights="other")  # a namesake
    runs += played_model(base, draw, options, "model0", 0.2, dtype="float16")  # also of 16 bits
    cards = [file.card for file in all_cards()][: int(draw.integers(0, 6))]
    cards += [run.result.cell.model for run in runs[:: len(runs) // 3]]  # of models that have runs
    cards = list({card.name: card for card in cards}.values())
    tables = make_board(runs, cards, []).tasks
    return tuple(tables[at] for at in draw.permutation(len(tables)))


def digits(value: float, number: int) -> float:
    """A value as people type it, with so many significant digits."""
    return float(f"{value:.{number}g}")


def random_limits(draw: Generator, tables: Tables) -> Limits:
    """Each limit of the form in some cases only, near to what the models need, and at times exactly that."""
    needs = [each.needs for each in candidates(tables)]

    def limit(cost: str) -> Any:
        known = [value for each in needs if (value := getattr(each, cost)) is not None]
        if not known or draw.random() < 0.7:
            return None
        value = known[draw.integers(len(known))] * float(draw.choice([0.5, 1.0, 1.0, 1.7, 3.0]))
        return int(value) if cost in ("memory", "disk") else digits(value, 4)

    licence = draw.choice(["", "", "", "permissive", "mit", "Gemma", "none"])
    costs = {cost: limit(cost) for cost in ("memory", "p50", "disk")}
    machines = sorted({machine for each in candidates(tables) for machine in each.machines})
    machine = draw.choice(["", "", "", *machines, "elsewhere"]).item()
    return Limits(**costs, licence=str(licence), machine=machine)


def random_weights(draw: Generator, tables: Tables) -> dict[str, float]:
    names = [table.task.name for table in tables]
    chosen = draw.permutation(names)[: draw.integers(1, len(names) + 1)].tolist()
    kind = draw.integers(3)
    weights = {name: (1.0, float(draw.integers(1, 4)), draw.uniform(0.1, 3))[kind] for name in chosen}
    return weights | ({"absent": 1.0} if draw.random() < 0.03 else {})


def random_asked(draw: Generator, tables: Tables, number: int) -> list[Asked]:
    return [(random_limits(draw, tables), random_weights(draw, tables)) for _ in range(number)]


def test_on_random_limits_and_tasks_the_answer_and_its_words_are_pythons(
    base: Answered, opened: Opener
) -> None:
    """Also from totals alone, as a site without questions has them."""
    kinds: Counter[str] = Counter()
    for seed, highest in enumerate((0.15, 0.3, 0.6, 0.9)):
        draw = default_rng(seed)
        sizes: Mapping[str, int] = {"two": 4, "mixed": 3} if seed in (1, 2) else {}
        tables = in_clusters(played_board(base, draw, draw.uniform(0, highest, 12).tolist()), sizes)
        page = opened(tables, with_answers=seed % 2 == 0)
        kinds += assert_equal(page, tables, random_asked(draw, tables, 60))
    assert kinds.keys() == set(KINDS.values())
    assert min(kinds.values()) > 10


def test_on_the_committed_results_the_answer_and_its_words_are_pythons(opened: Opener) -> None:
    board, _ = read_board(ROOT / "results", all_cards())
    asked = [(Limits(), {table.task.name: 1.0 for table in board.tasks})]
    asked += random_asked(default_rng(0), board.tasks, 60)
    kinds = assert_equal(opened(board.tasks), board.tasks, asked)
    assert kinds.keys() == {"none", "nothing"}


def in_clusters(tables: Tables, sizes: Mapping[str, int]) -> list[TaskBoard]:
    """The tables with the questions of some tasks in clusters, up to so many in each."""
    return [
        replace(table, rows=tuple(_in_clusters(row, sizes[table.task.name]) for row in table.rows))
        if table.task.name in sizes
        else table
        for table in tables
    ]


def _in_clusters(row: Row, size: int) -> Row:
    number = len(row.answers.right)
    codes = np.arange(number) // default_rng(1).integers(1, size + 1) if size < number else np.zeros(number)
    clusters = clusters_of([str(code) for code in codes.tolist()])
    return replace(row, run=replace(row.run, answers=replace(row.answers, clusters=clusters)))


@pytest.mark.parametrize("sizes", [{}, {"four": 5, "two": 3}, {"mixed": 4, "small": 100}], ids=str)
@pytest.mark.parametrize(
    "weights",
    [{"four": 1.0}, {"mixed": 1.0}, {"four": 1.0, "mixed": 2.5, "small": 1.0, "two": 0.3}],
    ids=["four", "mixed", "all"],
)
@pytest.mark.parametrize("with_answers", [True, False])
def test_scores_and_probabilities_are_pythons(
    base: Answered, opened: Opener, weights: dict[str, float], sizes: dict[str, int], *, with_answers: bool
) -> None:
    """On questions of one task, McNemar's; over several, enumerated for some pairs and normal for others.

    In clusters of up to so many questions they are the sign-flip test's.
    """
    draw = default_rng(9)
    tables = in_clusters(played_board(base, draw, [0.0, 0.02, 0.2, 0.22, 0.5, 0.55, 0.9, 0.95]), sizes)
    compared = opened(tables, with_answers=with_answers).evaluate(COMPARE, weights)
    used = [table for table in tables if table.task.name in weights]
    names = [table.task.name for table in used]
    complete = [each for each in candidates(used) if not each.lacks(tuple(weights))]
    assert compared["names"] == [each.name for each in complete]
    right = [np.array([each.rows[name].answers.right for each in complete]) for name in names]
    chance, shares = np.array([table.chance for table in used]), np.array([weights[name] for name in names])
    expected = across(right, chance, shares, clusters=[clusters_on(table) for table in used])
    worths = worth(np.array([float(len(each[0])) for each in right]), chance, shares)
    correct = np.stack([each.sum(axis=1) for each in right], axis=-1).astype(np.float64)
    options = [table.rows[0].answers.options for table in used]
    assert compared["scores"] == expected.scores.tolist()
    assert compared["difference"] == expected.difference.tolist()
    np.testing.assert_allclose(compared["margin"], expected.margin, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(compared["p"], expected.p, rtol=1e-9)
    guessing = guessing_p(correct, options, worths)
    np.testing.assert_allclose(compared["guessing"], guessing, rtol=1e-9, atol=1e-15)
    assert len(set(compared["guessing"])) > 2


def test_a_board_without_models_and_one_with_a_single_model_are_answered(
    base: Answered, opened: Opener
) -> None:
    for number in (0, 1):
        runs = [
            run_of(base, "four", [True] * 90 + [False] * 10, [4] * 100, name=f"model{at}")
            for at in range(number)
        ]
        tables = make_board(runs, [file.card for file in all_cards()][:2], []).tasks
        limits = [Limits(), Limits(memory=1), Limits(licence="permissive")]
        asked = [
            (limit, weights) for limit in limits for weights in ({"four": 1.0}, {"four": 1.0, "two": 1.0})
        ]
        assert_equal(opened(tables), tables, asked)


def test_models_that_have_no_task_in_common_are_answered(base: Answered, opened: Opener) -> None:
    tasks = ("one", "two", "three")
    runs = [run_of(base, task, [True] * 30, [4] * 30, name=f"model{task}") for task in tasks]
    tables = make_board(runs, [], []).tasks
    every = dict.fromkeys(tasks, 1.0)
    kinds = assert_equal(opened(tables), tables, [(Limits(), every), (Limits(p50=1.0), {"one": 2.0})])
    assert kinds == {"nothing": 2}


@pytest.mark.parametrize(
    ("read", "kind", "texts"),
    [
        (read_bytes, "memory", ("4GB", " 1.5 gb", "512MiB", "0.3 B", "1.0000000001kB")),
        (read_bytes, "disk", (".5TB", "2tib", "7 kib")),
        (read_seconds, "p50", ("500ms", "1.5 s", "2min", "0.1S")),
    ],
)
def test_a_typed_limit_is_read_as_pythons(
    opened: Opener, read: Callable[[str], float], kind: str, texts: tuple[str, ...]
) -> None:
    page = opened(())
    for text in texts:
        assert page.evaluate(READ, [kind, text]) == {"value": read(text)}
    for text in ("4 gigs", "-4GB", "0GB", "4,5GB", "nanGB", "\u0664GB", "1e999GB", "abc", "ms", "1.GB"):
        with pytest.raises(UsageError) as error:
            read(text)
        sentence_before_examples = str(error.value).partition(", such as")[0]
        assert page.evaluate(READ, [kind, text])["error"].startswith(sentence_before_examples)


def test_a_typed_limit_without_a_unit_has_that_of_the_form_and_nothing_is_no_limit(opened: Opener) -> None:
    page = opened(())
    for kind, value in (("memory", 4e9), ("disk", 4e9), ("p50", 0.004)):
        assert page.evaluate(f"benchChoice.readLimit('{kind}', '4')") == {"value": value}
        assert page.evaluate(f"benchChoice.readLimit('{kind}', ' ')") == {"value": None}


def test_numbers_are_formatted_as_pythons(opened: Opener) -> None:
    """Halves are rounded to the even digit, as Python does, and never as scripts do."""
    draw = default_rng(3)
    values = [0.0, 0.25, 0.75, 0.125, 0.5, 1.5, 2.5, 9.995, 10.25, 99.95, 99.5, 100.5, 101.5, 999.5, 1.005]
    values += [59.94, 59.95, 59.96, 60.5, 61.5, 119.5, 999.4999, 999.51e6, 999_500, 1234.5, 1e12, 2.345e13]
    values += [*(10 ** draw.uniform(-4, 13, 300)).tolist(), *(draw.integers(0, 4000, 100) / 16).tolist()]
    texts = opened(()).evaluate(FORMAT, values)
    for value, (size, number, latency, percent, points) in zip(values, texts, strict=True):
        assert size == wording.size(math.floor(value))
        assert (number, latency) == (wording.number(value), wording.latency(value))
        assert percent == wording.percent(value / 100, 0)
        assert points == [wording.points(value / 100), wording.points(0 - value / 100)], value
