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

  /* Slices: choose what to cut by. */
  for (const chart of document.querySelectorAll('[data-scripts~="filter"]')) {
    const body = chart.querySelector("tbody");
    if (!body) continue;
    const kinds = [...new Set([...body.rows].map((row) => row.cells[0].textContent))];
    if (kinds.length < 2) continue;
    const tools = make("div");
    tools.className = "tools";
    const label = make("label", "Show ", tools);
    const choice = make("select", "", label);
    for (const kind of ["all slices", ...kinds]) make("option", kind, choice);
    choice.addEventListener("change", () => {
      for (const row of body.rows) {
        row.hidden = choice.selectedIndex > 0 && row.cells[0].textContent !== choice.value;
      }
    });
    chart.querySelector(".scroll").before(tools);
  }
})();
