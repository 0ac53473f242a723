"""A variant's choices: written once, read from flags and sweep files, repeated by a run's command."""

import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.cells.cell import Cell, NeedsTuning, Runnable
from bench.cells.plan import plan
from bench.cells.wish import Settings, wishes_of
from bench.cli import main
from bench.cli.choices import ChosenFlags
from bench.cli.run import run
from bench.errors import BenchError, UsageError
from bench.inputs.cards import CardFile
from bench.inputs.choices import Choices, choices_model, flag, flags_of
from bench.inputs.task import read_task
from bench.results.files import read_result
from conftest import TASK
from outside import install as install_package
from tiny import save_causal, tiny_card

Bench = Callable[..., Result]
PACKAGE = """\
from typing import Annotated, Literal
from pydantic import Field
from bench.engines.baseline import CHANCE
from bench.engines.kinds import EngineKind, Standalone
from bench.inputs.choices import Choice

WINDOW = Choice(Annotated[int, Field(ge=1, le=9)], "Questions that the model sees at once.")
SCALE = Choice(Annotated[float, Field(gt=0)], "A factor.")
PATIENT = Choice(bool, "Whether to wait.")
CLOCK = Choice(Literal["fast", "slow"], "A speed.")
NOTE = Choice(str, "A word.")
LIST = Choice(list[int], "Numbers.")

def windowed(opening):
    if opening.more != {"window": 5}:
        raise ValueError(f"the window is not 5: {opening.more}")
    return CHANCE.opens.open(opening)

WINDOWED = EngineKind(
    reads="item",
    architectures=frozenset({"baseline"}),
    choices=frozenset({"window"}),
    opens=Standalone(windowed),
)
"""
WINDOW = "window = windows:WINDOW"
ALL = (
    f"{WINDOW}\nscale = windows:SCALE\npatient = windows:PATIENT\nclock = windows:CLOCK\nnote = windows:NOTE"
)


@pytest.fixture
def install(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a package on the path that adds these choices, and an engine that wants one of them."""

    def put(choices: str) -> None:
        points = {
            "bench.choices": dict(line.split(" = ") for line in choices.splitlines()),
            "bench.engines": {"windowed": "windows:WINDOWED"},
        }
        install_package(project / "site", monkeypatch, points, PACKAGE, "windows 1.0")

    return put


def add_windowed(project: Path) -> None:
    (project / "model_cards").mkdir()
    (project / "model_cards" / "mine.yaml").write_text(
        "name: mine\ntitle: Mine\nfamily: mine\nlicense: mit\narchitecture: baseline\nengine: windowed\n",
        encoding="utf-8",
    )


def rows(done: Result) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def params_of(*words: str) -> dict[str, Any]:
    """What the command line makes of the words after `bench run`."""
    return run.make_context("run", list(words), parent=main.make_context("bench", ["run"])).params


def flags(*words: str) -> ChosenFlags:
    chosen = params_of("-m", "chance", *words)["choices"]
    assert isinstance(chosen, ChosenFlags)
    return chosen


def test_a_choice_from_another_package_is_a_flag_a_key_and_a_part_of_the_run(
    install: Callable[[str], None], anatomy: Path, project: Path, bench: Bench
) -> None:
    add_windowed(project)
    install("")
    plain = ("run", "-m", "mine", "-t", "anatomy", "--dry-run", "--json")
    [before] = rows(bench(*plain))
    install(WINDOW)
    assert "--window N[,...]" in bench("run", "--help").stdout
    assert rows(bench(*plain)) == [before], "without the choice nothing changes, the identity neither"
    several = rows(bench(*plain, "--window", "5,9"))
    assert [row["variant"] for row in several] == ["baseline-window=5", "baseline-window=9"]
    assert len({row["folder"] for row in [before, *several]}) == 3
    (project / "sweep.yaml").write_text("models: [mine]\ntasks: [anatomy]\nvariants:\n  - {window: 5}\n")
    assert rows(bench("run", "--sweep", "sweep.yaml", "--dry-run", "--json")) == several[:1]
    done = bench("run", "--sweep", "sweep.yaml")
    assert done.exit_code == 0, done.output
    [path] = (project / "results").rglob("result.json")
    facts = read_result(path).cell
    assert facts.variant.more == {"window": 5}
    assert facts.command == "bench run --models mine --tasks anatomy --window 5 --fresh"
    [again] = rows(bench(*shlex.split(facts.command)[1:], "--dry-run", "--json"))
    assert project / again["folder"] == path.parent


def test_a_wrong_value_of_a_choice_is_named_by_its_flag_or_by_file_line_and_key(
    install: Callable[[str], None], project: Path, bench: Bench
) -> None:
    install(WINDOW)
    result = bench("run", "-m", "chance", "--window", "1,10")
    assert result.exit_code == 2
    assert "Invalid value for '--window': 10 is not in the range 1<=x<=9." in result.stderr
    result = bench("run", "-m", "chance", "--lora-minutes", "inf")
    assert (result.exit_code, result.stderr) == (
        2,
        "bench: --lora-minutes: Input should be a finite number\n",
    )
    (project / "sweep.yaml").write_text(
        "models: [chance]\n"
        "variants:\n"
        "  - {window: 10}\n"
        "  - dtype: float32\n"
        "    samples: 3\n"
        "  - {lora: quick, adapter: mine}\n"
        "  - {windows: 5}\n"
    )
    result = bench("run", "--sweep", "sweep.yaml")
    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        "sweep.yaml:3: variants.0.window: expected a number of 9 or less, not 10",
        "sweep.yaml:5: variants.1.samples: needs generate: true",
        "sweep.yaml:6: variants.2.adapter: lora and adapter are two variants: write each on its own",
        "sweep.yaml:7: variants.3.windows: unknown key; did you mean 'window'?",
    ]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ("dtype = windows:WINDOW", "the choice 'dtype' of windows 1.0: its name is taken"),
        ("made = windows:WINDOW", "the choice 'made' of windows 1.0: its name is taken"),
        ("Window = windows:WINDOW", "the choice 'Window' of windows 1.0: its name is taken, or is not lower"),
        ("limit = windows:WINDOW", "the choice 'limit' of windows 1.0 has the same name as another flag"),
        (
            "numbers = windows:LIST",
            "the choice 'numbers' of windows 1.0 has a type that is not supported for flags",
        ),
        ("numbers = windows:PACKAGE", "the choice 'numbers' of windows 1.0 cannot be loaded"),
    ],
)
def test_a_choice_that_cannot_be_one_names_its_package(
    install: Callable[[str], None], choices: str, message: str
) -> None:
    install(choices)
    with pytest.raises(BenchError, match=message):
        flags()


def test_every_choice_has_a_help_text_and_a_flag(install: Callable[[str], None], bench: Bench) -> None:
    install(ALL)
    properties = choices_model().model_json_schema()["properties"]
    assert [name for name, schema in properties.items() if not schema.get("description")] == []
    shown = bench("run", "--help").stdout
    assert [name for name in properties if f" {flag(name)} " not in shown] == []


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Any value that a choice with this JSON schema can have."""
    match next(part for part in schema["anyOf"] if part["type"] != "null"):
        case {"enum": words}:
            return st.sampled_from(words)
        case {"type": "integer"} as number:
            return st.integers(number.get("minimum"), number.get("maximum"))
        case {"type": "number"} as number:
            low, above = number.get("minimum"), number.get("exclusiveMinimum")
            lowest = above if low is None else low
            return st.floats(lowest, number.get("maximum"), exclude_min=low is None, allow_infinity=False)
        case {"type": "boolean"}:
            return st.booleans()
        case {"pattern": pattern}:
            return st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)
        case text:
            return st.text(min_size=text.get("minLength", 0))


def possible(made: dict[str, Any]) -> dict[str, Any]:
    """Without what a choice excludes."""
    needless = {"samples", "temperature", "max_new_tokens"} if not made.get("generate") else set[str]()
    needless |= {"lora"} if "adapter" in made else set()
    return {name: value for name, value in made.items() if name not in needless}


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_flags_of_any_choices_make_these_choices_again(
    data: st.DataObject, installed: type[Choices]
) -> None:
    schemas = installed.model_json_schema()["properties"]
    each = {name: values(schema) for name, schema in schemas.items()}
    choices = installed.model_validate(possible(data.draw(st.fixed_dictionaries({}, optional=each))))
    [again] = flags(*flags_of(choices.made)).variants()
    assert again.made == choices.made


@pytest.fixture
def installed(install: Callable[[str], None]) -> type[Choices]:
    install(ALL)
    return choices_model()


def test_several_values_of_several_flags_give_every_combination() -> None:
    chosen = flags("--quantize", "none, nf4,none", "--exemplars", "0,5")
    assert chosen.variants() == tuple(
        Choices(exemplars=exemplars, quantize=quantize)
        for exemplars in (0, 5)
        for quantize in ("none", "nf4")
    )


def test_an_adapter_stands_for_itself_and_lora_beside_it_counts_too() -> None:
    one, other = Choices(adapter="a"), Choices(adapter="b,c")
    adapters = ("--adapter", "a", "--adapter", "b,c")
    assert flags(*adapters).variants() == (one, other)
    loras = (Choices(lora="none"), Choices(lora="quick"))
    assert flags("--lora", "none,quick", *adapters).variants() == (*loras, one, other)
    assert flags("--lora", "none").variants([one]) == (Choices(lora="none"), one)
    assert flags("--adapter", "a").variants([Choices(lora="quick")]) == (Choices(lora="quick"), one)


def test_flags_replace_the_same_choice_of_every_variant_of_a_file() -> None:
    written = [Choices(dtype="float32", generate=True, samples=3), Choices(exemplars=2)]
    assert flags("--dtype", "auto", "--exemplars", "1").variants(written) == (
        Choices(dtype="auto", exemplars=1, generate=True, samples=3),
        Choices(dtype="auto", exemplars=1),
    )
    with pytest.raises(UsageError, match=r"^--samples needs --generate$"):
        flags("--no-generate").variants(written)
    with pytest.raises(UsageError, match=r"^--samples needs --generate; --temperature needs --generate$"):
        flags("--samples", "2", "--temperature", "1").variants()


def planned(task: Path, card: CardFile, variants: Sequence[Choices], settings: Settings) -> Cell:
    wishes = wishes_of(variants, offline=True)
    [cell], [] = plan([read_task(task)], [card], wishes, settings, data_dir=None, offline=True)
    assert isinstance(cell, Runnable)
    return cell.cell if isinstance(cell, NeedsTuning) else cell


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (Choices(), "--seed 7"),
        (Choices(dtype="auto"), "--seed 7"),
        (Choices(quantize="nf4", prompt="plain"), "--prompt plain --quantize nf4 --seed 7"),
        (Choices(exemplars=2, exemplar_choice="fixed"), "--exemplars 2 --exemplar-choice fixed --seed 7"),
        (Choices(exemplars=0, exemplar_choice="fixed"), "--exemplars 0"),
        (Choices(generate=True, samples=3), "--generate --samples 3 --seed 7"),
        (Choices(generate=True, samples=1, temperature=1), "--generate --temperature 1 --seed 7"),
        (Choices(generate=True, max_new_tokens=9), "--generate --max-new-tokens 9 --seed 7"),
        (Choices(lora="none", lora_minutes=3), "--seed 7"),
        (Choices(lora="quick", exemplars=0), "--exemplars 0 --seed 7 --lora quick"),
        (Choices(lora="quick", lora_minutes=0.5), "--seed 7 --lora quick --lora-minutes 0.5"),
    ],
)
def test_the_command_of_a_run_asks_for_the_same_cell(
    anatomy: Path, project: Path, choices: Choices, words: str
) -> None:
    generate = "generate: {prompt: '{{ question }} Think.', temperature: 0.5}\n"
    anatomy.write_text(TASK + "exemplars: 1\nexemplar_choice: per_question\n" + generate, encoding="utf-8")
    card = CardFile(card=tiny_card(save_causal(project / "m", "llama"), chat=True), path=anatomy)
    cell = planned(anatomy, card, [choices], Settings(seed=7))
    start = f"bench run --models tiny --tasks anatomy --dtype {cell.variant.dtype}"
    assert cell.facts.command == " ".join(filter(None, [start, words, "--fresh"]))
    params = params_of(*shlex.split(cell.facts.command)[2:])
    again = planned(anatomy, card, params["choices"].variants(), Settings(seed=params["seed"]))
    assert again.facts == cell.facts


def test_a_baseline_is_one_cell_whatever_is_chosen_for_its_weights(anatomy: Path, bench: Bench) -> None:
    plan = ("run", "-m", "chance", "-t", "anatomy", "--dry-run", "--json")
    [row] = rows(bench(*plan))
    assert rows(bench(*plan, "--lora", "none,quick", "--quantize", "none,nf4", "--exemplars", "0,1")) == [row]
