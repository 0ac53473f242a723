// Another view of a task's table: numbers, sentences and the drawing are those of the view that is chosen.
"use strict";

(() => {
  const page = self.benchPage;
  const { one, every } = page;

  // Accuracy, interval and rank as the table of views has them.
  self.benchTaskView = (board, changed) => {
    const { section, form, rows, column, key } = board;
    const views = one("details.views table", section);
    const own = section.dataset.view;
    const heads = views ? [...views.tHead.rows[0].cells].slice(1) : [];
    const names = views ? heads.map((head) => head.dataset.view) : [own];
    const title = one("[data-view-title]", section).textContent;
    const wanted = page.asked(key("view"), names, "view", `answers are read by ${title}`) || own;
    if (!views) return { changes: () => false };
    const select = page.make("select", { id: `${board.name}-view` });
    const label = page.make("label", { htmlFor: select.id, textContent: "Answer read by" });
    const place = page.make("span", {}, label, select);
    form.prepend(place);
    select.append(...heads.map((head) => new Option(head.textContent, head.dataset.view)));
    const lines = [...views.tBodies[0].rows];

    function show() {
      const at = heads.findIndex((head) => head.dataset.view === select.value) + 1;
      const isOwn = select.value === own;
      for (const row of rows) {
        const cell = lines[row.dataset.at].cells[at];
        showRow(row, column, cell, rows.length);
        for (const tag of every(".own-view", row)) tag.hidden = !isOwn;
        const difference = one(".difference", row);
        if (difference) difference.textContent = difference.getAttribute(`data-${select.value}`) || "";
        row.changed = isOwn ? {} : changedColumns(row, cell, section.dataset.chance);
      }
      const best = rows.reduce((first, row) => (row.rank < first.rank ? row : first));
      for (const row of rows) one(".band", row).setAttribute("d", `M0 8H${best.rank % 10000}`);
      for (const words of every("[data-view-title]", section)) words.textContent = select.selectedOptions[0].textContent;
      for (const line of every("[data-of-view]", section)) line.hidden = line.dataset.ofView !== select.value;
      page.remember({ [key("view")]: isOwn ? "" : select.value });
      changed();
    }

    select.onchange = () => {
      show();
      board.say(`Answers are read by ${select.selectedOptions[0].textContent}.`);
    };
    select.value = wanted;
    if (select.value !== own) show();
    return { changes: () => select.value !== own };
  };

  // How many are right, three shares, each with its sign, the ends of the rank range, and whether it may be best.
  const numbersOf = (cell) => cell.dataset.numbers.split(/[ \u202f]/);

  // What the view changes in a downloaded row.
  function changedColumns(row, cell, chance) {
    const [right, , , low, , high, , best, worst, first] = numbersOf(cell);
    const accuracy = right / row.dataset.questions;
    const short = (share) => Number(share.toFixed(4));
    return {
      view: cell.closest("table").tHead.rows[0].cells[cell.cellIndex].dataset.view,
      rank_best: Number(best),
      rank_worst: Number(worst),
      may_be_best: first,
      accuracy: short(accuracy),
      low: short(low / 100),
      high: short(high / 100),
      above_chance: short((accuracy - chance) / (1 - chance)),
      right: Number(right),
    };
  }

  function showRow(row, column, cell, places) {
    const [right, share, , low, , high, , best, worst, first] = numbersOf(cell);
    const total = row.dataset.questions;
    const [rank, accuracy, drawn, count] = ["rank", "accuracy", "interval", "right"].map((name) => row.cells[column[name]]);
    rank.firstElementChild.textContent = best === worst ? best : `${best}–${worst}`;
    row.rank = rank.dataset.value = best * 10000 + Number(worst);
    one("svg", rank).classList.toggle("first", first === "yes");
    one(".span", rank).setAttribute("d", `M${best - 1} 8H${worst}`);
    accuracy.dataset.value = right / total;
    accuracy.textContent = `${share}\u202f%`;
    count.dataset.value = right;
    count.textContent = `${Number(right).toLocaleString("en")}/${Number(total).toLocaleString("en")}`;
    one(".small", drawn).textContent = `${low}–${high}\u202f%`;
    one(".span", drawn).setAttribute("d", `M${low} 8H${high}`);
    one(".value", drawn).setAttribute("d", `M${(100 * right) / total} 3V13`);
  }

  // The drawing follows view and filters: it is made from the table's cells.
  self.benchTaskDrawing = (board) => {
    const figure = one("figure.across", board.section);
    if (!figure || !self.benchFrontier) return () => {};
    const costs = { memory: "peak_memory_bytes", p50: "seconds_alone_p50", p95: "seconds_alone_p95", disk: "weights_on_disk_bytes", parameters: "parameters" };
    const ANYWHERE = ["disk", "parameters"]; // the other costs are drawn of one machine
    const number = (row, name) => Number(row.cells[board.column[name]]?.dataset.value) || undefined;
    const percent = (value) => `${Math.round(100 * value)}\u202f%`;
    for (const part of every(".other-costs, figure.across .keys", board.section)) part.hidden = true;
    const drawing = self.benchFrontier.mount(figure, { quality: "Accuracy", format: percent });
    let [asked, limits] = [0];
    addEventListener("limits", ({ detail }) => {
      limits = detail;
      draw();
    });

    function point(row) {
      const cell = (name) => row.cells[board.column[name]];
      const ends = cell("interval").querySelector(".small").textContent.match(/[\d.]+/g);
      const link = cell("title").querySelector("a");
      return {
        id: row.dataset.run,
        name: board.title(row),
        page: link.getAttribute("href"),
        quality: Number(cell("accuracy").dataset.value),
        low: ends[0] / 100,
        high: ends[1] / 100,
        costs: Object.fromEntries(
          Object.entries(costs)
            .filter(([axis]) => ANYWHERE.includes(axis) || [undefined, row.dataset.hardware].includes(figure.dataset.machine))
            .map(([axis, name]) => [axis, number(row, name)]),
        ),
        state: one(".beyond", row) ? "over" : one(".places.first", row) ? "tied" : "fits",
        facts: `${cell("accuracy").textContent}, rank ${cell("rank").firstElementChild.textContent}`,
      };
    }

    // Once a frame: typing in the search may not wait for the drawing.
    function draw() {
      cancelAnimationFrame(asked);
      asked = requestAnimationFrame(() => {
        const rows = board.rows.filter((row) => row.fits && !row.classList.contains("baseline"));
        drawing.show(rows.map(point), { limits, floor: Number(board.section.dataset.chance) });
      });
    }
    return draw;
  };
})();
