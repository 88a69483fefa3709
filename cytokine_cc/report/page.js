(() => {
"use strict";

const FORMULA = /^[=+\-@\t\r]/, NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

function made(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const full = cell => cell.dataset.value ?? cell.textContent;
const isText = cell => cell.classList.contains("t");

// A cell as a line of text, such that no spreadsheet takes it for a formula.
function plain(cell) {
  const text = full(cell);
  const safe = isText(cell) && FORMULA.test(text) && !NUMBER.test(text) ? "'" + text : text;
  return safe.replace(/[\t\r\n]+/g, " ");
}

function numeric(text) {
  return text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
}

// Empty cells come last whichever way; equal ones stay in the order of the table.
function sorted(rows, place, state) {
  if (state === "none") return rows;
  const sign = state === "ascending" ? 1 : -1;
  const keyed = rows.map(row => {
    const cell = row.cells[place], text = full(cell);
    return { row, empty: text === "", key: isText(cell) ? text : numeric(text) };
  });
  const order = (a, b) => typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a < b ? -1 : a > b ? 1 : 0;
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
  const tools = table.closest(".table").querySelector(".tools");
  const status = made("span", { className: "status" });
  status.setAttribute("role", "status");
  const described = element => element.setAttribute("aria-describedby", table.getAttribute("aria-labelledby"));
  const shown = () => rows.filter(row => !row.hidden).length;
  const total = `${rows.length} ${rows.length === 1 ? "row" : "rows"}`;

  function count() {
    const some = shown() < rows.length;
    status.textContent = some ? `${shown()} of ${total}` : total;
    status.classList.toggle("filtered", some);
  }

  if (rows.length > 1) heads.forEach((head, place) => {
    const button = made("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const state = NEXT[head.getAttribute("aria-sort")];
      heads.forEach(other => other.setAttribute("aria-sort", other === head ? state : "none"));
      body.append(...sorted(rows, place, state));
    });
  });

  if ("filter" in table.dataset) {
    const texts = rows.map(row => [...row.cells].map(cell => cell.textContent).join("\n").toLowerCase());
    const input = made("input", { type: "search", autocomplete: "off", spellcheck: false });
    described(input);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row, place) => { row.hidden = !words.every(word => texts[place].includes(word)); });
      count();
    });
    tools.prepend(made("label", {}, "Filter", input), status);
  } else {
    status.classList.add("quiet");
    tools.prepend(status);
  }

  const copy = made("button", { type: "button", title: "The rows shown, as they are sorted, at full precision, with tabs between columns" }, "Copy");
  described(copy);
  copy.addEventListener("click", async () => {
    const lines = [heads, ...[...body.rows].filter(row => !row.hidden).map(row => [...row.cells])];
    const done = await copied(lines.map(cells => cells.map(plain).join("\t")).join("\n") + "\n");
    status.textContent = done ? `${shown()} ${shown() === 1 ? "row" : "rows"} copied` : "Copying was refused; take the CSV";
    setTimeout(count, 4000);
  });
  tools.querySelector("a").before(copy);
  count();
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
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = target && target.closest("details");
  if (details) { details.open = true; target.scrollIntoView(); }
}
addEventListener("hashchange", unfold);
unfold();

document.querySelectorAll(".help").forEach(help => { help.hidden = false; });
})();
