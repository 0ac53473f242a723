"""The rules of CONTRIBUTING.md and ARCHITECTURE.md that a program can check."""

import ast
import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench
import leaderboard
from bench.plugins import Registry
from conftest import ROOT

PRODUCT = sorted(path for folder in ("bench", "leaderboard") for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_FUNCTION = 40
LONGEST_FILE = 300
VAGUE = {"found", "told", "said"}
"""Names that do not say what a value is."""


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path, node: ast.stmt | ast.expr | ast.arg) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_file_of_the_product_is_longer_than_the_limit() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text("utf-8").splitlines()) for path in PRODUCT}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_function_of_the_product_is_longer_than_the_limit() -> None:
    lengths = {
        f"{place(path, node)} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in PRODUCT
        for node in functions(tree_of(path))
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def names_given(tree: ast.Module) -> Iterator[tuple[ast.stmt | ast.expr | ast.arg, str]]:
    """Every variable, parameter and function, with its name."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.FunctionDef(name=name):
                yield node, name
            case _:
                pass


def test_names_say_what_a_value_is() -> None:
    vague = [
        f"{place(path, node)} {name}"
        for path in PRODUCT
        for node, name in names_given(tree_of(path))
        if name in VAGUE
    ]
    assert vague == []


def always_true(test: ast.expr) -> bool:
    """Whether an asserted expression holds whatever the program does."""
    match test:
        case ast.Constant() | ast.JoinedStr() | ast.Lambda():
            return True
        case ast.Tuple(elts=parts):
            return bool(parts)
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            return ast.dump(left) == ast.dump(right)
        case ast.Compare(left=ast.Call(func=ast.Name(id="len")), ops=[ast.GtE()], comparators=[right]):
            return isinstance(right, ast.Constant) and right.value == 0
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(map(always_true, values))
        case _:
            return False


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("True", True),
        ("(x == 1, 'the message')", True),
        ("x == x", True),
        ("len(x) >= 0", True),
        ("x or 'a text'", True),
        ("x == y", False),
        ("len(x) >= 1", False),
        ("()", False),
    ],
)
def test_an_assertion_that_cannot_fail_is_recognised(source: str, result: bool) -> None:
    assert always_true(ast.parse(source, mode="eval").body) == result


def test_every_assertion_of_the_tests_can_fail() -> None:
    asserts = [
        (path, node) for path in TESTS for node in ast.walk(tree_of(path)) if isinstance(node, ast.Assert)
    ]
    assert [place(path, node) for path, node in asserts if always_true(node.test)] == []


def test_tracebacks_are_looked_for_only_where_they_can_be() -> None:
    """The fixture `bench` raises what the command raised, so its output never holds a traceback."""
    asserting = [
        f"{path.name}: {node.name}"
        for path in TESTS
        for node in functions(tree_of(path))
        if 'assert "Traceback" not in' in ast.unparse(node).replace("'", '"')
        and "bench" in {argument.arg for argument in node.args.args}
    ]
    assert asserting == []


def test_browser_tests_wait_by_expect() -> None:
    """The pages' Content-Security-Policy refuses `wait_for_function` as soon as it has to look twice."""
    waiting = [path.name for path in TESTS if ".wait_for_" + "function(" in path.read_text(encoding="utf-8")]
    assert waiting == []


def modules_by_alias(path: Path) -> dict[str, str]:
    """Every imported name of a file, with what it stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
    return names


def patched_constants() -> Iterator[tuple[str, str, str]]:
    """Each constant of the product that a test replaces: test file, module, name."""
    for path in TESTS:
        for node in ast.walk(tree_of(path)):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="setattr"), args=[ast.Constant(value=str(target)), *_]
                ) if re.fullmatch(r"(bench|leaderboard)\..*\._?[A-Z][A-Z_]*", target):
                    module, _, name = target.rpartition(".")
                    yield path.name, module, name
                case ast.Call(
                    func=ast.Attribute(attr="setattr"),
                    args=[ast.Name(id=alias), ast.Constant(value=str(name)), *_],
                ) if re.fullmatch(r"_?[A-Z][A-Z_]*", name):
                    yield path.name, modules_by_alias(path)[alias], name
                case _:
                    pass


def test_a_constant_is_patched_where_it_is_defined_and_imported_nowhere_by_its_name() -> None:
    """So one patch changes it for everybody."""
    patched = list(patched_constants())
    assert patched
    imported = {
        (node.module, alias.name)
        for path in PRODUCT
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for test, module, name in patched:
        tree = tree_of(Path(inspect.getfile(importlib.import_module(module))))
        assert name in {given for _, given in names_given(tree)}, f"{test}: {module} does not define {name}"
        assert (module, name) not in imported, f"{test}: {name} of {module} is copied by an import"


def test_the_layers_of_the_architecture_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## Layers")[2].partition("\n## ")[0]
    assert re.findall(r"^    (\S.*)$", text, re.MULTILINE) == layers


def registries() -> dict[str, set[str]]:
    """Every group of entry points that the code reads, with the classes of its rows."""
    rows: dict[str, set[str]] = {}
    for package in (bench, leaderboard):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("__main__") or not _has_registry(module.name):
                continue
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, Registry):
                    rows.setdefault(value.group, set()).add(value.kind.__name__)
    return rows


def _has_registry(module: str) -> bool:
    path = ROOT / Path(*module.split(".")).with_suffix(".py")
    return path.is_file() and "Registry(" in path.read_text("utf-8")


def test_everything_that_packages_can_add_is_in_contributing_with_its_row_and_an_example() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = dict(re.findall(r"`(bench\.\w+)`: an? `(\w+)`", text))
    groups = registries()
    assert rows.keys() == groups.keys()
    assert [group for group, name in rows.items() if name not in groups[group]] == []
    assert [group for group in rows if f"```python {group} " not in text] == []
    assert len(text.splitlines()) < 250


def test_every_registry_is_found() -> None:
    calls = {
        call.args[0].value
        for path in PRODUCT
        for call in ast.walk(tree_of(path))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Registry"
        if isinstance(call.args[0], ast.Constant)
    }
    assert calls == registries().keys()


def test_the_product_offers_no_engine_of_the_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    engines = project["entry-points"]["bench.engines"]
    assert sorted(engines) == ["chance", "llama.cpp", "majority", "openai", "tfidf", "transformers"]
    assert [value for value in engines.values() if not value.startswith("bench.")] == []
