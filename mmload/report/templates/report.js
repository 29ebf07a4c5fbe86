(() => {
  "use strict";
  const make = (tag, text, into) => {
    const node = document.createElement(tag);
    if (text) node.textContent = text;
    if (into) into.append(node);
    return node;
  };

  /* A readout under the pointer, from the titles that the plot carries without any script. */
  for (const drawing of document.querySelectorAll(".drawing")) {
    const zones = drawing.querySelectorAll(".zones rect");
    if (!zones.length) continue;
    const tip = make("div", "", drawing);
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("aria-hidden", "true");
    for (const zone of zones) {
      const title = zone.querySelector("title");
      zone.dataset.says = title.textContent;
      title.remove();
    }
    drawing.addEventListener("pointermove", (event) => {
      if (drawing.dataset.brushed) return;
      const zone = event.target.closest(".zones rect");
      tip.hidden = !zone;
      if (!zone) return;
      tip.textContent = zone.dataset.says;
      const box = drawing.getBoundingClientRect();
      const half = tip.offsetWidth / 2;
      const x = Math.min(Math.max(event.clientX - box.left, half), box.width - half);
      const y = event.clientY - box.top + 18;
      tip.style.left = `${x + drawing.scrollLeft}px`;
      tip.style.top = `${y + tip.offsetHeight > box.height ? y - tip.offsetHeight - 34 : y}px`;
    });
    drawing.addEventListener("pointerleave", () => { tip.hidden = true; });
    const tools = make("div");
    tools.className = "tools magnify";
    const zoom = make("button", "Magnify", tools);
    zoom.type = "button";
    zoom.setAttribute("aria-pressed", "false");
    zoom.setAttribute("aria-label", `Magnify: ${drawing.querySelector("svg > title").textContent}`);
    zoom.addEventListener("click", () => {
      const on = drawing.classList.toggle("zoomed");
      zoom.setAttribute("aria-pressed", String(on));
      if (on) drawing.tabIndex = 0; else drawing.removeAttribute("tabindex");
    });
    drawing.after(tools);
  }

  /* Tables sort by any column; rows without a figure stay at the end. */
  const figure = (text) => {
    const match = text.replace(/,/g, "").match(/-?\d+(\.\d+)?/);
    if (!match) return null;
    const unit = /\d (µs|ms|s|min|h)\b/.exec(text.replace(/,/g, ""));
    const scale = unit ? { "µs": 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600 }[unit[1]] : 1;
    return Number(match[0]) * scale;
  };
  for (const table of document.querySelectorAll("table[data-table]")) {
    const body = table.tBodies[0];
    if (body.rows.length < 3 || getComputedStyle(table.tHead).display === "none") continue;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = make("button", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const numeric = head.classList.contains("n");
        const key = (row) => {
          const text = row.cells[column].textContent.trim();
          return numeric ? figure(text) : text;
        };
        const sorted = [...body.rows].sort((one, two) => {
          const a = key(one), b = key(two);
          if (a === null || b === null) return (a === null) - (b === null);
          return (down ? -1 : 1) * (numeric ? a - b : a.localeCompare(b));
        });
        body.append(...sorted);
      });
    });
  }

  /* Slices: choose what to cut by, in the plot and in the table. */
  const number = (node, name) => Number(node.getAttribute(name));
  const pick = (plot, kind) => {
    const choice = plot.querySelector(".choice"), rows = [...choice.querySelectorAll(".row")];
    const { top, bottom, pitch } = choice.dataset;
    const on = (row) => (kind ? row.dataset.group === kind : !row.classList.contains("more"));
    const orders = [...new Set(rows.filter(on).map((row) => Number(row.dataset.order)))].sort((a, b) => a - b);
    const was = bottom - top, is = (kind ? orders.length : Math.round(was / pitch)) * pitch;
    for (const row of rows) {
      const at = kind ? orders.indexOf(Number(row.dataset.order)) : Number(row.dataset.at);
      row.style.display = on(row) ? "inline" : "none";
      row.setAttribute("transform", `translate(0 ${(at - row.dataset.at) * pitch})`);
    }
    for (const part of choice.querySelectorAll(".guides")) {
      part.setAttribute("transform", `translate(0 ${top * (1 - is / was)}) scale(1 ${is / was})`);
    }
    for (const part of choice.querySelectorAll(".foot")) part.setAttribute("transform", `translate(0 ${is - was})`);
    const view = plot.viewBox.baseVal, desc = plot.querySelector("desc");
    plot.dataset.height ??= view.height;
    desc.dataset.whole ??= desc.textContent;
    plot.setAttribute("viewBox", `0 0 ${view.width} ${plot.dataset.height - was + is}`);
    const said = rows.filter(on).map((row) => [...row.querySelectorAll("text")].map((text) => text.textContent).join(" "));
    desc.textContent = kind ? `${said.filter(Boolean).join("; ")}.` : desc.dataset.whole;
    return orders.length;
  };
  for (const chart of document.querySelectorAll('[data-scripts~="filter"]')) {
    const body = chart.querySelector("tbody");
    if (!body) continue;
    const all = [...body.rows], kind = (row) => row.cells[0].textContent;
    const kinds = [...new Set(all.map(kind))];
    if (kinds.length < 2) continue;
    const tools = make("div"), label = make("label", "Show ", tools), choice = make("select", "", label);
    tools.className = "tools";
    for (const name of ["all slices", ...kinds]) make("option", name, choice);
    choice.setAttribute("aria-label", "Show slices by");
    const status = make("span", "", tools);
    status.setAttribute("role", "status");
    const drawing = chart.querySelector(".drawing"), note = chart.querySelector(":scope > .note");
    choice.addEventListener("change", () => {
      const chosen = choice.selectedIndex > 0 ? choice.value : "";
      for (const row of all) row.hidden = chosen !== "" && kind(row) !== chosen;
      const left = all.filter((row) => !row.hidden).length;
      const drawn = drawing ? Math.min(...[...drawing.querySelectorAll(".plot")].map((plot) => pick(plot, chosen))) : 0;
      if (drawing) drawing.hidden = !drawn;
      if (note) note.hidden = chosen !== "";
      status.textContent = chosen ? `${left} of ${all.length}${drawn ? "" : ", none of them scored"}` : "";
    });
    (drawing || chart.querySelector(".scroll")).before(tools);
    addEventListener("beforeprint", () => {
      choice.selectedIndex = 0;
      choice.dispatchEvent(new Event("change"));
    });
  }

  /* Plots over time share one window: drag across one of them, or choose a phase. */
  const main = document.getElementById("main");
  const spans = JSON.parse((main && main.dataset.spans) || "[]");
  const moving = [...document.querySelectorAll("svg.moving")];
  const clock = (value) => {
    const whole = Math.floor(value + 1e-6), rest = Math.round((value - whole) * 10);
    const pad = (n) => String(n).padStart(2, "0"), minutes = Math.floor(whole / 60) % 60, hours = Math.floor(whole / 3600);
    return `${hours ? `${hours}:${pad(minutes)}` : minutes}:${pad(whole % 60)}${rest ? `.${rest}` : ""}`;
  };
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400];

  /* Letters and markers keep their shape: each is narrowed about its own middle by what the plot is widened. */
  const middle = (node) => {
    if (node.tagName === "text") return number(node, "x");
    if (node.tagName === "circle") return number(node, "cx");
    const xs = [...node.getAttribute("d").matchAll(/[ML](-?[\d.]+)/g)].map((found) => Number(found[1]));
    return xs.reduce((sum, x) => sum + x, 0) / xs.length;
  };
  const stretch = (frame, from, to) => {
    const first = Number(frame.dataset.from), last = Number(frame.dataset.to);
    const left = number(frame, "x"), wide = number(frame, "width"), scale = (last - first) / (to - from);
    const whole = scale < 1.0001;
    frame.setAttribute("viewBox", `${left + (wide * (from - first)) / (last - first)} 0 ${wide / scale} ${number(frame, "height")}`);
    frame.setAttribute("overflow", whole ? "visible" : "hidden");
    for (const node of frame.querySelectorAll(":scope > text, :scope > circle, :scope > path[stroke='var(--paper)']")) {
      const x = middle(node);
      if (whole) node.removeAttribute("transform");
      else node.setAttribute("transform", `translate(${x} 0) scale(${1 / scale} 1) translate(${-x} 0)`);
    }
    const plot = frame.parentNode, ticks = plot.querySelector(".ticks"), letters = ticks.querySelector("text");
    plot.querySelector(".ticks-zoomed")?.remove();
    ticks.style.display = whole ? "" : "none";
    if (whole || !letters) return;
    const made = ticks.cloneNode(false), tick = ticks.querySelector("path");
    made.setAttribute("class", "ticks-zoomed");
    made.removeAttribute("style");
    const step = steps.find((s) => s >= (to - from) / (plot.classList.contains("phone") ? 4 : 9)) || 86400;
    for (let at = Math.ceil(from / step - 1e-6) * step; at <= to + 1e-6; at += step) {
      const x = left + (wide * (at - from)) / (to - from), label = letters.cloneNode(false), line = tick.cloneNode(false);
      label.setAttribute("x", String(Math.min(x, left + wide - 6)));
      label.textContent = clock(at);
      line.setAttribute("d", tick.getAttribute("d").replace(/[ML]-?[\d.]+/g, (part) => part[0] + x.toFixed(1)));
      made.append(line, label);
    }
    ticks.after(made);
  };
  const choices = [];
  const show = (from, to, name) => {
    for (const frame of moving) stretch(frame, from, to);
    for (const choice of choices) {
      choice.querySelector(".own")?.remove();
      if (name === undefined) {
        const own = make("option", `${clock(from)} to ${clock(to)}`, choice);
        own.className = "own";
        own.selected = true;
      } else choice.selectedIndex = name;
    }
  };
  const end = Math.max(0, ...moving.map((frame) => Number(frame.dataset.to)));
  const reset = () => { if (moving.length) show(0, end, 0); };
  for (const drawing of document.querySelectorAll(".drawing")) {
    if (!drawing.querySelector("svg.moving")) continue;
    const tools = drawing.nextElementSibling;
    if (!tools || !tools.classList.contains("magnify")) continue;
    const label = make("label", "Show "), choice = make("select", "", label);
    for (const name of ["the whole run", ...spans.map((span) => span[0])]) make("option", name, choice);
    choice.setAttribute("aria-label", `Show part of the run: ${drawing.querySelector("svg > title").textContent}`);
    choice.addEventListener("change", () => {
      const span = spans[choice.selectedIndex - 1];
      if (span) show(span[1], span[2], choice.selectedIndex); else reset();
    });
    choices.push(choice);
    const hint = make("span", "drag across to zoom");
    hint.className = "hint";
    tools.prepend(hint, label);
    const brush = make("div", "", drawing);
    brush.className = "brush";
    brush.hidden = true;
    const place = (event) => {
      const frame = [...drawing.querySelectorAll("svg.moving")].find((one) => one.parentNode.getClientRects().length);
      const plot = frame.parentNode, box = plot.getBoundingClientRect(), unit = box.width / plot.viewBox.baseVal.width;
      const left = box.left + number(frame, "x") * unit, wide = number(frame, "width") * unit;
      const x = Math.min(Math.max(event.clientX, left), left + wide), view = frame.viewBox.baseVal;
      const share = (view.x - number(frame, "x") + (view.width * (x - left)) / wide) / number(frame, "width");
      const first = Number(frame.dataset.from);
      return { x: x - drawing.getBoundingClientRect().left + drawing.scrollLeft, t: first + share * (Number(frame.dataset.to) - first) };
    };
    let start = null;
    drawing.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button !== 0) return;
      start = place(event);
      event.preventDefault();
    });
    drawing.addEventListener("pointermove", (event) => {
      if (!start) return;
      const now = place(event);
      if (!drawing.dataset.brushed && Math.abs(now.x - start.x) < 6) return;
      if (!drawing.dataset.brushed) drawing.setPointerCapture(event.pointerId);
      drawing.dataset.brushed = "yes";
      drawing.querySelector(".tip").hidden = true;
      brush.hidden = false;
      brush.style.left = `${Math.min(now.x, start.x)}px`;
      brush.style.width = `${Math.abs(now.x - start.x)}px`;
    });
    drawing.addEventListener("pointerup", (event) => {
      if (start && drawing.dataset.brushed) {
        const now = place(event), from = Math.min(now.t, start.t), to = Math.max(now.t, start.t);
        if (to - from >= Math.max(0.5, end / 500)) show(from, to);
      }
      start = null;
      brush.hidden = true;
      delete drawing.dataset.brushed;
    });
    drawing.addEventListener("pointercancel", () => { start = null; brush.hidden = true; delete drawing.dataset.brushed; });
    drawing.addEventListener("dblclick", reset);
  }
  addEventListener("beforeprint", reset);
})();
