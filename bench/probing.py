"""The changed forms of a cell's items: asked of an engine, and made into records."""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bench.engines import checked
from bench.engines.engine import Engine, JoinsPrompts
from bench.engines.packing import joined
from bench.errors import BenchError, PromptTooLong
from bench.scoring.asking import Asking, Render, letters_request
from bench.scoring.probing import Changed, changed_forms
from bench.scoring.record import Record
from bench.scoring.recording import same_tokens, scored, too_long
from bench.types import Encoded, Item, ProbeName, Scores
from bench.views import LETTER

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Form:
    """A changed form of an item, in an engine's tokens."""

    changed: Changed
    encoded: Encoded


@dataclass(slots=True)
class Forms:
    """The forms of items that `probes` ask for and that are not `done`, as (question id, how it is changed).

    They are encoded when they are first wanted. `refused` has the records of those that do not fit the model.
    """

    asking: Asking
    engine: Engine
    render: Render
    probes: Sequence[ProbeName]
    done: Collection[tuple[str, str]] = ()
    refused: list[Record] = field(default_factory=list[Record])
    _encoded: dict[str, list[Form]] = field(default_factory=dict[str, list[Form]])

    def of(self, item: Item) -> list[Form]:
        """Those of an item that fit the model."""
        if item.id not in self._encoded:
            wanted = (form for probe in self.probes for form in changed_forms(item, probe, self.asking.task))
            left = (form for form in wanted if (item.id, form.asked) not in self.done)
            self._encoded[item.id] = [form for changed in left if (form := self._encode(item, changed))]
        return self._encoded[item.id]

    def _encode(self, item: Item, changed: Changed) -> Form | None:
        try:
            request = letters_request(self.asking, item, changed.item, self.render)
        except BenchError:  # a template may need what a changed form does not have: the probe leaves it out
            return None
        try:
            return Form(changed, checked.encode(self.engine, request))
        except PromptTooLong as error:
            self.refused.append(_too_long(changed, request.prompt, error.tokens))
            return None

    def record(self, form: Form, scores: Scores, seconds: float) -> Record:
        """The record of a form from the scores of its letters."""
        alike = same_tokens(form.encoded.alike or scores.alike, (LETTER,))
        by_view = {LETTER.name: scores.logprobs[0]}
        record = scored(form.changed.item, self.asking.task.scoring, by_view, scores, seconds, alike)
        return record.model_copy(update={"asked": form.changed.asked})


def ask_changed(forms: Forms, items: Iterable[Item]) -> Iterator[tuple[int | None, list[Record]]]:
    """Ask the forms of items; yields (tokens that a batch was planned for, its records).

    Where the engine joins prompts, the forms of an item that begin alike are one request.
    """
    engine = forms.engine
    joins = isinstance(engine, JoinsPrompts) and engine.joins_prompts
    asked = [group for item in items for group in _groups(forms.of(item), joins=joins)]
    if forms.refused:
        yield None, forms.refused
    requests = [joined([form.encoded for form in group]) for group in asked]
    for batch_seconds, batch in timed(checked.score(engine, requests)):
        seconds = batch_seconds / max(1, sum(len(asked[index]) for index in batch.indices))
        records = [
            _too_long(form.changed, form.encoded.request.prompt, None)
            for index in batch.too_long
            for form in asked[index]
        ]
        for index, scores in zip(batch.indices, batch.replies, strict=True):
            records += [
                forms.record(form, one, seconds)
                for form, one in zip(asked[index], _apart(asked[index], scores), strict=True)
            ]
        yield batch.batch_tokens, records


def _groups(of_item: Sequence[Form], *, joins: bool) -> list[list[Form]]:
    """The forms of an item that are one request each: those with the same first token, or each alone."""
    if not joins:
        return [[form] for form in of_item]
    groups: dict[int, list[Form]] = {}
    for form in of_item:
        groups.setdefault(form.encoded.tree.stem[0], []).append(form)
    return list(groups.values())


def _too_long(changed: Changed, prompt: str, tokens: int | None) -> Record:
    return too_long(changed.item, prompt, tokens).model_copy(update={"asked": changed.asked})


def _apart(group: Sequence[Form], scores: Scores) -> Iterator[Scores]:
    """The reply to a group as one for each of its forms."""
    if not group[1:]:
        yield scores
        return
    for number, form in enumerate(group):
        encoded = form.encoded
        yield replace(
            scores,
            prompt=encoded.request.prompt,
            prompt_tokens=len(encoded.tree.stem),
            logprobs=(scores.logprobs[number],),
        )


def timed(batches: Iterable[T]) -> Iterator[tuple[float, T]]:
    """Each batch with the seconds that it took."""
    start = time.perf_counter()
    for batch in batches:
        yield time.perf_counter() - start, batch
        start = time.perf_counter()
