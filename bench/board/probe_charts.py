"""The drawings of a run's probes: recall by letter, and accuracy by order of the options. Pure."""

from bench.board.profile_charts import axis_ticks
from bench.board.row_chart import ChartRow, Mark, RowChart, places, shares_axis
from bench.results.probes import Order
from bench.scoring.metrics import Rate
from bench.wording import percent


def recall_chart(order: Order, title: str, name: str) -> RowChart:
    """How often the right option was chosen where it stood at a letter, over all orders."""
    rates = {f"right option at {letter}": rate for letter, rate in order.recall.items()}
    return _chart(f"recall-{name}", f"Recall by letter of {title}", rates, order.mean.value)


def rotations_chart(order: Order, title: str, name: str) -> RowChart:
    """Its accuracy in each order of the options."""
    names = ["published order", *(f"moved up by {by}" for by in range(1, len(order.rotations)))]
    rates = dict(zip(names, order.rotations, strict=True))
    return _chart(f"orders-{name}", f"Accuracy by order of the options of {title}", rates, order.mean.value)


def _chart(name: str, title: str, rates: dict[str, Rate], mean: float) -> RowChart:
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
    return RowChart(name, title, "share that is right", rows, axis_ticks(low, high))
