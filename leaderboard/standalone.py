"""A drawing of a page as a file of its own: what `static/figures.js` does in a browser. Pure.

Of the style sheets, rules of tags and classes are applied, in the light scheme; each style becomes an
attribute, so that every program that reads SVG shows the same.
"""

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from xml.etree import ElementTree as ET

SPACE = "http://www.w3.org/2000/svg"
WIDTH = 720.0
"""The width in pixels of a drawing that takes any."""
MARGIN = 12
LINE = 15
"""The height of a line of the citation, in pixels."""
CHARACTER = 5.8
"""The width of its characters, at most on average, in pixels."""
FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
STYLES = frozenset(
    {
        "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin",
        "paint-order", "font-size", "font-weight", "text-anchor", "opacity", "r", "display",
    }
)  # fmt: skip
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_AT_RULE = re.compile(r"@[^{}]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SIMPLE = re.compile(r"([a-z0-9]*)((?:\.[\w-]+)*)")
_VARIABLE = re.compile(r"var\((--[\w-]+)\)")
ET.register_namespace("", SPACE)

Part = tuple[str, frozenset[str]]
"""An element's tag, or "", and its classes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The parts of a selector, from the outermost, and what it sets."""

    parts: tuple[Part, ...]
    styles: tuple[tuple[str, str], ...]

    @property
    def weight(self) -> tuple[int, int]:
        """A rule of greater weight wins."""
        return sum(len(classes) for _, classes in self.parts), sum(1 for tag, _ in self.parts if tag)


@dataclass(frozen=True, slots=True)
class StyleSheet:
    """`rules` are those that style drawings, the winning ones last; `colours` are the page's, by name."""

    rules: tuple[Rule, ...]
    colours: Mapping[str, str]


@cache
def read_styles(text: str) -> StyleSheet:
    """The rules of a style sheet that are outside of media queries, with its variables filled in."""
    text = _AT_RULE.sub("", _COMMENT.sub("", text))
    colours: dict[str, str] = {}
    rules: list[Rule] = []
    for selectors, body in _RULE.findall(text):
        pairs = _pairs(body)
        if selectors.strip() == ":root":
            colours |= {name: value for name, value in pairs if name.startswith("--")}
        styles = tuple((name, value) for name, value in pairs if name in STYLES)
        rules += [Rule(parts, styles) for parts in map(_parts, selectors.split(",")) if parts and styles]
    filled = [
        replace(rule, styles=tuple((name, _fill(value, colours)) for name, value in rule.styles))
        for rule in rules
    ]
    return StyleSheet(tuple(sorted(filled, key=lambda rule: rule.weight)), colours)


def _pairs(body: str) -> list[tuple[str, str]]:
    """The properties of a rule with their values."""
    parts = [declaration.partition(":") for declaration in body.split(";")]
    return [(name.strip(), value.strip()) for name, _, value in parts]


def _parts(selector: str) -> tuple[Part, ...]:
    """() where it has more than tags and classes."""
    matches = [_SIMPLE.fullmatch(word) for word in selector.split()]
    if not all(matches):
        return ()
    return tuple((match[1], frozenset(match[2].split(".")[1:])) for match in matches if match)


def _fill(value: str, colours: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: colours.get(match[1], "none"), value)


def standalone(markup: str, figure: Part, cite: str, sheet: StyleSheet) -> str:
    """The text of an SVG file.

    `markup` is an `<svg>` element of a page, and `figure` what it stands in; `cite` is written below.
    """
    drawing = ET.fromstring(_well_formed(markup))  # noqa: S314 (our own page)
    title = drawing.get("aria-label") or drawing.findtext(f"{{{SPACE}}}title") or ""
    width, height = _size(drawing)
    _inline(drawing, [figure], sheet.rules)
    drawing.attrib.update(x=str(MARGIN), y=str(MARGIN), width=f"{width:g}", height=f"{height:g}")
    lines = textwrap.wrap(cite, int(width / CHARACTER))
    total = {"width": width + 2 * MARGIN, "height": height + 2 * MARGIN + LINE * len(lines) + 6}
    whole = ET.Element(f"{{{SPACE}}}svg", {name: f"{value:g}" for name, value in total.items()})
    whole.set("font-family", FONTS)
    _add(whole, "title", title)
    _add(whole, "rect", "", width="100%", height="100%", fill=sheet.colours.get("--ground", "white"))
    whole.append(drawing)
    for at, line in enumerate(lines):
        y = height + 2 * MARGIN + LINE * at + 6
        _add(whole, "text", line, x=str(MARGIN), y=f"{y:g}", fill="#565f68", **{"font-size": "11"})
    return ET.tostring(whole, encoding="unicode") + "\n"


def _well_formed(markup: str) -> str:
    """HTML's `<svg>` as XML."""
    markup = markup.replace("&nbsp;", "\u00a0")
    return markup if "xmlns=" in markup else markup.replace("<svg", f'<svg xmlns="{SPACE}"', 1)


def _size(drawing: ET.Element) -> tuple[float, float]:
    """The width and height in pixels: its own, else those of its units."""
    _, _, width, height = (drawing.get("viewBox") or f"0 0 {WIDTH} {drawing.get('height', '320')}").split()
    return float(width), float(height)


def _inline(part: ET.Element, ancestors: Sequence[Part], rules: Iterable[Rule]) -> None:
    own = part.tag.rpartition("}")[2], frozenset(part.get("class", "").split())
    path = [*ancestors, own]
    for rule in rules:
        if _matches(rule.parts, path):
            part.attrib.update(rule.styles)
    for name in [
        name for name in part.attrib if name in ("class", "id", "tabindex") or name.startswith("aria")
    ]:
        del part.attrib[name]
    for child in part:
        _inline(child, path, rules)


def _matches(parts: Sequence[Part], path: Sequence[Part]) -> bool:
    """Whether the last part is the path's last element, and the others stand above it in that order."""

    def is_one(part: Part, element: Part) -> bool:
        return part[0] in ("", element[0]) and part[1] <= element[1]

    if not is_one(parts[-1], path[-1]):
        return False
    above = iter(reversed(path[:-1]))
    return all(any(is_one(part, element) for element in above) for part in reversed(parts[:-1]))


def _add(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, f"{{{SPACE}}}{tag}", attributes).text = text or None
