// Which of the measured models to use within limits: bench/board/choice.py, in scripts. Pure.
"use strict";

(() => {
  const { ALPHA, NORMAL_975, POWER, sum, isLess, ...tests } = self.benchStatistics;
  const { over, unknown } = self.benchWording;

  // `data` is `benchData.choice`; see leaderboard/choice_data.py.
  function open(data) {
    const bits = data.models.map(({ runs }) =>
      Object.fromEntries(Object.entries(data.both ? {} : runs).map(([task, run]) => [task, tests.bitsOf(run.right)])),
    );
    const counts = {};
    const fields = new Map();

    // For all pairs of models with a run of the task: questions that both answered right.
    function bothOf(task) {
      return (counts[task] ??= data.both ? tests.whole(data.both[task], data.models.length) : tests.bothRight(bits.map((each) => each[task])));
    }

    function fieldOf(weights) {
      const key = JSON.stringify(weights);
      if (!fields.has(key)) fields.set(key, makeField(data, weights, bothOf));
      return fields.get(key);
    }

    return { fieldOf, choose: (limits, weights) => choose(data, fieldOf(weights), limits, weights) };
  }

  // All that does not depend on limits: the models with a run of a task, and the comparison of those with
  // a run of every task.
  function makeField(data, weights, bothOf) {
    const tasks = data.tasks.filter(({ name }) => name in weights);
    const everyone = candidates(data, tasks);
    const isComplete = ({ model }) => Object.keys(weights).every((task) => task in model.runs);
    const complete = everyone.filter(isComplete);
    const measured = new Set(everyone.map(({ model }) => model.name));
    const cards = new Set(tasks.flatMap(({ name }) => data.unmeasured[name]));
    const field = {
      models: complete,
      holes: everyone.filter((each) => !isComplete(each) && !each.baseline),
      unmeasured: [...cards].map((card) => data.cards[card]).filter(([name]) => !measured.has(name)),
    };
    return complete.length ? { ...field, ...compare(data, complete, tasks, weights, bothOf) } : field;
  }

  // A variant in a name: names_of in Python.
  const NAMINGS = [
    ({ words }) => `(${words})`,
    ({ variant }) => `(${variant})`,
    ({ variant, id }) => `(${variant}) ${id.slice(0, 8)}`,
  ];

  // The models with a run of one of the tasks, by name. The first run counts where only one can.
  function candidates(data, tasks) {
    const made = data.models.flatMap((model, index) => {
      const measured = tasks.map(({ name }) => name).filter((name) => name in model.runs);
      return measured.length ? [candidate(model, measured, index)] : [];
    });
    let equal = made;
    for (const naming of NAMINGS) {
      const times = new Map();
      for (const each of equal) each.name = `${each.model.title} ${naming(each.model)}`;
      for (const { name } of made) times.set(name, (times.get(name) ?? 0) + 1);
      equal = made.filter(({ name }) => times.get(name) > 1);
    }
    return made.sort(byName);
  }

  const byName = (first, second) => (first.name < second.name ? -1 : Number(first.name > second.name));

  function candidate(model, tasks, index) {
    const runs = tasks.map((task) => model.runs[task]);
    const { id, title, licence, command, baseline } = { ...model, ...runs[0] };
    const facts = { ...model, id, title, licence, command };
    return { index, name: "", model: facts, tasks, runs, leak: runs.some(({ leak }) => leak), baseline };
  }

  // What a model needs: the most of its runs, or of those on one machine. Size on disk depends on none.
  // A cost that was not measured on all counts where it is over its limit as far as it was measured.
  function costsOf(data, { model, tasks, runs }, { machine, ...limits }) {
    const place = data.machines.indexOf(machine);
    const here = runs.map((run) =>
      machine ? [run, ...(run.elsewhere ?? [])].find((each) => each.machine === place) : run,
    );
    const most = (all, cost) => {
      const values = all.map((run) => run?.[cost] ?? -1);
      const highest = Math.max(...values);
      return values.includes(-1) && highest <= (limits[cost] ?? Infinity) ? null : highest;
    };
    const needs = { licence: model.licence, disk: most(runs, "disk") };
    for (const cost of ["memory", "p50", "p95", "joules"]) needs[cost] = most(here, cost);
    needs.weights = most(here, "model_bytes");
    const measured = here.filter((run) => run && (run.memory ?? run.p50) != null);
    return {
      needs,
      here,
      machines: [...new Set(measured.map((run) => data.machines[run.machine]))],
      elsewhere: tasks.filter((_, at) => !here[at]),
    };
  }

  function compare(data, models, tasks, weights, bothOf) {
    const each = tests.worth(tasks, tasks.map(({ name }) => weights[name]));
    const correct = models.map(({ model }) => tasks.map(({ name }) => model.runs[name].correct));
    const both = tasks.map(({ name }) => bothOf(name));
    const scores = correct.map((right) =>
      tests.rounded(sum(right.map((count, at) => (count - tasks[at].chance * tasks[at].questions) * each[at]))),
    );

    const difference = (first, second) =>
      tests.rounded(sum(each.map((one, at) => one * (correct[first][at] - correct[second][at]))));
    const pairs = comparePairs(data, models, tasks, correct, both, each);
    return {
      ...pairs,
      scores,
      difference,
      guessing: tests.guessingP(correct, tasks, each),
      detectable: detectable(models, pairs.margin),
    };
  }

  // The p of each two models, and half of the 95 % interval of their difference.
  function comparePairs(data, models, tasks, correct, both, each) {
    const testOf = tests.differenceTest(each);
    const p = new Float64Array(models.length ** 2).fill(1);
    const margins = new Float64Array(models.length ** 2);
    const [won, lost, sizes] = [each.slice(), each.slice(), []]; // questions that only one answered right
    for (let first = 0; first < models.length; first++)
      for (let second = first + 1; second < models.length; second++) {
        const pair = models[first].index * data.models.length + models[second].index;
        let variance = 0;
        for (let task = 0; task < tasks.length; task++) {
          won[task] = correct[first][task] - both[task][pair];
          lost[task] = correct[second][task] - both[task][pair];
          const [less, { name, questions }] = [won[task] - lost[task], tasks[task]];
          const clusters = data.clusters?.[name];
          let spread = won[task] + lost[task] - less ** 2 / questions;
          if (clusters)
            [sizes[task], spread] = tests.between(clusters, models[first].index, models[second].index, less, questions);
          variance += spread * each[task] ** 2;
        }
        const [one, other] = [first * models.length + second, second * models.length + first];
        p[one] = p[other] = testOf(won, lost, sizes);
        margins[one] = margins[other] = NORMAL_975 * Math.sqrt(Math.max(0, variance));
      }
    return {
      p: (first, second) => p[first * models.length + second],
      margin: (first, second) => margins[first * models.length + second],
    };
  }

  // The median over all pairs of models, corrected for one model's comparisons with the rest; null for a single one.
  function detectable(models, margin) {
    const own = models.flatMap(({ baseline }, at) => (baseline ? [] : [at]));
    if (own.length < 2) return null;
    const margins = new Float64Array((own.length * (own.length - 1)) / 2);
    let pair = 0;
    for (const first of own) for (const second of own) if (first < second) margins[pair++] = margin(first, second);
    return Math.min(1, tests.median(margins) * (tests.widening((own.length - 1) / 2) + POWER));
  }

  const isOver = ({ over: words }) => words.length;

  function choose(data, field, limits, weights) {
    const scored = field.models.map((each, at) => scoredOf(data, field, limits, each, at));
    const models = scored.filter(({ baseline }) => !baseline);
    const baselines = scored.filter(({ baseline }) => baseline);
    const answer = answerOf(field, models, baselines);
    const reference = answer.chosen ?? answer.best;
    const ranked = [...models].sort((first, second) => second.score - first.score || byName(first, second));
    const holes = field.holes.map((each) => scoredOf(data, field, limits, each));
    return {
      tasks: weights,
      limits,
      answer,
      fitting: ranked.filter(({ fits }) => fits),
      beyond: ranked.filter(isOver),
      excluded: holes.filter(isOver), // though they lack a task
      unclear: ranked.filter((each) => !each.fits && !isOver(each)),
      holes: holes.filter((each) => !isOver(each)),
      baselines,
      unmeasured: field.unmeasured,
      machines: [...new Set(models.flatMap(({ machines }) => machines))].sort(),
      price: priceOf(field, models, baselines, reference),
      better: betterOf(field, models, baselines, answer.chosen),
      detectable: field.detectable ?? null,
      clustered: data.tasks.map(({ name }) => name).filter((name) => name in weights && data.clusters?.[name]),
    };
  }

  function scoredOf(data, field, limits, candidate, at) {
    const costs = costsOf(data, candidate, limits);
    const beyond = over(costs.needs, limits, data.permissive);
    const missing = unknown(costsOf(data, candidate, { machine: limits.machine }).needs, limits);
    const fits = !beyond.length && !missing.length;
    return { ...candidate, ...costs, at, score: field.scores?.[at], over: beyond, unknown: missing, fits, tied: false };
  }

  function answerOf(field, models, baselines) {
    const fitting = models.filter(({ fits }) => fits);
    if (!fitting.length) return { kind: "nothing" };
    const [useful, bar] = usefulOf(field, fitting, baselines);
    if (!useful.length) return { kind: "none", best: highest(fitting), bar };
    const best = mayBeBest(field, fitting);
    for (const each of best) each.tied = true;
    const among = best.filter((each) => useful.includes(each));
    const chosen = cheapest(among.length ? among : [highest(useful)]);
    const rest = best.filter((each) => each !== chosen).sort((first, second) => second.score - first.score);
    if (!rest.length) return { kind: "one", chosen };
    return {
      kind: "cheapest",
      chosen,
      others: rest.filter((each) => useful.includes(each)),
      unproven: rest.filter((each) => !useful.includes(each)),
    };
  }

  // The members that are better than guessing and than the best baseline, and what none of them beats.
  function usefulOf(field, members, baselines) {
    const limit = tests.holmLimit(members.map(({ at }) => field.guessing[at]));
    let useful = members.filter(({ at }) => field.guessing[at] <= limit);
    if (!useful.length || !baselines.length) return [useful, "guessing"];
    const baseline = highest(baselines);
    const better = betterThan(field, members, baseline);
    useful = useful.filter((each) => better.includes(each));
    return [useful, baseline.model.title];
  }

  function betterThan(field, members, { at: other }) {
    const limit = tests.holmLimit(members.map(({ at }) => field.p(at, other)));
    return members.filter(({ at }) => field.p(at, other) <= limit && field.difference(at, other) > 0);
  }

  // The members that no other shows not to be the best; see beaten_by in bench/stats/across.py.
  function mayBeBest(field, members) {
    const limit = pairLimit(field, members);
    const beaten = new Set();
    eachPair(members, (first, second) => {
      if (field.p(first, second) <= limit) beaten.add(field.scores[first] > field.scores[second] ? second : first);
    });
    return members.filter(({ at }) => !beaten.has(at));
  }

  // Up to this p, a difference shows that a member is not the best: one-sided by Bonferroni over the others, or
  // by Holm's method over all pairs of members.
  function pairLimit({ p }, members) {
    const all = [];
    eachPair(members, (...pair) => all.push(p(...pair)));
    return Math.max((2 * ALPHA) / (members.length - 1), tests.holmLimit(all));
  }

  function eachPair(members, visit) {
    for (let first = 0; first < members.length; first++)
      for (let second = first + 1; second < members.length; second++)
        visit(members[first].at, members[second].at);
  }

  const highest = (members) => members.reduce((best, each) => (each.score > best.score ? each : best));

  // By memory, then by latency, then by size on disk; what is unknown comes last.
  function cheapest(members) {
    const cost = ({ needs }) => [needs.memory, needs.p50, needs.disk].map((value) => value ?? Infinity);
    const key = (each) => [...cost(each), -each.score];
    return members.reduce((best, each) => (isLess(key(each), key(best)) ? each : best));
  }

  // null where nothing fits, or where the best of all fits or is of no use itself.
  function priceOf(field, models, baselines, reference) {
    const [useful] = usefulOf(field, models, baselines);
    if (!reference || !useful.length) return null;
    const best = highest(useful);
    if (best.fits) return null;
    const pair = [best.at, reference.at];
    field.best ??= new Set(mayBeBest(field, models).map(({ at }) => at));
    const rivals = models.filter(({ at, fits }) => field.best.has(at) && !fits).length;
    const margin = field.margin(...pair) * tests.widening(Math.max(1, rivals));
    return { best, difference: field.difference(...pair), margin };
  }

  // The cheapest model over the limits that is of use, and significantly better than the chosen one: among
  // all models, so that it is also better among those that fit once the limits allow it.
  function betterOf(field, models, baselines, chosen) {
    let better = usefulOf(field, models, baselines)[0].filter(isOver);
    const isBetter = ({ at, score }) => score > chosen.score && field.p(at, chosen.at) <= field.limit;
    if (chosen && better.length) {
      field.limit ??= pairLimit(field, models);
      better = better.filter(isBetter);
    }
    return better.length ? cheapest(better) : null;
  }

  self.benchChoice = { open, readLimit: self.benchWording.readLimit };
})();
