// Paired tests of models on the same questions: those of bench/stats, in scripts. Pure.
"use strict";

(() => {
  const ALPHA = 0.05;
  const ENUMERATED = 5000; // up to this many outcomes, a distribution over several tasks is exact
  const ROUNDING = 1e-9;
  const NORMAL_975 = 1.9599639845400536; // the normal quantile of 1 - ALPHA / 2
  const TO_POWER = 1 + 0.8416212335729144 / NORMAL_975; // 80 % power; see bench/board/choice.py

  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const dot = (first, second) => first.reduce((total, value, at) => total + value * second[at], 0);

  function memoised(make) {
    const kept = new Map();
    return (...key) => {
      const name = key.join();
      if (!kept.has(name)) kept.set(name, make(...key));
      return kept.get(name);
    };
  }

  // The binomial distribution of `number` throws, by the ratios of neighbours from its mode on.
  const binomial = memoised((number, rate) => {
    const chances = new Float64Array(number + 1);
    const [mode, odds] = [Math.floor((number + 1) * rate), rate / (1 - rate)];
    chances[mode] = 1;
    for (let at = mode; at < number && chances[at] > 0; at++)
      chances[at + 1] = (chances[at] * odds * (number - at)) / (at + 1);
    for (let at = mode; at > 0 && chances[at] > 0; at--)
      chances[at - 1] = (chances[at] * at) / ((number - at + 1) * odds);
    const total = sum(chances);
    return chances.map((chance) => chance / total);
  });

  // Two-sided p of McNemar's exact test, by the larger number of discordant pairs: index 0 is an even split.
  const mcnemarTails = memoised((discordant) => {
    let below = 0;
    return binomial(discordant, 0.5)
      .slice(0, Math.floor(discordant / 2) + 1)
      .map((chance) => Math.min(1, 2 * (below += chance)));
  });
  const mcnemar = (won, lost) => mcnemarTails(won + lost)[Math.min(won, lost)];

  // The complementary error function for x >= 0: its series (7.1.6) and continued fraction (7.1.14) of
  // Abramowitz and Stegun 1964, to about 13 digits.
  function erfc(x) {
    const scale = Math.exp(-x * x) / Math.sqrt(Math.PI);
    if (x < 2) {
      let [term, series] = [2 * x, 0];
      for (let at = 1; series + term !== series; at++) {
        series += term;
        term *= (2 * x * x) / (2 * at + 1);
      }
      return 1 - scale * series;
    }
    let fraction = x;
    for (let at = 60; at > 0; at--) fraction = x + at / 2 / fraction;
    return scale / fraction;
  }

  // The lower tail of the normal distribution.
  function normalTail(x) {
    const half = erfc(Math.abs(x) / Math.SQRT2) / 2;
    return x > 0 ? 1 - half : half;
  }

  // What one right answer adds to the score, by task.
  function worth(tasks, weights) {
    const total = sum(weights);
    return tasks.map((task, at) => weights[at] / total / ((1 - task.chance) * task.questions));
  }

  // To 12 decimals, a half to the even one: equal scores stay equal, whatever the order of adding.
  function rounded(score) {
    const [scaled, whole] = [score * 1e12, Math.round(score * 1e12)];
    return (whole - scaled === 0.5 && whole % 2 ? whole - 1 : whole) / 1e12 + 0;
  }

  // The two-sided p that two models have equal scores; `won` and `lost` are by task.
  function differenceP(won, lost, each) {
    if (each.every((one) => Math.abs(one - each[0]) <= ROUNDING * each[0]))
      return mcnemar(sum(won), sum(lost));
    const differ = won.map((count, at) => count + lost[at]);
    const distance = Math.abs(dot(won, each) - dot(lost, each));
    if (differ.reduce((outcomes, count) => outcomes * (count + 1), 1) <= ENUMERATED)
      return enumeratedP(distance, differ, each);
    const step = Math.max(...each.filter((_, at) => differ[at]));
    const variance = sum(differ.map((count, at) => count * each[at] ** 2));
    return erfc(Math.max(0, distance - step) / Math.sqrt(2 * variance));
  }

  function enumeratedP(distance, differ, each) {
    let outcomes = [[0, 1]];
    differ.forEach((number, task) => {
      const fair = binomial(number, 0.5);
      outcomes = outcomes.flatMap(([value, chance]) =>
        Array.from(fair, (one, at) => [value + each[task] * (2 * at - number), chance * one]),
      );
    });
    const least = distance * (1 - ROUNDING);
    return Math.min(1, sum(outcomes.map(([value, chance]) => (Math.abs(value) >= least ? chance : 0))));
  }

  // The p that a model guesses, for each of `correct`, which are numbers of right answers by task.
  function guessingP(correct, tasks, each) {
    if (tasks.length === 1) {
      const tails = guessingTails(tasks[0].options);
      return correct.map(([right]) => Math.min(1, 2 * tails[right]));
    }
    const moment = (of) => tasks.map(({ options }) => sum(options.map(([n, count]) => count * of(1 / n))));
    const means = moment((rate) => rate);
    const spread = Math.sqrt(sum(moment((rate) => rate * (1 - rate)).map((one, at) => one * each[at] ** 2)));
    const half = Math.max(...each) / 2;
    return correct.map((right) => {
      const distance = sum(right.map((count, at) => (count - means[at]) * each[at])) - half;
      return Math.min(1, 2 * normalTail(-distance / spread));
    });
  }

  // The probability that guessing answers at least so many questions right.
  function guessingTails(options) {
    const chances = options.reduce((all, [n, count]) => multiply(all, binomial(count, 1 / n)), [1]);
    let above = 0;
    return chances.map((_, at) => (above += chances[chances.length - 1 - at])).reverse();
  }

  function multiply(first, second) {
    const product = new Float64Array(first.length + second.length - 1);
    first.forEach((a, at) => second.forEach((b, by) => (product[at + by] += a * b)));
    return product;
  }

  // The largest p that is significant by Holm's method among `tests` tests, -1 where none is. `values` has
  // at least those that are at most ALPHA.
  function holmLimit(values, tests) {
    let limit = -1;
    for (const [at, p] of Float64Array.from(values).sort().entries()) {
      if (p * (tests - at) > ALPHA) break;
      limit = p;
    }
    return limit;
  }

  function median(values) {
    const [sorted, middle] = [Float64Array.from(values).sort(), values.length >> 1];
    return values.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  self.benchStatistics = {
    ALPHA, NORMAL_975, TO_POWER, sum, dot, multiply, mcnemar, erfc, worth, rounded, differenceP, guessingP, holmLimit, median,
  };
})();
