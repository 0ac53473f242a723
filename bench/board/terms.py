"""What the board's words mean: the source of the page "How it is measured", which heads link to."""

from bench.board.evidence_terms import CONFIDENCE, VALIDITY
from bench.board.term import Term

ACCURACY = (
    Term(
        "accuracy",
        "Accuracy",
        "The share of the questions that a model answered right.",
        "A question without a readable answer counts as wrong and is listed. Nothing is cut to fit: a prompt "
        "that is too long for a model is no answer, and is counted as such.",
    ),
    Term("right", "Right", "How many questions a model answered right, of how many it was asked."),
    Term(
        "interval",
        "95 % interval",
        "Where the accuracy would probably lie on many more questions of this kind.",
        "Wilson's score interval. Of a difference between two models on the same questions: the 95 % "
        "interval of the paired bootstrap, computed without drawing samples.",
    ),
    Term(
        "clusters",
        "Clusters",
        "Questions that share a case or a source. A model that reads the case wrongly is wrong on all of "
        "them, so they say less than as many questions that have nothing in common.",
        "The task names a column of its data. Intervals of accuracies count as many questions as say as much "
        "independently (Rao and Scott), those of differences use the variance between clusters and Student's "
        "distribution; p is exact, of all choices of signs of the clusters' differences. Metrics resample "
        "whole clusters.",
    ),
    Term(
        "rank",
        "Rank",
        "The places that a model may have. A range means that the questions cannot tell it from others.",
        "Every pair of rows is compared on the same questions: by a step-down test of the largest difference "
        "(Westfall and Young 1993), with the signs of whole questions flipped at random, 2,000 times, alike "
        "for all models; and by McNemar's exact test of the pair. In 95 % of tables no two equal models are "
        "said to differ. The best place is one more than the number of rows that are significantly better.",
    ),
    Term(
        "may_be_best",
        "May be the best",
        "Whether a model may be the best of the table. One that is not can have a rank from 1 on: no single "
        "model is shown to be better, but together the others show that one of them is.",
        "Each row is compared with all others, one-sided (multiple comparisons with the best, Hsu 1984), by "
        "the same flips. In 95 % of tables the truly best model is among those that may be the best. A row "
        "that another one is significantly better than is not.",
    ),
    Term(
        "above_chance",
        "Above chance",
        "How far the accuracy is on the way from guessing (0 %) to all right (100 %).",
        "(accuracy - guessing) / (1 - guessing), where guessing is the mean of 1 / number of options.",
    ),
    Term(
        "score",
        "Score",
        "The mean over the tasks of the way from guessing to all right.",
        "Weighted by the board's weights, equal ones by default. Only models with a run of every chosen task "
        "are ranked; one that lacks a task is listed with what it lacks. Cost is never part of the score.",
    ),
    Term(
        "view",
        "View",
        "How an answer is read from a model: by the letter it prefers, by the text it prefers, or from what "
        "it writes.",
        "Each task names the view that ranks. One pass over a question gives the log-probabilities for all "
        "views; no view is used in place of another.",
    ),
)

CONTAMINATION = (
    Term(
        "contamination_p",
        "Is the published order known?",
        "Whether a model finds the questions likelier in the order of the published file than in others, as "
        "one does that was trained on the file. It is evidence and no proof, and the score is not changed.",
        "Runs of consecutive questions (shards) are scored in published order and shuffled (Oren et al. "
        "2023). The statistic sums over the shards how many standard deviations the published order lies "
        "above the mean; its null distribution picks an order of each shard at random, by Monte Carlo with "
        "an exact level. Holm's method adjusts p for all tests of the board. Questions that were seen in "
        "another order, reworded or translated do not show.",
    ),
    Term(
        "contamination_shards",
        "Shards of the published order",
        "How many runs of consecutive questions that test has: with few, it sees little.",
    ),
)

COSTS = (
    Term(
        "peak_memory_bytes",
        "Memory",
        "The most memory that the whole program took while it answered.",
        "Peak resident memory of the process, or of the device where the model ran on one. It is that of "
        "one engine: another runtime may take less.",
    ),
    Term(
        "weights_in_memory_bytes",
        "Weights in memory",
        "The part of the memory that the model itself takes.",
        "Parameters and buffers after loading and quantising, scales included.",
    ),
    Term(
        "weights_on_disk_bytes",
        "On disk",
        "The size of the model's files.",
        "The files that were read, not a number of parameters times a number of bytes.",
    ),
    Term(
        "seconds_alone_p50",
        "One answer (p50)",
        "Half of all answers took at most this long, with one question asked at a time.",
        "The median over a sample of the questions, prompt and answer together, after a warm-up "
        "(bench run --latency).",
    ),
    Term(
        "seconds_alone_p95",
        "95 of 100 answers (p95)",
        "95 of 100 answers took at most this long, with one question asked at a time.",
        "The 95th percentile of the same sample.",
    ),
    Term(
        "questions_per_second",
        "Questions a second",
        "How many questions were answered in a second when many were asked at once.",
        "Questions divided by the time of scoring in batches, loading excluded.",
    ),
    Term("joules", "Energy", "The energy of the whole run.", "The processor's or the device's own counter."),
    Term(
        "parameters", "Parameters", "How many numbers the model consists of.", "As its publisher states them."
    ),
    Term(
        "precision",
        "Precision",
        "How many bits each number has: 16-bit is usual, 4-bit and 8-bit take less memory.",
        "The data type of the weights: bfloat16, float16 or float32, or the quantisation: int8, nf4, fp4, or "
        "the format of a GGUF file, such as Q4_K_M.",
    ),
    Term(
        "runtime",
        "Runtime",
        "The program that ran the model: another one may take less memory or time for the same answers.",
        "transformers with PyTorch, llama.cpp for GGUF files, or the program that an imported run is from.",
    ),
)

MODELS = (
    Term(
        "title",
        "Model",
        "A model, and in which way it was run: its variant.",
        "A variant is precision, prompt, solved examples, adapter and way of answering together.",
    ),
    Term(
        "exemplars",
        "Solved examples",
        "Questions with their answers that the model was shown before each question.",
        "Exemplars (few-shot), drawn once from the task's own split, the same for every model.",
    ),
    Term(
        "tuned",
        "Tuned here",
        "The model was trained a little further on questions of this kind, on this machine.",
        "LoRA or all weights; questions of the test are removed from the training data first.",
    ),
    Term(
        "baseline",
        "Baseline",
        "A program without a language model, such as always giving the most frequent letter. A model that is "
        "not better than it is of no use for the task.",
    ),
    Term("licence", "Licence", "What you may do with the model, by its publisher's word."),
    Term("finished", "Date", "When the run was finished."),
)

CHOICE = (
    Term(
        "limits",
        "Limits",
        "The most that a model may need. A model is within all of them, or it does not fit.",
        "What was not measured does not fit. Of several tasks, the highest need counts.",
    ),
    Term(
        "choice",
        "Which model is named",
        "The best that fits. Where several cannot be told apart, the cheapest of them. Where none is better "
        "than guessing and than the best baseline: none.",
        "Differences are paired by question and stratified by task. Each model is compared with all others "
        "that fit, one-sided at 5 % (multiple comparisons with the best, Hsu 1984), corrected by the method "
        "of Bonferroni; what Holm's method finds among all pairs counts, too. Cheapest is least memory, then "
        "the shortest answer, then smallest files.",
    ),
    Term(
        "detectable",
        "Smallest difference",
        "A difference between two models that is smaller than this will usually not show on these questions.",
        "The difference that 80 of 100 such sets of questions show at 5 %, corrected for all comparisons "
        "of the table, or of a model with the others.",
    ),
    Term(
        "estimate",
        "Estimate",
        "A number that was not measured here, worked out from what was. It is always marked as one.",
        "From the size of the model's files and from rates measured on this machine, with an interval.",
    ),
)

SECTIONS = {
    "How good": ACCURACY,
    "When it is right": CONFIDENCE,
    "What the accuracy means": VALIDITY,
    "What it may have seen": CONTAMINATION,
    "What it costs": COSTS,
    "What was run": MODELS,
    "Which to use": CHOICE,
}
TERMS = {term.name: term for terms in SECTIONS.values() for term in terms}
