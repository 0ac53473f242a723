"""A variant in the words of a first screen: "4-bit, 5 solved examples". Pure."""

import re
from collections.abc import Iterator

from bench.results.result import CellFacts
from bench.results.variant import Variant

_BITS = {
    "float32": "32-bit", "float16": "16-bit", "bfloat16": "16-bit", "int8": "8-bit", "fp8": "8-bit",
    "nf4": "4-bit", "fp4": "4-bit", "int4": "4-bit", "mxfp4": "4-bit",
}  # fmt: skip


_GGUF = re.compile(r"I?Q(\d)|TQ(\d)|B?F(\d\d)$")
"""Formats of GGUF files, with the bits that most weights take."""


def _bits(name: str) -> str:
    """A number format in plain words; of GGUF's, which are many, the name as well."""
    match = _GGUF.match(name)
    return f"{match[match.lastindex or 0]}-bit {name}" if match else _BITS.get(name, name)


def plain_words(variant: Variant) -> tuple[str, ...]:
    """How the model was run, a phrase each; the exact terms are in `Variant.slug`."""
    return tuple(_words(variant))


def variant_name(variant: Variant) -> str:
    """Its plain words; the slug where there are none."""
    return ", ".join(_words(variant)) or variant.slug


def drawing_names(cell: CellFacts) -> tuple[str, str]:
    """Which run a drawing is of, in words, and the end of its file's name."""
    words = f"{cell.model.title} on {cell.task.title}, {variant_name(cell.variant)}"
    return words, f"{cell.model.name}-{cell.task.name}-{cell.variant.slug}"


def _words(variant: Variant) -> Iterator[str]:
    quantized = variant.quantize if variant.quantize != "none" else variant.weights_format
    if bits := quantized or variant.dtype:
        yield _bits(bits)
    if variant.adapter:
        yield "tuned here"
    yield from ("chat",) if variant.prompt == "chat" else ()
    yield from (f"format {variant.format}",) if variant.format else ()
    if variant.exemplars:
        yield f"{variant.exemplars} solved example{'' if variant.exemplars == 1 else 's'}"
        if variant.which_exemplars:
            yield variant.which_exemplars
    if variant.generate:
        samples = variant.generate.samples
        yield "writes its answer" + (f", best of {samples}" if samples > 1 else "")
    if runner := variant.program or variant.engine:
        yield runner
    yield from (f"{name} {value}" for name, value in variant.more.items())
