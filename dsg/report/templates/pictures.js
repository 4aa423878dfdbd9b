// the browser's own dialog closes on Escape; ← and → go through a strip in place, ↑ and ↓ to the strips before and after
const enlarged = document.getElementById("enlarged");
let shown = null;

function show(button) {
  shown = button;
  const picture = button.querySelector("img");
  const [target, over] = enlarged.querySelectorAll("img");
  target.src = picture.src;
  target.alt = picture.alt;
  const error = button.classList.contains("error");
  enlarged.querySelector(".frame").classList.toggle("error", error);
  if (error) over.src = button.querySelector(".over").src;
  enlarged.querySelector("p").textContent = button.dataset.caption;
  if (!enlarged.open) enlarged.showModal();
}

for (const button of document.querySelectorAll(".picture")) {
  button.addEventListener("click", () => show(button));
}
enlarged.addEventListener("click", () => enlarged.close());
enlarged.addEventListener("close", () => shown.focus());
enlarged.addEventListener("keydown", (event) => {
  const along = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const across = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!along && !across) return;
  event.preventDefault();
  const pictures = (strip) => [...strip.querySelectorAll(".picture")];
  const strip = shown.closest(".strip");
  const place = pictures(strip).indexOf(shown);
  if (along) {
    show(pictures(strip)[(place + along + pictures(strip).length) % pictures(strip).length]);
    return;
  }
  const strips = [...strip.parentElement.querySelectorAll(".strip")].filter((other) => pictures(other).length);
  const other = strips[(strips.indexOf(strip) + across + strips.length) % strips.length];
  other.dispatchEvent(new Event("shown", { bubbles: true }));
  show(pictures(other)[Math.min(place, pictures(other).length - 1)]);
});
