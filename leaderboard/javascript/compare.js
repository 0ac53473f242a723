// Every model less a reference, on one task or over all. Numbers and sentences are those of `bench compare`
// and of bench/board/forest.py: the paired bootstrap's interval is computed without resampling, as its
// distribution is known.
"use strict";

(() => {
  const { ALPHA, NORMAL_975, POWER, clusteredPair, mcnemar, median, multiply, widening } = self.benchStatistics;
  const { fixed, points, commas } = self.benchWording;
  const [NOTHING, CLOSE] = [1e-18, 1e-12];
  const MOST = 4; // models beside the reference
  const LEAST = 8; // characters of an id
  const LONG = 60; // a longer list is folded

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

  // The smallest difference that so many questions show in several comparisons; see bench/stats/ranking.py.
  function detectable(questions, differ, comparisons) {
    if (!differ) return null;
    let difference = 0;
    for (let step = 0; step < 21; step++)
      difference =
        (NORMAL_975 / Math.sqrt(questions)) *
        (widening(comparisons) * Math.sqrt(differ) + POWER * Math.sqrt(Math.max(0, differ - difference ** 2)));
    return Math.min(1, difference);
  }

  // Of two runs on one task: how many questions both, only one and neither answered right.
  function contrastOf(both, lost, won, neither) {
    const [total, [low, high]] = [both + lost + won + neither, interval(lost, both + neither, won)];
    const difference = (won - lost) / total;
    return { difference, low, high, p: mcnemar(won, lost), counts: [both, lost, won, neither], total };
  }

  // The sentence of describe_pair in Python.
  const describePair = (first, second, ...counts) => describeContrast(first, second, contrastOf(...counts));

  function describeContrast(first, second, contrast) {
    const [both, lost, won] = contrast.counts;
    return (
      `${verdict(first, second, contrast)}: ${commas(both + lost)} and ${commas(both + won)} right of ${commas(contrast.total)}; ` +
      `second minus first: ${describe(contrast, contrast.effect ? "sign-flip p" : "McNemar's p")}.`
    );
  }

  function verdict(first, second, { p, difference }) {
    if (p > ALPHA) return `No significant difference between ${first} and ${second}`;
    const [better, worse] = difference > 0 ? [second, first] : [first, second];
    return `${better} is significantly better than ${worse}`;
  }

  const describeDetectable = (least) =>
    least === null
      ? "This test set shows no difference between the two: both were right on the same questions."
      : `This test set can show differences of at least ${fixed(100 * least, 1)} points, in 80 of 100 cases.`;

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
      ticks.push([place(at * step), at ? (at > 0 ? "+" : "−") + Math.abs(Number((100 * at * step).toPrecision(3))) : "0"]);
    return [place, ticks];
  }

  self.benchCompare = { describePair, describeDetectable, detectable, holm };
  const page = document.getElementById("compare");
  const choice = self.benchData?.choice;
  if (!page || !choice) return;
  const { load, remember, asked, askedAll } = self.benchPage;
  const one = (place) => page.querySelector(place);
  const [task, reference, add] = page.querySelectorAll("select");
  const models = new Map(); // the model of a run, by the run's id
  for (const model of choice.models) for (const { id } of Object.values(model.runs)) models.set(id, model);
  let chosen = []; // ids of runs; none is all
  const safe = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt()};`);
  const lines = (values, make) => values.map(make).join("");

  const answers = (name) => load(`answers/${name}`, `data/answers/${name}.js`);
  const short = (ids) => ids.map((id) => id.slice(0, 10)).join();

  // The runs that can be compared, and how.
  async function fieldOf(name) {
    if (!name) return overAll();
    const data = await answers(name);
    const right = data.runs.map(([, , letters]) => [...letters].map((letter, at) => letter === data.truth[at]));
    const contrast = (first, second) => {
      const counts = [0, 0, 0, 0];
      right[first].forEach((isRight, at) => (counts[2 * !isRight + !right[second][at]] += 1));
      return { ...contrastOf(...counts), ...(data.clusters && clusteredPair(right[first], right[second], data)) };
    };
    const differ = ({ counts, total }) => (counts[1] + counts[2]) / total;
    return {
      runs: data.runs.map(([id, title]) => ({ id, name: title })),
      note: data.note,
      best: 0,
      contrast,
      shown: (pairs) => detectable(data.truth.length / median(pairs.map(({ effect }) => effect ?? 1)), median(pairs.map(differ)), pairs.length),
      only: (first, second) => data.questions.filter((_, at) => right[first][at] && !right[second][at]),
    };
  }

  function overAll() {
    const names = [...task.options].map(({ value }) => value);
    const tasks = choice.tasks.filter(({ name }) => names.includes(name));
    const field = self.benchChoice
      .open(choice)
      .fieldOf(Object.fromEntries(tasks.map(({ name, weight }) => [name, weight])));
    const contrast = (first, second) => {
      const [difference, margin] = [field.difference(second, first), field.margin(second, first)];
      return { difference, margin, low: difference - margin, high: difference + margin, p: field.p(first, second) };
    };
    return {
      runs: field.models.map(({ name, model }) => ({ id: model.id, name })),
      note: choice.note,
      best: field.scores.indexOf(Math.max(...field.scores)),
      contrast,
      shown: (pairs) => Math.min(1, median(pairs.map(({ margin }) => margin)) * (widening(pairs.length) + POWER)),
    };
  }

  // The place of a run or, on another task, of its model, by what `bench compare` takes: the run's id or its
  // beginning, a model's name, or MODEL/VARIANT; -1 where that is of no run, or of several.
  function placeOf(runs, text) {
    const isRun = ({ id }) => text.length >= LEAST && id.startsWith(text);
    const named = choice.models.filter(
      (model) => [model.name, `${model.name}/${model.variant}`].includes(text) || Object.values(model.runs).some(isRun),
    );
    const found = runs.some(isRun) ? runs.filter(isRun) : runs.filter(({ id }) => named.includes(models.get(id)));
    return found.length === 1 ? runs.indexOf(found[0]) : -1;
  }

  // What the address asks for.
  async function show() {
    let field;
    const [{ text, value }] = task.options;
    task.value = asked("task", [...task.options].map((option) => option.value), "task", `this is ${text}`) || value;
    try {
      field = await fieldOf(task.value);
    } catch {
      one("[role=status]").textContent = `data/answers/${task.value}.js is missing. Build the site again.`;
      return;
    }
    const { runs } = field;
    const isHere = (text) => placeOf(runs, text) >= 0;
    const reference = asked("reference", isHere, "single run", "it is ignored");
    const places = askedAll("runs", isHere, "single run").map((text) => placeOf(runs, text));
    const own = reference ? placeOf(runs, reference) : (places[0] ?? field.best);
    const others = [...new Set(places)].filter((at) => at !== own).slice(0, MOST);
    chosen = others.map((at) => runs[at].id);
    choices(runs, own);
    const compared = others.length ? others : [...runs.keys()].filter((at) => at !== own);
    const pairs = compared.map((at) => ({ at, ...runs[at], ...field.contrast(own, at) }));
    holm(pairs.map(({ p }) => p)).forEach((p, at) => {
      const { difference } = Object.assign(pairs[at], { adjusted: p });
      pairs[at].result = p > ALPHA ? "not separable" : difference > 0 ? "better" : "worse";
    });
    pairs.sort((first, second) => second.difference - first.difference || (first.name < second.name ? -1 : 1));
    one("[role=status]").textContent = headline(runs[own].name, pairs);
    one(".detectable").textContent = `${describeDetectable(field.shown(pairs))} ${field.note ?? ""}`.trim();
    draw(pairs, runs[own].name);
    one("#contrasts tbody").innerHTML = lines(pairs, tableRow);
    count(field, own, pairs);
    const all = chosen.length ? [runs[own].id, ...chosen] : [];
    remember({ task: task.value, runs: short(all), reference: short([runs[own].id]) });
  }

  function choices(runs, own) {
    const option = ({ id, name }) => `<option value="${id}">${safe(name)}</option>`;
    const isFree = ({ id }) => id !== runs[own].id && !chosen.includes(id);
    reference.innerHTML = lines(runs, option);
    reference.selectedIndex = own;
    add.innerHTML = `<option value="">${chosen.length ? "add a model" : "all models"}</option>${lines(runs.filter(isFree), option)}`;
    add.disabled = chosen.length >= MOST;
    one(".chips").innerHTML = lines(
      runs.filter(({ id }) => chosen.includes(id)),
      ({ id, name }) => `<button type="button" class="chip" value="${id}">${safe(name)} ✕<span class="hidden"> leave out</span></button>`,
    );
  }

  function headline(own, pairs) {
    const [pair] = pairs;
    if (pairs.length === 1)
      return pair.counts
        ? describeContrast(own, pair.name, pair)
        : `${verdict(own, pair.name, pair)} over all tasks; second minus first: ${describe(pair, "p")}.`;
    const number = (result) => pairs.filter((each) => each.result === result).length;
    return (
      `Compared with ${own}, ${number("better")} of ${pairs.length} are significantly better, ` +
      `${number("worse")} significantly worse, and ${number("not separable")} cannot be told apart from it.`
    );
  }

  // The markup of the macro row_chart.
  function draw(pairs, own) {
    const [place, ticks] = axisOf(pairs.flatMap(({ low, high }) => [low, high]));
    const foot = 34 * pairs.length;
    const where = `${task.value ? "on" : "over"} ${task.selectedOptions[0].text}`;
    const upright = (kind, x) => `<line class="${kind}" x1="${x}%" x2="${x}%" y1="0" y2="${foot + 4}"/>`;
    const tick = ([x, text]) =>
      `${upright("grid", x)}<text class="tick" x="${x}%" y="${foot + 18}" text-anchor="middle">${text}</text>`;
    const row = ({ name, difference, low, high, result }, at) => {
      const [label, y] = [name.length > 44 ? `${name.slice(0, 11)}…${name.slice(-32)}` : name, 34 * at + 24];
      return (
        `<g${result === "not separable" ? "" : ' class="strong"'}>` +
        `<text class="name" x="0" y="${y - 11}">${safe(label)}</text>` +
        `<line class="span" x1="${place(low)}%" x2="${place(high)}%" y1="${y}" y2="${y}"/>` +
        `<circle cx="${place(difference)}%" cy="${y}" r="5"/>` +
        `<text class="value" x="100%" y="${y + 4}" text-anchor="end">${points(difference)}</text></g>`
      );
    };
    one(".drawing").innerHTML =
      `<svg class="chart" width="100%" height="${foot + 40}" role="img" aria-label="${safe(`Every model less ${own}, ${where}`)}">` +
      `${lines(ticks, tick)}<text class="tick" x="0" y="${foot + 35}">difference in points</text>` +
      `${upright("zero", place(0))}${lines(pairs, row)}</svg>`;
    const fixedFigure = document.querySelector(`[data-name="difference-${task.value || "all-tasks"}"]`);
    one("figure").dataset.cite = one(".cite").textContent = fixedFigure?.dataset.cite ?? "SLM Bench";
  }

  function tableRow({ id, name, difference, low, high, p, adjusted, result }) {
    const model = models.get(id);
    const numbers = [points(difference), `${points(low)} to ${points(high)}`, formatP(p), formatP(adjusted)];
    const title = model ? `<a href="${safe(encodeURI(model.page))}">${safe(name)}</a>` : safe(name);
    const cells = lines(numbers, (text) => `<td class="number">${text}</td>`);
    return `<tr><th scope="row">${title}</th>${cells}<td>${result}</td></tr>`;
  }

  // Two runs of one task: how many questions each got right, and which.
  function count(field, own, [pair, another]) {
    const two = one("#two");
    two.hidden = !pair.counts || Boolean(another);
    if (two.hidden) return;
    two.querySelectorAll("td.number").forEach((cell, at) => (cell.textContent = pair.counts[at]));
    const only = [[field.runs[own].name, field.only(own, pair.at)], [pair.name, field.only(pair.at, own)]];
    const item = ([id, file]) => `<li><a href="questions/${task.value}/${file}">${safe(id)}</a></li>`;
    one(".onlys").innerHTML = lines(only, ([name, questions]) => {
      const head = `<summary>Only ${safe(name)} got right (${questions.length})</summary>`;
      return `<details${questions.length > LONG ? "" : " open"}>${head}<ol class="tally">${lines(questions, item)}</ol></details>`;
    });
  }

  function ask(changes) {
    remember({ runs: short(chosen), ...changes });
    show();
  }

  task.onchange = () => ask({ task: task.value });
  reference.onchange = () => ask({ reference: short([reference.value]) });
  add.onchange = () => ask({ runs: short([...chosen, add.value]) });
  one(".chips").onclick = ({ target }) => ask({ runs: short(chosen.filter((id) => id !== target.closest("button")?.value)) });
  page.hidden = false;
  document.getElementById("fixed").hidden = true;
  show();
})();
