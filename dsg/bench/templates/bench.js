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
