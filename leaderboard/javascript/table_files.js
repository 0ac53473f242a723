// Downloads of a table: the rows that are shown, in the order that is shown, with the view that is shown.
"use strict";

(() => {
  const { every, load, save, csvLine } = self.benchPage;

  function csv(rows, all) {
    const names = Object.keys(all[0] || {});
    const lines = rows.map((row) => names.map((key) => String(row[key] ?? "")));
    return [names, ...lines].map(csvLine).join("");
  }

  // `shown` gives pairs of a run's id and the columns that the view changes; null is the table as it is.
  function mount(place, name, shown) {
    for (const link of every("a[download]", place)) {
      const make = link.dataset.form === "csv" ? csv : (rows) => JSON.stringify(rows, null, 1) + "\n";
      link.addEventListener("click", async (event) => {
        const pairs = shown();
        event.preventDefault();
        const all = await load(name, place.dataset.src);
        const byRun = new Map(all.map((row) => [row.run, row]));
        const rows = pairs ? pairs.map(([run, changed]) => ({ ...byRun.get(run), ...changed })) : all;
        save(new Blob([make(rows, all)], { type: link.type }), link.download);
      });
    }
  }

  self.benchTableFiles = { mount };
})();
