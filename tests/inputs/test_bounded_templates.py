"""Templates that grow or run without limit are refused, with the line, and others are as before."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.config import Strict, read_yaml
from bench.errors import BenchError, FileError
from bench.inputs.bounded_templates import SOURCE
from bench.inputs.prompts import render, template_problems
from bench.inputs.template_budget import BUDGET
from bench.types import Item

ITEM = Item("q1", "What is it? " * 20, ("red", "blue", "green", "white"), 0)
GROWING = {
    "loops": "{% for a in question %}" * 8 + "{% endfor %}" * 8,
    "literal text in loops": "{% for a in question %}" * 2 + "x" * 6000 + "{% endfor %}" * 2,
    "a block in loops": "{% set z %}"
    + "{% for a in question %}" * 5
    + "x"
    + "{% endfor %}" * 5
    + "{% endset %}",
    "a recursive loop": "{% for a in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    "macros": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(100) }}",
    "center": "{{ question|center(10**10) }}",
    "the method center": "{{ question.center(1000000000) }}",
    "zfill": "{{ '1'.zfill(999999999) }}",
    "tabs": "{{ ('\t' * 1000).expandtabs(10000000) }}",
    "bytes": "{{ (5).to_bytes(1000000000) }}",
    "format": "{{ '%1000000000d'|format(3) }}",
    "percent": "{{ '%1000000000d' % 3 }}",
    "percent, by a value": "{{ '%*d' % (1000000000, 3) }}",
    "the method format": "{{ '{:>1000000000}'.format(3) }}",
    "the method format, by a value": "{{ '{:>{w}}'.format(3, w=1000000000) }}",
    "the method format_map": "{{ '{a:>1000000000}'.format_map({'a': 1}) }}",
    "replace": "{% set x = question|replace('a', question * 100) %}{{ x|replace('a', question * 100) }}" * 9,
    "indent": "{{ question|wordwrap(1)|indent(100000000) }}",
    "wordwrap": "{{ question|wordwrap(1, wrapstring=question * 1000) }}",
    "join": "{{ (question * 100)|join(question * 100) }}",
    "batch": "{{ question|batch(10**10, 'x')|list }}",
    "slice": "{{ question|slice(10**9)|list }}",
    "map": "{{ options|map('first')|map('center', 10**10)|list }}",
    "tojson": "{{ options|tojson(indent=1000000000) }}",
    "doubling by ~": "{% set x = 'aaaaaaaa' %}" + "{% set x = x ~ x %}" * 60 + "{{ x|length }}",
    "doubling by +": "{% set x = 'aaaaaaaa' %}" + "{% set x = x + x %}" * 60 + "{{ x|length }}",
    "doubling lists": "{% set x = [1] %}" + "{% set x = x + x %}" * 60 + "{{ x|length }}",
    "a list times": "{{ [question] * 10**10 }}",
    "powers": "{{ 9 ** (9 ** 9) }}",
    "products": "{% set x = 3 %}" + "{% set x = x * x %}" * 60 + "{{ x }}",
    "digits": "{{ 0.5|round(1000000000, 'ceil') }}",
}


@pytest.mark.parametrize("name", GROWING)
def test_what_grows_without_limit_is_refused_with_its_line(name: str) -> None:
    start = time.process_time()
    with pytest.raises(BenchError, match="prompt: the template failed on item q1, line 2 of the template: "):
        render("{{ question }}\n" + GROWING[name], ITEM)
    assert time.process_time() - start < 10


def test_a_template_of_any_length_is_refused_before_it_is_read() -> None:
    [problem] = template_problems("{{ question }}" + "x" * SOURCE)
    assert problem == f"the template has {SOURCE + 14:,} characters, and may have {SOURCE:,}"


def test_each_rendering_has_a_budget_of_its_own() -> None:
    passage = Item("q", "x" * (BUDGET // 3), ("a", "b"), 0)
    for _ in range(5):
        assert len(render("{{ question }}", passage)) == BUDGET // 3
    with pytest.raises(BenchError, match="takes more than"):
        render("{{ question }}{{ question }}{{ question }}{{ question }}", passage)


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("{% for letter, option in options %}{{ letter }}.{{ loop.index }}/{{ loop.length }} {% endfor %}",
         "A.1/4 B.2/4 C.3/4 D.4/4 "),
        ("{% for l, option in options %}{{ option|center(7) }}{% if loop.last %}.{% endif %}{% endfor %}",
         "  red    blue  green  white ."),
        ("{{ options|map('last')|map('upper')|join(', ') }}", "RED, BLUE, GREEN, WHITE"),
        ("{{ 'In {} of {:,}, {:>5.1f}'.format(2024, 7000000000, 2.5) }}", "In 2024 of 7,000,000,000,   2.5"),
        ("{{ '%s:%05d' % ('n', 42) }} {{ '%s'|format('a') }} {{ 'a' ~ 1 ~ 'b' }}", "n:00042 a a1b"),
        ("{{ question|trim|replace('What', 'Where')|truncate(12) }}", "Where is..."),
        ("{% macro m(o) %}<{{ o }}>{% endmacro %}{% for l, o in options %}{{ m(o) }}{% endfor %}",
         "<red><blue><green><white>"),
        ("{% for l, o in options if o != 'red' %}{{ l }}{% else %}none{% endfor %}", "BCD"),
        ("{{ options|length * 2 + 1 }} {{ 2 ** 10 }} {{ 'ab' * 3 }} {{ 7 % 4 }}", "9 1024 ababab 3"),
    ],
)  # fmt: skip
def test_what_templates_do_is_done(template: str, prompt: str) -> None:
    assert render(template, ITEM) == prompt


class Keys(Strict):
    a: int = 0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: " + "[" * 3000 + "]" * 3000, 1),
        ("a: " + "[" * 20_000, 1),
        ("a: " + "{b: " * 3000, 1),
        ("\n".join(" " * depth + "a:" for depth in range(1500)), 51),
        ("- " * 5000, 1),
        ("? " * 5000, 1),
    ],
)
def test_yaml_that_is_nested_too_deep_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    file = tmp_path / "deep.yaml"
    file.write_text(text, encoding="utf-8")
    start = time.process_time()
    with pytest.raises(FileError, match=rf"deep.yaml:{line}: nested more than 50 deep"):
        read_yaml(file, Keys)
    assert time.process_time() - start < 2


def test_validate_and_run_name_the_file_and_the_line(tmp_path: Path) -> None:
    task = "\n".join([
        "name: endless", "version: 1", "title: Endless", "license: mit",
        "prompt: |", "  {{ question }}", "  {{ question|center(10 ** 10) }}",
        "data: {files: {test: rows.jsonl}, columns: {question: q, options: o, answer: a}}",
    ])  # fmt: skip
    (tmp_path / "endless.yaml").write_text(task + "\n", encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text('{"q": "Which?", "o": ["x", "y"], "a": 0}\n' * 1, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "tasks", "validate", "endless.yaml"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 3
    assert "endless.yaml:5: prompt: the template failed on item" in done.stderr
    assert "line 2 of the template: the filter 'center' would make more than" in done.stderr
    assert "Traceback" not in done.stderr
