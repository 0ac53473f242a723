// Models by cost and quality, in a drawing that is as wide as its place: its words stay readable. With
// arrow keys one goes from model to model. The drawing without scripts, which is in the page, is replaced.
//
//   const drawing = benchFrontier.mount(figure, { quality: "Score", format: (value) => "33" });
//   drawing.show(points, { limits: { memory: 4e9 }, floor: 0 });
//
// A point is { id, name, page, quality, low, high, costs: { memory, p50, p95, disk, parameters, joules },
// state, facts, label }. `low`, `high` and `label`, a short name, may be left out. `state` is "chosen",
// "tied", "fits" or "over"; `facts` is the text of its card. `floor` is the quality of guessing.
"use strict";

(() => {
  const { size, latency, number } = self.benchWording;
  const { one, every, make, remember, asked } = self.benchPage;
  const count = (value) => (value >= 1e9 ? `${Number((value / 1e9).toPrecision(3))}B` : `${Math.round(value / 1e6)}M`);
  const AXES = {
    memory: ["Peak memory", size],
    p50: ["One answer", latency],
    p95: ["95 of 100 answers within", latency],
    disk: ["Size on disk", size],
    parameters: ["Parameters", count],
    joules: ["Energy of one answer", (value) => `${number(value)}\u202fJ`],
  };
  const [LEFT, RIGHT, TOP, BOTTOM, LINE] = [40, 14, 12, 44, 14];
  const LABELLED = 20; // with more points, a number stands only for those that no other beats
  const pen = make("canvas").getContext("2d");

  function node(name, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  const line = (name, x1, x2, y1, y2) => node("line", { class: name, x1, x2, y1, y2 });

  function mount(figure, { quality, format, onPoint = () => {} }) {
    const svg = node("svg", { role: "group" });
    const card = make("p", { className: "card small", hidden: true });
    const select = make("select");
    const label = make("label", { className: "small axes" }, "Against ", select);
    const key = make("p", { className: "small key" });
    let [points, options, width] = [[], {}, 0];
    one("svg", figure).replaceWith(label, svg, card, key);
    select.onchange = () => {
      remember({ axis: select.value });
      draw();
    };
    new ResizeObserver(() => figure.clientWidth !== width && points.length && draw()).observe(figure);
    svg.onpointerleave = () => tell(null);
    svg.addEventListener("focusout", () => tell(null));
    svg.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const links = every("a", svg);
      const next = links[(links.indexOf(document.activeElement) + step + links.length) % links.length];
      if (!step || !next) return;
      event.preventDefault();
      for (const link of links) link.tabIndex = link === next ? 0 : -1;
      next.focus();
    };

    function show(newPoints, newOptions = {}) {
      [points, options] = [newPoints, newOptions];
      const axes = Object.keys(AXES).filter((axis) => points.filter(({ costs }) => costs[axis] > 0).length > 1);
      const wanted = select.value || asked("axis", axes, "cost", "the first is drawn");
      select.replaceChildren(...axes.map((axis) => new Option(AXES[axis][0].toLowerCase(), axis)));
      if (axes.includes(wanted)) select.value = wanted;
      figure.hidden = !axes.length;
      if (axes.length) draw();
    }

    function draw() {
      const [title, text] = AXES[select.value];
      width = Math.max(200, figure.clientWidth);
      const height = Math.min(420, Math.max(300, width * 0.8));
      const known = points.filter(({ costs }) => costs[select.value] > 0);
      const scale = scales(known, select.value, width, height, options.floor);
      const places = known.map((point) => ({ ...point, x: scale.x(point.costs[select.value]), y: scale.y(point.quality) }));
      const best = efficient(known, select.value);
      places.forEach((place, at) => Object.assign(place, { best: best[at], from: scale.y(place.low), to: scale.y(place.high) }));
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      const words = `${quality} against ${title.toLowerCase()}: ${known.length} models. Arrow keys go from one to the next.`;
      svg.ariaLabel = words;
      svg.replaceChildren(...background(scale, width, height, title, text), ...edge(places));
      const marks = [...places].sort((a, b) => a.x - b.x).map((place, at) => mark(place, at, text));
      svg.append(...marks, ...labels(places, width, height));
    }

    function background(scale, width, height, title, text) {
      const right = width - RIGHT;
      const bottom = height - BOTTOM;
      const limit = options.limits?.[select.value];
      const parts = [];
      if (limit) {
        const end = Math.min(right, Math.max(LEFT, scale.x(limit)));
        parts.push(node("rect", { class: "within", x: LEFT, y: TOP, width: end - LEFT, height: bottom - TOP }));
        parts.push(line("limit", end, end, TOP, bottom));
      }
      for (const value of scale.across(width < 380 ? 4 : 6)) {
        const x = scale.x(value);
        parts.push(line("grid", x, x, TOP, bottom));
        parts.push(node("text", { x, y: bottom + 17, "text-anchor": "middle" }, text(value)));
      }
      for (const value of scale.up) {
        const y = scale.y(value);
        parts.push(line("grid", LEFT, right, y, y));
        parts.push(node("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, format(value)));
      }
      if (options.floor !== undefined) {
        const y = scale.y(options.floor);
        parts.push(line("chance", LEFT, right, y, y));
      }
      const axis = limit ? `${title}; shaded: within your limit` : `${title} (logarithmic)`;
      parts.push(node("text", { class: "axis", x: (LEFT + right) / 2, y: height - 8, "text-anchor": "middle" }, axis));
      return parts;
    }

    function mark(place, at, text) {
      const { name, costs, quality: value, state, best, x, y, low, high } = place;
      const words = `${name}: ${format(value)}, ${text(costs[select.value])}`;
      const link = node("a", { href: place.page, class: `${state}${best ? " best" : ""}`, tabindex: at ? -1 : 0, "aria-label": words });
      if (low !== undefined) link.append(node("path", { d: `M${x} ${place.from}V${place.to}` }));
      link.append(node("circle", { class: "hit", cx: x, cy: y }), node("circle", { cx: x, cy: y }));
      link.onpointerenter = link.onfocus = () => tell(place);
      return link;
    }

    // The card beside a point; none without one.
    function tell(place) {
      card.hidden = !place;
      onPoint(place && place.id);
      if (!place) return;
      card.replaceChildren(make("b", {}, place.name), make("br"), place.facts);
      const left = place.x > width / 2 ? place.x - card.offsetWidth - 10 : place.x + 10;
      card.style.left = `${Math.max(0, Math.min(left, width - card.offsetWidth))}px`;
      card.style.top = `${svg.getBoundingClientRect().top - figure.getBoundingClientRect().top + place.y + 10}px`;
    }

    // Names in the nearest free place; where there is none, important models have a number below.
    function labels(places, width, height) {
      const taken = places.flatMap(({ x, y, from, to }) => [[x - 6, y - 6, x + 6, y + 6], [x - 1, to, x + 1, from]]); // with whiskers
      const rank = ({ state, best }) => (state === "chosen" ? 0 : best ? 1 : state === "tied" ? 2 : 3);
      const numbered = [];
      const made = [...places].sort((a, b) => rank(a) - rank(b)).flatMap((place) => {
        const important = rank(place) < 3;
        pen.font = `${important ? 600 : 400} 12px system-ui, sans-serif`;
        const tries = important ? [0, -14, 14, -26, 26] : [0];
        const find = (text) => {
          const wide = pen.measureText(text).width + 2;
          return tries.flatMap((up) => [place.x + 8, place.x - 8 - wide, place.x - wide / 2].map((left) => [left, place.y - LINE / 2 + up, left + wide, place.y + LINE / 2 + up]))
            .find((box) => box[0] >= LEFT && box[2] <= width - 2 && box[1] >= 2 && box[3] <= height - BOTTOM && !taken.some((other) => overlap(box, other)));
        };
        const name = place.label || place.name;
        let text = name;
        let box = find(text);
        if (!box && rank(place) < (places.length > LABELLED ? 2 : 3)) {
          text = String(numbered.length + 1);
          box = find(text);
          if (box) numbered.push(`${text} ${name}`);
        }
        if (!box) return [];
        taken.push(box);
        return [node("text", { class: important ? "name" : "name other", x: box[0] + 1, y: box[3] - 3 }, text)];
      });
      key.textContent = numbered.join("; ");
      return made;
    }

    return { show };
  }

  const overlap = (a, b) => Math.min(a[2], b[2]) > Math.max(a[0], b[0]) && Math.min(a[3], b[3]) > Math.max(a[1], b[1]);

  // Whether no other is as good in one of both and better in the other.
  function efficient(points, axis) {
    return points.map(({ quality, costs }) =>
      !points.some((other) => {
        const [cheaper, better] = [other.costs[axis] - costs[axis], other.quality - quality];
        return cheaper <= 0 && better >= 0 && (cheaper < 0 || better > 0);
      }),
    );
  }

  function edge(places) {
    const line = places.filter(({ best }) => best).sort((a, b) => a.x - b.x);
    return [node("polyline", { class: "edge", points: line.map(({ x, y }) => `${x},${y}`).join(" ") })];
  }

  function scales(points, axis, width, height, floor) {
    const costs = points.map((point) => Math.log10(point.costs[axis]));
    const shares = points.flatMap(({ quality, low = quality, high = quality }) => [quality, low, high]);
    const [first, last] = [Math.min(...costs) - 0.08, Math.max(...costs) + 0.08];
    const low = Math.min(floor ?? 1, ...shares) - 0.03;
    const high = Math.min(1, Math.max(floor ?? 0, ...shares) + 0.05);
    const step = [0.05, 0.1, 0.2].find((each) => (high - low) / each <= 7) ?? 0.25;
    return {
      x: (cost) => LEFT + ((Math.log10(cost) - first) / (last - first)) * (width - LEFT - RIGHT),
      y: (share) => TOP + ((high - share) / (high - low)) * (height - TOP - BOTTOM),
      across: (most) => roundNumbers(10 ** first, 10 ** last, most),
      up: multiples(low, high, step),
    };
  }

  const multiples = (low, high, step) =>
    Array.from({ length: Math.floor(high / step + 1e-9) - Math.ceil(low / step) + 1 }, (_, at) => (Math.ceil(low / step) + at) * step);

  function roundNumbers(low, high, most) {
    if (high < 4 * low) {
      const step = [1, 2, 5, 10, 20, 50].map((part) => (part * 10 ** Math.floor(Math.log10(high - low))) / 10).find((each) => (high - low) / each <= most);
      return multiples(low, high, step);
    }
    const powers = multiples(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)), 1);
    for (const steps of [[1, 2, 5], [1, 3], [1]]) {
      const numbers = powers.flatMap((power) => steps.map((step) => step * 10 ** power)).filter((value) => value >= low && value <= high);
      if (numbers.length <= most || steps.length === 1) return numbers;
    }
  }

  self.benchFrontier = { mount };
})();
