// Compares any two runs of a table. Numbers and sentence are those of `bench compare`: the paired
// bootstrap's interval, computed without resampling as its distribution is known, and McNemar's exact test.
"use strict";

(() => {
  const section = document.getElementById("two");
  const data = self.benchData && self.benchData[`answers/${section.dataset.task}`];
  if (!data) return;
  const [first, second] = section.querySelectorAll("select");
  const cells = section.querySelectorAll("td.number");
  const [verdict, lists] = [section.querySelector("[role=status]"), section.querySelector(".onlys")];
  const NOTHING = 1e-18;
  const CLOSE = 1e-12;
  const LONG = 60; // a longer list is folded

  function multiply(first, second) {
    const product = new Float64Array(first.length + second.length - 1);
    first.forEach((a, at) => second.forEach((b, by) => (product[at + by] += a * b)));
    return product;
  }

  function trimmed(start, terms) {
    const from = terms.findIndex((term) => term > NOTHING);
    return [start + from, terms.slice(from, terms.findLastIndex((term) => term > NOTHING) + 1)];
  }

  // The 95 % interval of the difference in accuracy, second minus first.
  function interval(lost, same, won) {
    const total = lost + same + won;
    const terms = Float64Array.of(lost / total, same / total, won / total);
    let [start, chances] = [0, Float64Array.of(1)];
    for (const bit of total.toString(2)) {
      [start, chances] = trimmed(2 * start, multiply(chances, chances));
      if (bit === "1") [start, chances] = trimmed(start, multiply(chances, terms));
    }
    const bound = (share) => {
      let below = 0;
      const at = chances.findIndex((chance) => (below += chance) >= share - CLOSE);
      return (start + at - total) / total;
    };
    return [bound(0.025), bound(0.975)];
  }

  // Twice the smaller tail of a fair coin; in logarithms, as the binomial coefficients would overflow.
  function mcnemar(lost, won) {
    const both = lost + won;
    let [term, sum] = [-both * Math.LN2, 0];
    for (let right = 0; right <= Math.min(lost, won); right++) {
      sum += Math.exp(term);
      term += Math.log((both - right) / (right + 1));
    }
    return Math.min(1, 2 * sum);
  }

  // As Python formats it: a half is rounded to the even digit.
  function formatPoints(share) {
    const value = 100 * share;
    const size = Math.abs(value) % 1 === 0.25 ? Math.abs(value) - 0.05 : Math.abs(value);
    return (value < 0 ? "-" : "+") + size.toFixed(1);
  }

  // Two digits, a half rounded to the even one. Sums of logarithms are exact to twelve digits.
  function formatP(p) {
    const exact = Number(p.toPrecision(12));
    const digits = exact.toExponential(30).replace(/\.|e.*/g, "");
    const even = digits[1] % 2 === 0 && /^50*$/.test(digits.slice(2));
    const short = Number((even ? exact * (1 - 1e-9) : exact).toPrecision(2));
    if (short >= 1e-4 || short === 0) return String(short);
    return short.toExponential().replace(/e-(\d)$/, "e-0$1");
  }

  function compare() {
    const [runA, runB] = [data.runs[first.value], data.runs[second.value]];
    const counts = [[0, 0], [0, 0]];
    const only = [[], []];
    [...data.truth].forEach((letter, at) => {
      const right = [runA[2][at] === letter, runB[2][at] === letter];
      counts[+!right[0]][+!right[1]] += 1;
      if (right[0] !== right[1]) only[+right[1]].push(data.questions[at]);
    });
    const [[both, lost], [won, neither]] = counts;
    verdict.textContent = describePair(runA[1], runB[1], both, lost, won, neither);
    [both, lost, won, neither].forEach((count, at) => (cells[at].textContent = count));
    lists.replaceChildren(...[runA, runB].map((run, at) => listOf(run[1], only[at])));
    const state = new URLSearchParams({ first: runA[0].slice(0, 10), second: runB[0].slice(0, 10) });
    history.replaceState(null, "", `?${state}`);
  }

  // The sentence of describe_pair in Python.
  function describePair(nameA, nameB, both, lost, won, neither) {
    const total = both + lost + won + neither;
    const [low, high] = interval(lost, both + neither, won);
    const p = mcnemar(lost, won);
    const [better, worse] = won > lost ? [nameB, nameA] : [nameA, nameB];
    const result =
      p > 0.05
        ? `No significant difference between ${nameA} and ${nameB}`
        : `${better} is significantly better than ${worse}`;
    return (
      `${result}: ${both + lost} and ${both + won} right of ${total}; second minus first: ` +
      `${formatPoints((won - lost) / total)} points (95 % ${formatPoints(low)} to ${formatPoints(high)}), ` +
      `McNemar's p = ${formatP(p)}.`
    );
  }

  function listOf(name, questions) {
    const [place, head, list] = ["details", "summary", "ol"].map((tag) => document.createElement(tag));
    head.textContent = `Only ${name} got right (${questions.length})`;
    list.className = "tally";
    place.open = questions.length <= LONG;
    for (const [id, page] of questions) {
      const link = document.createElement("a");
      link.href = `../questions/${section.dataset.task}/${page}`;
      link.textContent = id;
      const item = document.createElement("li");
      item.append(link);
      list.append(item);
    }
    place.append(head, list);
    return place;
  }

  const wanted = new URLSearchParams(location.search);
  [first, second].forEach((select, at) => {
    select.append(...data.runs.map((run, number) => new Option(run[1], number)));
    const id = wanted.get(select.id);
    const index = id ? data.runs.findIndex((run) => run[0].startsWith(id)) : -1;
    select.selectedIndex = index < 0 ? Number(at === 1 && first.selectedIndex === 0) : index;
    select.addEventListener("change", compare);
  });
  section.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  section.hidden = false;
  compare();
})();
