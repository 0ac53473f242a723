// A task's table, which is complete without this file: sorts, filters, folds, chooses columns and views, and
// ticks rows to compare. No request, no storage: the state is in the address, so a link shows what its
// sender saw.
"use strict";

(() => {
  const { one, every, make, chip, remember, asked, askedAll, restore } = self.benchPage;
  const MOST = 5;
  const FIXED = ["rank", "title", "accuracy"]; // columns that are always shown

  // A table with its parts. A model is a tbody, whose first row is the model's best variant.
  function open(section) {
    const table = one("table.board", section);
    const form = one("form.filters", section);
    const heads = [...table.tHead.rows[0].cells];
    const bodies = [...table.tBodies];
    const rows = bodies.flatMap((body) => [...body.rows]);
    const column = Object.fromEntries(heads.map((head) => [head.dataset.name, head.cellIndex]));
    const status = one("[role=status]", form);
    const board = { section, table, form, heads, bodies, rows, column, name: section.dataset.task };
    bodies.forEach((body, at) => (body.place = at));
    for (const row of rows) {
      const title = row.parentNode.rows[0].cells[column.title];
      const own = row.cells[column.title];
      row.words = `${title.dataset.value} ${own.textContent}`.toLowerCase().replace(/\s+/g, " ");
    }
    board.say = (text) => (status.textContent = text);
    board.key = (name) => `${board.name}.${name}`;
    board.title = (row) => one("a", row.cells[column.title]).textContent.trim();
    return board;
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

  // Sorting: by the first row of a model that the filters leave. Ties keep the first order.
  function makeSorting(board) {
    const { table, heads, bodies, form, key } = board;
    const sortable = heads.filter((head) => head.dataset.key);
    const select = make("select", { id: `${board.name}-order` });
    const turn = chip("", () => choose(by, !down));
    let [by, down] = [null, false];

    function apply() {
      const at = by ? by.cellIndex : board.column.accuracy;
      const turned = by ? down : true;
      const first = (body) => [...body.rows].find((row) => row.fits) || body.rows[0];
      const pairs = bodies.map((body) => [valueOf(first(body), at), body]);
      pairs.sort((a, b) => compare(a[0], b[0], turned) || a[1].place - b[1].place);
      if (pairs.some(([, body], place) => table.tBodies[place] !== body)) table.append(...pairs.map(([, body]) => body));
      for (const head of heads) {
        if (head === by) head.ariaSort = down ? "descending" : "ascending";
        else head.removeAttribute("aria-sort");
      }
      select.value = by ? by.dataset.key : "";
      turn.textContent = turned ? "↓ highest first" : "↑ lowest first";
      turn.disabled = !by;
    }

    function choose(head, downwards) {
      [by, down] = [head, downwards];
      apply();
      remember({ [key("sort")]: by ? (down ? "-" : "") + by.dataset.key : "" });
      if (by) board.say(`Sorted by ${by.firstElementChild.textContent}, ${down ? "highest" : "lowest"} first.`);
    }

    // Numbers that are good when high start from the top.
    const starts = (head) => head.dataset.first === "down";
    for (const head of sortable) {
      const button = make("button", { type: "button" });
      button.append(...head.querySelectorAll(":scope > span"));
      head.prepend(button);
      button.onclick = () => choose(head, head === by ? !down : starts(head));
    }
    select.append(new Option("accuracy, as ranked", ""), ...sortable.map((head) => new Option(head.firstElementChild.textContent, head.dataset.key)));
    select.onchange = () => {
      const head = sortable.find((cell) => cell.dataset.key === select.value) || null;
      choose(head, head ? starts(head) : false);
    };
    const label = make("label", { htmlFor: select.id, textContent: "Sort by" });
    form.append(make("span", { className: "narrow-only" }, label, select, " ", turn));
    const keys = sortable.map((head) => head.dataset.key);
    const wanted = asked(key("sort"), [...keys, ...keys.map((name) => `-${name}`)], "column", "the rows are as ranked");
    by = sortable.find((head) => head.dataset.key === wanted.replace(/^-/, "")) || null;
    down = wanted.startsWith("-");
    board.sorted = () => by !== null;
    return apply;
  }

  // Folding: a model's button shows its variants and what else is known of it.
  function makeFolding(board, changed) {
    board.table.classList.add("folding");
    for (const row of board.rows) {
      const variants = row.classList.contains("variant") ? 0 : row.parentNode.rows.length - 1;
      const more = variants ? ` and ${variants} more variant${variants > 1 ? "s" : ""}` : "";
      const button = make("button", { type: "button", className: "open", textContent: variants ? `+${variants}` : "" });
      button.ariaExpanded = "false";
      button.ariaLabel = `Details${more} of ${board.title(row)}`;
      const toggle = () => {
        button.ariaExpanded = row.classList.toggle("opened");
        if (variants) changed();
      };
      button.onclick = toggle;
      one(".named", row).prepend(button);
      // On a phone the whole line is the button.
      row.addEventListener("click", (event) => {
        if (getComputedStyle(row).display === "grid" && !event.target.closest("a, button, input, .rest") && !getSelection().toString()) toggle();
      });
    }
  }

  function makeFilters(board, changed) {
    const { form, rows, bodies, key } = board;
    const fields = every("[name]", form);
    const all = chip("Show all models", () => {
      for (const field of fields) field.value = "";
      apply();
      fields[0].focus();
    });
    const nothing = make("p", { className: "nothing", hidden: true });
    board.table.parentNode.before(nothing);

    function fits(row) {
      return fields.every(({ name, value }) => !value || (name === "text" ? row.words.includes(value.trim().toLowerCase()) : row.dataset[name] === value));
    }

    // Which rows are shown: those that fit, without the variants of a folded model whose first row is shown.
    board.show = () => {
      for (const body of bodies) {
        const [first] = body.rows;
        for (const row of body.rows) row.hidden = !row.fits || (row !== first && first.fits && !first.classList.contains("opened"));
        body.hidden = [...body.rows].every((row) => row.hidden);
      }
    };

    function apply() {
      for (const row of rows) row.fits = fits(row);
      board.show();
      const chosen = fields.filter((field) => field.value);
      const left = bodies.filter((body) => !body.hidden).length;
      one(".chips", form).replaceChildren(...(chosen.length ? [all] : []));
      remember(Object.fromEntries(fields.map((field) => [key(field.name), field.value])));
      board.say(chosen.length ? `${left} of ${bodies.length} models shown.` : "");
      nothing.hidden = left > 0;
      board.table.parentNode.hidden = !left;
      nothing.textContent = `No model has ${chosen.map((field) => `${field.labels[0].textContent.toLowerCase()} “${field.value}”`).join(" and ")}.`;
      board.filtered = chosen.length > 0;
      changed();
    }

    restore(fields, key(""));
    for (const field of fields) field.oninput = apply;
    form.hidden = false;
    const folded = one(".filter-set", form);
    if (folded && matchMedia("(max-width: 46rem)").matches) folded.open = every("select", folded).some((select) => select.value);
    return apply;
  }

  // Which columns are shown; the address names those that are not as they are at first.
  function makeColumns(board) {
    const { heads, table, rows, key, form } = board;
    const names = heads.map((head) => head.dataset.name).filter((name) => !FIXED.includes(name));
    const turned = new Set(askedAll(key("columns"), names, "column"));
    const choice = make("details", { className: "chooser" }, make("summary", { textContent: "Columns" }));
    const list = choice.appendChild(make("div"));
    for (const head of heads) {
      const { name } = head.dataset;
      if (!names.includes(name)) continue;
      const box = make("input", { type: "checkbox", checked: head.classList.contains("extra") === turned.has(name) });
      const show = () => {
        for (const row of [table.tHead.rows[0], ...rows]) row.cells[head.cellIndex].hidden = !box.checked;
      };
      box.onchange = () => {
        show();
        turned[turned.has(name) ? "delete" : "add"](name);
        remember({ [key("columns")]: [...turned].join() });
      };
      list.append(make("label", {}, box, ` ${(one("button > span, :scope > span", head) || head).textContent}`));
      if (!box.checked) show();
    }
    one(".chips", form).before(choice);
  }

  // Rows that are ticked can be compared, two to five of them.
  function makeTicks(board) {
    const words = make("span");
    const link = make("a", { textContent: "Compare" });
    const none = chip("None", () => {
      for (const box of boxes) box.checked = false;
      show();
      boxes[0].focus();
    });
    const tray = make("p", { className: "tray", hidden: true }, words, " ", link, " ", none);
    const boxes = board.rows.map((row) => {
      const box = make("input", { type: "checkbox", className: "tick", row });
      box.ariaLabel = `Compare ${board.title(row)}`;
      one(".named", row).lastElementChild.before(box);
      box.onchange = show;
      return box;
    });

    function show() {
      const ticked = boxes.filter((box) => box.checked);
      for (const box of boxes) box.disabled = !box.checked && ticked.length >= MOST;
      tray.hidden = !ticked.length;
      link.hidden = ticked.length < 2;
      words.textContent = ticked.length < 2 ? `1 ticked: tick up to ${MOST} to compare them.` : `${ticked.length} ticked.`;
      const runs = ticked.map(({ row }) => row.dataset.run.slice(0, 10)).join(",");
      link.href = `${board.section.dataset.compare}?runs=${runs}&task=${encodeURIComponent(board.name)}`;
    }

    tray.role = "status";
    board.table.parentNode.after(tray);
  }

  for (const section of every("section[data-task]")) {
    if (!one("table.board", section) || !one("form.filters", section)) continue;
    const board = open(section);
    const draw = self.benchTaskDrawing ? self.benchTaskDrawing(board) : () => {};
    let sort = () => {};
    const changed = () => {
      sort();
      draw();
    };
    makeFolding(board, () => board.show());
    makeTicks(board);
    makeColumns(board);
    const filter = makeFilters(board, changed);
    const sorting = makeSorting(board);
    sort = sorting;
    const view = self.benchTaskView(board, changed);
    filter();
    const all = () => !view.changes() && !board.filtered && !board.sorted();
    const shown = () => [...board.table.tBodies].flatMap((body) => [...body.rows]).filter((row) => row.fits).map((row) => [row.dataset.run, row.changed]);
    self.benchTableFiles.mount(one(".take", section), board.name, () => (all() ? null : shown()));
  }
})();
