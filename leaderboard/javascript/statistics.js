// Paired tests of models on the same questions: those of bench/stats, in scripts. Pure.
"use strict";

(() => {
  const ALPHA = 0.05;
  const ENUMERATED = 5000; // up to this many outcomes, a distribution over several tasks is exact
  const ROUNDING = 1e-9;
  const NORMAL_975 = 1.9599639845400536; // the normal quantile of 1 - ALPHA / 2
  const POWER = 0.8416212335729144 / NORMAL_975; // 80 % power; see bench/stats/across.py

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  // Whether one list of values comes before another, by the first value in which they differ.
  function isLess(first, second) {
    const at = first.findIndex((value, index) => value !== second[index]);
    return at >= 0 && first[at] < second[at];
  }

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

  // The chance of an even split of fair throws, or of the nearest with fewer heads.
  const evens = [1];
  function evenSplit(throws) {
    const pairs = throws >> 1;
    for (let at = evens.length; at <= pairs; at++) evens.push((evens[at - 1] * (2 * at - 1)) / (2 * at));
    return throws % 2 ? (evens[pairs] * throws) / (pairs + 1) / 2 : evens[pairs];
  }

  // The two-sided p of McNemar's exact test: twice the smaller tail of a fair coin.
  function mcnemar(won, lost) {
    const [throws, fewer] = [won + lost, Math.min(won, lost)];
    let chance = evenSplit(throws);
    for (let at = throws >> 1; at > fewer; at--) chance *= at / (throws - at + 1);
    let tail = chance;
    for (let at = fewer; at > 0 && tail + chance > tail; at--) tail += chance *= at / (throws - at + 1);
    return Math.min(1, 2 * tail);
  }

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

  // By how much the margin grows of a difference to the best of so many models, by Bonferroni: the normal
  // quantile of 1 - ALPHA / (2 models), by Newton's method, to that of 1 - ALPHA / 2.
  const widening = memoised((models) => {
    let quantile = NORMAL_975;
    for (let step = 1, turn = 0; Math.abs(step) > 1e-14 && turn < 100; turn++) {
      const density = Math.exp((-quantile * quantile) / 2) / Math.sqrt(2 * Math.PI);
      step = (normalTail(-quantile) - ALPHA / 2 / models) / density;
      quantile += step;
    }
    return quantile / NORMAL_975;
  });

  // The 95 % score interval of a proportion (Wilson 1927).
  function wilson(successes, trials) {
    const [rate, z] = [successes / trials, NORMAL_975];
    const centre = rate + (z * z) / (2 * trials);
    const half = z * Math.sqrt((rate * (1 - rate)) / trials + (z * z) / (4 * trials * trials));
    const scale = 1 + (z * z) / trials;
    return [Math.max(0, (centre - half) / scale), Math.min(1, (centre + half) / scale)];
  }

  // What one right answer adds to the score, by task.
  function worth(tasks, weights) {
    const total = sum(weights);
    return tasks.map((task, at) => weights[at] / total / ((1 - task.chance) * task.questions));
  }

  // To 12 decimals: equal scores stay equal, whatever the order of adding. Adding 0 makes -0 to 0.
  const rounded = (score) => Math.round(score * 1e12) / 1e12 + 0;

  // The two-sided p that two models have equal scores, as a function of `won` and `lost`, by task, and of `sizes`:
  // for a task in clusters, how many of them differ by 1, 2, ...
  function differenceTest(each) {
    const isSame = each.every((one) => Math.abs(one - each[0]) <= ROUNDING * each[0]);
    return (won, lost, sizes = []) => {
      const isClustered = sizes.some(Boolean);
      if (isSame && !isClustered) return mcnemar(sum(won), sum(lost));
      const counts = Array.from(won, (count, at) => sizes[at] ?? [count + lost[at]]);
      if (isSame) {
        const most = Math.max(...counts.map(({ length }) => length));
        const all = Array.from({ length: most }, (_, at) => sum(counts.map((own) => own[at] ?? 0)));
        return signFlip(Math.abs(sum(won) - sum(lost)), all);
      }
      const differ = counts.flat();
      const values = counts.flatMap((own, task) => own.map((_, at) => each[task] * (at + 1)));
      const distance = Math.abs(sum(Array.from(won, (count, at) => (count - lost[at]) * each[at])));
      let [outcomes, variance, step] = [1, 0, 0];
      differ.forEach((count, at) => {
        outcomes *= count + 1;
        variance += count * values[at] ** 2;
        if (count) step = Math.max(step, values[at]);
      });
      if (outcomes <= ENUMERATED) return enumeratedP(distance, differ, values);
      return erfc(Math.max(0, distance - step) / Math.sqrt(2 * variance));
    };
  }

  // The p of clusters whose signs are free, by how many differ by 1, 2, ...: bench/stats/signs.py.
  function signFlip(distance, counts) {
    if (!distance) return 1;
    const groups = counts.map((number, at) => [number, at + 1]).filter(([number]) => number);
    groups.sort((first, second) => first[0] * first[1] - second[0] * second[1]);
    const spaced = ([number, size], rest = 0) => {
      const terms = new Float64Array(2 * number * size + 1 + rest);
      binomial(number, 0.5).forEach((chance, at) => (terms[2 * size * at] = chance));
      return terms;
    };
    const last = groups.pop();
    const [reach, tails] = [last[0] * last[1], spaced(last, 1)];
    for (let at = 2 * reach; at >= 0; at--) tails[at] += tails[at + 1];
    const chances = groups.reduce((all, group) => multiply(spaced(group), all), Float64Array.of(1));
    const from = distance + reach + (chances.length - 1) / 2;
    const clipped = (at) => Math.min(2 * reach + 1, Math.max(0, at));
    return Math.min(1, 2 * sum(chances.map((chance, at) => chance * tails[clipped(from - at)])));
  }

  // Of two runs on one task in clusters, by which questions each has right: the 95 % interval, the p, and how
  // many times as many questions show as much as independent ones; bench/stats/paired.py.
  function clusteredPair(first, second, { clusters, widened }) {
    const [own, size, counts] = [[], [], []];
    let differ = 0;
    clusters.forEach((cluster, at) => {
      own[cluster] = (own[cluster] ?? 0) + second[at] - first[at];
      size[cluster] = (size[cluster] ?? 0) + 1;
      differ += first[at] !== second[at];
    });
    const [total, distance] = [clusters.length, sum(own)];
    for (const one of own.map(Math.abs)) if (one) counts[one - 1] = (counts[one - 1] ?? 0) + 1;
    const [mean, squares] = [distance / total, (values) => sum(values.map((one) => one * one))];
    const residuals = squares(own.map((one, at) => one - mean * size[at]));
    const half = widened ? (NORMAL_975 * Math.sqrt(widened * residuals)) / total : 2;
    return {
      low: Math.max(-1, mean - half),
      high: Math.min(1, mean + half),
      p: signFlip(Math.abs(distance), counts),
      effect: Math.max(1, squares(own) / (differ || 1)),
    };
  }

  // Two models on a task in clusters: how many clusters differ by 1, 2, ..., and the variance of the difference in
  // answers (bench/stats/clusters.py). The pairs above the diagonal are in one list.
  function between({ sizes, squares, weighted, widened }, first, second, less, questions) {
    const [low, high] = [Math.min(first, second), Math.max(first, second)];
    const own = sizes[(low * (2 * weighted.length - low - 1)) / 2 + high - low - 1];
    const share = less / questions;
    const moved = 2 * share * (weighted[first] - weighted[second]) - share ** 2 * squares;
    const variance = sum(own.map((count, at) => count * (at + 1) ** 2)) - moved;
    return [own, widened ? widened * Math.max(0, variance) : (2 * questions) ** 2];
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
    first.forEach((a, at) => a && second.forEach((b, by) => (product[at + by] += a * b)));
    return product;
  }

  // The p up to which tests are significant by Holm's method: ALPHA / the rest, where the next of the ordered
  // p is above it.
  function holmLimit(values) {
    const limit = (at) => ALPHA / (values.length - at);
    const next = Float64Array.from(values)
      .sort()
      .findIndex((p, at) => p > limit(at));
    return next < 0 ? ALPHA : limit(next);
  }

  function median(values) {
    const [sorted, middle] = [Float64Array.from(values).sort(), values.length >> 1];
    return values.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  // The pairs on and above the diagonal -> all pairs.
  function whole(triangle, models) {
    const both = new Uint32Array(models * models);
    for (let first = 0, at = 0; first < models; first++)
      for (let second = first; second < models; second++)
        both[first * models + second] = both[second * models + first] = triangle[at++];
    return both;
  }

  // Base64 -> 32 questions a number.
  function bitsOf(text) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const words = new Uint32Array(Math.ceil(bytes.length / 4));
    bytes.forEach((byte, at) => (words[at >> 2] |= byte << (8 * (at & 3))));
    return words;
  }

  function bothRight(bits) {
    const models = bits.length;
    const both = new Uint32Array(models * models);
    for (let first = 0; first < models; first++)
      for (let second = first; second < models && bits[first]; second++)
        if (bits[second])
          both[first * models + second] = both[second * models + first] = common(bits[first], bits[second]);
    return both;
  }

  // How many bits two have in common (Warren 2013, Hacker's Delight, figure 5-2).
  function common(first, second) {
    let total = 0;
    for (let at = 0; at < first.length; at++) {
      let word = first[at] & second[at];
      word -= (word >>> 1) & 0x55555555;
      word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
      total += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
    }
    return total;
  }

  self.benchStatistics = {
    ALPHA, NORMAL_975, POWER, sum, isLess, multiply, mcnemar, worth, rounded, differenceTest, guessingP, holmLimit,
    median, widening, wilson, between, clusteredPair, whole, bitsOf, bothRight,
  };
})();
