"""What installed packages add: listed by name, loaded when asked for, checked."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.engines.kinds import ENGINES
from bench.errors import BenchError, UsageError
from bench.plugins import Registry
from outside import install as install_package

Install = Callable[[str, str], None]


@dataclass(frozen=True)
class Colour:
    name: str


COLOURS = Registry("bench.test_colours", "colour", Colour, {"red": Colour("red")})


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package on the path that declares this colour."""

    def put(name: str, value: str) -> None:
        install_package(tmp_path, monkeypatch, {COLOURS.group: {name: value}}, package="paints 2.1")

    return put


def test_a_row_of_another_package_is_listed_after_ours_and_loaded_by_name(install: Install) -> None:
    install("blue", "test_plugins:BLUE")
    assert COLOURS.names() == ["red", "blue"]
    assert COLOURS.get("blue") == BLUE
    assert COLOURS.all() == {"red": Colour("red"), "blue": BLUE}
    assert COLOURS.package("blue") == "paints 2.1"
    assert COLOURS.package("red") == ""


BLUE = Colour("blue")


def test_a_row_of_ours_is_never_replaced_from_outside(install: Install) -> None:
    install("red", "test_plugins:BLUE")
    assert COLOURS.all() == {"red": Colour("red")}
    assert COLOURS.package("red") == ""


@pytest.mark.parametrize("place", [0, -1], ids=["before ours on the path", "after ours"])
def test_an_engine_of_ours_is_never_replaced_though_it_is_an_entry_point_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    ours = ENGINES.get("chance")
    install_package(tmp_path, monkeypatch, {ENGINES.group: {"chance": "test_plugins:BLUE"}})
    without = [entry for entry in sys.path if entry != str(tmp_path)]
    path = [str(tmp_path), *without] if place == 0 else [*without, str(tmp_path)]
    monkeypatch.setattr(sys, "path", path)
    assert ENGINES.get("chance") is ours


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="no colour is named 'rad'; did you mean 'red'"):
        COLOURS.get("rad")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module:X", "'odd' of paints 2.1 cannot be loaded: ModuleNotFoundError"),
        ("test_plugins:NO_SUCH", "'odd' of paints 2.1 cannot be loaded: AttributeError"),
        ("test_plugins:Path", "'odd' of paints 2.1 is not a Colour: test_plugins:Path is a type"),
    ],
)
def test_a_broken_row_names_its_package_and_breaks_only_itself(
    install: Install, value: str, message: str
) -> None:
    install("odd", value)
    assert COLOURS.names() == ["red", "odd"]
    assert COLOURS.get("red") == Colour("red")
    with pytest.raises(BenchError, match=message):
        COLOURS.get("odd")
