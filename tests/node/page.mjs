// Opens pages in headless Chromium as a reader would, and says what a test wants to know about each.
// A line of stdin is a JSON object {file, width, height, dark, script, screenshot...}; each is answered by one line.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
for await (const line of createInterface({ input: process.stdin })) {
  const options = { width: 1280, height: 900, dark: false, script: true, screenshot: "", ...JSON.parse(line) };
  const found = await open(options).catch((error) => ({ broken: error.stack }));
  process.stdout.write(`${JSON.stringify(found)}\n`);
}
await browser.close();

async function open(options) {
  const found = { console: [], requests: [], errors: [] };
  const context = await browser.newContext({
    viewport: { width: options.width, height: options.height },
    colorScheme: options.dark ? "dark" : "light",
    javaScriptEnabled: options.script,
  });
  const page = await context.newPage();
  page.on("console", (message) => found.console.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => found.errors.push(String(error)));
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) found.requests.push(request.url());
  });
  await page.goto(pathToFileURL(options.file).href, { waitUntil: "load" });
  if (options.script) {
    await page.evaluate(() => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
    if (options.print) await page.emulateMedia({ media: "print" });
    Object.assign(found, await page.evaluate(look));
    const zone = page.locator(".plot:visible .zones rect").first();
    if (!options.print && (await zone.count())) {
      await zone.hover();
      found.tip = await page.locator(".tip:visible").first().textContent();
    }
    if (options.zoom) found.zoomed = await zoom(page);
    if (options.slices) found.slices = await slices(page, options.slices);
    if (options.act) found.acts = await page.evaluate(act);
    found.background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    if (options.axe !== false) {
      // Wherever the page was scrolled to, the pointer may rest on another plot, whose tip covers what is below.
      await page.mouse.move(0, 0);
      await page.evaluate(() => scrollTo({ top: 0, behavior: "instant" }));
      // The page's own policy forbids foreign script; the inspector's evaluate is not bound by it.
      await page.evaluate(axe);
      const result = await page.evaluate(() => globalThis.axe.run(document, {
        resultTypes: ["violations"], selectors: false,
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      }));
      found.violations = result.violations.map((rule) => ({
        id: rule.id, help: rule.help, nodes: rule.nodes.slice(0, 4).map((node) => node.html.slice(0, 160)),
      }));
    }
  } else {
    found.text = await page.locator("body").innerText();
  }
  if (options.screenshot) await page.screenshot({ path: options.screenshot, fullPage: true });
  await context.close();
  return found;
}

/* Drags across the middle fifth of a plot over time, then takes a phase by its control, then the whole run. */
async function zoom(page) {
  await page.evaluate(() => document.querySelectorAll("details").forEach((part) => { part.open = false; }));
  const drawing = page.locator("#latency-time .drawing");
  await drawing.scrollIntoViewIfNeeded();
  const box = await drawing.boundingBox(), y = box.y + box.height / 2;
  const state = () => page.evaluate(() => {
    const seen = [...document.querySelectorAll("svg.moving")].filter((one) => one.parentNode.getClientRects().length);
    const label = (one) => [...one.parentNode.querySelectorAll(".ticks text, .ticks-zoomed text")]
      .filter((text) => text.getClientRects().length).map((text) => text.textContent);
    const shares = seen.map((one) => one.viewBox.baseVal.width / Number(one.getAttribute("width")));
    return { plots: seen.length, shares: [Math.min(...shares), Math.max(...shares)],
      ticks: seen.map(label)[0], chosen: document.querySelector("#latency-time select").selectedOptions[0].textContent };
  });
  const before = await state();
  await page.mouse.move(box.x + box.width * 0.4, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, y, { steps: 3 });
  await page.mouse.move(box.x + box.width * 0.6, y, { steps: 3 });
  await page.mouse.up();
  const dragged = await state();
  await page.locator("#latency-time select").selectOption({ index: 2 });
  const phase = await state();
  await page.locator("#load select").selectOption({ index: 0 });
  return { before, dragged, phase, after: await state() };
}

/* Takes kinds of slices by the keyboard, as who has no pointer would. Says what then stands in plot and table. */
async function slices(page, presses) {
  const state = () => page.evaluate(() => {
    const figure = document.getElementById("slices"), seen = (node) => node.getClientRects().length > 0;
    const plot = [...figure.querySelectorAll("svg.plot")].find(seen), drawing = figure.querySelector(".drawing");
    const box = (node) => node.getBoundingClientRect();
    const words = plot ? [...plot.querySelectorAll(".row")].filter(seen).filter((row) => row.querySelector("text")) : [];
    const rows = words.map((row) => ({ label: row.querySelector("text").textContent, top: box(row).top }));
    const ends = plot ? [...plot.querySelectorAll(".guides path")].map((line) => box(line).bottom) : [];
    const foot = plot ? Math.min(...[...plot.querySelectorAll(".foot text")].map((text) => box(text).top)) : null;
    return { chosen: figure.querySelector("select").value, drawn: drawing.getClientRects().length > 0,
      plotted: rows.sort((a, b) => a.top - b.top).map((row) => row.label),
      inside: plot !== undefined && words.every((row) => box(row).bottom <= foot) && Math.max(...ends) <= foot
        && foot < box(plot).bottom && box(plot).bottom - foot < 40,
      desc: plot?.querySelector("desc").textContent, status: figure.querySelector("[role=status]").textContent,
      note: [...figure.querySelectorAll(":scope > .note")].filter(seen).length,
      table: [...figure.querySelectorAll("tbody tr")].filter((row) => !row.hidden).length };
  });
  const states = [await state()];
  await page.locator("#slices select").focus();
  for (const press of presses) {
    await page.keyboard.press(press);
    states.push(await state());
  }
  return states;
}

function look() {
  const seen = (node) => node.getClientRects().length > 0;
  const beyond = [...document.querySelectorAll("body *")].filter((node) =>
    !node.closest(".scroll, nav ul, .zoomed, svg, .hidden, .skip") && seen(node)
    && node.getBoundingClientRect().right > innerWidth + 1);
  return {
    title: document.title,
    h1: document.querySelector("h1")?.textContent.trim(),
    headlines: [...document.querySelectorAll(".headlines dt")].filter(seen).map((node) => node.textContent.trim()),
    plots: [...document.querySelectorAll("figure.chart")].filter((node) =>
      [...node.querySelectorAll("svg.plot")].some(seen)).map((node) => node.id),
    tables: [...document.querySelectorAll("table[id]")].filter(seen).map((node) => node.id),
    unnamed: [...document.querySelectorAll("svg.plot")].filter((node) =>
      !node.querySelector("title")?.textContent || !node.querySelector("desc")?.textContent).length,
    ids: document.querySelectorAll("[id]").length
      - new Set([...document.querySelectorAll("[id]")].map((node) => node.id)).size,
    images: [...document.images].filter((image) => !image.complete || !image.naturalWidth).length,
    overflow: document.documentElement.scrollWidth - innerWidth,
    beyond: beyond.slice(0, 5).map((node) => node.outerHTML.slice(0, 120)),
    firstScreen: ["#verdict", ".headlines .value"].every((query) =>
      (document.querySelector(query)?.getBoundingClientRect().top ?? Infinity) < innerHeight),
  };
}

function act() {
  const rows = (id) => [...document.querySelectorAll(`#${id} tbody tr`)].filter((row) => !row.hidden);
  const first = (id) => rows(id).map((row) => row.cells[0].textContent);
  const before = rows("slices-table").length;
  const choice = document.querySelector("#slices select");
  choice.value = "task";
  choice.dispatchEvent(new Event("change"));
  const filtered = new Set(first("slices-table"));
  const head = [...document.querySelectorAll("#stages-table th")].find((cell) => cell.textContent === "p95");
  head.querySelector("button").click();
  const down = first("stages-table"), sorted = head.getAttribute("aria-sort");
  head.querySelector("button").click();
  const up = first("stages-table");
  const zoom = document.querySelector("#load .magnify button");
  zoom.click();
  const drawing = document.querySelector("#load .drawing");
  const wider = drawing.scrollWidth / drawing.clientWidth, page = document.documentElement.scrollWidth - innerWidth;
  zoom.click();
  return { before, filtered: [...filtered], down, up, sorted, wider, page, after: drawing.scrollWidth / drawing.clientWidth };
}
