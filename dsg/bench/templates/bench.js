"use strict";

// a click on a column's name sorts by it, another one the other way round; what is missing stays last
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const header = button.closest("th");
    const descending = header.getAttribute("aria-sort") === "ascending";
    for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = header.closest("table").tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[header.cellIndex]) }));
    rows.sort((a, b) => compare(a.key, b.key, descending ? -1 : 1));
    body.append(...rows.map(({ row }) => row));
  });
}

function keyOf(cell) {
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  const text = cell.textContent.trim();
  return text === "" || text.startsWith("–") ? null : text;
}

function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}

// methods by any of several words, chapters by their boxes
const named = document.getElementById("named");
const boxes = [...document.querySelectorAll('input[name="chapter"]')];
const methods = document.querySelectorAll("#methods details").length;

function filter() {
  const words = named.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
  const fits = (name) => words.length === 0 || words.some((word) => name.includes(word));
  for (const element of document.querySelectorAll("[data-method]")) element.hidden = !fits(element.dataset.method);
  const shown = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  for (const element of document.querySelectorAll("[data-chapter]")) element.hidden = !shown.has(element.dataset.chapter);
  const left = document.querySelectorAll("#methods details:not([hidden])").length;
  document.getElementById("shown").textContent = left === methods ? "" : `${left} of ${methods} methods`;
}

named.addEventListener("input", filter);
for (const box of boxes) box.addEventListener("change", filter);
document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
filter();

// a method's name leads to what it is, which opens
function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();
