"""A gate's decision as values for JSON. Pure."""

from dataclasses import asdict

from bench.board.gate import Decision, Finding, Tested
from bench.board.gate_names import Subject, Unmeasured
from bench.board.gate_words import claims, headline, not_measured, reasons, remarks

Facts = dict[str, object]


def facts_of(decision: Decision) -> Facts:
    """All that the terminal says, and the numbers behind it: shares from 0 to 1, bytes, seconds, joules."""
    return {
        "verdict": decision.verdict,
        "sentence": headline(decision),
        "because": remarks(decision),
        "policy": decision.policy.model_dump(exclude_unset=True),
        "model": _model(decision.model),
        "tasks": dict(decision.tasks),
        "requirements": [_finding(finding) for finding in decision.findings],
        "not_measured": [{"what": what, "command": command} for what, command in not_measured(decision)],
    }


def _model(model: Subject) -> Facts:
    if isinstance(model, Unmeasured):
        return {"name": model.name, "measured": False}
    cell = model.first.cell
    runs = {task: row.result.cell.id for task, row in model.rows.items()}
    facts: Facts = {"name": model.name, "measured": True, "model": cell.model.name}
    return facts | {"variant": cell.variant.slug, "runs": runs}


def _finding(finding: Finding) -> Facts:
    spent = finding.spent
    return {
        "name": finding.requirement.name,
        "state": finding.state,
        "claim": claims(finding.requirement)[0],
        "reasons": reasons(finding),
        "reference": finding.reference and _model(finding.reference),
        "tests": [_tested(each) for each in finding.tested],
        "needs": spent and asdict(spent.needs),
        "over": spent.over if spent else (),
        "machines": spent.machines if spent else (),
        "not_measured": [asdict(gap) for gap in finding.gaps],
    }


def _tested(tested: Tested) -> Facts:
    evidence = tested.evidence
    return {
        "tasks": evidence.tasks,
        "state": tested.state,
        "scale": evidence.scale,
        "questions": evidence.questions,
        "estimate": evidence.estimate,
        "interval": (evidence.interval.low, evidence.interval.high),
        "p_met": evidence.claim,
        "p_met_holm": tested.claim,
        "p_violated": evidence.contrary,
        "p_violated_holm": tested.contrary,
        "detectable": evidence.detectable,
        "questions_to_decide": tested.questions,
        "would_be": tested.towards,
    }
