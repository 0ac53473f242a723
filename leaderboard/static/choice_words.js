// A choice in words: bench/board/choice_words.py, in scripts. Pure.
"use strict";

(() => {
  const { fixed, percent, points, counted, join, listed, describeLimits, describeNeeds } = self.benchWording;
  const LEAK = "Tuned on this task's training questions";
  const NAMED = 3; // how many models a line names
  const PROVEN = "shown to be better than guessing and the best baseline";

  // The answer, as text before the chosen model's name, that model or null, and text after it.
  function sentenceParts({ answer, fitting, limits, ...choice }) {
    const within = describeLimits(limits);
    const measured = within ? ` measured within ${within}` : " measured";
    const [number, { chosen }] = [fitting.length, answer];
    switch (answer.kind) {
      case "nothing":
        return [nothing(choice, within), null, ""];
      case "none": {
        const which = within ? `that stays within ${within}` : "measured";
        const text = `no model ${which} is significantly better than ${answer.bar}.`;
        return [`Use none of these for this: ${text}`, null, ""];
      }
      case "one": {
        const what = number === 1 ? "the only one" : `the best of ${number}`;
        return ["Use ", chosen, `: it is ${what}${measured}, ${way(chosen.score)}.`];
      }
      default: {
        const tied = answer.others.length + 1;
        const what = answer.others.length
          ? `${tied} may be the best and cannot be told apart, and it is the cheapest of them`
          : `it is the only one ${PROVEN}`;
        return ["Use ", chosen, `: of ${number}${measured}, ${what}, ${way(chosen.score)}.`];
      }
    }
  }

  function sentence(choice) {
    const [before, model, after] = sentenceParts(choice);
    return before + (model ? model.name : "") + after;
  }

  function way(score) {
    if (score < 0) return "worse than guessing";
    return `${percent(score, 0)} of the way from guessing to all right`;
  }

  function nothing({ tasks, beyond, unclear, holes }, within) {
    const names = Object.keys(tasks);
    const where = names.length === 1 ? names[0] : `all ${names.length} tasks (${listed(names)})`;
    if (beyond.length || unclear.length)
      return `Nothing that was measured on ${where} is known to stay within ${within}.`;
    const missing = names.filter((task) => holes.every(({ model }) => !(task in model.runs)));
    const rest = holes.length && missing.length ? `; of ${listed(missing)}, there is no run of a model` : "";
    return `No model was measured on ${where}${rest}.`;
  }

  // The lines below the sentence, one fact each.
  function support(choice) {
    const lines = [others, closest, price, change, detectable, machines, leaks, outside];
    return lines.flatMap((line) => line(choice));
  }

  const costs = (models) =>
    listed(models.map(({ name, needs }) => `${name} (${describeNeeds(needs) || "cost unknown"})`));

  function others({ answer }) {
    if (answer.kind !== "cheapest") return [];
    const lines = answer.others.length ? [`Cannot be told apart from it: ${costs(answer.others)}.`] : [];
    return answer.unproven.length
      ? [...lines, `May be as good, but is not ${PROVEN}: ${costs(answer.unproven)}.`]
      : lines;
  }

  // The best of those that are of no use.
  function closest({ answer, fitting }) {
    if (answer.kind !== "none") return [];
    return [`The best of ${fitting.length} is ${answer.best.name}, ${way(answer.best.score)}.`];
  }

  function price({ price: cost, limits, answer }) {
    if (cost) {
      const amount = `${points(cost.difference).replace(/^\+/, "")} points (±${fixed(100 * cost.margin, 1)})`;
      const needs = describeNeeds(cost.best.needs);
      return [`Your limits cost ${amount} against ${cost.best.name}${needs && `, which needs ${needs}`}.`];
    }
    return describeLimits(limits) && answer.chosen
      ? ["Your limits cost nothing: the best of all measured models is within them."]
      : [];
  }

  // What would change the answer.
  function change({ better, limits, answer, beyond }) {
    const isNothing = answer.kind === "nothing";
    if (better) {
      const what = isNothing ? "The cheapest that is of use is" : "The answer would change for";
      return [`${what} ${better.name}, with ${join(better.over)}.`];
    }
    return describeLimits(limits) && beyond.length && !isNothing
      ? ["No model over the limits is significantly better."]
      : [];
  }

  function detectable({ detectable: least }) {
    if (least === null) return [];
    const shown = `${fixed(100 * least, 1)} points (100 points are from guessing to all right)`;
    return [`These questions usually show differences of at least ${shown}.`];
  }

  function machines({ machines: names }) {
    if (names.length < 2) return [];
    const where = `${names.length} machines (${names.join("; ")})`;
    return [`Costs are from ${where}; to compare them, run all models on one of these.`];
  }

  // The models that had practice for a task which others had not.
  function leaks({ fitting }) {
    const names = fitting.filter(({ leak }) => leak).map(({ name }) => name);
    return names.length ? [`${LEAK}: ${listed(names)}.`] : [];
  }

  function outside({ beyond, unclear }) {
    const over = beyond.map((each) => `${each.name} (${join(each.over)})`);
    const unknown = unclear.map((each) => `${each.name} (${join(each.unknown)} not measured)`);
    return [
      ...(over.length ? [`Over the limits: ${listed(over)}.`] : []),
      ...(unknown.length ? [`Not known to be within the limits: ${listed(unknown)}.`] : []),
    ];
  }

  // What was not measured, each with the command that measures it.
  function toMeasure({ tasks, unclear, holes, unmeasured }) {
    const names = Object.keys(tasks);
    const gaps = unclear
      .filter(({ unknown }) => unknown.join() !== "energy")
      .map((each) => [`${each.name}, ${join(each.unknown)}`, each.model.command.join(names)]);
    for (const { name, model } of holes) {
      const lacking = names.filter((task) => !(task in model.runs));
      gaps.push([`${name} lacks ${listed(lacking)}`, model.command.join(lacking)]);
    }
    if (unmeasured.length) {
      const models = unmeasured.length <= NAMED ? unmeasured.map(([name]) => name) : "all";
      const command = `bench run --models ${models} --tasks ${names} --latency`;
      gaps.push([`${counted(unmeasured.length, "model")} without a run`, command]);
    }
    return gaps;
  }

  Object.assign(self.benchChoice, { sentence, sentenceParts, support, toMeasure, way });
})();
