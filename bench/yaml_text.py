"""A YAML text -> its value and the line of each key; what could be a trap is refused."""

import re
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.resolver import Resolver

from bench.errors import FileError, Mistake

Location = tuple[str | int, ...]
DEEPEST = 50
"""How deep collections may be nested in each other."""
LONGEST_NUMBER = 100
"""Characters of a number. Python can read longer ones that it then cannot write."""

_NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
_QUOTES = "put quotes around it where it is text"
_MERGE = "merge keys (<<) are not supported; write the keys out, and put quotes around << where it is text"


@dataclass(frozen=True, slots=True)
class YamlText:
    """`lines` has the line of each key, from 1, and `repeated` those of keys that are given again."""

    value: object
    lines: Mapping[Location, int]
    repeated: tuple[tuple[Location, int], ...]


class TooDeep(Exception):
    """A text whose collections are nested too deep; `line` is where, from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(f"nested more than {DEEPEST} deep")
        self.line = line


class _Loader(Composer, SafeConstructor, Resolver):
    """Safe YAML in which only true and false are booleans (`no` is Norwegian), and no dates.

    It reads the events of a text.
    """

    def __init__(self, events: Sequence[yaml.Event]) -> None:
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)
        self._events = deque(events)

    def check_event(self, *choices: type[yaml.Event]) -> bool:
        return bool(self._events) and (not choices or isinstance(self._events[0], choices))

    def peek_event(self) -> yaml.Event | None:
        return self._events[0] if self._events else None

    def get_event(self) -> yaml.Event | None:
        return self._events.popleft() if self._events else None

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value; raises a ConstructorError, which has a line, for each that Python cannot hold."""
        if node.tag in _NUMBERS and len(node.value) > LONGEST_NUMBER:
            size = f"a number of {len(node.value):,} characters, and at most {LONGEST_NUMBER} are read"
            raise ConstructorError(None, None, f"{size}; {_QUOTES}", node.start_mark)
        try:
            return super().construct_object(node, deep)
        except (ValueError, ArithmeticError) as error:
            text = f"{node.value!r:.80} is not a number; {_QUOTES}"
            raise ConstructorError(None, None, text, node.start_mark) from error


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if not pair[0].endswith((":bool", ":timestamp"))]
    for first, pairs in Resolver.yaml_implicit_resolvers.items()
}
_BOOLEAN = ("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"))
for _first in "tf":
    _Loader.yaml_implicit_resolvers[_first] = [*_Loader.yaml_implicit_resolvers.get(_first, []), _BOOLEAN]


def read_yaml_text(text: str, file: str) -> YamlText:
    """Read the text of the file called `file`.

    Raises a FileError for aliases, tags, merge keys and half surrogate pairs; else what PyYAML raises.
    """
    events = _events(text)
    _refuse_traps(events, file)
    loader = _Loader(events)
    node = loader.get_single_node()
    if node is None:
        return YamlText(None, {}, ())
    lines, repeated = dict(_lines(node, ())), tuple(_repeated(node, ()))
    return YamlText(loader.construct_document(node), lines, repeated)


def lines_of(text: str) -> dict[Location, int]:
    """The line of each key in a valid text, from 1."""
    node = _Loader(_events(text)).get_single_node()
    return {} if node is None else dict(_lines(node, ()))


def _events(text: str) -> list[yaml.Event]:
    """The events of a YAML text, by libyaml where PyYAML has it: that is ten times as fast.

    What libyaml refuses is read in Python, so messages are the same everywhere.
    """
    if yaml.__with_libyaml__:
        with suppress(yaml.YAMLError):
            return list(_shallow(yaml.parse(text, Loader=yaml.CSafeLoader)))
    return list(_shallow(_parsed(text)))


def _parsed(text: str) -> Iterator[yaml.Event]:
    """The events, read in Python; raises a YAMLError that has a line also where Python's own has none."""
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    except (ValueError, ArithmeticError) as error:  # of the code of a character, and of YAML's version
        raise yaml.MarkedYAMLError(problem="a number out of range", problem_mark=loader.get_mark()) from error


def _shallow(events: Iterable[yaml.Event]) -> Iterator[yaml.Event]:
    """The events; raises a TooDeep at the first collection below too many others.

    To read deep ones takes a time that grows with the square of their depth.
    """
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise TooDeep(event.start_mark.line + 1 if event.start_mark else 0)
        yield event


def _refuse_traps(events: Iterable[yaml.Event], file: str) -> None:
    """Refuse aliases (ten lines can expand to gigabytes), tags, merge keys (the keys that they add have no
    line), and lone surrogates (not valid in UTF-8).
    """
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise FileError([Mistake(file, line, "", f"aliases (*{event.anchor}) are not supported")])
        if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)) and event.tag not in (None, "!"):
            raise FileError([Mistake(file, line, "", f"tags ({event.tag}) are not supported")])
        if isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.value == "<<":
            raise FileError([Mistake(file, line, "", _MERGE)])
        if isinstance(event, yaml.ScalarEvent) and any("\ud800" <= c <= "\udfff" for c in event.value):
            raise FileError([Mistake(file, line, "", "has half a surrogate pair")])


def _children(node: yaml.Node, at: Location) -> Iterator[tuple[Location, int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*at, str(key.value)), key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*at, index), value.start_mark.line + 1, value


def _lines(node: yaml.Node, at: Location) -> Iterator[tuple[Location, int]]:
    for place, line, child in _children(node, at):
        yield place, line
        yield from _lines(child, place)


def _repeated(node: yaml.Node, at: Location) -> Iterator[tuple[Location, int]]:
    seen: set[Hashable] = set()
    for place, line, child in _children(node, at):
        if place in seen:
            yield place, line
        seen.add(place)
        yield from _repeated(child, place)
