// A task's table, which is complete without this file: sorts, filters, folds, chooses columns and views, and
// ticks rows to compare. No request, no storage: the state is in the address, so a link shows what its
// sender saw.
"use strict";

(() => {
  const { make, remember, wanted: state } = self.benchPage;
  const MOST = 5;

  // A table with its parts. A model is a tbody, whose first row is the model's best variant.
  function open(section) {
    const table = section.querySelector("table.board");
    const form = section.querySelector("form.filters");
    const heads = [...table.tHead.rows[0].cells];
    const bodies = [...table.tBodies];
    const rows = bodies.flatMap((body) => [...body.rows]);
    const column = Object.fromEntries(heads.map((head) => [head.dataset.name, head.cellIndex]));
    const status = form.querySelector("[role=status]");
    const board = { section, table, form, heads, bodies, rows, column, name: section.dataset.task };
    bodies.forEach((body, at) => (body.place = at));
    for (const row of rows) {
      const title = row.parentNode.rows[0].cells[column.title];
      const own = row.cells[column.title];
      row.words = `${title.dataset.value} ${own.textContent}`.toLowerCase().replace(/\s+/g, " ");
    }
    board.say = (text) => (status.textContent = text);
    board.key = (name) => `${board.name}.${name}`;
    board.title = (row) => row.cells[column.title].querySelector("a").textContent.trim();
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
    const turn = make("button", { type: "button", className: "chip" });
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
    select.addEventListener("change", () => {
      const head = sortable.find((cell) => cell.dataset.key === select.value) || null;
      choose(head, head ? starts(head) : false);
    });
    turn.onclick = () => choose(by, !down);
    const label = make("label", { htmlFor: select.id, textContent: "Sort by" });
    form.append(make("span", { className: "narrow-only" }, label, select, " ", turn));
    const wanted = state().get(key("sort")) || "";
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
        button.ariaExpanded = String(row.classList.toggle("opened"));
        if (variants) changed();
      };
      button.onclick = toggle;
      row.querySelector(".named").prepend(button);
      // On a phone the whole line is the button.
      row.addEventListener("click", (event) => {
        if (getComputedStyle(row).display === "grid" && !event.target.closest("a, button, input, .rest") && !getSelection().toString()) toggle();
      });
    }
  }

  function makeFilters(board, changed) {
    const { form, rows, bodies, key } = board;
    const fields = [...form.querySelectorAll("[name]")];
    const chips = form.querySelector(".chips");
    const nothing = make("p", { className: "nothing", hidden: true });
    const titleOf = (field) => field.labels[0].textContent;
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
      chips.replaceChildren(...chosen.map(chip));
      remember(Object.fromEntries(fields.map((field) => [key(field.name), field.value])));
      board.say(chosen.length ? `${left} of ${bodies.length} models shown.` : "");
      nothing.hidden = board.table.parentNode.hidden = false;
      nothing.hidden = left > 0;
      board.table.parentNode.hidden = !left;
      if (!left) nothing.replaceChildren(`No model has ${chosen.map((field) => `${titleOf(field).toLowerCase()} “${field.value}”`).join(" and ")}. `, clear());
      board.filtered = chosen.length > 0;
      changed();
    }

    function clear() {
      const button = make("button", { type: "button", className: "chip", textContent: "Show all models" });
      button.addEventListener("click", () => {
        for (const field of fields) field.value = "";
        apply();
        fields[0].focus();
      });
      return button;
    }

    function chip(field) {
      const button = make("button", { type: "button", className: "chip", textContent: `${titleOf(field)}: ${field.value} ×` });
      button.ariaLabel = `Remove: ${titleOf(field)} ${field.value}`;
      button.addEventListener("click", () => {
        field.value = "";
        apply();
        field.focus();
      });
      return button;
    }

    for (const field of fields) {
      const wanted = state().get(key(field.name));
      if (wanted && (!field.options || [...field.options].some((option) => option.value === wanted))) field.value = wanted;
      field.oninput = apply;
    }
    form.hidden = false;
    const folded = form.querySelector(".filter-set");
    if (folded && matchMedia("(max-width: 46rem)").matches) folded.open = [...folded.querySelectorAll("select")].some((select) => select.value);
    return apply;
  }

  // Which columns are shown; the address names those that are not as they are at first.
  function makeColumns(board) {
    const { heads, table, rows, key, form } = board;
    const turned = new Set((state().get(key("columns")) || "").split(","));
    const choice = make("details", { className: "chooser" }, make("summary", { textContent: "Columns" }));
    const list = choice.appendChild(make("div"));
    for (const head of heads) {
      const { name } = head.dataset;
      if (["rank", "title", "accuracy"].includes(name)) continue;
      const box = make("input", { type: "checkbox", checked: head.classList.contains("extra") === turned.has(name) });
      const show = () => {
        for (const row of [table.tHead.rows[0], ...rows]) row.cells[head.cellIndex].hidden = !box.checked;
      };
      box.addEventListener("change", () => {
        show();
        turned[turned.has(name) ? "delete" : "add"](name);
        remember({ [key("columns")]: [...turned].filter(Boolean).join() });
      });
      list.append(make("label", {}, box, ` ${(head.querySelector("button > span, :scope > span") || head).textContent}`));
      if (!box.checked) show();
    }
    form.querySelector(".chips").before(choice);
  }

  // Rows that are ticked can be compared, two to five of them.
  function makeTicks(board) {
    const words = make("span");
    const link = make("a", { textContent: "Compare" });
    const none = make("button", { type: "button", className: "chip", textContent: "None" });
    const tray = make("p", { className: "tray", hidden: true }, words, " ", link, " ", none);
    const boxes = board.rows.map((row) => {
      const box = make("input", { type: "checkbox", className: "tick", row });
      box.ariaLabel = `Compare ${board.title(row)}`;
      row.querySelector(".named").lastElementChild.before(box);
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

    none.addEventListener("click", () => {
      for (const box of boxes) box.checked = false;
      show();
      boxes[0].focus();
    });
    tray.setAttribute("role", "status");
    board.table.parentNode.after(tray);
  }

  for (const section of document.querySelectorAll("section[data-task]")) {
    if (!section.querySelector("table.board") || !section.querySelector("form.filters")) continue;
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
    self.benchTableFiles.mount(section.querySelector(".take"), board.name, () => (all() ? null : shown()));
  }
})();
