"""A policy's requirements on a model, judged by the board: met, violated, undecided or not measured. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bench.board.board import TaskBoard
from bench.board.candidates import Candidate
from bench.board.gate_evidence import (
    Asked,
    Evidence,
    accuracy_at_least,
    better_than_guessing,
    compared,
    unread_at_most,
)
from bench.board.gate_gaps import Gap, Spent, lacking, spent
from bench.board.gate_names import Subject, Unmeasured, find
from bench.board.policy import Costs, LeastAccuracy, MostUnread, OnAnswers, Policy, Requirement, reference_of
from bench.stats.questions import times_as_many
from bench.stats.ranking import ALPHA, holm

State = Literal["met", "violated", "undecided", "not measured"]
Verdict = Literal["GO", "NO-GO", "INCONCLUSIVE"]


@dataclass(frozen=True, slots=True)
class Tested:
    """Evidence with the p for and against its requirement, both adjusted by Holm's method over the policy.

    `questions` is how many would decide it, on all its tasks together: to show that it is met, or that it is
    violated, as `towards` says. None where it is decided, or where the estimate is on the bound.
    """

    evidence: Evidence
    claim: float
    contrary: float
    towards: Literal["met", "violated"] | None = None
    questions: int | None = None

    @property
    def state(self) -> State:
        if self.claim <= ALPHA:
            return "met"
        return "violated" if self.contrary <= ALPHA else "undecided"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known on one requirement. `reference` is the model it is compared with.

    `tested` has one test of the answers, or one for each task; `spent` is what is known of the costs.
    """

    requirement: Requirement
    reference: Subject | None = None
    tested: tuple[Tested, ...] = ()
    gaps: tuple[Gap, ...] = ()
    spent: Spent | None = None

    @property
    def state(self) -> State:
        states = {each.state for each in self.tested}
        if (self.spent and self.spent.over) or "violated" in states:
            return "violated"
        if "undecided" in states:
            return "undecided"
        return "not measured" if self.gaps else "met"


@dataclass(frozen=True, slots=True)
class Decision:
    """A policy's requirements with what is known on each, in the policy's order.

    `tasks` have their shares of the score, which add up to 1.
    """

    policy: Policy
    model: Subject
    tasks: Mapping[str, float]
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        states = {finding.state for finding in self.findings}
        if "violated" in states:
            return "NO-GO"
        return "GO" if states == {"met"} else "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class _Judged:
    """What requirements are judged by. `tables` are those of the policy's tasks, by name."""

    model: Subject
    everyone: Sequence[Candidate]
    tables: Mapping[str, TaskBoard]
    weights: Mapping[str, float]
    machines: frozenset[str]


_Part = Evidence | tuple[Gap, ...]
"""A test of the answers, or what it lacks."""


def decide(
    policy: Policy,
    weights: Mapping[str, float],
    tables: Sequence[TaskBoard],
    everyone: Sequence[Candidate],
    machines: frozenset[str],
) -> Decision:
    """Judge a policy by the board's tables, and by `everyone`, the `candidates` of all of them.

    `weights` are those of the policy's tasks, and `machines` those whose costs count. There must be no
    `bench.board.gate_names.problems`. Tests of the answers are corrected by Holm's method over the policy,
    apart for claims that a requirement is met and for claims that it is violated, so that a wrong claim of
    either kind has a probability of at most 2.5 %. What was not measured counts as a test without a result.
    """
    total = sum(weights.values())
    judged = _Judged(
        model=_subject(policy.model, everyone, weights),
        everyone=everyone,
        tables={table.task.name: table for table in tables if table.task.name in weights},
        weights={task: weight / total for task, weight in weights.items()},
        machines=machines,
    )
    parts = [() if isinstance(each, Costs) else _parts(each, judged) for each in policy.requirements]
    tested = iter(_corrected([part for some in parts for part in some]))
    findings: list[Finding] = []
    for requirement, some in zip(policy.requirements, parts, strict=True):
        if isinstance(requirement, Costs):
            costs, gaps = _spent(requirement, judged)
            findings.append(Finding(requirement, gaps=gaps, spent=costs))
            continue
        results = [next(tested) for _ in some]
        findings.append(
            Finding(
                requirement,
                reference=_reference(requirement, judged),
                tested=tuple(each for each in results if each),
                gaps=tuple(gap for part in some if isinstance(part, tuple) for gap in part),
            )
        )
    return Decision(policy, judged.model, judged.weights, tuple(findings))


def _subject(name: str, everyone: Sequence[Candidate], tasks: Mapping[str, float]) -> Subject:
    model = find(name, everyone, tuple(tasks))
    assert not isinstance(model, str)
    return model


def _reference(requirement: Requirement, judged: _Judged) -> Subject | None:
    _, name = reference_of(requirement)
    return _subject(name, judged.everyone, judged.weights) if name else None


def _parts(requirement: OnAnswers, judged: _Judged) -> list[_Part]:
    """The tests that a requirement needs: one over its tasks, or one for each of them."""
    tasks = requirement.tasks or tuple(judged.weights)
    apart = isinstance(requirement, LeastAccuracy | MostUnread) or requirement.each_task
    return [_part(requirement, some, judged) for some in ([(task,) for task in tasks] if apart else [tasks])]


def _part(requirement: OnAnswers, tasks: tuple[str, ...], judged: _Judged) -> _Part:
    model, reference = judged.model, _reference(requirement, judged)
    gaps = [gap for each in (model, reference) if each for gap in lacking(each, tasks, judged.tables)]
    if gaps or isinstance(model, Unmeasured) or isinstance(reference, Unmeasured):
        return tuple(gaps)
    asked = Asked(
        tables={task: judged.tables[task] for task in tasks},
        weights={task: judged.weights[task] for task in tasks},
    )
    match requirement:
        case LeastAccuracy(accuracy_at_least=least):
            return accuracy_at_least(asked, model, least)
        case MostUnread(unread_at_most=most):
            return unread_at_most(asked, model, most)
        case _:
            if reference is None:
                return better_than_guessing(asked, model)
            return compared(requirement, asked, model, reference)


def _corrected(parts: Sequence[_Part]) -> list[Tested | None]:
    """Each part's test with its p adjusted; None for what was not measured."""
    if not parts:
        return []
    evidence = [part if isinstance(part, Evidence) else None for part in parts]
    claims = holm(np.array([each.claim if each else 1.0 for each in evidence])).tolist()
    contraries = holm(np.array([each.contrary if each else 1.0 for each in evidence])).tolist()
    left = sum(p > ALPHA for p in claims), sum(p > ALPHA for p in contraries)
    return [
        each and _with_questions(Tested(each, claim, contrary), *left)
        for each, claim, contrary in zip(evidence, claims, contraries, strict=True)
    ]


def _with_questions(tested: Tested, claims: int, contraries: int) -> Tested:
    """With how many questions would decide what is undecided, so many claims and contraries being open.

    Holm's method tests the next of them at this level.
    """
    if tested.state != "undecided":
        return tested
    evidence = tested.evidence
    times = times_as_many(evidence.claim_sides, evidence.error, ALPHA / claims)
    if times:
        return replace(tested, towards="met", questions=math.ceil(times * evidence.questions))
    level = ALPHA / contraries / evidence.contraries
    times = times_as_many([evidence.contrary_side], evidence.error, level)
    if times:
        return replace(tested, towards="violated", questions=math.ceil(times * evidence.questions))
    return tested


def _spent(requirement: Costs, judged: _Judged) -> tuple[Spent | None, tuple[Gap, ...]]:
    return spent(requirement.limits, judged.model, tuple(judged.weights), judged.tables, judged.machines)
