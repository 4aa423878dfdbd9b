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
  return text === "–" || text === "" ? null : text;
}

function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}

// the browser's own dialog closes on Escape and gives the focus back
const enlarged = document.getElementById("enlarged");
let shown = null;

function show(button) {
  shown = button;
  const picture = button.querySelector("img");
  const target = enlarged.querySelector("img");
  target.src = picture.src;
  target.alt = picture.alt;
  enlarged.querySelector("p").textContent = button.dataset.caption;
  if (!enlarged.open) enlarged.showModal();
}

for (const button of document.querySelectorAll(".picture")) {
  button.addEventListener("click", () => show(button));
}
enlarged.addEventListener("click", () => enlarged.close());
enlarged.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const strip = [...shown.closest(".strip").querySelectorAll(".picture")];
  show(strip[(strip.indexOf(shown) + step + strip.length) % strip.length]);
});
