// Saves the drawing of any `figure[data-name]` as SVG or PNG, and the table that belongs to it as CSV.
"use strict";

(() => {
  const FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";
  const STYLES = [
    "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "paint-order",
    "font-size", "font-weight", "text-anchor", "opacity", "r",
  ];
  const { one, every, make, chip, save, csvLine } = self.benchPage;
  const [MARGIN, LINE] = [12, 15]; // around the drawing, and the height of a line below it, in pixels
  const SCALE = 2; // pixels of the PNG for one of the page

  // The drawing as a file of its own: styles as attributes, a ground, a title and the line to cite.
  function standalone(figure) {
    const drawing = every("svg", figure).find((svg) => svg.getClientRects().length);
    const { width, height } = drawing.getBoundingClientRect();
    const copy = drawing.cloneNode(true);
    const parts = (svg) => [svg, ...svg.querySelectorAll("*")];
    parts(drawing).forEach((part, at) => inline(part, parts(copy)[at]));
    for (const [name, value] of Object.entries({ x: MARGIN, y: MARGIN, width, height })) copy.setAttribute(name, value);
    const cite = wrapped(figure.dataset.cite ?? "SLM Bench", width / 5.8);
    const whole = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const sizes = { width: Math.ceil(width) + 2 * MARGIN, height: Math.ceil(height) + 2 * MARGIN + LINE * cite.length + 6 };
    for (const [name, value] of Object.entries({ ...sizes, "font-family": FONTS })) whole.setAttribute(name, value);
    const { backgroundColor, color } = getComputedStyle(document.body);
    add(whole, "title", {}, drawing.getAttribute("aria-label") ?? one("title", drawing)?.textContent);
    add(whole, "rect", { width: "100%", height: "100%", fill: backgroundColor });
    whole.append(copy);
    cite.forEach((line, at) => {
      const y = Math.ceil(height) + 2 * MARGIN + LINE * at + 6;
      add(whole, "text", { x: MARGIN, y, "font-size": 11, fill: color }, line);
    });
    return whole;
  }

  const wrapped = (text, most) => text.match(new RegExp(`(?!\\s)[^]{1,${Math.floor(most)}}(?=\\s|$)`, "g"));

  function add(parent, tag, attributes, text = "") {
    const part = document.createElementNS(parent.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
    part.textContent = text;
    parent.append(part);
  }

  function inline(part, copy) {
    const style = getComputedStyle(part);
    if (style.display === "none") copy.setAttribute("display", "none");
    for (const name of STYLES) {
      const value = style.getPropertyValue(name);
      if (value && value !== "auto" && (name !== "r" || part.localName === "circle")) copy.setAttribute(name, value);
    }
    for (const name of ["class", "id", "aria-labelledby", "tabindex"]) copy.removeAttribute(name);
  }

  const asText = (svg) => new XMLSerializer().serializeToString(svg);

  async function asPicture(svg) {
    const picture = new Image();
    const address = URL.createObjectURL(new Blob([asText(svg)], { type: "image/svg+xml" }));
    picture.src = address;
    await picture.decode();
    const [width, height] = ["width", "height"].map((name) => SCALE * svg.getAttribute(name));
    const canvas = make("canvas", { width, height });
    canvas.getContext("2d").drawImage(picture, 0, 0, width, height);
    URL.revokeObjectURL(address);
    return new Promise((resolve) => canvas.toBlob(resolve));
  }

  const tableOf = (figure) => document.getElementById(figure.dataset.table) ?? one("table", figure);

  // Numbers have the sign that programs read.
  function asCsv(table) {
    const cell = ({ dataset, textContent }) => {
      const text = (dataset.value ?? textContent).trim().replace(/\s+/g, " ");
      const plain = text.replace("\u2212", "-");
      return isNaN(plain) ? text : plain;
    };
    const rows = [...table.rows].filter((row) => !row.hidden);
    return rows.map((row) => csvLine([...row.cells].map(cell))).join("");
  }

  const FORMS = {
    SVG: (figure) => new Blob([`${asText(standalone(figure))}\n`], { type: "image/svg+xml" }),
    PNG: (figure) => asPicture(standalone(figure)),
    CSV: (figure) => new Blob([asCsv(tableOf(figure))], { type: "text/csv" }),
  };

  const take = async (figure, form) =>
    save(await FORMS[form](figure), `${figure.dataset.name}.${form.toLowerCase()}`);

  for (const figure of every("figure[data-name]")) {
    const place = make("span", { className: "forms" });
    for (const form of Object.keys(FORMS)) {
      if (form === "CSV" && !tableOf(figure)) continue;
      place.append(Object.assign(chip(form, () => take(figure, form)), { ariaLabel: `Save this drawing as ${form}` }));
    }
    one(".take", figure).prepend(place);
  }
})();
