"""A share of the questions against a bound: exact binomial tests."""


def rate_p(successes: float, trials: float, bound: float) -> tuple[float, float]:
    """The p for a rate above `bound`, and for one below it: twice the probability of so many, or so few.

    Both are at most 1; `bound` is in (0, 1). Twice, so that a p of 0.05 or less is on one side of the exact
    95 % interval (`bench.stats.intervals.exact`). Without a trial both are 1.

    Of an effective number of trials, which need not be whole, they are those that go with that interval
    (Korn and Graubard 1998).
    """
    from scipy.special import bdtr, bdtrc, betainc, betaincc

    if trials <= 0:
        return 1.0, 1.0
    if not isinstance(trials, int):
        above = betainc(successes, trials - successes + 1, bound) if successes > 0 else 1.0
        below = betaincc(successes + 1, trials - successes, bound) if successes < trials else 1.0
        return min(1.0, 2.0 * float(above)), min(1.0, 2.0 * float(below))
    more = bdtrc(successes - 1, trials, bound) if successes > 0 else 1.0
    return min(1.0, 2.0 * float(more)), min(1.0, 2.0 * float(bdtr(successes, trials, bound)))
