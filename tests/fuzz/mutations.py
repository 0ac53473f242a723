"""Valid files made hostile, by a seeded generator: in their values, in their bytes, and as files."""

import copy
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

Place = tuple[str | int, ...]
NUMBERS: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    -float("inf"),
    -1,
    0,
    1,
    2**63,
    10**400,
    1e300,
    -1e300,
    5e-324,
    0.5,
    True,
    False,
)
TEXTS: tuple[Any, ...] = (
    "",
    " ",
    "\0",
    "a\0b",
    "x" * 300,
    "x" * 70_000,
    "../../outside",
    "/etc/passwd",
    "~",
    "..",
    ".",
    "con",
    "-",
    "--help",
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "</script>",
    "{{ 7 * 7 }}",
    "{% for a in question %}" * 9 + "{% endfor %}" * 9,
    "{{ question|center(10**10) }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ question",
    "{% include '/etc/passwd' %}",
    "\u202egnp.exe",
    "\x1b[31mred\x1b[0m",
    "\r\n",
    "half \ud800",
    "é" * 200,
    "😀",
    "A",
    "null",
    "1e999",
    "=1+1",
    "*",
    "!",
    "a,b",
    "[",
    "%s%n",
    "\ufeff",
    "nan",
    "main\n",
)
SHAPES: tuple[Any, ...] = (
    None,
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"a": {"b": 1}},
    ["x", "x"],
    [1, "a", None],
    "SELF",
    "DEEP",
)
INSERTED = (b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\x1f\x8b", b"\r", b"\t", b'"', b"{{", b"&a *a")
DEEPEST = 40
"""Mutations look no deeper."""


def hostile_value(rng: random.Random, value: Any) -> Any:
    """Another value, or the same in another shape."""
    chosen = rng.choice(rng.choice((NUMBERS, TEXTS, TEXTS, SHAPES)))
    match chosen:
        case "SELF":
            return [value, value]
        case "DEEP":
            deep: Any = value
            for _ in range(rng.choice((30, 3000))):
                deep = [deep]
            return deep
        case _:
            return chosen


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where values stand in a structure."""
    if len(at) > DEEPEST:
        return
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
    elif isinstance(value, list):
        items = enumerate(cast("list[Any]", value))
    for key, inner in items:
        yield (*at, key)
        yield from places(inner, (*at, key))


def mutate_value(rng: random.Random, value: Any) -> Any:
    """A structure in which one to three places were changed, removed, added to or renamed."""
    changed = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        known = list(places(changed))
        if not known:
            return hostile_value(rng, changed)
        *path, last = rng.choice(known)
        inner = changed
        for key in path:
            inner = inner[key]
        match rng.choice(("change", "change", "change", "remove", "add", "rename")):
            case "remove":
                del inner[last]
            case "add" if isinstance(inner, dict):
                inner[str(rng.choice(TEXTS))[:200]] = hostile_value(rng, inner[last])
            case "rename" if isinstance(inner, dict):
                inner[str(rng.choice(TEXTS))[:200]] = inner.pop(last)
            case _:
                inner[last] = hostile_value(rng, inner[last])
    return changed


def as_json(value: Any) -> bytes:
    """JSON, also of what is deeper than the library writes."""
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b"[" * 3000


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """The bytes of a file, damaged."""
    at = rng.randrange(len(data) + 1)
    lines = data.split(b"\n")
    line = rng.randrange(len(lines))
    changes: list[Callable[[], bytes]] = [
        lambda: data[:at],
        lambda: data[at:],
        lambda: data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :],
        lambda: data[:at] + rng.choice(INSERTED) + data[at:],
        lambda: b"\n".join(lines[:line] + lines[line + 1 :]),
        lambda: b"\n".join([*lines, lines[line]]),
        lambda: b"\n".join(lines[:line] + [lines[line]] * 1000 + lines[line:]),
        lambda: data.decode(errors="replace").encode("utf-16"),
        lambda: b"\xef\xbb\xbf" + data,
        lambda: b"",
        lambda: rng.randbytes(rng.choice((1, 100, 5000))),
        lambda: b"[" * rng.choice((10, 3000, 100_000)),
        lambda: b"{" * 3000,
        lambda: b"a: " + b"[" * 20_000,
        lambda: b"[1, 2]",
        lambda: b"null",
        lambda: b"7",
        lambda: data.replace(b'"', b"'"),
        lambda: data * 2,
    ]
    return rng.choice(changes)()


def odd_file(rng: random.Random, path: Path) -> str:
    """Put something else in the place of a file; returns what."""
    path.unlink(missing_ok=True)
    match rng.choice(("fifo", "folder", "dangling", "loop", "zero", "sparse", "missing")):
        case "fifo" as what:
            os.mkfifo(path)
        case "folder" as what:
            path.mkdir()
        case "dangling" as what:
            path.symlink_to("nowhere")
        case "loop" as what:
            path.symlink_to(path.name)
        case "zero" as what:
            path.symlink_to("/dev/zero")
        case "sparse" as what:
            with path.open("wb") as stream:
                stream.truncate(2**40)
        case what:
            pass
    return what
