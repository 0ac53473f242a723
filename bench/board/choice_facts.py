"""A choice as values for JSON. Pure."""

from dataclasses import asdict

from bench.board.candidates import Candidate
from bench.board.choice import CheapestOfBest, Choice, NothingMeasured, OneBest, Scored, UseNone
from bench.board.choice_words import sentence, support, to_measure
from bench.board.headroom import answers_within

Facts = dict[str, object]


def facts_of(choice: Choice) -> Facts:
    """All that the terminal says, and the numbers behind it: bytes, seconds, joules; scores from 0 to 1."""
    price = choice.price
    return {
        "sentence": sentence(choice),
        "because": support(choice),
        "answer": _answer(choice),
        "within": _within(choice),
        "tasks": dict(choice.tasks),
        "limits": asdict(choice.limits),
        "fitting": [_scored(each) for each in choice.fitting],
        "beyond": [_scored(each) for each in choice.beyond],
        "unclear": [_scored(each) for each in choice.unclear],
        "lacking": [
            _model(each) | {"lacks": each.lacks(tuple(choice.tasks)), "over": words}
            for each, words in (*((hole, ()) for hole in choice.holes), *choice.excluded)
        ],
        "baselines": [_scored(each) for each in choice.baselines],
        "price": price
        and {"best": price.best.candidate.name, "difference": price.difference, "margin": price.margin},
        "better": choice.better and choice.better.candidate.name,
        "detectable": choice.detectable,
        "machines": choice.machines,
        "not_measured": [{"what": what, "command": command} for what, command in to_measure(choice)],
    }


def _answer(choice: Choice) -> Facts:
    match choice.answer:
        case NothingMeasured():
            return {"kind": "nothing measured"}
        case UseNone(best=best, bar=bar):
            return {"kind": "use none", "best": best.candidate.name, "not_better_than": bar}
        case OneBest(chosen=chosen):
            return {"kind": "one best", "model": chosen.candidate.name}
        case CheapestOfBest(chosen=chosen, others=others, unproven=unproven):
            return {
                "kind": "cheapest of the best",
                "model": chosen.candidate.name,
                "others": [each.candidate.name for each in others],
                "unproven": [each.candidate.name for each in unproven],
            }


def _within(choice: Choice) -> list[Facts]:
    """For each limit on time, how many questions the chosen model answered within it."""
    match choice.answer:
        case OneBest(chosen=chosen) | CheapestOfBest(chosen=chosen):
            limits = [limit for limit in (choice.limits.p50, choice.limits.p95) if limit is not None]
            measured = [answers_within(chosen.candidate, limit) for limit in limits]
            return [{**asdict(each), "interval": asdict(each.interval)} for each in measured if each]
        case _:
            return []


def _model(candidate: Candidate) -> Facts:
    cell = candidate.first.cell
    needs = asdict(candidate.needs)
    return {"name": candidate.name, "model": cell.model.name, "variant": cell.variant.slug, "needs": needs}


def _scored(scored: Scored) -> Facts:
    facts = _model(scored.candidate) | {"score": scored.score}
    return facts | {"over": scored.over, "unknown": scored.unknown}
