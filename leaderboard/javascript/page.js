// What the scripts of the site share: elements, the state in the address, and files to load and to save.
"use strict";

(() => {
  const wanted = () => new URLSearchParams(location.search);

  // Puts these keys into the address, or takes them out where their value is empty; returns its state.
  function remember(changes) {
    const state = wanted();
    for (const [key, value] of Object.entries(changes))
      if (value) state.set(key, value);
      else state.delete(key);
    const text = String(state).replaceAll("%2C", ",");
    history.replaceState(null, "", (text ? `?${text}` : location.pathname) + location.hash);
    return state;
  }

  function make(tag, properties = {}, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

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

  // A line of a CSV file (RFC 4180).
  const csvLine = (cells) =>
    cells.map((text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)).join(",") + "\r\n";

  document.addEventListener("submit", (event) => event.preventDefault()); // forms only choose what is shown

  self.benchPage = { wanted, remember, make, load, save, csvLine };
})();
