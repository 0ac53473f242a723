"""What the probes of a run showed: a part of `result.json`, made of `probes.jsonl`."""

from pydantic import Field

from bench.config import Strict
from bench.numbers import Amount, Count, Real, Share
from bench.scoring.metrics import Rate
from bench.types import ProbeName


class Measured(Strict):
    """A number with the ends of its 95 % interval."""

    value: Real
    low: Real
    high: Real


class Difference(Measured):
    """A paired difference of two accuracies on the same questions, in [-1, 1].

    `p` is McNemar's exact one, or in clusters that of the sign-flip test.
    """

    p: Share


class Order(Strict):
    """What all rotations of the options showed of `questions`. All shares are in [0, 1].

    `accuracy` and `without_prior` are of the published order: as the run has it, and with the letters' prior
    divided out, which changes it by `gain`; `prior` has the prior by the number of options. In all other
    figures, letters with equal scores share an answer in equal parts; `ties` counts such answers.

    `rotations` has the accuracy of each rotation, the published order first; `mean` is their mean over
    questions. `consistent` counts questions that are right in every rotation, and `changed` those of which
    no option is the best in all. `recall` has by letter how often the right option was chosen where it stood
    there, over all rotations, and `spread` is the highest less the lowest. `chosen` counts chosen
    letters, and `preference_p` is that of no letter being preferred. `published` is how much likelier (nats)
    the right option is in the published order than in the others, and `published_p` that of no such
    difference, None where it cannot be tested.
    """

    questions: Count
    accuracy: Rate
    rotations: tuple[Measured, ...]
    mean: Measured
    consistent: Rate
    changed: Rate
    ties: Count
    recall: dict[str, Measured]
    spread: Measured
    chosen: dict[str, Real]
    preference_p: Share
    prior: dict[Count, dict[str, Real]]
    without_prior: Rate
    gain: Difference
    published: Real
    published_p: Share | None
    answers: str
    """The letters chosen with the prior divided out, one for each question of the run; where it was not
    rotated, its own answer, "-" for none."""

    @property
    def preferred(self) -> str:
        """The letter that is chosen most often."""
        return max(self.chosen, key=self.chosen.__getitem__)

    @property
    def preferred_share(self) -> float:
        """The share of all answers, over all rotations, that name it."""
        return self.chosen[self.preferred] / sum(self.chosen.values())


class UseOfQuestion(Strict):
    """Accuracy with the question and from the options alone, on the same questions.

    `letter` is the most frequent right one, and `letter_rate` the accuracy of always choosing it. `both`
    counts the questions that are right with and without the question. `over_options` is the accuracy with
    the question less that from the options alone, and `options_over_letter` that of the options alone less
    the letter's.
    """

    questions: Count
    accuracy: Rate
    options_alone: Rate
    letter: str
    letter_rate: Rate
    both: Count
    over_options: Difference
    options_over_letter: Difference


class Replaced(Strict):
    """Accuracy as published, and with "None of the other answers" in place of the right option.

    `drop` is the first less the second, on the same questions.
    """

    questions: Count
    accuracy: Rate
    replaced: Rate
    drop: Difference


class Probes(Strict):
    """`asked` are the probes of the run. Where they do not apply, `inapplicable` says why, and nothing was
    asked.

    `left_out` has for each probe the ids of the questions that it left out, by reason. `seconds` is the time
    of all probes, which is no part of the run's cost; `records_sha256` is the digest of `probes.jsonl`. A
    probe that no question was asked of is None.
    """

    asked: tuple[ProbeName, ...]
    inapplicable: str = ""
    left_out: dict[ProbeName, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    seconds: Amount = 0.0
    machine: str = ""
    """The machine that took this time, "" where there were several."""
    order: Order | None = None
    question: UseOfQuestion | None = None
    nota: Replaced | None = None
    records_sha256: str = ""
