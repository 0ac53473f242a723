// Downloads of a table: the rows that are shown, in the order that is shown, with the view that is shown.
"use strict";

(() => {
  // Loads a script, as a page that was opened from the disk may not read other files.
  function load(name, source) {
    return new Promise((resolve, reject) => {
      if (self.benchData && self.benchData[name]) return resolve(self.benchData[name]);
      const script = document.createElement("script");
      script.src = source;
      script.addEventListener("load", () => resolve(self.benchData[name]));
      script.addEventListener("error", reject);
      document.head.append(script);
    });
  }

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

  // `shown` gives pairs of a run's id and the columns that the view changes.
  function mount(place, name, shown) {
    for (const link of place.querySelectorAll("a[download]")) {
      const make = link.dataset.form === "csv" ? csv : (rows) => JSON.stringify(rows, null, 1) + "\n";
      link.addEventListener("click", async (event) => {
        const pairs = shown();
        if (!pairs) return; // all of the table as it is: the site's own file
        event.preventDefault();
        const all = await load(name, place.dataset.src);
        const byRun = new Map(all.map((row) => [row.run, row]));
        const rows = pairs.map(([run, changed]) => ({ ...byRun.get(run), ...changed }));
        const once = document.createElement("a");
        once.href = URL.createObjectURL(new Blob([make(rows, all)], { type: link.type }));
        once.download = link.download;
        once.click();
        setTimeout(() => URL.revokeObjectURL(once.href), 1000);
      });
    }
  }

  self.benchTableFiles = { mount };
})();
