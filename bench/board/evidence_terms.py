"""Terms of when a model is right, and of what its accuracy means."""

from bench.board.term import Term

CONFIDENCE = (
    Term(
        "answerable_80",
        "Answerable at 80 %",
        "The most questions that the model can answer so that at least 80 % of these answers are right. It "
        "leaves the others unanswered.",
        "Confidence thresholds are tested from the strictest on, each by an exact binomial test at 5 %, "
        "one-sided, up to the first that is not rejected (fixed-sequence testing), so the statement holds in "
        "95 of 100 samples although the threshold is chosen from them.",
    ),
    Term(
        "calibration",
        "Calibration error",
        "How far the model's probabilities are from how often it is right. Of answers of which it is 70 % "
        "sure, 70 % should be right.",
        "Smooth calibration error (smECE), of a softmax of the options' scores, before and after dividing "
        "them by a temperature that is fitted on other questions (five folds). The floor is the error that "
        "perfectly calibrated probabilities show on so many questions.",
    ),
    Term(
        "temperature",
        "Rescaling (temperature)",
        "One number that all scores of a model are divided by, so that it is as sure as it is right. Above "
        "1, the model is too sure of itself; below 1, not sure enough. Its answers stay the same.",
        "Temperature scaling (Guo et al. 2017), at which the right options are likeliest.",
    ),
    Term(
        "confidence_auroc",
        "Right told from wrong (AUROC)",
        "How often the model is surer of a right answer than of a wrong one: 0.5 if its confidence tells "
        "nothing, 1 if it is surer of every right answer than of any wrong one.",
        "The area under the ROC curve of the confidence as it is, with the one-sided Mann–Whitney test.",
    ),
    Term(
        "brier",
        "Brier score",
        "How far the probabilities of all options are from what is right: 0 for a model that is sure and "
        "right.",
        "The mean squared difference, summed over the options. That of the answer's confidence is split into "
        "miscalibration, discrimination and uncertainty by isotonic regression (CORP).",
    ),
    Term(
        "risk_coverage",
        "Risk and coverage",
        "How accurate the model is on the part of the questions of which it is surest.",
        "The area under risk and coverage (AURC) is the mean share of wrong answers over all coverages.",
    ),
)

VALIDITY = (
    Term(
        "order_changed",
        "Changes with order",
        "How many answers change when nothing but the order of the options does. A model that reads the "
        "question chooses the same option in any order; where the choice is close, it may not.",
        "Every question is asked in all rotations of its options (bench run --probe order); an answer "
        "changes where no option is the best in all. Questions whose options speak of one another are left "
        "out. Letters with equal scores share an answer.",
    ),
    Term(
        "order_consistent",
        "Right in every order",
        "The share of the questions that the model answers right in whatever order their options stand.",
        "In all rotations of the options.",
    ),
    Term(
        "recall_spread",
        "Right answers by letter (recall)",
        "How often the model finds the right option where it stands at A, at B and so on. If it finds it far "
        "more often at one letter, it goes by the letter and not only by the content.",
        "The recall of each letter, over all rotations; the spread is the highest less the lowest.",
    ),
    Term(
        "letter_preference_p",
        "Letter preference (prior)",
        "A model prefers a letter if it chooses it more often than the others whatever stands there. The "
        "prior is the share that each letter has without regard to what stands there.",
        "Over all rotations each letter is right equally often, so an even choice would name each equally "
        "often; tested by randomisation.",
    ),
    Term(
        "rank_without_preference",
        "Rank without letter preference",
        "The places that a model may have if no model preferred a letter.",
        "Each letter's prior is estimated from the rotations of a small share of the questions and divided "
        "out (PriDe, Zheng et al. 2024). That a letter is preferred is tested by randomisation.",
    ),
    Term(
        "options_alone",
        "Options alone",
        "The accuracy without the question: only its options are shown. What is right then needs no "
        "question.",
        "The same prompt with an empty question (bench run --probe question), compared with the full "
        "prompt and with the most frequent letter by McNemar's exact test, or that of clusters.",
    ),
    Term(
        "nota",
        "Right option replaced",
        "The accuracy where the right option's text is replaced by “None of the other answers”. A model "
        "that recognises options rather than knows the answer loses most.",
        "An automatic change (bench run --probe nota) that no clinician checked; a paired difference.",
    ),
    Term(
        "format_median",
        "Over formats",
        "The lowest, median and highest accuracy over several formats of the prompt, which ask the same.",
        "The formats that the task names (bench run --formats all). Whether the ranking depends on them: the "
        "mean of Kendall's τ-b over pairs of formats; its interval has every τ that the significant "
        "differences allow.",
    ),
    Term(
        "published_order",
        "Published order",
        "Whether the model gives the right option more in the published order of the options than in others, "
        "as one does that has seen the questions. It is evidence and no proof: sorted options have the same "
        "effect.",
        "The log-probability of the right option where it was published against that at the other places; "
        "the published places of all questions are exchanged at random (one-sided permutation test).",
    ),
    Term(
        "nats",
        "Nats",
        "A unit for how much likelier one thing is than another to the model: +0.1 nats is about a tenth "
        "likelier, +0.7 twice as likely, 0 equally likely.",
        "The difference of natural logarithms of probabilities.",
    ),
)
