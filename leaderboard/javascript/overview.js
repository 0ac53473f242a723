// The overview follows limits, and tasks that are left out. The page is complete without this file: its rows
// are moved and marked, not made again. No storage: the state is in the address.
"use strict";

(() => {
  const form = document.getElementById("fit");
  const { readLimit, open, sentenceParts, support, toMeasure } = self.benchChoice;
  const { fixed, size, latency, counted } = self.benchWording;
  const page = self.benchPage;
  const { one, every } = page;
  const data = self.benchData.choice;
  const $ = (id) => document.getElementById(id);
  const weights = JSON.parse(form.dataset.weights);
  const heads = every("#heat .task");
  const rows = new Map(every("#heat [data-model]").map((row) => [Number(row.dataset.model), row]));
  const notes = every("table.board tr[data-run]");
  const figure = one("[data-table=heat]"); // on a board of one task, its table draws
  const GROUPS = ["fitting", "beyond", "unclear", "holes", "baselines"];
  const STEPS = [0.05, 0.25, 0.5, 0.75]; // of bench/board/shades.py
  const MOST = 100; // rows of a group at first
  const MANY = 200; // from so many models on, nothing is computed before a limit is set
  const COSTS = [["memory", size], ["p50", latency], ["p95", latency], ["disk", size]];
  const LAST = "At least one task has to stay in.";
  const dashed = (value, format) => (value == null ? "—" : format(value));
  const minus = (text) => text.replace(/^-0$/, "0").replace("-", "\u2212");
  const out = new Set();
  const whole = new Set(); // groups that are shown to their end
  let bench = null;

  const drawing =
    figure &&
    self.benchFrontier.mount(figure, {
      quality: "Score",
      format: (value) => minus(fixed(100 * value)),
      onPoint: (id) => rows.forEach((row, at) => row.classList.toggle("on", at === id)),
    });

  // The limits that can be read, and a sentence on each that cannot.
  function read() {
    const limits = { licence: form.elements.licence.value, machine: form.elements.machine.value };
    const problems = [];
    for (const input of every("input", form)) {
      const { kind } = input.dataset;
      const { value = null, error } = readLimit(kind, input.value);
      limits[kind] = value;
      const name = input.labels[0].textContent.replace(/ \(.*/, "");
      if (error) problems.push(`${name}: ${error}. Until then, it is not limited.`);
      else if (value !== null && !data.models.some(({ runs }) => Object.values(runs).some((run) => run[kind] != null)))
        problems.push(`${name}: it was not measured on this board; bench run with --latency measures latency.`);
      input.ariaInvalid = !!error;
    }
    return { limits, problems };
  }

  function update(isComplete, refused = []) {
    const { limits, problems } = read();
    if (problems.length && !isComplete) return; // somebody is typing
    page.tell([...refused, ...problems]);
    remember(limits);
    const chosen = Object.fromEntries(Object.entries(weights).filter(([task]) => !out.has(task)));
    bench ??= open(data);
    const choice = bench.choose(limits, chosen);
    answer(choice);
    if (rows.size) group(choice);
    if (notes.length) note(choice);
    if (drawing) draw(choice);
  }

  function remember({ memory }) {
    const fields = every("input, select", form).map(({ name, value }) => [name, value.trim()]);
    const state = page.remember({ ...Object.fromEntries(fields), without: [...out].join() });
    for (const chip of every("[data-memory]", form))
      chip.ariaPressed = readLimit("memory", chip.dataset.memory).value === memory;
    one("[type=reset]", form).hidden = !state.size;
  }

  // Whether that is possible.
  const leaveOut = (task) => out.size + 1 < Object.keys(weights).length && out.add(task);

  function element(name, text = "", facts = {}) {
    return page.make(name, { textContent: text, ...facts });
  }

  function answer(choice) {
    const [before, model, after] = sentenceParts(choice);
    const name = element("b");
    if (model) name.append(element("a", model.name, { href: model.model.page }));
    $("answer").replaceChildren(before, ...(model ? [name] : []), after);
    const [first = "", ...rest] = support(choice);
    $("because").textContent = first;
    list($("why"), rest.map((line) => element("li", line)));
    list($("gaps"), toMeasure(choice).map(([what, command]) => {
      const item = element("li", `${what}: `);
      item.append(element("code", command));
      return item;
    }));
  }

  function list(details, items) {
    details.hidden = !items.length;
    details.lastElementChild.replaceChildren(...items);
  }

  // Every row goes into its group, and has the numbers and marks of the choice.
  function group(choice) {
    const { limits, fitting, unclear, baselines } = choice;
    const beyond = [...choice.beyond, ...choice.excluded];
    const isLimited = Object.values(limits).some(Boolean);
    const ranked = { fitting, beyond, unclear, baselines, holes: [...choice.holes] };
    const placed = new Set(Object.values(ranked).flat().map(({ index }) => index));
    for (const index of rows.keys())
      if (!placed.has(index)) ranked[data.models[index].baseline ? "baselines" : "holes"].push({ index });
    const number = Object.fromEntries(GROUPS.map((name) => [name, ranked[name].length]));
    const headings = {
      fitting: isLimited ? `${number.fitting} fit` : `${number.fitting} measured on every task`,
      beyond: `${number.beyond} ${number.beyond === 1 ? "does" : "do"} not fit: what is over is marked ▲`,
      unclear: `${number.unclear} may fit: what was not measured is marked ?`,
      holes: `${number.holes} ${number.holes === 1 ? "lacks" : "lack"} a task: press a task to leave it out`,
      baselines: counted(number.baselines, "baseline"),
    };
    for (const name of GROUPS) {
      const body = $(name);
      const lines = ranked[name].map((each) => fill(rows.get(each.index), each, choice));
      body.append(...lines);
      body.hidden = !lines.length;
      heading(body, headings[name], name, lines);
    }
    heads.forEach((head, at) => {
      const isOut = out.has(head.dataset.task);
      head.classList.toggle("left", isOut);
      one("button", head).ariaPressed = !isOut;
      for (const row of rows.values()) row.cells[at + 2].classList.toggle("left", isOut);
    });
  }

  function heading(body, text, name, lines) {
    const cell = body.rows[0].cells[0];
    const isCut = lines.length > MOST && !whole.has(name);
    lines.forEach((line, at) => (line.hidden = isCut && at >= MOST));
    cell.textContent = isCut ? `${text}; the first ${MOST} are shown ` : text;
    if (!isCut) return;
    const showAll = () => {
      whole.add(name);
      heading(body, text, name, lines);
    };
    cell.append(page.chip("Show all", showAll));
  }

  function fill(row, { index, needs, score, tied, over = [] }, { limits, answer: { chosen } }) {
    const [head, total, ...cells] = row.cells;
    row.classList.toggle("chosen", index === chosen?.index);
    total.textContent = dashed(score, (value) => minus(fixed(100 * value)));
    total.className = score == null ? "none" : `l${STEPS.filter((step) => score >= step).length}`;
    total.classList.toggle("tied", !!tied);
    COSTS.forEach(([cost, format], at) => {
      const cell = cells[heads.length + at];
      const [need, limit] = [needs?.[cost], limits[cost]];
      if (needs) cell.textContent = dashed(need, format);
      cell.classList.toggle("over", limit != null && need > limit);
      cell.classList.toggle("missing", !!needs && !data.models[index].baseline && limit != null && need == null);
    });
    const licence = over.find((words) => words.startsWith("the licence"));
    one(".over", head)?.remove();
    if (licence) head.append(element("small", licence.slice(4), { className: "over" }));
    return row;
  }

  // In the table of the only task, a note on each model that does not fit.
  function note({ beyond, unclear, limits }) {
    const [task] = Object.keys(weights);
    const words = new Map();
    for (const { model, over } of beyond) words.set(model.runs[task].id, `over the limits: ${over.join(", ")}`);
    for (const { model, unknown } of unclear) words.set(model.runs[task].id, `not measured: ${unknown.join(", ")}`);
    for (const row of notes) {
      one(".beyond", row)?.remove();
      const text = words.get(row.dataset.run);
      if (text) one("th", row).append(element("span", text, { className: "reason beyond" }));
    }
    dispatchEvent(new CustomEvent("limits", { detail: limits }));
  }

  function draw({ fitting, beyond, unclear, limits, answer: { chosen } }) {
    const titles = data.models.map(({ title }) => title);
    const points = [...fitting, ...beyond, ...unclear].map((each) => {
      const { index, model, needs, score } = each;
      const costs = COSTS.map(([cost, format]) => needs[cost] != null && cost !== "p95" && format(needs[cost]));
      const facts = [`Score ${minus(fixed(100 * score))}`, ...costs, needs.licence].filter(Boolean).join(", ");
      const state = index === chosen?.index ? "chosen" : each.tied ? "tied" : each.fits ? "fits" : "over";
      const words = rows.get(index).querySelector("th small:not(.over)")?.textContent;
      const label = titles.filter((title) => title === model.title).length > 1 ? words : "";
      const name = words ? `${model.title}, ${words}` : model.title;
      return { id: index, name, label: label || model.title, page: model.page, quality: score, costs: { ...needs, parameters: model.parameters }, state, facts };
    });
    drawing.show(points, { limits, floor: 0 });
  }

  // The head of a task leaves it out; the link to its table stands beside it.
  function makeHead(head) {
    const link = head.firstElementChild;
    const { task } = head.dataset;
    const button = element("button", link.textContent, { type: "button" });
    button.ariaPressed = "true";
    button.onclick = () => update(true, out.delete(task) || leaveOut(task) ? [] : [LAST]);
    link.ariaLabel = `${link.textContent}: the task's page`;
    link.textContent = "→";
    link.className = "to";
    head.prepend(button);
  }

  heads.forEach(makeHead);
  form.oninput = () => update(false);
  form.onchange = () => update(true);
  form.onreset = (event) => {
    event.preventDefault();
    for (const field of every("input, select", form)) field.value = "";
    out.clear();
    update(true);
    form.elements.memory.focus();
  };
  for (const chip of every("[data-memory]", form))
    chip.onclick = () => {
      form.elements.memory.value = chip.ariaPressed === "true" ? "" : chip.dataset.memory;
      update(true);
    };
  page.restore(every("input, select", form));
  const isLast = page.askedAll("without", Object.keys(weights), "task").some((task) => !leaveOut(task));
  if (location.search) update(true, isLast ? [LAST] : []);
  else if (drawing && data.models.length < MANY) (self.requestIdleCallback ?? setTimeout)(() => update(true));
})();
