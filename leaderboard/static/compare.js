// Any two runs of a table beside each other. The numbers are those of `bench compare`: the paired
// bootstrap's interval without drawing (its distribution is known), and McNemar's exact test.
"use strict";

(() => {
  const section = document.getElementById("two");
  const kept = self.benchData && self.benchData[`answers/${section.dataset.task}`];
  if (!kept) return;
  const [first, second] = section.querySelectorAll("select");
  const cells = section.querySelectorAll("td.number");
  const [says, alone] = [section.querySelector("[role=status]"), section.querySelector(".onlys")];
  const NOTHING = 1e-18;
  const CLOSE = 1e-12;
  const LONG = 60; // from here on a list is folded

  function times(one, other) {
    const found = new Float64Array(one.length + other.length - 1);
    one.forEach((a, at) => other.forEach((b, by) => (found[at + by] += a * b)));
    return found;
  }

  function trimmed(start, terms) {
    const from = terms.findIndex((term) => term > NOTHING);
    return [start + from, terms.slice(from, terms.findLastIndex((term) => term > NOTHING) + 1)];
  }

  // The difference in accuracy (the second's less the first's) and its 95 % interval.
  function interval(lost, same, won) {
    const total = lost + same + won;
    const terms = Float64Array.of(lost / total, same / total, won / total);
    let [start, chances] = [0, Float64Array.of(1)];
    for (const bit of total.toString(2)) {
      [start, chances] = trimmed(2 * start, times(chances, chances));
      if (bit === "1") [start, chances] = trimmed(start, times(chances, terms));
    }
    const bound = (share) => {
      let below = 0;
      const at = chances.findIndex((chance) => (below += chance) >= share - CLOSE);
      return (start + at - total) / total;
    };
    return [bound(0.025), bound(0.975)];
  }

  // Twice the smaller tail of a fair coin, in logarithms: whole numbers of it would overflow.
  function mcnemar(lost, won) {
    const both = lost + won;
    let [term, sum] = [-both * Math.LN2, 0];
    for (let right = 0; right <= Math.min(lost, won); right++) {
      sum += Math.exp(term);
      term += Math.log((both - right) / (right + 1));
    }
    return Math.min(1, 2 * sum);
  }

  // As Python writes it: a half goes to the even digit.
  function points(share) {
    const value = 100 * share;
    const size = Math.abs(value) % 1 === 0.25 ? Math.abs(value) - 0.05 : Math.abs(value);
    return (value < 0 ? "-" : "+") + size.toFixed(1);
  }

  // Two digits; of what lies between two, the even one. Sums of logarithms are exact to twelve digits.
  function brief(p) {
    const exact = Number(p.toPrecision(12));
    const digits = exact.toExponential(30).replace(/\.|e.*/g, "");
    const even = digits[1] % 2 === 0 && /^50*$/.test(digits.slice(2));
    const short = Number((even ? exact * (1 - 1e-9) : exact).toPrecision(2));
    if (short >= 1e-4 || short === 0) return String(short);
    return short.toExponential().replace(/e-(\d)$/, "e-0$1");
  }

  function compare() {
    const [one, other] = [kept.runs[first.value], kept.runs[second.value]];
    const counts = [[0, 0], [0, 0]];
    const only = [[], []];
    [...kept.truth].forEach((letter, at) => {
      const right = [one[2][at] === letter, other[2][at] === letter];
      counts[+!right[0]][+!right[1]] += 1;
      if (right[0] !== right[1]) only[+right[1]].push(kept.questions[at]);
    });
    const [[both, lost], [won, neither]] = counts;
    const total = kept.truth.length;
    const [low, high] = interval(lost, both + neither, won);
    const p = mcnemar(lost, won);
    const [better, worse] = won > lost ? [other, one] : [one, other];
    const verdict =
      p > 0.05 ? `${one[1]} and ${other[1]} cannot be told apart` : `${better[1]} is better than ${worse[1]}`;
    says.textContent =
      `${verdict}: ${both + lost} and ${both + won} right of ${total}, the second ` +
      `${points((won - lost) / total)} points (95 % ${points(low)} to ${points(high)}), ` +
      `McNemar's p = ${brief(p)}.`;
    [both, lost, won, neither].forEach((count, at) => (cells[at].textContent = count));
    alone.replaceChildren(...[one, other].map((run, at) => listed(run[1], only[at])));
    const words = new URLSearchParams({ first: one[0].slice(0, 10), second: other[0].slice(0, 10) });
    history.replaceState(null, "", `?${words}`);
  }

  function listed(name, questions) {
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
    select.append(...kept.runs.map((run, number) => new Option(run[1], number)));
    const named = wanted.get(select.id);
    const found = named ? kept.runs.findIndex((run) => run[0].startsWith(named)) : -1;
    select.selectedIndex = found < 0 ? Number(at === 1 && first.selectedIndex === 0) : found;
    select.addEventListener("change", compare);
  });
  section.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  section.hidden = false;
  compare();
})();
