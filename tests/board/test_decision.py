"""The gate: what each requirement needs to be met, what it does to the verdict, and how often it is wrong."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.board.board import TaskBoard, make_board
from bench.board.candidates import candidates, machines_of
from bench.board.choice import choose
from bench.board.forest import contrasts_across
from bench.board.gate import Decision, decide
from bench.board.gate_facts import facts_of
from bench.board.gate_names import Known, chosen_machines, problems
from bench.board.gate_words import headline, not_measured, reasons, remarks
from bench.board.limits import Limits
from bench.board.pairs import describe_detectable
from bench.board.policy import Policy
from bench.results.answers import UNREAD, Answered
from bench.stats.paired import paired

MB = 10**6
HERE = "processor, 2 cores"
NOT_WORSE = {"name": "keeps up", "not_worse_than": "old", "margin": "5 points"}


def played(
    base: Answered,
    name: str,
    right: NDArray[np.bool_],
    *,
    task: str = "one",
    memory: int | None = 1000 * MB,
    p50: float | None = 0.1,
    licence: str = "mit",
    dtype: str = "bfloat16",
    processor: str = "processor",
    unread: int = 0,
) -> Answered:
    """A run with these answers right, of as many questions of four options."""
    result, questions = base.result, len(right)
    split = result.cell.data["test"].model_copy(update={"rows": questions})
    command = f"bench run --models {name} --tasks {task} --fresh"
    facts = result.cell.model_copy(
        update={
            "id": f"{name}-{dtype}-{task}".ljust(12, "0"),
            "task": result.cell.task.model_copy(update={"name": task}),
            "model": result.cell.model.model_copy(update={"name": name, "title": name, "license": licence}),
            "variant": result.cell.variant.model_copy(update={"dtype": dtype}),
            "data": {**result.cell.data, "test": split},
            "command": command,
        }
    )
    batched = result.cost.batched
    alone = batched.model_copy(update={"p50": p50, "p95": 2 * p50}) if p50 and batched else None
    cost = result.cost.model_copy(update={"peak_memory_bytes": memory, "alone": alone, "joules": None})
    where = result.provenance.model_copy(update={"processor": processor, "cores": 2})
    changed = result.model_copy(update={"cell": facts, "cost": cost, "provenance": where})
    answers = replace(
        base.answers,
        right=right,
        views={},
        chosen=UNREAD * unread + "A" * (questions - unread),
        truth="A" * questions,
        options=(4,) * questions,
        statuses=("scored",) * questions,
    )
    return Answered(base.folder / name / dtype / task, changed, answers)


def first(correct: int, questions: int = 400, *, shift: int = 0) -> NDArray[np.bool_]:
    """The first questions right, or as many from number `shift` on."""
    return np.roll(np.arange(questions) < correct, shift)


def policy_of(*requirements: dict[str, object], **keys: object) -> Policy:
    facts = {"model": "new", "tasks": ["one"], "requirements": requirements}
    return Policy.model_validate(facts | keys)


def wrong(policy: Policy, runs: Sequence[Answered]) -> list[tuple[str, str]]:
    """The keys of the policy with what is wrong."""
    tables, everyone = board(runs)
    names = {each.first.cell.model.name for each in everyone} | {"unrun"}
    known = Known(sorted(names), ["mit", "gemma"], ["one", "two", "empty"], HERE)
    every = problems(policy, policy.tasks or {}, tables, everyone, known)
    return [(".".join(map(str, key)), text) for key, text in every]


def board(runs: Sequence[Answered]) -> tuple[Sequence[TaskBoard], Sequence[object]]:
    tables = make_board(list(runs), [], []).tasks
    return tables, candidates(tables)


def decided(policy: Policy, runs: Sequence[Answered]) -> Decision:
    tables = make_board(list(runs), [], []).tasks
    where = chosen_machines(policy.machine, machines_of(tables), HERE)
    return decide(policy, policy.tasks or {}, tables, candidates(tables), where)


def states(decision: Decision) -> list[str]:
    return [finding.state for finding in decision.findings]


def said(decision: Decision) -> str:
    lines = [headline(decision), *(line for each in decision.findings for line in reasons(each))]
    lines += [*remarks(decision), *(f"{what}: {command}" for what, command in not_measured(decision))]
    return "\n".join(lines).replace("\u202f", " ")


@pytest.mark.parametrize(
    ("requirement", "correct", "shift", "state"),
    [
        (NOT_WORSE, 240, 4, "met"),  # 8 of 400 questions differ
        (NOT_WORSE, 240, 60, "undecided"),
        (NOT_WORSE, 180, 0, "violated"),  # 15 points worse
        (NOT_WORSE, 300, 0, "met"),  # 15 points better
        ({"name": "n", "equivalent_to": "old", "margin": "5 points"}, 240, 4, "met"),
        ({"name": "n", "equivalent_to": "old", "margin": "5 points"}, 240, 60, "undecided"),
        ({"name": "n", "equivalent_to": "old", "margin": "5 points"}, 180, 0, "violated"),
        ({"name": "n", "equivalent_to": "old", "margin": "5 points"}, 300, 0, "violated"),
        ({"name": "n", "better_than": "old"}, 270, 0, "met"),
        ({"name": "n", "better_than": "old"}, 244, 0, "undecided"),
        ({"name": "n", "better_than": "old"}, 210, 0, "violated"),
        ({"name": "n", "better_than": "guessing"}, 130, 0, "met"),
        ({"name": "n", "better_than": "guessing"}, 105, 0, "undecided"),
        ({"name": "n", "better_than": "guessing"}, 60, 0, "violated"),
        ({"name": "n", "accuracy_at_least": "50 %"}, 230, 0, "met"),
        ({"name": "n", "accuracy_at_least": "50 %"}, 210, 0, "undecided"),
        ({"name": "n", "accuracy_at_least": "50 %"}, 170, 0, "violated"),
    ],
)
def test_a_requirement_on_answers_is_met_violated_or_undecided(
    base: Answered, requirement: dict[str, object], correct: int, shift: int, state: str
) -> None:
    runs = [played(base, "old", first(240)), played(base, "new", first(correct, shift=shift))]
    decision = decided(policy_of(requirement), runs)
    assert states(decision) == [state]
    assert decision.verdict == {"met": "GO", "violated": "NO-GO", "undecided": "INCONCLUSIVE"}[state]
    assert headline(decision).startswith(f"{decision.verdict}: ")


@pytest.mark.parametrize(("unread", "state"), [(0, "met"), (6, "undecided"), (30, "violated")])
def test_the_share_of_unread_answers_is_tested(base: Answered, unread: int, state: str) -> None:
    decision = decided(
        policy_of({"name": "n", "unread_at_most": "2 %"}), [played(base, "new", first(240), unread=unread)]
    )
    assert states(decision) == [state]


@pytest.mark.parametrize(
    ("limits", "state"),
    [
        ({"memory": "1GB", "latency": "100ms", "p95": "200ms", "license": "permissive"}, "met"),
        ({"memory": "999MB", "latency": "100ms"}, "violated"),
        ({"p95": "199ms"}, "violated"),
        ({"license": "gemma"}, "violated"),
        ({"energy": "5J"}, "not measured"),
        ({"energy": "5J", "memory": "1MB"}, "violated"),
    ],
)
def test_costs_are_measured_and_need_no_test(base: Answered, limits: dict[str, object], state: str) -> None:
    decision = decided(policy_of({"name": "n"} | limits), [played(base, "new", first(240))])
    assert states(decision) == [state]


def test_a_violation_outweighs_what_is_undecided_and_that_outweighs_what_is_met(base: Answered) -> None:
    runs = [played(base, "old", first(240)), played(base, "new", first(240, shift=60))]
    cheap, costly = {"name": "cheap", "memory": "2GB"}, {"name": "costly", "memory": "1MB"}
    assert decided(policy_of(cheap), runs).verdict == "GO"
    assert decided(policy_of(cheap, NOT_WORSE), runs).verdict == "INCONCLUSIVE"
    assert decided(policy_of(cheap, NOT_WORSE, costly), runs).verdict == "NO-GO"
    text = said(decided(policy_of(cheap, NOT_WORSE, costly), runs))
    assert "NO-GO: of 3 requirements on new (16-bit, chat), 1 is violated (costly) and 1 is undecided" in text


def test_the_undecided_says_how_many_questions_would_decide_it(base: Answered) -> None:
    """By hand, for two models of equal accuracy that differ on 120 of 400 questions."""
    runs = [played(base, "old", first(240)), played(base, "new", first(240, shift=60))]
    decision = decided(policy_of(NOT_WORSE), runs)
    [[tested]] = [finding.tested for finding in decision.findings]
    assert tested.towards == "met"
    assert tested.questions == pytest.approx((1.96 + 0.8416) ** 2 * 0.3 / 0.05**2, rel=0.02)
    number = f"{tested.questions:,} questions like those of one (2.4 times as many)"
    shown = "would show 'less than 5 points worse' in 80 of 100 cases"
    assert f"To decide 'keeps up': {number} {shown}" in said(decision)
    more = decided(policy_of(NOT_WORSE, {"name": "b", "better_than": "old"}), runs)
    [tested_more] = more.findings[0].tested
    assert tested_more.questions
    assert tested_more.questions > tested.questions  # Holm's method asks for more where two are open
    assert "To decide 'b', no number of questions like those of one can be given" in said(more)


def test_requirements_are_corrected_together_by_holm(base: Answered) -> None:
    """A p of 0.03 is enough alone, and not beside another requirement that is open."""
    runs = [played(base, "old", first(240)), played(base, "new", first(246))]  # 6 to 0: p = 0.031
    better = {"name": "better", "better_than": "old"}
    assert states(decided(policy_of(better), runs)) == ["met"]
    open_one = {"name": "open", "accuracy_at_least": "61 %"}
    assert states(decided(policy_of(better, open_one), runs)) == ["undecided", "undecided"]
    not_there = {"name": "not there", "not_worse_than": "unrun", "margin": "1 points"}
    assert states(decided(policy_of(better, not_there), runs)) == ["undecided", "not measured"]
    assert states(decided(policy_of(better, {"name": "cheap", "memory": "2GB"}), runs)) == ["met", "met"]


def test_the_numbers_are_those_of_compare_and_pick(base: Answered) -> None:
    runs = [
        played(base, name, first(correct, questions), task=task)
        for task, questions in (("one", 400), ("two", 100))
        for name, correct in (("old", questions // 2), ("new", questions * 3 // 5))
    ]
    better = {"name": "better", "better_than": "old"}
    one = decided(policy_of(better), runs).findings[0].tested[0].evidence
    pair = paired(first(200), first(240), clusters=None)
    assert one.estimate == pytest.approx(pair.difference)
    assert one.interval == pair.interval
    assert one.claim == pytest.approx(pair.p)
    assert f"at least {100 * (one.detectable or 0):.1f} points" in describe_detectable(pair)

    weights = {"one": 2.0, "two": 1.0}
    both = decided(policy_of(better, tasks=weights), runs).findings[0].tested[0].evidence
    tables = make_board(runs, [], []).tasks
    scores = {
        each.candidate.first.model_name: each.score for each in choose(tables, weights, Limits()).fitting
    }
    assert both.scale == "score"
    assert both.estimate == pytest.approx(scores["new"] - scores["old"])
    contrasts = contrasts_across(tables, weights)
    assert contrasts is not None
    assert both.detectable == pytest.approx(contrasts.detectable)


def test_several_tasks_are_judged_together_or_each(base: Answered) -> None:
    """Better on one task makes up for another, unless each task has to hold."""
    runs = [
        played(base, "old", first(240)),
        played(base, "new", first(300)),
        played(base, "old", first(240), task="two"),
        played(base, "new", first(200), task="two"),
    ]
    together = decided(policy_of(NOT_WORSE, tasks=["one", "two"]), runs)
    assert states(together) == ["met"]
    assert "points of the score on one and two" in said(together)
    each = decided(policy_of(NOT_WORSE | {"each_task": True}, tasks=["one", "two"]), runs)
    assert [tested.state for tested in each.findings[0].tested] == ["met", "violated"]
    assert states(each) == ["violated"]
    assert states(decided(policy_of(NOT_WORSE | {"tasks": ["two"]}, tasks=["one", "two"]), runs)) == [
        "violated"
    ]
    least = decided(policy_of({"name": "n", "accuracy_at_least": "45 %"}, tasks=["one", "two"]), runs)
    assert [tested.evidence.tasks for tested in least.findings[0].tested] == [("one",), ("two",)]


def test_what_was_not_measured_is_inconclusive_and_has_its_command(base: Answered) -> None:
    runs = [played(base, "old", first(240)), played(base, "new", first(240), p50=None)]
    latency = decided(policy_of({"name": "n", "latency": "1s"}), runs)
    assert (latency.verdict, states(latency)) == ("INCONCLUSIVE", ["not measured"])
    assert not_measured(latency) == [
        ("new (16-bit, chat), latency", "bench run --models new --tasks one --latency")
    ]
    reference = decided(policy_of({"name": "n", "better_than": "unrun"}), runs)
    assert not_measured(reference) == [("unrun has no run", "bench run --models unrun --tasks one --latency")]
    task = decided(policy_of(NOT_WORSE, {"name": "c", "memory": "2GB"}, tasks=["one", "two"]), runs)
    assert states(task) == ["not measured", "not measured"]
    assert ("new (16-bit, chat) lacks two", "bench run --models new --tasks two --latency") in not_measured(
        task
    )
    nobody = decided(policy_of(NOT_WORSE, {"name": "c", "memory": "2GB"}, model="unrun"), runs)
    assert nobody.verdict == "INCONCLUSIVE"


def test_a_partial_run_does_not_count_and_is_said_to_be_partial(base: Answered) -> None:
    run = played(base, "new", first(240))
    cell = run.result.cell.model_copy(update={"limit": 10})
    partial = replace(run, result=run.result.model_copy(update={"cell": cell}))
    decision = decided(
        policy_of({"name": "n", "better_than": "guessing"}), [played(base, "old", first(9)), partial]
    )
    assert states(decision) == ["not measured"]
    [(what, _)] = not_measured(decision)
    assert what == "new has no run that counts (partial run: the first 10 of 400 questions)"


def test_costs_count_on_the_machine_that_the_policy_names(base: Answered) -> None:
    runs = [
        played(base, "new", first(240), processor="fast", p50=0.1),
        played(base, "new", first(240), processor="slow", p50=0.9, task="two"),
        played(base, "other", first(240)),
    ]
    limit = {"name": "quick", "latency": "500ms"}
    [(key, text)] = wrong(policy_of(limit, tasks=["one", "two"]), runs)
    assert key == "machine"
    machines = "fast, 2 cores, 25.3 GB; slow, 2 cores, 25.3 GB"
    assert text.startswith(f"new (16-bit, chat) was run on 2 machines ({machines}), and ")
    assert text.endswith("'quick' limits what it needs: write machine: and one of them")
    assert wrong(policy_of(limit, tasks=["one"]), runs) == []
    assert wrong(policy_of({"name": "n", "disk": "1GB"}, tasks=["one", "two"]), runs) == []
    assert wrong(policy_of(limit, machine="slwo, 2 cores, 25.3 GB"), runs)[0][1].startswith(
        "no run was made on 'slwo, 2 cores, 25.3 GB'; did you mean 'slow, 2 cores, 25.3 GB'?"
    )
    assert states(decided(policy_of(limit, machine="fast"), runs)) == ["met"]
    assert states(decided(policy_of(limit, machine="slow", tasks=["two"]), runs)) == ["violated"]
    partly = decided(policy_of(limit, machine="fast", tasks=["one", "two"]), runs)
    assert states(partly) == ["not measured"]
    assert not_measured(partly)[0] == (
        "new (16-bit, chat) on fast, 2 cores, 25.3 GB",
        "bench run --models new --tasks two --latency --fresh (on that machine)",
    )
    over = decided(policy_of(limit, machine="slow", tasks=["one", "two"]), runs)
    assert states(over) == ["violated"], "whatever it needs on task one"
    assert states(decided(policy_of(limit, machine="this"), runs)) == ["not measured"]
    assert states(decided(policy_of(limit, machine="this", model="other"), runs)) == ["met"]
    both = replace(runs[0], elsewhere=(played(base, "new", first(240), processor="slow", p50=0.9).result,))
    assert wrong(policy_of(limit), [both])[0][1].startswith(
        "new (16-bit, chat) was run on 2 machines (fast, "
    )
    for machine, state in (("fast", "met"), ("slow", "violated")):
        assert states(decided(policy_of(limit, machine=machine), [both])) == [state]


@pytest.mark.parametrize(
    ("keys", "key", "text"),
    [
        ({"model": "nwe"}, "model", "no model is named 'nwe'; did you mean 'new'?"),
        ({"model": "two-ways"}, "model", "'two-ways' has 2 variants; write one of two-ways/bfloat16-chat, "),
        ({"model": "new/float32"}, "model", "'new/float32' has no run in the variant 'float32'; did "),
        ({"model": "old"}, "requirements.0.not_worse_than", "is the model itself; name another one"),
        ({"model": "old/bfloat16-chat"}, "requirements.0.not_worse_than", "is the model itself; name "),
        ({"tasks": ["on"]}, "tasks.on", "no task is named 'on'; did you mean 'one'?"),
    ],
)  # fmt: skip
def test_what_a_policy_names_and_is_not_there_is_one_sentence(
    base: Answered, keys: dict[str, object], key: str, text: str
) -> None:
    runs = [played(base, name, first(240)) for name in ("old", "new", "two-ways")]
    runs.append(played(base, "two-ways", first(240), dtype="float32"))
    [(place, problem)] = wrong(policy_of(NOT_WORSE, **keys), runs)
    assert (place, problem.startswith(text)) == (key, True), problem


def test_other_names_in_requirements_are_checked_too(base: Answered) -> None:
    runs = [played(base, name, first(240)) for name in ("old", "new")]
    policy = policy_of(
        {"name": "a", "better_than": "odl"},
        {"name": "b", "license": "mti"},
        {"name": "c", "accuracy_at_least": "5 %", "tasks": ["two"]},
    )
    assert [(key, text.split(" (there are")[0]) for key, text in wrong(policy, runs)] == [
        ("requirements.0.better_than", "no model is named 'odl'; did you mean 'old'?"),
        ("requirements.1.license", "no model has the licence 'mti'; did you mean 'mit'?"),
        ("requirements.2.tasks", "'two' is no task of the policy"),
    ]
    assert wrong(policy_of(NOT_WORSE, tasks=["one", "empty"]), runs) == []


def test_a_name_near_guessing_and_what_a_policy_repeats_are_mistakes_at_their_place(base: Answered) -> None:
    runs = [played(base, name, first(240)) for name in ("old", "new")]
    policy = policy_of(
        {"name": "a", "better_than": "guesing"}, {"name": "a", "unread_at_most": "1 %", "tasks": ["one"] * 2}
    )
    assert [(key, text.split(" (there are")[0]) for key, text in wrong(policy, runs)] == [
        ("requirements.0.better_than", "no model is named 'guesing'; did you mean 'guessing'?"),
        ("requirements.1.name", "two requirements are named 'a'; name each differently"),
        ("requirements.1.tasks", "'one' is named twice"),
    ]


def test_what_is_over_a_limit_stands_beside_the_limit(base: Answered) -> None:
    decision = decided(policy_of({"name": "cheap", "memory": "1MB"}), [played(base, "new", first(240))])
    assert "; limits: 1 MB of memory; over: 1 GB of memory" in said(decision)


def test_a_claim_is_written_as_text_and_a_number_of_times_with_commas(base: Answered) -> None:
    policy = policy_of({"name": "right", "accuracy_at_least": "59.9 %"})
    text = said(decided(policy, [played(base, "new", first(240))]))
    assert re.search(r"\(\d+,\d{3}\.\d times as many\) would show 'more than 59.9 % right' in", text), text


def test_a_run_can_be_named_by_the_beginning_of_its_id(base: Answered) -> None:
    runs = [played(base, "old", first(240)), played(base, "new", first(240, shift=4))]
    named = policy_of(NOT_WORSE | {"not_worse_than": "old-bfloat1"}, model="new-bfloat16-one")
    assert (wrong(named, runs), states(decided(named, runs))) == ([], ["met"])


def test_as_values_it_says_all_that_the_terminal_says(base: Answered) -> None:
    runs = [played(base, "old", first(240)), played(base, "new", first(240, shift=60))]
    decision = decided(policy_of(NOT_WORSE, {"name": "cheap", "memory": "1MB", "energy": "1J"}), runs)
    facts = facts_of(decision)
    assert [facts["sentence"], facts["because"]] == [headline(decision), remarks(decision)]
    first_one, second = facts["requirements"]  # type: ignore[misc]
    assert (first_one["state"], second["state"]) == ("undecided", "violated")
    [test] = first_one["tests"]
    assert test["interval"][0] < -0.05 < test["estimate"] == 0.0
    assert test["p_met"] == test["p_met_holm"]
    assert (second["needs"]["memory"], second["over"]) == (1000 * MB, ("1\u202fGB of memory",))


def with_answers(table: TaskBoard, right: NDArray[np.bool_]) -> TaskBoard:
    """The table with other answers, (rows, questions)."""
    rows = (
        replace(row, run=replace(row.run, answers=replace(row.answers, right=each)))
        for row, each in zip(table.rows, right, strict=True)
    )
    return replace(table, rows=tuple(rows))


BOARDS = 100


def test_a_model_at_the_margin_gets_a_wrong_go_on_at_most_5_of_100_boards(base: Answered) -> None:
    """It is worse by just the margin; all else that the policy asks for holds."""
    questions, margin = 150, 0.1
    [table] = make_board(
        [played(base, "old", first(90, questions)), played(base, "new", first(80, questions))], [], []
    ).tasks
    assert [row.result.model_name for row in table.rows] == ["new", "old"]
    policy = policy_of(NOT_WORSE | {"margin": "10 points"}, {"name": "useful", "better_than": "guessing"})
    generator = np.random.default_rng(2)
    verdicts: list[str] = []
    for _ in range(BOARDS):
        draw = generator.random(questions)
        old, new = draw < 0.7, (draw > margin + 0.04) & (draw < 0.74)  # 14 points lost and 4 won
        played_table = with_answers(table, np.array([new, old]))
        everyone = candidates([played_table])
        verdicts.append(decide(policy, {"one": 1.0}, [played_table], everyone, frozenset()).verdict)
    assert verdicts.count("GO") <= 0.05 * BOARDS
    assert verdicts.count("NO-GO") <= 0.05 * BOARDS
