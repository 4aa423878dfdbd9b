// one image at a time, the same under all runs; without a script all of them stand below each other
for (const group of document.querySelectorAll(".side")) {
  const rows = [...group.querySelectorAll(".strip")];
  if (!rows.length) continue;
  const chooser = group.querySelector("select");
  group.querySelector(".chooser").hidden = false;

  function choose(index) {
    const place = [...rows[chooser.selectedIndex].querySelectorAll(".picture")].indexOf(document.activeElement);
    chooser.selectedIndex = (index + rows.length) % rows.length;
    rows.forEach((row, i) => { row.hidden = i !== chooser.selectedIndex; });
    if (place >= 0) rows[chooser.selectedIndex].querySelectorAll(".picture")[place]?.focus();
  }

  group.addEventListener("shown", (event) => choose(rows.indexOf(event.target)));
  chooser.addEventListener("change", () => choose(chooser.selectedIndex));
  for (const button of group.querySelectorAll("button[data-step]"))
    button.addEventListener("click", () => choose(chooser.selectedIndex + Number(button.dataset.step)));
  group.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || ["SELECT", "INPUT"].includes(event.target.tagName)) return;
    event.preventDefault();
    choose(chooser.selectedIndex + step);
  });
  // |sample − truth|: the truth over the sample, by difference, and brighter
  group.querySelector("input[name=errors]")?.addEventListener("change", (event) => {
    for (const row of rows) {
      const truth = row.querySelector("img[data-truth]");
      if (!truth) continue;
      for (const button of row.querySelectorAll(".picture.of_run")) {
        button.classList.toggle("error", event.target.checked);
        if (!button.querySelector(".over")) {
          const over = new Image();
          over.className = "over";
          over.alt = "";
          over.src = truth.src;
          button.append(over);
        }
      }
    }
  });
  choose(0);
}

// a page that was sent elsewhere says that its links may lead nowhere
const place = document.body.dataset.place;
let path = location.pathname;
try {
  path = decodeURIComponent(path);
} catch {
  // a % that stands for itself: the path is taken as it is
}
if (!path.endsWith(place)) {
  for (const note of document.querySelectorAll(".moved")) note.hidden = false;
}
