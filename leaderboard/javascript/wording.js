// Numbers, sizes and limits as people read them: those of bench/wording.py, and of bench/board/limits.py the
// limits that the overview's form has. Pure.
"use strict";

(() => {
  const SPACE = "\u202f";
  const NAMED = 3; // how many models a line names at most
  const ROOM = 160; // into how many characters the names of a line have to fit, unless it is a single one
  const LONGEST = 80; // characters of a description of limits
  const ROUNDS_UP = 0.99951; // from this share on, three digits of the smaller unit would be 1e+03

  // As Python formats: to `digits` decimals, an exact half to the even digit.
  function fixed(value, digits = 0) {
    const half = Math.abs(value) * 2 * 10 ** digits;
    const isHalf = Number.isInteger(Math.abs(value) * 2 ** (digits + 1)) && half % 2 === 1;
    if (!isHalf || half % 4 === 3) return value.toFixed(digits);
    return (value < 0 ? "-" : "") + ((half - 1) / 2 / 10 ** digits).toFixed(digits);
  }

  const commas = (digits) => String(digits).replace(/\B(?=(\d{3})+$)/g, ",");

  // Three significant digits without zeros at the end: 1.22, 4, 1e+03.
  function general(value) {
    const exponent = Number(value.toExponential(2).split("e")[1]);
    if (exponent < 3) return String(Number(fixed(value, 2 - exponent)));
    const digits = Number(fixed(value / 10 ** (exponent - 2))) / 100;
    return `${digits}e+${String(exponent).padStart(2, "0")}`;
  }

  function size(value) {
    for (const [unit, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]])
      if (value >= ROUNDS_UP * unit) return `${general(value / unit)}${SPACE}${name}`;
    return `${value}${SPACE}B`;
  }

  function number(value) {
    if (value >= 100) return commas(fixed(value));
    return fixed(value, value >= 10 ? 1 : 2);
  }

  function latency(value) {
    if (value < 1) return `${number(1000 * value)}${SPACE}ms`;
    if (value < 60) return `${fixed(value, 1)}${SPACE}s`;
    const whole = Number(fixed(value));
    return `${Math.floor(whole / 60)}${SPACE}min ${whole % 60}${SPACE}s`;
  }

  const percent = (share, digits = 1) => `${fixed(share * 100, digits)}${SPACE}%`.replace("-", "−");
  const points = (share) => (share < 0 ? "" : "+") + fixed(100 * share, 1).replace("-", "−");
  const counted = (value, thing) => `${commas(value)} ${thing}${value === 1 ? "" : "s"}`;

  // ["a", "b", "c"] -> "a, b and c".
  const join = (words) => [words.slice(0, -1).join(", "), ...words.slice(-1)].filter(Boolean).join(" and ");

  // The first of the names, and how many more there are.
  function listed(names) {
    const shown = firstOf(names);
    const rest = names.length - shown.length;
    return join(rest ? [...shown, `${commas(rest)} more`] : shown);
  }

  // As many of the names as a line names.
  function firstOf(names) {
    let room = ROOM;
    return names.slice(0, NAMED).filter((name, at) => {
      room -= name.length;
      return !at || room >= 0;
    });
  }

  // A limit's name, its text around the value, what has to be measured for it, and the value's text.
  const COSTS = [
    ["memory", "of memory", "memory", size],
    ["p50", "for one answer", "latency", latency],
    ["disk", "on disk", "size on disk", size],
  ];

  const isPermissive = (licence) => licence.toLowerCase() === "permissive";

  // What of the needs is beyond a limit, in words.
  function over(needs, limits, permissive) {
    const words = COSTS.filter(([name]) => limits[name] != null && needs[name] > limits[name]).map(
      ([name, text, , format]) => `${format(needs[name])} ${text}`,
    );
    if (limits.licence) {
      const [licence, limit] = [needs.licence.toLowerCase(), limits.licence.toLowerCase()];
      if (!(isPermissive(limit) ? permissive.includes(licence) : licence === limit))
        words.push(`the licence ${needs.licence}`);
    }
    return words;
  }

  // What is not known although there is a limit on it.
  function unknown(needs, limits) {
    const missing = COSTS.filter(([name]) => limits[name] != null && needs[name] == null);
    return missing.map(([, , measured]) => measured);
  }

  const values = (costs) =>
    COSTS.filter(([name]) => costs[name] != null).map(
      ([name, text, , format]) => `${format(costs[name])} ${text}`,
    );

  // "within 4 GB of memory and 500 ms for one answer and with a permissive licence"; "" without limits.
  function describeLimits(limits) {
    const [costs, { licence }] = [values(limits), limits];
    const parts = costs.length ? [`within ${join(costs)}`] : [];
    if (licence) parts.push(isPermissive(licence) ? "with a permissive licence" : `with the licence ${licence}`);
    const text = parts.join(" and ");
    return text.length <= LONGEST ? text : "within all of your limits";
  }

  const describeNeeds = ({ memory, p50 }) => join(values({ memory, p50 }));

  // "8.9 GB, 1.4 s": in a list of models.
  const describeCosts = ({ memory, p50 }) =>
    [memory == null ? "" : size(memory), p50 == null ? "" : latency(p50)].filter(Boolean).join(", ");

  const BYTES = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 };
  const SECONDS = { ms: 0.001, s: 1, min: 60 };
  const UNITS = {
    memory: [BYTES, "gb", "4 GB or 512 MiB"],
    disk: [BYTES, "gb", "4 GB or 512 MiB"],
    p50: [SECONDS, "ms", "500 ms or 1.5 s"],
  };

  // A typed limit as {value}, null for no limit, or {error}; a bare number has the unit that the form names.
  function readLimit(kind, text) {
    const [units, usual, examples] = UNITS[kind];
    if (!text.trim()) return { value: null };
    const match = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)\s*$/i.exec(text);
    const factor = match && units[(match[2] || usual).toLowerCase()];
    const value = factor ? Number(match[1]) * factor : 0;
    if (!(value > 0 && value < Infinity))
      return { error: `'${text}' is not a limit; write a number above 0 with its unit, such as ${examples}` };
    return { value: units === BYTES ? Math.floor(value) : value };
  }

  self.benchWording = {
    NAMED, fixed, size, number, latency, percent, points, counted, join, listed, firstOf, commas, over, unknown, describeLimits,
    describeNeeds, describeCosts, readLimit,
  };
})();
