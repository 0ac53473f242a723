"""What the probes of a run showed, as sections of a page, each with its words, drawings and term. Pure."""

from dataclasses import dataclass

from bench.board.plain import drawing_names
from bench.board.probe_words import probe_sections, rotation_name
from bench.board.profile_charts import axis_ticks
from bench.board.row_chart import ChartRow, Mark, Numbers, RowChart, places, shares_axis
from bench.results.answers import Answered
from bench.results.probes import Measured, Order
from bench.types import ProbeName
from bench.wording import percent

_TERMS: dict[ProbeName, str] = {"order": "order_changed", "question": "options_alone", "nota": "nota"}
"""The term of each probe on the page "How it is measured"."""


@dataclass(frozen=True, slots=True)
class ProbeChart:
    """A drawing with what is written below it."""

    chart: RowChart
    caption: str
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class ProbeSection:
    """`term` is a name in `bench.board.terms`, "" where nothing was asked."""

    title: str
    sentences: tuple[str, ...]
    term: str = ""
    charts: tuple[ProbeChart, ...] = ()


def probe_parts(run: Answered) -> tuple[ProbeSection, ...]:
    """A section for each probe that was asked, or one that says why none was; none without probes."""
    probes = run.result.probes
    if probes is None:
        return ()
    sections = probe_sections(probes)
    if probes.inapplicable:
        return tuple(ProbeSection(title, sentences) for title, sentences in sections)
    of, name = drawing_names(run.result.cell)
    order = probes.order
    charts = (recall_chart(order, of, name), rotations_chart(order, of, name)) if order else ()
    return tuple(
        ProbeSection(title, sentences, _TERMS[probe], charts if probe == "order" else ())
        for probe, (title, sentences) in zip(probes.asked, sections, strict=True)
    )


def recall_chart(order: Order, of: str, name: str) -> ProbeChart:
    """How often the right option was chosen where it stood at a letter, over all orders."""
    rates = {f"right option at {letter}": rate for letter, rate in order.recall.items()}
    title = "Right answers, by the letter of the right option"
    return _chart((f"recall-{name}", title, of), "Where the right option stood", rates, order.mean.value)


def rotations_chart(order: Order, of: str, name: str) -> ProbeChart:
    """Its accuracy in each order of the options."""
    rates = {rotation_name(by): rate for by, rate in enumerate(order.rotations)}
    title = "Accuracy, by the order of the options"
    return _chart((f"orders-{name}", title, of), "Order of the options", rates, order.mean.value)


def _chart(names: tuple[str, str, str], head: str, rates: dict[str, Measured], mean: float) -> ProbeChart:
    """`names` are that of the files, the title, and of which run it is; `head` is that of its table."""
    name, title, of = names
    low, high = shares_axis([rate.high for rate in rates.values()])
    place = places(low, high)
    rows = tuple(
        ChartRow(
            name=label,
            text=percent(rate.value),
            at=place(rate.value),
            low=place(rate.low),
            high=place(rate.high),
            marks=(Mark(place(mean), "median"),),
            strong=True,
        )
        for label, rate in rates.items()
    )
    ends = {label: f"{percent(rate.low)} to {percent(rate.high)}" for label, rate in rates.items()}
    each = "; ".join(f"{label}: {percent(rate.value)} ({ends[label]})" for label, rate in rates.items())
    over_all = f"mean over all orders: {percent(mean)}"
    numbers = Numbers(
        f"{each[:1].upper()}{each[1:]}; {over_all}.",
        (head, "Right", "95\u202f% interval"),
        tuple((label, percent(rate.value), ends[label]) for label, rate in rates.items()),
    )
    caption = f"{title}, with 95\u202f% intervals. Dashed tick: the {over_all}."
    chart = RowChart(name, f"{title} – {of}", "share that is right", rows, axis_ticks(low, high))
    return ProbeChart(chart, caption, numbers)
