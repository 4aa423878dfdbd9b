// A click on a table's head sorts it by that column, numbers by their value; a second click turns the order round. Numbers do not break.
"use strict";
const isNumber = (text) => /^[\[+\-−–]?[\d.]/.test(text.trim());
function sortable(table) {
  [...table.tBodies[0].rows].forEach((row) => [...row.cells].forEach((cell) => cell.classList.toggle("number", isNumber(cell.textContent))));
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, i) => row.cells[i].textContent.replace(/[*†‡+]/g, "").replace("−", "-").trim();
  heads.forEach((head, i) => {
    head.tabIndex = 0;
    const sort = () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      const order = (a, b) => {
        const [x, y] = [parseFloat(value(a, i)), parseFloat(value(b, i))];
        if (isNaN(x) || isNaN(y)) return isNaN(x) && isNaN(y) ? value(a, i).localeCompare(value(b, i)) : isNaN(x) - isNaN(y);
        return x - y;
      };
      rows.sort((a, b) => (up ? order(a, b) : order(b, a)));
      table.tBodies[0].append(...rows);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  });
}
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("article table").forEach((table) => table.tHead && table.tBodies.length && sortable(table));
});
