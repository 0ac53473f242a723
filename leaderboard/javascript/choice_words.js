// A choice in words: bench/board/choice_words.py, in scripts. Pure.
"use strict";

(() => {
  const { NAMED, percent, points, counted, commas, join, listed, firstOf, ...words } = self.benchWording;
  const { size, latency, describeLimits, describeNeeds, describeCosts } = words;
  const { isLess, wilson } = self.benchStatistics;
  const LEAK = "Tuned on this task's training questions";

  // The answer, as text before the chosen model's name, that model or null, and text after it.
  function sentenceParts(choice) {
    const { answer, fitting, limits } = choice;
    const limited = describeLimits(limits);
    const measured = limited ? `measured ${limited}` : "measured";
    const [number, { chosen }] = [commas(fitting.length), answer];
    switch (answer.kind) {
      case "nothing":
        return [nothing(choice), null, ""];
      case "none": {
        const text = `no model ${measured} is significantly better than ${answer.bar}.`;
        return [`Use none of these for this: ${text}`, null, ""];
      }
      case "one": {
        const what = fitting.length === 1 ? "the only one" : `the best of ${number}`;
        return ["Use ", chosen, `: it is ${what} ${measured}, ${way(chosen.score)}.`];
      }
      default: {
        const tied = answer.others.length + 1;
        const proven = `: of ${number} ${measured}, it is the only one shown to be better than ${barOf(choice)}`;
        const cheapest = `: it is the cheapest of ${tied} that cannot be told apart from the best of ${number}`;
        return ["Use ", chosen, `${tied > 1 ? `${cheapest} ${measured}` : proven}, ${way(chosen.score)}.`];
      }
    }
  }

  // What a model has to be better than to be of use.
  const barOf = ({ baselines }) => (baselines.length ? "guessing and the best baseline" : "guessing");

  function way(score) {
    if (score < 0) return "worse than guessing";
    return `${percent(score, 0)} of the way from guessing to all right`;
  }

  function nothing(choice) {
    const { tasks, beyond, unclear, holes, limits } = choice;
    const names = Object.keys(tasks);
    const several = names.length === 2 ? "both tasks" : `all ${names.length} tasks`;
    const where = names.length === 1 ? names[0] : several;
    if (beyond.length || unclear.length) {
      const reason = reasonOf(choice);
      return `Nothing was measured on ${where} ${describeLimits(limits)}${reason && `: ${reason}`}.`;
    }
    const missing = names.filter((task) => holes.every(({ model }) => !(task in model.runs)));
    const rest = holes.length && missing.length ? `; of ${listed(missing)}, there is no run of a model` : "";
    return `No model was measured on ${where}${rest}.`;
  }

  // "no model's latency was measured": why nothing fits, where measuring one thing may help; else "".
  function reasonOf({ fitting, beyond, unclear, limits }) {
    const isOne = new Set(unclear.map(({ unknown }) => join(unknown))).size === 1;
    if (fitting.length || !isOne) return "";
    const what = join(unclear[0].unknown);
    if (!beyond.length) return `no model's ${what} was measured${onThis(limits)}`;
    const over = `${counted(beyond.length, "model")} ${beyond.length === 1 ? "is" : "are"} over a limit`;
    return `${over}, and the ${what} of ${commas(unclear.length)} was not measured${onThis(limits)}`;
  }

  const onThis = ({ machine }) => (machine ? " on this machine" : "");

  // The lines below the sentence, one fact each.
  function support(choice) {
    const lines = [others, closest, headroom, price, change, detectable, clusters, machines, leaks, outside];
    return lines.flatMap((line) => line(choice));
  }

  const costs = (models) =>
    listed(models.map(({ name, needs }) => `${name} (${describeCosts(needs) || "cost unknown"})`));

  function others(choice) {
    const { kind, others: rest, unproven } = choice.answer;
    if (kind !== "cheapest") return [];
    const lines = rest.length ? [`Cannot be told apart from it: ${costs(rest)}.`] : [];
    const what = `May be as good, but not shown to be better than ${barOf(choice)}`;
    return unproven.length ? [...lines, `${what}: ${costs(unproven)}.`] : lines;
  }

  // The best of those that are of no use.
  function closest({ answer, fitting }) {
    if (answer.kind !== "none") return [];
    return [`The best of ${fitting.length} is ${answer.best.name}, ${way(answer.best.score)}.`];
  }

  const clusters = ({ clustered }) =>
    clustered.length
      ? [`Questions of ${join(clustered)} come in clusters (cases, sources); intervals and tests take that into account.`]
      : [];

  // How near the chosen model is to the limits: answers within a time, and memory to spare.
  const headroom = ({ answer: { chosen }, limits }) =>
    chosen ? [...times(chosen, limits), ...memory(chosen, limits)] : [];

  function times(chosen, limits) {
    const within = limits.p50 == null ? null : answersWithin(chosen, limits.p50);
    if (!within) return [];
    const { questions, least, most } = within;
    const isSeveral = chosen.here.length > 1;
    const isMore = least < questions && (isSeveral || least < most);
    const number = `${isMore ? "at least " : ""}${least} of ${questions}`;
    const share = `${percent(wilson(least, questions)[0], 0)} to ${percent(wilson(most, questions)[1], 0)}`;
    return [
      `Answered within ${latency(limits.p50)}: ${number} questions asked one at a time` +
        `${isSeveral ? " on each task" : ""}; of all questions, ${share} with ${percent(0.95, 0)} confidence.`,
    ];
  }

  // The lowest share of its tasks; null where the latency of one is not known.
  function answersWithin({ here, tasks }, limit) {
    if (here.some((run) => run?.p50 == null)) return null;
    const key = ({ least, most, questions, task }) => [least / questions, most / questions, task];
    return here
      .map((run, at) => ({ task: tasks[at], questions: run.asked, ...within(run, limit) }))
      .reduce((lowest, each) => (isLess(key(each), key(lowest)) ? each : lowest));
  }

  // How many questions took at most `limit` seconds: from all of them, else at least and at most, from the
  // two percentiles, each of which lies between two neighbours.
  function within(run, limit) {
    if (run.seconds) {
      const number = run.seconds.filter((seconds) => seconds <= limit).length;
      return { least: number, most: number };
    }
    let [least, most] = [0, run.asked];
    for (const [percentile, value] of [[50, run.p50], [95, run.p95]]) {
      const steps = ((run.asked - 1) * percentile) / 100;
      if (value <= limit) least = Math.max(least, Math.floor(steps) + 1);
      else most = Math.min(most, Math.ceil(steps));
    }
    return { least, most };
  }

  function memory({ needs, here }, limits) {
    if (needs.memory == null) return [];
    const whose = here.some((run) => run?.gpu) ? "on the GPU" : "of the whole process";
    const spare = limits.memory == null ? "" : ` of ${size(limits.memory)}, ${size(limits.memory - needs.memory)} of headroom`;
    const weights = needs.weights == null ? "" : ` The weights take ${size(needs.weights)} of it.`;
    return [`Peak memory ${whose}: ${size(needs.memory)}${spare}.${weights} Another runtime may need less.`];
  }

  const plain = (share) => points(share).replace("+", "");

  function price({ price: cost, limits, answer, fitting, beyond, unclear }) {
    if (cost) {
      const amount = `${plain(cost.difference)} points (±${plain(cost.margin)})`;
      const needs = describeNeeds(cost.best.needs);
      const isShown = cost.difference > cost.margin;
      const what = isShown ? "Your limits cost" : "These questions do not show that your limits cost anything:";
      return [`${what} ${amount} against ${cost.best.name}${needs && `, which needs ${needs}`}.`];
    }
    const isHigher = ({ score }) => score > fitting[0].score;
    return describeLimits(limits) && answer.chosen && ![...beyond, ...unclear].some(isHigher)
      ? ["Your limits cost nothing: the best of all measured models is within them."]
      : [];
  }

  // What would change the answer: what the next better model needs.
  function change(choice) {
    const { better, limits, answer, beyond } = choice;
    const what = answer.chosen ? "significantly better" : `significantly better than ${barOf(choice)}`;
    if (!better) return beyond.length ? [`No model over the limits is ${what}.`] : [];
    const missing = notKnown(better, limits);
    const name = missing ? `${better.name} (${missing})` : better.name;
    return [`To get a model that is ${what}, allow ${join(better.over)}: ${name}.`];
  }

  function detectable({ detectable: least }) {
    if (least === null) return [];
    const shown = `${plain(least)} points (100 points are from guessing to all right)`;
    return [`These questions usually show differences of at least ${shown}.`];
  }

  function machines({ machines: all, limits: { machine } }) {
    const costs = "Memory, times and energy are";
    if (machine && all.length) return [`${costs} those measured on this machine: ${machine}.`];
    if (machine) return [`${costs} unknown: no run of these tasks is from this machine, ${machine}.`];
    if (all.length < 2) return [];
    const names = firstOf(all);
    const listing = [...names, ...(names.length < all.length ? [`${all.length - names.length} more`] : [])];
    const what = `Memory and times are from ${all.length} machines and cannot be compared`;
    return [`${what} (${listing.join("; ")}); choose one of them by --machine.`];
  }

  // The models that had practice for a task which others had not.
  function leaks({ fitting }) {
    const names = fitting.filter(({ leak }) => leak).map(({ name }) => name);
    return names.length ? [`${LEAK}: ${listed(names)}.`] : [];
  }

  function outside(choice) {
    const over = [...choice.beyond, ...choice.excluded].map((each) => `${each.name} (${join(each.over)})`);
    const unclear = reasonOf(choice) ? [] : choice.unclear;
    const unknown = unclear.map((each) => `${each.name} (${notKnown(each, choice.limits)})`);
    return [
      ...(over.length ? [`Over the limits: ${listed(over)}.`] : []),
      ...(unknown.length ? [`Not known to be within the limits: ${listed(unknown)}.`] : []),
    ];
  }

  const notKnown = ({ unknown }, limits) => (unknown.length ? `${join(unknown)} not measured${onThis(limits)}` : "");

  // What was not measured, each with the command that measures it; one for models that lack the same.
  function toMeasure(choice) {
    const groups = new Map();
    for (const [what, model, words] of gapsOf(choice)) {
      const key = JSON.stringify([what, words.map((word) => (word === model.model.name ? "" : word))]);
      if (!groups.has(key)) groups.set(key, { what, members: [], words });
      groups.get(key).members.push(model);
    }
    const gaps = [...groups.values()].map(gapOf);
    const cards = choice.unmeasured;
    if (cards.length) {
      const names = cards.length <= NAMED ? cards.map(([name]) => name).join() : "all";
      const words = ["bench", "run", "--models", names, "--tasks", Object.keys(choice.tasks).join(), "--latency"];
      gaps.push([`${counted(cards.length, "model")} without a run`, shell(words)]);
    }
    return gaps;
  }

  function gapOf({ what, members, words }) {
    const models =
      members.length > NAMED
        ? `${members.length} models; this is for the first ${NAMED}`
        : join(members.map(({ name }) => name));
    const names = [...new Set(members.slice(0, NAMED).map(({ model }) => model.name))].join();
    return [`${what} ${models}`, shell(words.map((word) => (word === members[0].model.name ? names : word)))];
  }

  // What is lacking, the model that lacks it, and the words of the command.
  function* gapsOf({ tasks, limits, unclear, holes }) {
    const names = Object.keys(tasks);
    for (const each of unclear) {
      const elsewhere = names.filter((task) => each.elsewhere.includes(task));
      const words = command(each.model, elsewhere.length ? elsewhere : names, elsewhere.length > 0);
      yield [`${join(each.unknown)}${onThis(limits)} of`, each, words];
    }
    for (const each of holes) {
      const lacking = names.filter((task) => !(task in each.model.runs));
      const noun = lacking.length === 1 ? "task" : "tasks";
      yield [`${noun} ${listed(lacking)} with`, each, command(each.model, lacking, false)];
    }
  }

  // The command of one of its runs, with other tasks, and with latency; an import is not changed.
  function command(model, tasks, isFresh) {
    if (model.imported) return model.command;
    const words = model.command.filter((word) => word !== "--fresh" && word !== "--latency");
    const at = words.indexOf("--tasks");
    if (at >= 0) words[at + 1] = tasks.join();
    return [...words, "--latency", ...(isFresh ? ["--fresh"] : [])];
  }

  // Words quoted for a shell, as Python's shlex.join.
  const shell = (words) =>
    words
      .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`))
      .join(" ");

  Object.assign(self.benchChoice, { sentenceParts, support, toMeasure });
})();
