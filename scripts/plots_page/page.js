// DVC writes one call of vegaEmbed per plot into the page. Each call is kept until the page is read,
// because colours must stand for the same revision in every plot.
"use strict";

const embed = window.vegaEmbed;
const asked = [];
window.vegaEmbed = (selector, spec) => asked.push({ place: document.querySelector(selector), spec });

const SAME = "The same in every revision.";
const INK = "currentColor"; // the page's, light or dark
const CONFIG = {
  background: "transparent",
  font: "system-ui, sans-serif",
  axis: {
    labelColor: INK, titleColor: INK, domainColor: INK, tickColor: INK, gridColor: INK,
    domainOpacity: 0.4, tickOpacity: 0.4, gridOpacity: 0.12, labelLimit: 260, labelSeparation: 6,
    titleFontWeight: "normal",
  },
  header: { labelColor: INK, titleColor: INK, labelLimit: 260 },
  legend: {
    orient: "top", layout: { direction: "vertical" }, labelColor: INK, titleColor: INK, symbolOpacity: 1,
    symbolBaseFillColor: INK, symbolBaseStrokeColor: INK, labelLimit: 260, titleLimit: 320,
    titleFontWeight: "normal",
  },
  text: { color: INK },
  view: { stroke: INK, strokeOpacity: 0.2 },
};

const OPTIONS = {
  mode: "vega-lite",
  renderer: "svg", // sharp when it is magnified, and in the page's ink
  actions: { export: true, source: false, compiled: false, editor: false }, // the others leave the page
  logLevel: 1, // errors: this Vega-Lite warns of schemas that name no minor version, and of any facet
  patch: ({ $schema, ...compiled }) => compiled,
};

/** Every object of a specification, its data left out. */
function* objects(value) {
  if (Array.isArray(value)) {
    for (const item of value) yield* objects(item);
  } else if (value && typeof value === "object") {
    yield value;
    for (const [key, item] of Object.entries(value)) if (key !== "data") yield* objects(item);
  }
}

/** Names of the revisions in the order of the page; what is not committed comes last. */
function revisions(specs) {
  const names = specs.flatMap((spec) => (spec.data?.values ?? []).map((row) => row.rev));
  const known = [...new Set(names.filter((name) => name !== undefined))];
  return known.sort((one, other) => (one === "workspace") - (other === "workspace"));
}

/** One revision, one colour, in all plots; nothing that tells one revision from itself. */
function encodeRevisions(spec, revs) {
  for (const item of objects(spec)) {
    if (item.range) item.range = item.range.map((colour) => (colour === "#000000" ? INK : colour));
    for (const [channel, encoding] of Object.entries(item)) {
      if (encoding?.field !== "rev") continue;
      if (channel === "column" || channel === "row") encoding.sort = revs;
      else if (channel !== "detail") encoding.scale = { ...encoding.scale, domain: revs };
      if (["color", "shape", "strokeDash"].includes(channel)) {
        // With the same domain, colour and shape or dashes become one legend.
        if (revs.length > 1) delete encoding.legend;
        else encoding.legend = null;
      }
      if (revs.length < 2 && channel.endsWith("Offset")) delete item[channel];
    }
    if (revs.length < 2 && item.height?.for === "offset") item.height = { step: Math.max(20, item.height.step) };
  }
  if (revs.length < 2 && spec.facet?.column?.field === "rev" && !spec.facet.row) {
    Object.assign(spec, spec.spec);
    delete spec.facet;
    delete spec.spec;
  }
}

/** Ever narrower forms of a plot, from the one that its template describes. */
function* forms(spec) {
  yield spec;
  let narrow = structuredClone(spec);
  const { row, column } = narrow.facet ?? {};
  if (row || column) { // a grid of panels becomes a list of them, and each panel says where it stood
    const names = [row, column].filter(Boolean).map((part) => `datum[${JSON.stringify(part.field)}]`);
    narrow.transform = [...(narrow.transform ?? []), { calculate: names.join(" + ' · ' + "), as: "panel" }];
    const sort = row?.sort ?? column.sort;
    narrow.facet = { field: "panel", type: "nominal", title: null, header: column.header, ...(sort && { sort }) };
    narrow.columns = 5;
  }
  while (narrow.columns > 1) {
    narrow.columns -= 1;
    const small = row && column && narrow.columns > 1 && { width: Math.min(narrow.spec.width, 140) };
    yield { ...narrow, spec: { ...narrow.spec, ...small } };
  }
  narrow = structuredClone(narrow);
  const panel = narrow.spec ?? narrow;
  if (panel.width.step) {
    // Names below columns that are narrower than they are would overlap.
    panel.encoding.x.axis = { ...panel.encoding.x.axis, labelAngle: -40 };
    for (; panel.width.step > 34; panel.width.step -= 8) yield narrow;
  }
  for (; panel.width > 110; panel.width -= 20) yield narrow;
}

/** Draw in the widest form that fits; the narrowest one can be scrolled. */
async function draw({ place, spec, title }) {
  const drawing = place.querySelector(".drawing");
  place.classList.remove("half");
  for (const form of forms(spec)) {
    const legend = { ...CONFIG.legend, columns: Math.min(4, Math.floor(drawing.clientWidth / 150)) };
    const options = { ...OPTIONS, config: { ...CONFIG, legend }, downloadFileName: place.id };
    await embed(drawing, structuredClone(form), options);
    if (drawing.scrollWidth <= drawing.clientWidth) break;
  }
  const picture = drawing.querySelector("svg.marks");
  picture.setAttribute("aria-label", title);
  drawing.querySelector("summary").setAttribute("aria-label", `Save: ${title}`);
  if (drawing.scrollWidth > drawing.clientWidth) drawing.tabIndex = 0;
  else drawing.removeAttribute("tabindex");
  place.classList.add("half"); // beside another one, if it fits there too
  if (drawing.scrollWidth > drawing.clientWidth) place.classList.remove("half");
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

/** What a reader of several revisions wants to know first: does this plot differ at all? */
function difference(spec, revs) {
  if (revs.length < 2) return "";
  const rows = new Map(revs.map((rev) => [rev, []]));
  for (const { rev, ...row } of spec.data.values) rows.get(rev).push(JSON.stringify(row));
  const missing = revs.filter((rev) => rows.get(rev).length === 0);
  if (missing.length > 0) return `Not in ${missing.join(", ")}.`;
  const kinds = new Set([...rows.values()].map((lines) => lines.join()));
  return kinds.size === 1 ? SAME : "";
}

/** The title of a plot as text of the page, where it wraps and can be found. */
function head({ place, spec }, revs) {
  const title = (typeof spec.title === "string" ? spec.title : spec.title?.text) || place.id;
  const unit = spec.title?.subtitle;
  delete spec.title;
  delete spec.$schema;
  const file = place.id.match(/^plots_(.+)_csv$/);
  const note = difference(spec, revs);
  const header = element("header", {});
  header.append(element("h2", { textContent: title }));
  if (unit) header.append(element("p", { className: "unit", textContent: unit }));
  if (file) header.append(element("p", { className: "file", textContent: `plots/${file[1]}.csv` }));
  if (note) header.append(element("p", { className: "note", textContent: note }));
  place.append(header, element("div", { className: "drawing" }));
  return { place, spec, title, same: note === SAME };
}

/** Links to the plots; those that differ come first, here and on the page. */
function list(plots, revs) {
  const nav = document.querySelector("nav");
  for (const same of [false, true]) {
    const listed = plots.filter((plot) => plot.same === same);
    if (listed.length === 0) continue;
    const words = same ? "The same in every revision:" : "Different:";
    if (revs.length > 1) nav.append(element("span", { textContent: words }));
    nav.append(...listed.map(({ place, title }) => element("a", { href: `#${place.id}`, textContent: title })));
    document.querySelector("main").append(...listed.map((plot) => plot.place));
  }
}

function fail(place, error) {
  const text = `This plot could not be drawn: ${error?.message ?? error}`;
  place.querySelector(".drawing").replaceChildren(element("p", { className: "failed", textContent: text }));
}

async function drawAll(plots) {
  for (const plot of plots) {
    try {
      if (!embed) throw new Error("Vega-Embed did not load");
      await draw(plot);
    } catch (error) {
      fail(plot.place, error);
    }
  }
}

document.addEventListener("DOMContentLoaded", async () => {
  const revs = revisions(asked.map((plot) => plot.spec));
  for (const { spec } of asked) encodeRevisions(spec, revs);
  const plots = asked.map((plot) => head(plot, revs));
  list(plots, revs);
  document.querySelector("#revisions").textContent = `Revisions: ${revs.join(", ")}`;
  document.title = `Plots of ${revs.join(", ")}`;
  await drawAll(plots);
  document.querySelector("#waiting").remove();
  document.documentElement.dataset.drawn = String(plots.length);
  let width = document.documentElement.clientWidth;
  let wait = 0;
  addEventListener("resize", () => {
    if (document.documentElement.clientWidth === width) return;
    width = document.documentElement.clientWidth;
    clearTimeout(wait);
    wait = setTimeout(() => drawAll(plots), 200);
  });
});
