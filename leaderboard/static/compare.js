// Every model less a reference, on one task or over all. Numbers and sentences are those of `bench compare`
// and of bench/board/forest.py: the paired bootstrap's interval is computed without resampling, as its
// distribution is known.
"use strict";

(() => {
  const { ALPHA, NORMAL_975, TO_POWER, mcnemar, median } = self.benchStatistics;
  const { fixed, points } = self.benchWording;
  const [NOTHING, CLOSE] = [1e-18, 1e-12];
  const MOST = 4; // models beside the reference
  const LONG = 60; // a longer list is folded

  function multiply(first, second) {
    const product = new Float64Array(first.length + second.length - 1);
    first.forEach((a, at) => second.forEach((b, by) => (product[at + by] += a * b)));
    return product;
  }

  function trimmed(start, terms) {
    const from = terms.findIndex((term) => term > NOTHING);
    return [start + from, terms.slice(from, terms.findLastIndex((term) => term > NOTHING) + 1)];
  }

  // The 95 % interval of the difference in accuracy, second minus first.
  function interval(lost, same, won) {
    const total = lost + same + won;
    const terms = Float64Array.of(lost / total, same / total, won / total);
    let [start, chances] = [0, Float64Array.of(1)];
    for (const bit of total.toString(2)) {
      [start, chances] = trimmed(2 * start, multiply(chances, chances));
      if (bit === "1") [start, chances] = trimmed(start, multiply(chances, terms));
    }
    const bound = (share) => {
      let below = 0;
      const at = chances.findIndex((chance) => (below += chance) >= share - CLOSE);
      return (start + at - total) / total;
    };
    return [bound(0.025), bound(0.975)];
  }

  // Two digits, a half rounded to the even one. p is exact to twelve digits.
  function formatP(p) {
    const exact = Number(p.toPrecision(12));
    const digits = exact.toExponential(30).replace(/\.|e.*/g, "");
    const even = digits[1] % 2 === 0 && /^50*$/.test(digits.slice(2));
    const short = Number((even ? exact * (1 - 1e-9) : exact).toPrecision(2));
    if (short >= 1e-4 || short === 0) return String(short);
    return short.toExponential().replace(/e-(\d)$/, "e-0$1");
  }

  // Adjusted by Holm, in the order given.
  function holm(values) {
    const order = values.map((_, at) => at).sort((first, second) => values[first] - values[second]);
    const adjusted = [];
    let least = 0;
    order.forEach((at, step) => (adjusted[at] = least = Math.max(least, Math.min(1, values[at] * (order.length - step)))));
    return adjusted;
  }

  // The smallest difference that so many questions show; see bench/stats/ranking.py.
  function detectable(questions, differ) {
    if (!differ) return 1;
    const power = NORMAL_975 * (TO_POWER - 1);
    let difference = NORMAL_975 * TO_POWER * Math.sqrt(differ / questions);
    for (let step = 0; step < 20; step++)
      difference =
        (NORMAL_975 * Math.sqrt(differ) + power * Math.sqrt(Math.max(0, differ - difference ** 2))) /
        Math.sqrt(questions);
    return Math.min(1, difference);
  }

  // Of two runs on one task: how many questions both, only one and neither answered right.
  function contrastOf(both, lost, won, neither) {
    const total = both + lost + won + neither;
    const [low, high] = interval(lost, both + neither, won);
    const difference = (won - lost) / total;
    return { difference, low, high, p: mcnemar(won, lost), counts: [both, lost, won, neither], total };
  }

  // The sentence of describe_pair in Python.
  function describePair(first, second, both, lost, won, neither) {
    const contrast = contrastOf(both, lost, won, neither);
    return (
      `${verdict(first, second, contrast)}: ${both + lost} and ${both + won} right of ${contrast.total}; ` +
      `second minus first: ${describe(contrast, "McNemar's p")}.`
    );
  }

  function verdict(first, second, { p, difference }) {
    if (p > ALPHA) return `No significant difference between ${first} and ${second}`;
    const [better, worse] = difference > 0 ? [second, first] : [first, second];
    return `${better} is significantly better than ${worse}`;
  }

  const describe = ({ difference, low, high, p }, name) =>
    `${points(difference)} points (95 % ${points(low)} to ${points(high)}), ${name} = ${formatP(p)}`;

  // From differences to places across: bench/board/row_chart.py.
  function axisOf(values) {
    const [low, high] = [Math.min(-0.02, ...values), Math.max(0.02, ...values)];
    const place = (value) => Number((2 + (78 * (value - low)) / (high - low)).toFixed(2));
    const power = 10 ** Math.floor(Math.log10((high - low) / 6));
    const step = [1, 2, 5, 10, 20].map((size) => size * power).find((size) => (high - low) / size < 6);
    const ticks = [];
    for (let at = Math.ceil(low / step - 1e-9); at <= Math.floor(high / step + 1e-9); at++)
      ticks.push([place(at * step), at ? (at > 0 ? "+" : "") + Number((100 * at * step).toPrecision(3)) : "0"]);
    return [place, ticks];
  }

  self.benchCompare = { describePair, detectable, holm };
  const page = document.getElementById("compare");
  const choice = self.benchData?.choice;
  if (!page || !choice) return;
  const [task, reference, add] = page.querySelectorAll("select");
  const [chips, status, shows] = [".chips", "[role=status]", ".detectable"].map((place) => page.querySelector(place));
  const two = page.querySelector("#two");
  const models = new Map(); // the model of a run, by the run's id
  for (const model of choice.models) for (const { id } of Object.values(model.runs)) models.set(id, model);
  let chosen = []; // ids of runs; none is all

  function element(parent, tag, attributes = {}, text = null) {
    const isDrawn = parent instanceof SVGElement || tag === "svg";
    const made = isDrawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== null) made.textContent = text;
    parent.append(made);
    return made;
  }

  async function fieldOf(name) {
    if (!name) return overAll();
    const data = await answers(name);
    const right = data.runs.map(([, , letters]) => [...letters].map((letter, at) => letter === data.truth[at]));
    const contrast = (first, second) => {
      const counts = [0, 0, 0, 0];
      right[first].forEach((isRight, at) => (counts[2 * !isRight + !right[second][at]] += 1));
      return contrastOf(...counts);
    };
    const shown = (pairs) =>
      detectable(data.truth.length, median(pairs.map(({ counts, total }) => (counts[1] + counts[2]) / total)));
    const only = (first, second) => data.questions.filter((_, at) => right[first][at] && !right[second][at]);
    return { runs: data.runs.map(([id, name]) => ({ id, name })), best: 0, contrast, shown, only };
  }

  function overAll() {
    const weights = Object.fromEntries(choice.tasks.filter(({ name }) => task.querySelector(`[value="${name}"]`)).map(({ name, weight }) => [name, weight]));
    const field = self.benchChoice.open(choice).fieldOf(weights);
    const contrast = (first, second) => {
      const [difference, margin] = [field.difference(second, first), field.margin(second, first)];
      return { difference, margin, low: difference - margin, high: difference + margin, p: field.p(first, second) };
    };
    return {
      runs: field.models.map(({ name, model }) => ({ id: model.id, name })),
      best: field.scores.indexOf(Math.max(...field.scores)),
      contrast,
      shown: (pairs) => Math.min(1, median(pairs.map(({ margin }) => margin)) * TO_POWER),
    };
  }

  function answers(name) {
    const key = `answers/${name}`;
    if (self.benchData[key]) return self.benchData[key];
    return new Promise((resolve, reject) => {
      const script = element(document.head, "script", { src: `data/${key}.js` });
      script.onload = () => resolve(self.benchData[key]);
      script.onerror = reject;
    });
  }

  // The place of a run or, over all tasks, of its model; -1 where there is none.
  function placeOf(runs, id) {
    if (!id) return -1;
    const same = runs.findIndex((run) => run.id.startsWith(id));
    if (same >= 0) return same;
    const [, model] = [...models].find(([run]) => run.startsWith(id)) ?? [];
    return model ? runs.findIndex((run) => models.get(run.id) === model) : -1;
  }

  async function show(wanted, ids) {
    let field;
    try {
      field = await fieldOf(task.value);
    } catch {
      status.textContent = `The answers to ${task.value} could not be loaded: data/answers/${task.value}.js is missing. Build the site again.`;
      return;
    }
    const { runs } = field;
    const found = ids.map((id) => placeOf(runs, id));
    const own = [placeOf(runs, wanted), ...found, field.best].find((at) => at >= 0);
    const lost = [wanted, ...ids].filter((id) => id && placeOf(runs, id) < 0);
    const others = [...new Set(found)].filter((at) => at >= 0 && at !== own).slice(0, MOST);
    chosen = others.map((at) => runs[at].id);
    reference.replaceChildren(...runs.map(({ id, name }, at) => new Option(name, id, false, at === own)));
    const rest = runs.filter(({ id }, at) => at !== own && !chosen.includes(id));
    add.replaceChildren(new Option(others.length ? "add a model" : "all models", ""), ...rest.map(({ id, name }) => new Option(name, id)));
    add.disabled = others.length >= MOST;
    chips.replaceChildren();
    for (const at of others) {
      const chip = element(chips, "button", { type: "button", class: "chip", "aria-label": `Leave out ${runs[at].name}` }, `${runs[at].name} ✕`);
      chip.addEventListener("click", () => show(reference.value, chosen.filter((id) => id !== runs[at].id)));
    }
    const pairs = (others.length ? others : runs.map((_, at) => at).filter((at) => at !== own)).map((at) => ({ at, ...runs[at], ...field.contrast(own, at) }));
    const adjusted = holm(pairs.map(({ p }) => p));
    pairs.forEach((pair, at) => (pair.adjusted = adjusted[at]));
    const byName = (first, second) => (first.name < second.name ? -1 : 1);
    pairs.sort((first, second) => second.difference - first.difference || byName(first, second));
    status.textContent = (lost.length ? `No comparable run ${lost.join(", ")} here. ` : "") + headline(field, runs[own].name, pairs);
    shows.textContent = pairs.length ? `This test set can show differences of at least ${fixed(100 * field.shown(pairs), 1)} points.` : "";
    draw(pairs, runs[own].name);
    list(pairs);
    count(field, own, pairs);
    history.replaceState(null, "", `?${address(runs[own].id)}`);
  }

  function address(own) {
    const short = (id) => id.slice(0, 10);
    const parts = task.value ? [`task=${encodeURIComponent(task.value)}`] : [];
    if (chosen.length) parts.push(`runs=${[own, ...chosen].map(short).join(",")}`);
    return [...parts, `reference=${short(own)}`].join("&");
  }

  function headline(field, own, pairs) {
    if (pairs.length === 1) {
      const [pair] = pairs;
      if (pair.counts) return describePair(own, pair.name, ...pair.counts);
      return `${verdict(own, pair.name, pair)} over all tasks; second minus first: ${describe(pair, "p")}.`;
    }
    const sorted = { better: 0, worse: 0, "not separable": 0 };
    for (const pair of pairs) sorted[resultOf(pair)] += 1;
    return `Compared with ${own}, ${sorted.better} of ${pairs.length} are significantly better, ${sorted.worse} significantly worse, and ${sorted["not separable"]} cannot be told apart from it.`;
  }

  const resultOf = ({ adjusted, difference }) =>
    adjusted > ALPHA ? "not separable" : difference > 0 ? "better" : "worse";

  // The markup of the macro row_chart.
  function draw(pairs, own) {
    const [place, ticks] = axisOf(pairs.flatMap(({ low, high }) => [low, high]));
    const foot = 34 * pairs.length;
    const where = task.value ? `on ${task.selectedOptions[0].text}` : `over ${task.selectedOptions[0].text}`;
    const drawing = page.querySelector(".drawing");
    drawing.replaceChildren();
    const svg = element(drawing, "svg", { class: "chart", width: "100%", height: foot + 40, role: "img", "aria-label": `Every model less ${own}, ${where}` });
    const upright = (parent, kind, x, y1, y2) => element(parent, "line", { class: kind, x1: `${x}%`, x2: `${x}%`, y1, y2 });
    for (const [x, text] of ticks) {
      upright(svg, "grid", x, 0, foot + 4);
      element(svg, "text", { class: "tick", x: `${x}%`, y: foot + 18, "text-anchor": "middle" }, text);
    }
    element(svg, "text", { class: "tick", x: 0, y: foot + 35 }, "difference in points");
    upright(svg, "zero", place(0), 0, foot + 4);
    pairs.forEach(({ name, difference, low, high, ...pair }, row) => {
      const group = element(svg, "g", resultOf({ difference, ...pair }) === "not separable" ? {} : { class: "strong" });
      element(group, "text", { class: "name", x: 0, y: 34 * row + 13 }, name.length > 48 ? `${name.slice(0, 23)}…${name.slice(-23)}` : name);
      element(group, "line", { class: "span", x1: `${place(low)}%`, x2: `${place(high)}%`, y1: 34 * row + 24, y2: 34 * row + 24 });
      element(group, "circle", { cx: `${place(difference)}%`, cy: 34 * row + 24, r: 5 });
      element(group, "text", { class: "value", x: "100%", y: 34 * row + 28, "text-anchor": "end" }, points(difference));
    });
    const kept = document.querySelector(`[data-name="difference-${task.value || "all-tasks"}"]`);
    const figure = drawing.closest("figure");
    figure.dataset.cite = kept?.dataset.cite ?? "SLM Bench";
    figure.querySelector(".take").firstChild.data = `${figure.dataset.cite}. `;
  }

  function list(pairs) {
    const body = page.querySelector("#contrasts tbody");
    body.replaceChildren();
    for (const pair of pairs) {
      const row = element(body, "tr");
      const head = element(row, "th", { scope: "row" });
      const model = models.get(pair.id);
      element(head, model ? "a" : "span", model ? { href: model.page } : {}, pair.name);
      const numbers = [points(pair.difference), `${points(pair.low)} to ${points(pair.high)}`, formatP(pair.p), formatP(pair.adjusted)];
      for (const text of numbers) element(row, "td", { class: "number" }, text);
      element(row, "td", {}, resultOf(pair));
    }
  }

  // Two runs of one task: how many questions each got right, and which.
  function count(field, own, pairs) {
    const [pair, another] = pairs;
    two.hidden = !pair?.counts || Boolean(another);
    if (two.hidden) return;
    two.querySelectorAll("td.number").forEach((cell, at) => (cell.textContent = pair.counts[at]));
    const lists = two.querySelector(".onlys");
    lists.replaceChildren();
    listOf(lists, field.runs[own].name, field.only(own, pair.at));
    listOf(lists, pair.name, field.only(pair.at, own));
  }

  function listOf(place, name, questions) {
    const details = element(place, "details", questions.length > LONG ? {} : { open: "" });
    element(details, "summary", {}, `Only ${name} got right (${questions.length})`);
    const items = element(details, "ol", { class: "tally" });
    for (const [id, file] of questions)
      element(element(items, "li"), "a", { href: `questions/${task.value}/${file}` }, id);
  }

  const wanted = new URLSearchParams(location.search);
  const isTask = [...task.options].some(({ value }) => value === wanted.get("task"));
  if (isTask) task.value = wanted.get("task");
  task.addEventListener("change", () => show(reference.value, chosen));
  reference.addEventListener("change", () => show(reference.value, chosen));
  add.addEventListener("change", () => show(reference.value, [...chosen, add.value]));
  page.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  page.hidden = false;
  document.getElementById("fixed").hidden = true;
  show(wanted.get("reference"), (wanted.get("runs") ?? "").split(",").filter(Boolean));
})();
