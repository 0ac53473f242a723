"""Cells of a model with an adapter: one that exists, or one that a quick tuning trains first."""

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bench.cells.cell import Cell, NeedsTuning
from bench.cells.wish import Quick
from bench.errors import FileError, Unavailable
from bench.folders import cache_folder
from bench.inputs.adapter import (
    CARD,
    Adapter,
    AdapterFacts,
    Method,
    Recipe,
    adapter_facts,
    read_adapter,
)
from bench.inputs.adapter_fit import check_fits
from bench.inputs.data import Split
from bench.inputs.weights import RemoteWeights, Weights
from bench.results.identity import identity
from bench.results.variant import Variant
from bench.scoring.asking import Asking
from bench.tuning.job import Job

TUNING_VERSION = 1
"""Raised when a change of the code makes a recipe give different adapters."""
LEARNING_RATE: dict[Method, float] = {"lora": 2e-4, "full": 5e-5}
QUICK = "quick tuning"
"""The name of an adapter from a quick tuning."""


def with_adapter(cell: Cell, adapter: Adapter) -> Cell:
    """The cell with the adapter on its model; raises Unavailable where it was made for another model."""
    weights = _weights(cell)
    check_fits(adapter, cell.facts.model, weights)
    facts = adapter_facts(adapter, cell.items)
    return replace(_with_facts(cell, facts), opening=replace(cell.opening, adapter=adapter))


def _with_facts(cell: Cell, adapter: AdapterFacts) -> Cell:
    """The cell with these facts in its variant, and the identity that follows from them."""
    variant = cell.facts.variant.model_copy(update={"adapter": adapter})
    facts = cell.facts.model_copy(update={"variant": variant})
    return replace(cell, facts=facts.model_copy(update={"id": identity(facts)}))


def _weights(cell: Cell) -> Weights | RemoteWeights:
    weights = cell.weights
    if weights is None:
        name = cell.facts.model.name
        raise Unavailable(f"{name} has no weights to tune or adapt", "leave it out")
    return weights


def with_quick_tuning(cell: Cell, quick: Quick, train: Split, test: Split, seed: int) -> Cell | NeedsTuning:
    """The cell with the adapter of an earlier quick tuning; without one, the tuning comes first.

    Raises Unavailable for float16 and for a model without weights.
    """
    variant = cell.facts.variant
    if variant.dtype == "float16":
        raise Unavailable("tuning in float16 overflows", "use --dtype bfloat16 or float32")
    recipe = quick_recipe(quick, variant, seed)
    job = tuning_job(cell, recipe, train, test)
    if (job.out / CARD).is_file():
        with suppress(FileError):  # a damaged adapter is trained again
            return with_adapter(cell, read_adapter(job.out, QUICK))
    facts = AdapterFacts(
        name=QUICK, method="lora", sha256="", seen=None, recipe=recipe, outcome=None, learnt=None
    )
    return NeedsTuning(_with_facts(cell, facts), job)


def quick_recipe(quick: Quick, variant: Variant, seed: int) -> Recipe:
    """The recipe of a quick tuning, in the variant's dtype, weight format and prompt style.

    Raises Unavailable if the engine does not use a dtype: its models cannot be tuned.
    """
    if variant.dtype is None:
        raise Unavailable(f"models of the engine {variant.engine} cannot be tuned", "leave --lora out")
    return Recipe(
        minutes=quick.minutes,
        learning_rate=LEARNING_RATE["lora"],
        quantize=variant.quantize,
        dtype=variant.dtype,
        prompt=variant.prompt,
        seed=seed,
    )


def tuning_job(
    cell: Cell,
    recipe: Recipe,
    train: Split,
    test: Split,
    out: Path | None = None,
    tensorboard: Path | None = None,
    *,
    fresh: bool = False,
) -> Job:
    """The job that tunes the cell's model; raises Unavailable where it has no weights.

    Without `out` the adapter goes to a cache folder named by a hash of everything that shapes it.
    """
    weights = _weights(cell)
    parts = [recipe.model_dump(), cell.facts.model.name, weights.revision, cell.task.digest()]
    key = hashlib.sha256(json.dumps([*parts, train.sha256, test.sha256, TUNING_VERSION]).encode())
    # A full tuning needs weights in float32, or small steps are lost.
    dtype = "float32" if recipe.method == "full" else recipe.dtype
    return Job(
        opening=replace(cell.opening, dtype=dtype, quantize=recipe.quantize, train=()),
        asking=Asking(cell.task, style=recipe.prompt),
        recipe=recipe,
        train=train.items,
        test=test.items,
        source=train.source,
        sha256=train.sha256,
        weights=weights,
        out=out or cache_folder() / "adapters" / key.hexdigest()[:20],
        key=key.hexdigest(),
        tensorboard=tensorboard,
        fresh=fresh,
    )
