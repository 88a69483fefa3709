(() => {
"use strict";

const FORMULA = /^[=+\-@\t\r\n]/, NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

function made(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const isText = cell => cell.classList.contains("t");
const { compare } = new Intl.Collator("en", { numeric: true });

// The rows of a CSV text, its header among them.
function fields(text) {
  const rows = [[]];
  for (const [, quoted, bare, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    rows[rows.length - 1].push(quoted === undefined ? bare : quoted.replace(/""/g, '"'));
    if (end === "\n") rows.push([]);
  }
  return rows;
}

// A cell of text as it is copied: on one line, such that no spreadsheet takes it for a formula.
function plain(text) {
  return (FORMULA.test(text) && !NUMBER.test(text) ? "'" + text : text).replace(/[\t\r\n]+/g, " ");
}

function numeric(text) {
  return text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
}

// The numbers in a text that begins with one, as people write them: "29.6 to 42.7", "0.375 (0.29)", "1,020".
function numbers(text) {
  if (!/^[<>≤≥~]?\s*[+\-−]?\.?\d/.test(text)) return [];
  const parts = text.split(/[\s()[\]/<>≤≥~–:;%]+/).map(part => /^[+\-−]?(\d{1,3}(,\d{3})+(?!\d)|\d+)?(\.\d+)?(e[+-]?\d+)?/i.exec(part)[0]);
  return parts.filter(part => /\d/.test(part)).map(part => Number(part.replace(/,/g, "").replace("−", "-")));
}

// Texts that begin with a number come first, in the order of their numbers.
function order(a, b) {
  if (typeof a === "number") return a < b ? -1 : a > b ? 1 : 0;
  if (!a.numbers.length !== !b.numbers.length) return a.numbers.length ? -1 : 1;
  const place = a.numbers.findIndex((one, k) => one !== b.numbers[k]);
  return place >= 0 && place < b.numbers.length ? a.numbers[place] - b.numbers[place] : compare(a.text, b.text);
}

// Empty cells come last whichever way; equal ones stay in the order of the table.
function sorted(rows, state, value, asText) {
  if (state === "none") return rows;
  const sign = state === "ascending" ? 1 : -1;
  const keyed = rows.map(row => {
    const text = value(row);
    return { row, empty: text === "", key: asText ? { text, numbers: numbers(text) } : numeric(text) };
  });
  keyed.sort((a, b) => a.empty - b.empty || (a.empty ? 0 : sign * order(a.key, b.key)));
  return keyed.map(item => item.row);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Refused, or a browser that has none: the old way, by a selection.
    const area = made("textarea", { value: text, className: "skip" });
    const before = document.activeElement;
    area.style.position = "fixed"; // in sight, so that the page does not scroll to it
    area.style.top = "0";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before?.focus({ preventScroll: true });
    return done;
  }
}

function equip(table) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells], rows = [...body.rows];
  const tools = table.closest(".table").querySelector(".tools"), csv = tools.querySelector("a");
  const status = tools.querySelector("[role=status]"), total = status.textContent;
  const described = (element, more) => element.setAttribute("aria-describedby", table.getAttribute("aria-labelledby") + more);
  const shown = () => [...body.rows].filter(row => !row.hidden);

  // Numbers are rounded in their cells and whole in the CSV.
  const places = new Map(rows.map((row, place) => [row, place]));
  let known;
  function value(row, place) {
    if (isText(heads[place])) return row.cells[place].textContent;
    if (!known) { const link = csv.getAttribute("href"); known = fields(decodeURIComponent(link.slice(link.indexOf(",") + 1))); }
    return known[places.get(row) + 1][heads[place].dataset.place].replace(/\.0$/, "");
  }

  function say(text) {
    if (status.textContent !== text) status.textContent = text;
  }

  function count() {
    const left = shown().length, some = left < rows.length;
    say(some ? `${left} of ${total}` : total);
    tools.classList.toggle("filtered", some);
  }

  if (rows.length > 1) heads.forEach((head, place) => {
    const button = made("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const state = NEXT[head.getAttribute("aria-sort")];
      heads.forEach(other => other.setAttribute("aria-sort", other === head ? state : "none"));
      const all = document.createDocumentFragment();
      for (const row of sorted(rows, state, row => value(row, place), isText(head))) all.append(row);
      body.append(all);
    });
  });

  if ("filter" in table.dataset) {
    const texts = rows.map(row => [...row.cells].map(cell => cell.textContent).join("\n").toLowerCase());
    const input = made("input", { type: "search", autocomplete: "off", spellcheck: false });
    described(input, "");
    let typing;
    const filter = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row, place) => { row.hidden = !words.every(word => texts[place].includes(word)); });
      count();
    };
    input.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(filter, 120); });
    tools.prepend(made("label", {}, "Filter", input));
  }

  const copy = made("button", { type: "button" }, "Copy");
  described(copy, " help.copy");
  let copying;
  copy.addEventListener("click", async () => {
    const some = shown(), lines = some.map(row => heads.map((head, place) => isText(head) ? plain(value(row, place)) : value(row, place)));
    const header = heads.map(head => plain(head.textContent));
    const done = await copied([header, ...lines].map(cells => cells.join("\t")).join("\n") + "\n");
    say(done ? `${some.length} ${some.length === 1 ? "row" : "rows"} copied` : "Copying was refused; take the CSV");
    clearTimeout(copying);
    copying = setTimeout(count, 4000);
  });
  csv.before(copy, " ");
}

document.querySelectorAll("table").forEach(equip);

document.querySelectorAll("figure.picture").forEach(figure => {
  const link = figure.querySelector("a.svg");
  link.href = figure.querySelector("img").src;
  link.hidden = false;
});

// What scrolls can be reached by keyboard, and nothing else is a stop on the way.
const sizes = new ResizeObserver(entries => entries.forEach(({ target }) => {
  const box = target.closest(".box");
  const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
  if (scrolls) box.tabIndex = 0; else box.removeAttribute("tabindex");
}));
document.querySelectorAll(".box").forEach(box => { sizes.observe(box); sizes.observe(box.firstElementChild); });

// On paper nothing can be opened.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach(details => { details.open = true; });
});
addEventListener("afterprint", () => { opened.forEach(details => { details.open = false; }); });

// A link to a folded part opens it.
function unfold() {
  let name = location.hash.slice(1);
  try { name = decodeURIComponent(name); } catch { /* no address of this page */ }
  const target = name && document.getElementById(name);
  const details = target && target.closest("details");
  if (details) { details.open = true; target.scrollIntoView(); }
}
addEventListener("hashchange", unfold);
unfold();

document.querySelectorAll(".scripted").forEach(part => { part.hidden = false; });
})();
