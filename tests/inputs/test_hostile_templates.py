"""Templates whose values share their parts, whose operations multiply, or whose steps are large are refused.

All are rendered by one other process, whose memory is limited: a template that has no end, or makes a text of
any size, leaves its test and those behind it without an answer.
"""

import json
import os
import subprocess
import sys

import pytest

from bench.inputs.prompts import render
from bench.types import Item

SECONDS, MEMORY = 300, 1 << 30
A = "{% set a = [1] %}" + "{% set a = [a, a] %}" * 33
B = A + "{% set b = [1] %}" + "{% set b = [b, b] %}" * 33
TUPLES = "{% set a = (1,) %}" + "{% set a = (a, a) %}" * 33
TEXT = "{% set s = 'x' * 1000000 %}"
LOOPS = "{% for i in question %}{% for j in question %}{% for k in question %}"
ENDS = "{% endfor %}" * 3
PRIME = 2**61 - 1
"""Python's hashes of whole numbers are remainders of this, so those of its multiples are equal."""
EQUAL_HASHES = ",".join(str(number * PRIME) for number in range(2000))
LITERAL = "{% set x = [" + "1," * 10_000 + "] %}"
ALWAYS = {
    "sum of lists": "{% set l = [1] * 10000 %}{{ [" + "l," * 5000 + "]|sum(start=[])|length }}",
    "sum of lists, by place": "{% set l = [1] * 10000 %}{{ [" + "l," * 5000 + "]|sum(none, [])|length }}",
    "sum of parts": "{% set l = [[1] * 10000] %}{{ [" + "l," * 5000 + "]|sum('0', start=())|length }}",
    "width with zeros": "{{ '{:0000000000005000000000}'.format(1) }}",
    "width with zeros, percent": "{{ '%0000000000005000000000d' % 1 }}",
    "width of a key": "{{ '%(a)5000000000d' % {'a': 1} }}",
    "width of a key in brackets": "{{ '%(a(b)c)5000000000d' % {'a(b)c': 1} }}",
    "width in other digits": "{{ '{:\uff15" + "\uff10" * 9 + "}'.format(1) }}",
    "width in a list": "{{ '{:{w[0]}}'.format(1, w=[5000000000]) }}",
    "width in a text": "{{ '{:{f}}'.format(1, f='>5000000000') }}",
    "precision": "{{ '%.5000000000f' % 3.5 }}",
    "a text that is odd": "{{ '%5000000000d' is odd }}",
    "texts that are odd": "{{ ['%5000000000d']|select('odd')|list }}",
    "a text that is divisible": "{{ '%*d' is divisibleby((5000000000, 3)) }}",
    "bytes": "{{ '%5000000000d'.encode() % 3 }}",
    "many names": TEXT + "{{ '" + "%(a)s" * 30000 + "' % {'a': s} }}",
    "many names for a filter": TEXT + "{{ '" + "%(a)s" * 30000 + "'|format(a=s) }}",
    "many fields": TEXT + "{{ '" + "{0}" * 30000 + "'.format(s) }}",
    "a list of texts": TEXT + "{{ [" + "s," * 100 + "] }}",
    "texts joined": TEXT + "{{ [" + "s," * 1500 + "]|join }}",
    "texts joined by a method": TEXT + "{{ ''.join([" + "s," * 1500 + "])|length }}",
    "texts with escapes": "{% set l = ['\U000e0000' * 190000] * 70 %}{{ l|string|length }}",
    "a text rounded": "{{ 'x'|round(9, 'ceil') }}",
    "a list rounded": "{{ [1]|round(9, 'ceil') }}",
    "rounded to millions of digits": "{{ 5|round(-10000000) }}",
    "slices of a list": TEXT + "{% set l = s|list %}" + LOOPS + "{% if l[::1] %}{% endif %}" + ENDS,
    "slices of a text": TEXT + LOOPS + "{% if s[1:] %}{% endif %}" + ENDS,
    "a literal in a loop": LOOPS + LITERAL + ENDS,
    "a literal in a macro": "{% macro m() %}" + LITERAL + "{% endmacro %}" + LOOPS + "{{ m() }}" + ENDS,
    "a literal in a block": "{% block b %}" + LITERAL + "{% endblock %}" + LOOPS + "{{ self.b() }}" + ENDS,
    "a literal in a call": "{% macro m() %}" + LOOPS + "{{ caller() }}" + ENDS + "{% endmacro %}"
    + "{% call m() %}" + LITERAL + "{% endcall %}",
    "a literal in a recursive loop": "{% for i in [[1] * 100000] recursive %}" + LITERAL
    + "{% if i is iterable %}{{ loop(i) }}{% endif %}{% endfor %}",
    "a literal in a loop's test": "{% for i in question * 1000 if [" + "1," * 10000 + "] == 1 %}{% endfor %}",
    "equal hashes, unique": "{{ [" + EQUAL_HASHES + "]|unique|list|length }}",
    "equal hashes, keys": "{% set d = {" + EQUAL_HASHES.replace(",", ":0,") + ":0} %}{{ d == d }}",
    "equal hashes, fromkeys": "{{ {}.fromkeys([" + EQUAL_HASHES + "])|length }}",
    "tags": "{{ ('<>' * 450000)|striptags|length }}",
    "tags, by a method": "{{ (('<>' * 450000)|safe).striptags()|length }}",
    "a long word": "{{ ('x' * 900000)|wordwrap(1)|length }}",
    "a search from the right": "{{ ('a' * 500000).rfind('b' + 'a' * 250000) }}",
    "searches from the right": LOOPS + "{% if ('a' * 4000).rfind('b' + 'a' * 2000) %}{% endif %}" + ENDS,
    "punycode": "{{ ('a' * 500000).encode('punycode')|length }}",
    "translate": "{{ (question * 1000).translate({97: 'x' * 100000})|length }}",
    "strip": "{{ ('a' * 500000).strip('" + "bcdefghijk" * 5000 + "a')|length }}",
    "empty slices": "{{ []|slice(15000000)|list|length }}",
    "an indent of each level": "{% set a = [1] * 10000 %}" + "{% set a = [a] %}" * 900
    + "{{ a|tojson(indent=1)|length }}",
    "many attributes": "{{ ([1] * 4000)|sort(attribute='" + "real," * 4000 + "')|length }}",
    "long attributes": "{{ ([1] * 4000)|map(attribute='" + "real." * 4000 + "real')|list|length }}",
    "long numbers": "{% set n, m = 3 ** 4000, 3 ** 2000 %}" + LOOPS + "{{ n // m + n % m }}" + ENDS,
    "long numbers as a text": "{% set n = 3 ** 4000 %}{{ ([n] * 100000)|string|length }}",
    "a number of a million digits": "{{ ('f' * 1000000)|int(0, 16) }}",
    "the arguments of a macro": "{% macro m() %}{{ varargs|length }}{% endmacro %}{% set l = [1] * 100000 %}"
    + LOOPS + "{{ m(*l) }}" + ENDS,
    "our own functions, by map": "{{ [[1]]|map('bounded_steps', -10**9)|list }}",
}  # fmt: skip
COMPARED = (
    "a == b", "a != b", "a < b", "1 < 2 == (a == b)", "a in [b]", "a not in [b]", "1 if a == b else 2",
    "a is eq b", "a is in [b]", "a is lt b", "[a]|select('equalto', b)|list", "[a]|reject('in', [b])|list",
    "[[a]]|selectattr('0', 'eq', b)|list", "[a, b]|sort", "[a, b]|max", "[[a], [b]]|groupby(0)",
    "{'x': a, 'y': b}|dictsort(by='value')", "a in [b]|map('default', 1)", "[a].count(b)", "[a].index(b)",
    "('a', a) in {'a': b}.items()", "{'a': a}.values() == {'a': b}.values()", "{'a': a}.get(b)",
)  # fmt: skip
WRITTEN = (
    "a", "a|string", "a ~ ''", "'%s' % a", "'%s' % (a,)", "'%(a)s' % {'a': a}", "'{}'.format(a)",
    "'{x[0]!r}'.format(x=a)", "'%s'|format(a)", "a|tojson", "a|upper", "a is upper", "[a]|map('string')|list",
    "[a]|join", "a|urlencode", "{'a': a}|xmlattr", "a|e", "a|replace('1', '2')", "a|wordcount", "a|title",
)  # fmt: skip
HASHED = ("[a, a]|unique|list", "{a: 1}", "{}[a]", "{}.get(a)", "[{}]|map(attribute=a)|list", "a in {}")
IN_LOOPS = (
    "{% for i in [b] %}{{ (a, 1) in loop }}{% endfor %}",
    "{% for i in [b, b] %}{{ (loop|list)|string }}{% endfor %}",
    "{% for i in [a, b] %}{{ loop.changed(i) }}{% endfor %}",
    "{% if a == b %}{% endif %}",
    "{% filter upper %}{{ a }}{% endfilter %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ a }}{% endcall %}",
    "{% autoescape true %}{{ a }}{% endautoescape %}",
)
HOSTILE = ALWAYS | {
    source: values + ("{{ " + source + " }}" if "{%" not in source else source)
    for values, sources in ((B, COMPARED), (A, WRITTEN), (TUPLES, HASHED), (B, IN_LOOPS))
    for source in sources
}
CHILD = """
import json, resource, sys
from jinja2 import TemplateRuntimeError
from bench.inputs.prompts import render
from bench.types import Item
resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
for name, source in json.load(sys.stdin).items():
    try:
        prompt = render(source, Item("q", "What is it? " * 20, ("x", "y"), 0))
        answer = f"a prompt of {len(prompt)} characters"
    except Exception as error:
        refused = isinstance(error.__cause__, TemplateRuntimeError)
        answer = "refused" if refused else repr(error.__cause__)[:300]
    print(json.dumps([name, answer]), flush=True)
"""


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    """What became of each template, as far as the process came."""
    command = [sys.executable, "-c", CHILD.replace("MEMORY", str(MEMORY))]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        done = subprocess.run(
            command, input=json.dumps(HOSTILE).encode(), env=env, capture_output=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        printed = done.stdout
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
    return dict(json.loads(line) for line in printed.splitlines())


@pytest.mark.parametrize("name", HOSTILE)
def test_what_has_no_end_or_size_is_refused(name: str, answers: dict[str, str]) -> None:
    assert answers.get(name, "no answer: this template, or one before it, has no end") == "refused"


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("{% set a = [1] %}" + "{% set a = [a, a] %}" * 3 + "{{ a == a }} {{ a|length }} {{ a[0][1] }}",
         "True 2 [[1], [1]]"),
        ("{% for l, o in options if o in ['red', 'blue'] %}{{ l ~ loop.index }}{% endfor %}", "A1B2"),
        ("{{ options|map(attribute=1)|select('ne', 'red')|sort|join('/') }} {{ [3, 1]|sum }}",
         "blue/green 4"),
        ("{{ {'a': 1, 2: 'b'}[2] }} {{ {'x': 5}.items()|list }} {{ question[:4] }}", "b [('x', 5)] What"),
        ("{{ 3.14159|round(2) }} {{ 12345678|round(-3) }} {{ -3 // 2 }} {{ 7 is odd }}",
         "3.14 12346000 -2 True"),
        ("{{ '%(a)s: %(b)05.1f' % {'a': 'x', 'b': 2.5} }} {{ '{a!r:>5}'.format(a='b') }}",
         "x: 002.5   'b'"),
        ("{{ 90000000|tojson }} {{ 90000000|round(1) }}", "90000000 90000000"),
        ("{{ ['b', 'a', 'b']|unique|join }} {{ {'b': [1]}|tojson(indent=2) }}",
         'ba {\n  "b": [\n    1\n  ]\n}'),
    ],
)  # fmt: skip
def test_what_is_small_is_done(template: str, prompt: str) -> None:
    assert render(template, Item("q", "What is it?", ("red", "blue", "green"), 0)) == prompt


def test_long_prompts_are_done() -> None:
    passages = tuple(
        f"Passage {number}. " + "It is said that nothing is known. " * 300 for number in range(50)
    )
    options = tuple(f"option {number} " * 50 for number in range(26))
    item = Item("q", "What is it? " * 2000, options, 0, "g", (("passages", passages),))
    template = (
        "{{ passages|join('\n\n') }}"
        "{% for passage in passages if 'known' in passage %}{{ loop.index }}{% endfor %}"
        "{% for l, o in options %}{% if o != options[-1][1] and question|length > 10 %}{{ l }}. {{ o|trim }}"
        "{% endif %}{% endfor %}{{ question.replace('What', 'Which') ~ '?' }}"
    )
    assert len(render(template, item)) > 500_000
