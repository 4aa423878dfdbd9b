// the charts of the traces: which runs lie over which is the reader's choice, so that they are drawn here
const SVG = "http://www.w3.org/2000/svg";
const BOX = { width: 480, height: 250, left: 58, right: 12, top: 10, bottom: 34 };

function element(name, attributes, parent, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function digits(value) {
  return value === 0 || (Math.abs(value) >= 0.001 && Math.abs(value) < 1e5) ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

// about five round numbers between two
function linearTicks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) ticks.push(Number(value.toPrecision(12)));
  return ticks;
}

function logTicks(low, high) {
  const ticks = [];
  const wide = Math.log10(high / low) > 3;
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1)
    for (const factor of wide ? [1] : [1, 2, 5]) ticks.push(Number((factor * 10 ** power).toPrecision(12)));
  const inside = ticks.filter((value) => value >= low && value <= high);
  return inside.length > 1 ? inside : linearTicks(low, high);
}

function drawTrajectories(data, section) {
  const boxes = [...section.querySelectorAll("input[name=run]")];
  const logarithmic = section.querySelector("input[name=logarithmic]");
  const slider = section.querySelector("input[type=range]");
  const charts = section.querySelector(".charts");
  const readout = section.querySelector("tbody");
  const shares = new Set(data.runs.map((run) => run.steps)).size > 1;
  const last = shares ? 100 : data.runs[0].steps - 1;
  slider.max = last;
  slider.value = Math.round(0.95 * last);
  const along = (run, place) => (shares ? (100 * run.at[place]) / Math.max(1, run.steps - 1) : run.at[place]);
  let cursors = [];

  function chosen() {
    return data.runs.filter((run) => boxes.find((box) => Number(box.value) === run.index).checked);
  }

  function draw() {
    charts.replaceChildren();
    cursors = [];
    for (const measure of data.measures) {
      const runs = chosen().filter((run) => measure.curves[run.index]);
      if (runs.length) charts.append(chart(measure, runs));
    }
    point();
  }

  function chart(measure, runs) {
    const values = runs.flatMap((run) => ["p10", "p50", "p90"].flatMap((name) => measure.curves[run.index][name])).filter((value) => value !== null);
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const log = logarithmic.checked && low > 0 && high / low > 3;
    if (low === high) [low, high] = [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1];
    const scaled = log ? Math.log : (value) => value;
    const [bottom, top] = [scaled(low), scaled(high)];
    const x = (value) => BOX.left + ((BOX.width - BOX.left - BOX.right) * value) / Math.max(1, last);
    const y = (value) => BOX.height - BOX.bottom - ((BOX.height - BOX.bottom - BOX.top) * (scaled(value) - bottom)) / (top - bottom);
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = measure.title;
    const svg = element("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", "aria-label": `${measure.title} against the step, of ${runs.map((run) => run.name).join(", ")}` });
    for (const value of log ? logTicks(low, high) : linearTicks(low, high)) {
      element("line", { class: "grid", x1: BOX.left, x2: BOX.width - BOX.right, y1: y(value), y2: y(value) }, svg);
      element("text", { x: BOX.left - 6, y: y(value) + 4, "text-anchor": "end" }, svg, digits(value));
    }
    for (const value of linearTicks(0, Math.max(1, last)).filter(Number.isInteger))
      element("text", { x: x(value), y: BOX.height - BOX.bottom + 16, "text-anchor": "middle" }, svg, value);
    element("text", { x: BOX.width - BOX.right, y: BOX.height - 4, "text-anchor": "end" }, svg, shares ? "share of the steps, %" : "step, 0 the noisiest");
    for (const run of runs) {
      const curve = measure.curves[run.index];
      const points = (name) => curve[name].map((value, place) => (value === null ? null : [x(along(run, place)), y(value)])).filter(Boolean);
      const text = (list) => list.map((pair) => pair.map((value) => value.toFixed(1)).join(",")).join(" ");
      element("polygon", { class: "band", points: text([...points("p10"), ...points("p90").reverse()]), fill: run.colour }, svg);
      element("polyline", { points: text(points("p50")), stroke: run.colour, fill: "none", "stroke-width": 2 }, svg);
    }
    const cursor = element("line", { class: "cursor", y1: BOX.top, y2: BOX.height - BOX.bottom }, svg);
    cursors.push((value) => { cursor.setAttribute("x1", x(value)); cursor.setAttribute("x2", x(value)); });
    svg.addEventListener("pointermove", (event) => {
      const place = ((event.offsetX / svg.clientWidth) * BOX.width - BOX.left) / (BOX.width - BOX.left - BOX.right);
      slider.value = Math.round(place * last);
      point();
    });
    figure.append(caption, svg);
    return figure;
  }

  // the numbers at the step that the slider is at
  function point() {
    const at = Number(slider.value);
    slider.nextElementSibling.textContent = shares ? `${at} %` : `step ${at}`;
    for (const move of cursors) move(at);
    readout.replaceChildren(...chosen().map((run) => {
      const row = document.createElement("tr");
      const name = row.insertCell();
      name.textContent = run.name;
      name.className = "run";
      name.style.setProperty("--colour", run.colour);
      let place = 0;
      run.at.forEach((_, other) => { if (Math.abs(along(run, other) - at) < Math.abs(along(run, place) - at)) place = other; });
      for (const measure of data.measures) {
        const curve = measure.curves[run.index];
        const value = curve ? curve.p50[place] : null;
        const cell = row.insertCell();
        cell.textContent = value === null ? "–" : digits(value);
        if (value === null) continue;
        const band = document.createElement("small");
        band.textContent = `[${digits(curve.p10[place])}, ${digits(curve.p90[place])}]`;
        cell.append(band);
      }
      return row;
    }));
  }

  for (const box of [...boxes, logarithmic]) box.addEventListener("change", draw);
  slider.addEventListener("input", point);
  for (const button of section.querySelectorAll("button[data-all]")) {
    button.addEventListener("click", () => {
      for (const box of boxes) box.checked = button.dataset.all === "true";
      draw();
    });
  }
  draw();
}

const traces = document.getElementById("traces");
if (traces) drawTrajectories(JSON.parse(traces.textContent), document.getElementById("trajectories"));
