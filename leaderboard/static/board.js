// Sorts and filters the rows of a table that is complete without this file. No request, no storage:
// the state is in the address, so a link shows what its sender saw.
"use strict";

(() => {
  const parameters = new URLSearchParams(location.search);

  function remember(key, value) {
    if (value) parameters.set(key, value);
    else parameters.delete(key);
    const state = parameters.toString();
    history.replaceState(null, "", (state ? `?${state}` : location.pathname) + location.hash);
  }

  function valueOf(row, column) {
    const text = row.cells[column].dataset.value;
    if (text === undefined || text === "") return null;
    return isNaN(text) ? text.toLowerCase() : Number(text);
  }

  function compare(a, b, down) {
    if (a === null || b === null) return (a === null) - (b === null); // unknown comes last
    const order = typeof a === "string" ? a.localeCompare(b) : a - b;
    return down ? -order : order;
  }

  function sort(table, column, down) {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [valueOf(row, column), row]);
    rows.forEach(([, row], at) => (row.place ??= at)); // ties keep this order, so an address gives one order
    rows.sort((a, b) => compare(a[0], b[0], down) || a[1].place - b[1].place);
    body.append(...rows.map(([, row]) => row));
    for (const head of table.tHead.rows[0].cells) {
      if (head.cellIndex === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  // A menu for narrow screens, where the heads of the table are hidden.
  function makeOrder(form, heads, name) {
    const [place, label, select] = ["span", "label", "select"].map((tag) => document.createElement(tag));
    const sortable = heads.filter((head) => head.dataset.key);
    place.className = "narrow-only";
    label.htmlFor = select.id = `${name}-order`;
    label.textContent = "Sort by";
    select.append(new Option("original order", ""));
    select.append(...sortable.map((head) => new Option(head.textContent.trim(), head.dataset.key)));
    select.addEventListener("change", () => {
      const head = sortable.find((cell) => cell.dataset.key === select.value);
      if (head) head.querySelector("button").click();
    });
    place.append(label, select);
    form.append(place);
  }

  function makeSortable(form, table, name, say) {
    const heads = [...table.tHead.rows[0].cells];
    for (const head of heads) {
      if (!head.dataset.key) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        // Numbers that are good when high start from the top.
        const first = head.dataset.first === "down";
        const now = head.getAttribute("aria-sort");
        const down = now ? now === "ascending" : first;
        sort(table, head.cellIndex, down);
        remember(`${name}.sort`, (down ? "-" : "") + head.dataset.key);
        say(`Sorted by ${button.textContent.trim()}, ${down ? "highest" : "lowest"} first.`);
      });
    }
    makeOrder(form, heads, name);
    const wanted = parameters.get(`${name}.sort`);
    const key = wanted && wanted.replace(/^-/, "");
    const head = heads.find((cell) => cell.dataset.key && cell.dataset.key === key);
    if (head) sort(table, head.cellIndex, wanted.startsWith("-"));
    // Sorts again after values have changed: as the reader chose, else by accuracy.
    return () => {
      const now = heads.find((cell) => cell.hasAttribute("aria-sort"));
      if (now) sort(table, now.cellIndex, now.getAttribute("aria-sort") === "descending");
      else sort(table, heads.findIndex((cell) => cell.dataset.key === "accuracy"), true);
    };
  }

  function makeFilters(form, table, name, say) {
    const chips = form.querySelector(".chips");
    const selects = [...form.querySelectorAll("select")];
    const rows = [...table.tBodies[0].rows];

    function apply() {
      const chosen = selects.filter((select) => select.value);
      for (const row of rows) {
        row.hidden = !chosen.every((select) => row.dataset[select.name] === select.value);
      }
      const left = rows.filter((row) => !row.hidden).length;
      chips.replaceChildren(...chosen.map(chip));
      for (const select of selects) remember(`${name}.${select.name}`, select.value);
      say(chosen.length ? `${left} of ${rows.length} rows shown.` : "");
    }

    function chip(select) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "chip";
      button.textContent = `${select.labels[0].textContent}: ${select.value} ×`;
      button.setAttribute("aria-label", `Remove: ${select.labels[0].textContent} ${select.value}`);
      button.addEventListener("click", () => {
        select.value = "";
        apply();
        select.focus();
      });
      return button;
    }

    for (const select of selects) {
      const wanted = parameters.get(`${name}.${select.name}`);
      if (wanted && [...select.options].some((option) => option.value === wanted)) select.value = wanted;
      select.addEventListener("change", apply);
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    apply();
    return rows;
  }

  // Downloads have the rows that are shown, in the order that is shown.
  function makeDownloads(place, table, name) {
    const shown = (all) => {
      const byRun = new Map(all.map((row) => [row.run, row]));
      const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
      return rows.map((row) => ({ ...byRun.get(row.dataset.run), ...row.changed }));
    };

    function csv(rows, all) {
      const names = Object.keys(all[0] || {});
      const cell = (value) => {
        let text = value === null || value === undefined ? "" : String(value);
        if (typeof value === "string" && /^[=+\-@]/.test(text)) text = `'${text}`;
        return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
      };
      return [names, ...rows.map((row) => names.map((key) => row[key]))]
        .map((line) => line.map(cell).join(",") + "\r\n")
        .join("");
    }

    for (const link of place.querySelectorAll("a[download]")) {
      const make = link.dataset.form === "csv" ? csv : (rows) => JSON.stringify(rows, null, 1) + "\n";
      link.addEventListener("click", async (event) => {
        event.preventDefault();
        const all = await data(name, place.dataset.src);
        const file = new Blob([make(shown(all), all)], { type: link.type });
        const once = document.createElement("a");
        once.href = URL.createObjectURL(file);
        once.download = link.download;
        once.click();
        setTimeout(() => URL.revokeObjectURL(once.href), 1000);
      });
    }
  }

  // Loads a script, as a page that was opened from the disk may not read other files.
  function data(name, source) {
    return new Promise((resolve, reject) => {
      if (self.benchData && self.benchData[name]) return resolve(self.benchData[name]);
      const script = document.createElement("script");
      script.src = source;
      script.addEventListener("load", () => resolve(self.benchData[name]));
      script.addEventListener("error", reject);
      document.head.append(script);
    });
  }

  // Another view: accuracy, interval and rank as the table of views has them.
  function makeViews(views, byRow, section, form, table, name, say, sortAgain) {
    const heads = [...views.tHead.rows[0].cells].slice(1);
    const select = document.createElement("select");
    select.id = `${name}-view`;
    select.append(...heads.map((head) => new Option(head.textContent, head.dataset.view)));
    const label = document.createElement("label");
    label.htmlFor = select.id;
    label.textContent = "Answer read by";
    const place = document.createElement("span");
    place.append(label, select);
    form.prepend(place);
    const own = section.dataset.view;

    function show() {
      const column = heads.findIndex((head) => head.dataset.view === select.value) + 1;
      for (const row of table.tBodies[0].rows) {
        showView(row, byRow.get(row).cells[column]);
        for (const tag of row.querySelectorAll(".own-view")) tag.hidden = select.value !== own;
        row.changed = select.value === own ? {} : changedColumns(row, byRow.get(row).cells[column]);
      }
      say(`Answers are read by ${select.selectedOptions[0].textContent}.`);
      remember(`${name}.view`, select.value === own ? "" : select.value);
      sortAgain();
    }

    const wanted = parameters.get(`${name}.view`);
    select.value = heads.some((head) => head.dataset.view === wanted) ? wanted : own;
    select.addEventListener("change", show);
    if (select.value !== own) show();
  }

  // What the view changes in a downloaded row.
  function changedColumns(row, cell) {
    const { right, low, high, best, worst } = numbersOf(cell);
    const { chance } = row.closest("section").dataset;
    const accuracy = right / row.dataset.questions;
    const short = (share) => Number(share.toFixed(4));
    return {
      view: cell.closest("table").tHead.rows[0].cells[cell.cellIndex].dataset.view,
      rank_best: Number(best),
      rank_worst: Number(worst),
      accuracy: short(accuracy),
      low: short(low / 100),
      high: short(high / 100),
      above_chance: short((accuracy - chance) / (1 - chance)),
      right: Number(right),
    };
  }

  function numbersOf(cell) {
    const [right, share, , low, , high, , best, worst] = cell.dataset.numbers.split(/[ \u202f]/);
    return { right, share, low, high, best, worst };
  }

  function showView(row, cell) {
    const { right, share, low, high, best, worst } = numbersOf(cell);
    const total = row.dataset.questions;
    const [rank, , accuracy, drawn] = row.cells;
    rank.textContent = best === worst ? best : `${best}–${worst}`;
    rank.dataset.value = best * 10000 + Number(worst);
    accuracy.dataset.value = right / total;
    const count = accuracy.querySelector(".small");
    count.textContent = `${right}/${total}`;
    accuracy.firstElementChild.replaceChildren(`${share}\u202f% `, count);
    drawn.querySelector(".small").textContent = `${low}\u202f% – ${high}\u202f%`;
    drawn.querySelector(".span").setAttribute("d", `M${low} 8H${high}`);
    drawn.querySelector(".value").setAttribute("d", `M${(100 * right) / total} 3V13`);
  }

  for (const section of document.querySelectorAll("section[data-task]")) {
    const table = section.querySelector("table.board");
    const form = section.querySelector("form.filters");
    if (!table || !form) continue;
    const name = section.dataset.task;
    const status = form.querySelector("[role=status]");
    const say = (text) => (status.textContent = text);
    const views = section.querySelector("details.views table");
    // Both tables have the same order here; sorting changes that of one of them.
    const byRow = views && new Map([...table.tBodies[0].rows].map((row, at) => [row, views.tBodies[0].rows[at]]));
    makeFilters(form, table, name, say);
    const sortAgain = makeSortable(form, table, name, say);
    if (views) makeViews(views, byRow, section, form, table, name, say, sortAgain);
    makeDownloads(section.querySelector(".take"), table, name);
  }
})();
