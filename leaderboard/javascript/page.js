// What the scripts of the site share: elements, the state in the address, and files to load and to save.
"use strict";

(() => {
  // What is wrong in the address, and in what was typed; a sentence each.
  const faults = new Set();
  let problems = [];
  const state = () => new URLSearchParams(location.search);

  function tell(newProblems = problems) {
    problems = newProblems;
    const place = document.getElementById("problem");
    place.textContent = [...faults, ...problems].join(" ");
    place.hidden = !place.textContent;
  }

  // The text if it is one of those allowed, else ""; `allowed` may be a function. `what` it is named after
  // is "" for what is no name, and `instead` is what is shown.
  function checked(text, key, allowed, what, instead) {
    if (!text || (allowed.includes ? allowed.includes(text) : allowed(text))) return text;
    faults.add(`${what ? `There is no ${what} named ${text} here` : `In the address, ${key} cannot be ${text}`}; ${instead}.`);
    tell();
    return "";
  }

  // What the address has under a key: the only ways to read it. `askedAll` is of a list.
  const asked = (key, allowed, what = "", instead = "all are shown") =>
    checked((state().get(key) ?? "").trim(), key, allowed, what, instead);
  const askedAll = (key, allowed, what) =>
    (state().get(key) ?? "").split(",").filter((text) => checked(text.trim(), key, allowed, what, "it is ignored"));

  // Fills the fields of a form from the address; a field's key is its name with something before it.
  function restore(fields, before = "") {
    for (const field of fields) {
      const { name, type, options, max, labels, dataset } = field;
      let [allowed, what] = [() => true];
      if (options) [allowed, what] = [[...options].map(({ value }) => value), dataset.what ?? labels[0].textContent.toLowerCase()];
      else if (type === "checkbox") allowed = ["1"];
      else if (type === "number") allowed = (text) => /^\d+$/.test(text) && Number(text) <= max;
      const value = asked(before + name, allowed, what);
      field[type === "checkbox" ? "checked" : "value"] = value;
    }
  }

  // Who changes something has read what was wrong in the address.
  for (const type of ["change", "click"])
    addEventListener(
      type,
      ({ target }) => {
        if (!faults.size || (type === "click" && !target.closest("button"))) return;
        faults.clear();
        tell();
      },
      true,
    );

  // Puts these keys into the address, or takes them out where their value is empty; returns its state.
  function remember(changes) {
    const now = state();
    for (const [key, value] of Object.entries(changes))
      if (value) now.set(key, value);
      else now.delete(key);
    const text = String(now).replaceAll("%2C", ",");
    history.replaceState(null, "", (text ? `?${text}` : location.pathname) + location.hash);
    return now;
  }

  // The first part of a place that a selector finds, and all of them.
  const one = (selector, place = document) => place.querySelector(selector);
  const every = (selector, place = document) => [...place.querySelectorAll(selector)];

  function make(tag, properties = {}, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

  const chip = (textContent, onclick) => make("button", { type: "button", className: "chip", textContent, onclick });

  // The data that a script adds: a page that was opened from the disk may not read other files.
  function load(name, src) {
    return self.benchData?.[name] ?? new Promise((resolve, onerror) => {
      document.head.append(make("script", { src, onerror, onload: () => resolve(self.benchData[name]) }));
    });
  }

  function save(blob, download) {
    const link = make("a", { href: URL.createObjectURL(blob), download });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // A line of a CSV file (RFC 4180); what a spreadsheet would take for a formula is marked as text.
  function csvLine(cells) {
    const texts = cells.map((text) => (/^[=+\-@]/.test(text) && isNaN(text) ? `'${text}` : text));
    return texts.map((text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)).join(",") + "\r\n";
  }

  document.addEventListener("submit", (event) => event.preventDefault()); // forms only choose what is shown

  self.benchPage = { one, every, asked, askedAll, restore, tell, remember, make, chip, load, save, csvLine };
})();
