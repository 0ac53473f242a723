// The question explorer: filters that combine, a matrix of models by questions from hard to easy, and a list.
// The state is in the address. Keys: left and right choose a question, Enter opens it, / goes to the search.
"use strict";

(() => {
  const section = document.getElementById("explorer");
  const name = section.dataset.task;
  const data = self.benchData?.[`answers/${name}`];
  if (!data) return;
  const one = (selector) => section.querySelector(selector);
  const [canvas, status, chosenLine, list] = ["canvas", "[role=status]", ".chosen", ".listed"].map(one);
  const { every, make, remember, load, restore } = self.benchPage;
  const fields = every("form [name]", section);
  const UNREAD = "-";
  const [MOST_ROWS, HEIGHT, PAGE] = [60, 14, 50];
  const runs = data.runs.map(([id, title, letters, baseline], at) => ({ at, id, title, letters, baseline }));
  const models = runs.filter(({ baseline }) => !baseline);
  const thousands = (number) => number.toLocaleString("en");
  let [texts, shown, place, listed] = [null, [], 0, PAGE];

  const isRight = (run, at) => run.letters[at] === data.truth[at];
  const questions = data.questions.map(([id, page], at) => {
    const letters = new Set(models.map((run) => run.letters[at]));
    const [only] = letters;
    return {
      at, id, page,
      group: data.groups ? data.groups.names[data.groups.of[at]] : "",
      right: runs.filter((run) => isRight(run, at)).length,
      unread: runs.some((run) => run.letters[at] === UNREAD),
      oneWrong: models.length > 1 && letters.size === 1 && only !== data.truth[at] && only !== UNREAD,
    };
  });

  const short = ({ id }) => id.slice(0, 10);
  const runOf = (start) => runs.find((run) => short(run) === start);

  // The conditions that the form sets, each a function of a question.
  function conditions(state) {
    const [good, bad] = [runOf(state.right), runOf(state.wrong)];
    const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
    const number = (text, other) => (/^\d+$/.test(text) ? Number(text) : other);
    const [least, most] = [number(state.least, 0), number(state.most, runs.length)];
    const all = [({ right }) => right >= least && right <= most];
    if (state.group) all.push(({ group }) => group === state.group);
    if (good) all.push(({ at }) => isRight(good, at));
    if (bad) all.push(({ at }) => !isRight(bad, at));
    if (state.same) all.push(({ oneWrong }) => oneWrong);
    if (state.unread) all.push(({ unread }) => unread);
    if (words.length)
      all.push(({ at, id }) => words.every((word) => (texts?.[at] ?? "").toLowerCase().includes(word) || id.toLowerCase().includes(word)));
    return all;
  }

  function state() {
    const value = (field) => (field.type === "checkbox" ? (field.checked ? "1" : "") : field.value.trim());
    return Object.fromEntries(fields.map((field) => [field.name, value(field)]));
  }

  function apply() {
    const now = state();
    const all = conditions(now);
    shown = questions.filter((question) => all.every((holds) => holds(question)));
    shown.sort((first, second) => first.right - second.right || first.at - second.at);
    [place, listed] = [0, PAGE];
    remember(now);
    status.textContent = shown.length
      ? `${thousands(shown.length)} of ${thousands(questions.length)} questions, from the hardest to the easiest.`
      : "No question is left: widen or remove a filter.";
    one(".matrix").hidden = !shown.length;
    show();
  }

  function show() {
    draw();
    choose(place, false);
    list.replaceChildren(...shown.slice(0, listed).map(item));
    one("button.more").hidden = listed >= shown.length;
  }

  function item({ at, id, page, right, group }) {
    const words = texts ? [make("p", {}, texts[at].split("\n")[0].slice(0, 160))] : [];
    const facts = ` ${right} of ${runs.length} right${group ? `, ${group}` : ""}`;
    return make("li", {}, make("a", { href: page }, id), make("small", {}, facts), ...words);
  }

  // A column for each question, a row for each model; on a small screen a column is at least half a pixel.
  function draw() {
    const rows = runs.slice(0, MOST_ROWS);
    const width = canvas.parentElement.clientWidth;
    const scale = self.devicePixelRatio || 1;
    Object.assign(canvas, { width: width * scale, height: rows.length * HEIGHT * scale });
    const style = getComputedStyle(section);
    const [right, wrong, unread] = ["--matrix-right", "--matrix-wrong", "--matrix-unread"].map((key) => style.getPropertyValue(key));
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    const step = Math.min(HEIGHT, width / Math.max(1, shown.length));
    shown.forEach(({ at }, column) => {
      rows.forEach((run, row) => {
        const letter = run.letters[at];
        context.fillStyle = letter === UNREAD ? unread : isRight(run, at) ? right : wrong;
        context.fillRect(column * step, row * HEIGHT + 1, step > 3 ? step - 1 : step, HEIGHT - 2);
      });
    });
    canvas.step = step;
  }

  function choose(next, focus = true) {
    place = Math.max(0, Math.min(shown.length - 1, next));
    const question = shown[place];
    chosenLine.hidden = !question;
    if (!question) return;
    const { at, id, page, right } = question;
    const link = one(".chosen a");
    link.href = page;
    link.textContent = id;
    const count = (letter) => runs.filter((run) => run.letters[at] === letter).length;
    const given = [...new Set(runs.map((run) => run.letters[at]))].sort((first, second) => count(second) - count(first));
    const counts = given.map((letter) => `${letter === UNREAD ? "unread" : letter} by ${count(letter)}`).join(", ");
    one(".chosen span").textContent =
      ` (${thousands(place + 1)} of ${thousands(shown.length)}): the answer ${data.truth[at]} was given by ${right} of ${runs.length}. Answers: ${counts}.`;
    canvas.ariaValueNow = place + 1;
    canvas.ariaValueMax = shown.length;
    canvas.ariaValueText = chosenLine.textContent.trim();
    const marker = one(".marker");
    marker.setAttribute("x", place * canvas.step);
    marker.setAttribute("width", Math.max(2, canvas.step));
    if (focus) canvas.focus();
  }

  // The words of the questions are a large file: they are read when a search begins.
  async function loadTexts() {
    if (texts || !section.dataset.texts) return;
    texts = await load(`texts/${name}`, section.dataset.texts);
    apply();
  }

  for (const key of ["right", "wrong"])
    one(`[name=${key}]`).append(...runs.map((run) => new Option(run.title, short(run))));
  restore(fields);
  const search = one("[name=search]");
  search.onfocus = loadTexts;
  if (search.value) loadTexts();
  one("form").oninput = apply;
  one("form").onreset = () => setTimeout(apply);
  one("button.more").onclick = () => {
    listed += PAGE;
    show();
  };
  canvas.onclick = (event) => choose(Math.floor(event.offsetX / canvas.step));
  canvas.onkeydown = (event) => {
    const { key } = event;
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -PAGE, PageDown: PAGE, Home: -shown.length, End: shown.length };
    if (key in steps) choose(place + steps[key]);
    else if (key === "Enter" && shown[place]) location.href = shown[place].page;
    else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    event.preventDefault();
    search.focus();
  });
  self.addEventListener("resize", () => shown.length && show());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  one(".names").append(...runs.slice(0, MOST_ROWS).map(({ title }) => make("li", { title }, title)));
  one(".cut").hidden = runs.length <= MOST_ROWS;
  document.getElementById("listed").hidden = true;
  section.hidden = false;
  apply();
})();
