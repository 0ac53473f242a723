"""Tables whose questions come in clusters: by which their rows are compared, and how it is said. Pure."""

from collections.abc import Sequence

from bench.board.board import TaskBoard
from bench.board.limits import join
from bench.stats.clusters import FEWEST, Clusters, shared_clusters
from bench.wording import counted


def clusters_on(table: TaskBoard) -> Clusters | None:
    """By which the table's rows are compared; None where each question is alone."""
    return shared_clusters(row.answers.clusters for row in table.rows)


def clusters_sentence(table: TaskBoard) -> str:
    """That the questions come in clusters, and which rows do not know it; "" where each question is alone."""
    clusters = clusters_on(table)
    if clusters is None:
        return ""
    older = sum(row.answers.clusters is None for row in table.rows)
    return " ".join(filter(None, [in_clusters(clusters.number), _not_clustered(older)]))


def in_clusters(number: int) -> str:
    """A sentence on questions in so many clusters."""
    if number < FEWEST:
        return (
            "All questions share one cluster (a case, a source): what others would give is not known, so "
            "there are no intervals and no significant differences."
        )
    return (
        f"Questions come in {number:,} clusters (cases, sources); intervals and tests take that into account."
    )


def clusters_across(tables: Sequence[TaskBoard]) -> str:
    """The sentence on several tasks together; "" where no question is in a cluster."""
    several = [table.task.title for table in tables if clusters_on(table)]
    return of_clusters(several) if several else ""


def of_clusters(tasks: Sequence[str]) -> str:
    """A sentence on tasks whose questions come in clusters; `static/choice_words.js` says the same."""
    which = f"Questions of {join(tasks)} come in clusters (cases, sources)"
    return f"{which}; intervals and tests take that into account."


def _not_clustered(rows: int) -> str:
    if not rows:
        return ""
    have = "was run before the task named them, and its own interval is" if rows == 1 else ""
    have = have or "were run before the task named them, and their own intervals are"
    return f"{counted(rows, 'row')} {have} not clustered: bench run adds them, without asking again."
