/** Puts the page together. */

import { showChips } from "./chips.js";
import { byId } from "./dom.js";
import { Drawing } from "./drawing.js";
import { Filters } from "./filters.js";
import { showGallery, showSummary } from "./gallery.js";
import { Grid } from "./grid.js";
import * as incoming from "./incoming.js";
import { drawByKeyboard } from "./keyboard-pen.js";
import { banner, say } from "./messages.js";
import { Query } from "./query.js";
import { Results } from "./results.js";
import { sample } from "./samples.js";
import { Sheet } from "./sheet.js";
import * as shortcuts from "./shortcuts.js";
import { StatusWatch } from "./status.js";
import { keep, load, strokesOf } from "./storage.js";
import { offerThemes } from "./theme.js";
import { Tools } from "./tools.js";
import { Viewer } from "./viewer.js";
import { Words } from "./words.js";

const TYPING = 120; // ms without a key or a move of a slider before it is searched

const drawing = new Drawing();
const query = new Query(drawing);
const canvas = byId("sheet", HTMLCanvasElement);
const tools = new Tools(drawing);
const sheet = new Sheet(canvas, drawing, tools.pen);
const watch = new StatusWatch();
const filters = new Filters(query);
const words = new Words(query);
const grid = new Grid(byId("grid", HTMLOListElement), { open: (id) => viewer.open(id), mark: (how, hit) => query.mark(how, hit) },
  (id) => query.markOf(id));
const results = new Results(query, grid, watch, filters, { start: (name) => drawing.replace(sample(name)), copy, banner });
const viewer = new Viewer(query, { hits: () => grid.hits, more: () => results.loadMore(), closed: (id) => grid.focus(id), say });

// What is asked.
drawing.addEventListener("change", () => results.meanwhile());
drawing.addEventListener("settle", () => {
  keep({ strokes: drawing.strokes });
  words.show();
  results.soon();
});
query.addEventListener("change", (event) => {
  const { soon } = /** @type {CustomEvent} */ (event).detail;
  showChips(byId("chips"), query);
  grid.refresh();
  results.soon(soon ? TYPING : 0);
});
drawByKeyboard(canvas, drawing, tools.pen, sheet, say);
incoming.listen(async (files) => {
  for (const file of files) {
    const refusal = incoming.refusal(file);
    const found = refusal ? null : await incoming.recognise(file);
    if (refusal) say(refusal);
    else if (found && !query.addPicture({ ...found, file })) say("That is as many pictures as one search takes.");
  }
});

// What the server does.
watch.addEventListener("status", () => {
  const status = /** @type {import("./api.js").Status} */ (watch.last);
  filters.calibrated(status.relevance);
  filters.offer(status, results.folders);
  viewer.explains = status.explains;
  showSummary(status, false);
  showGallery(status);
  results.refresh();
});
watch.addEventListener("lost", () => {
  banner("lost", true);
  showSummary(watch.last, true);
});
watch.addEventListener("back", () => {
  banner("lost", false);
  results.soon();
});

// The rest of the page.
offerThemes(() => sheet.recolour());
for (const [opener, dialog] of [["help-open", "help"], ["gallery-open", "gallery"]]) {
  byId(opener).addEventListener("click", () => byId(dialog, HTMLDialogElement).showModal());
}
for (const dialog of document.querySelectorAll("dialog.sheet-dialog")) {
  dialog.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target === dialog || target.closest("[data-close]")) /** @type {HTMLDialogElement} */ (dialog).close();
  });
}
const toSheet = byId("to-sheet");
new IntersectionObserver(([entry]) => (toSheet.hidden = entry.isIntersecting)).observe(canvas);
toSheet.addEventListener("click", () => {
  scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth" });
  canvas.focus({ preventScroll: true });
});

shortcuts.listen([
  { keys: ["b"], shown: "B", what: "Pen", act: () => tools.choose("pen") },
  { keys: ["e"], shown: "E", what: "Eraser", act: () => tools.choose("eraser") },
  { keys: ["["], shown: "[", what: "Finer line", act: () => tools.step(-1) },
  { keys: ["]"], shown: "]", what: "Broader line", act: () => tools.step(1) },
  { keys: ["mod+z"], shown: "Ctrl Z", what: "Undo", act: () => drawing.undo() },
  { keys: ["mod+shift+z", "mod+y"], shown: "Ctrl Shift Z", what: "Redo", act: () => drawing.redo() },
  { keys: ["f"], shown: "F", what: "Flip left and right", act: () => drawing.flip() },
  { keys: ["delete", "backspace"], shown: "Delete", what: "Clear the sheet", act: () => drawing.clear() },
  { keys: ["/"], shown: "/", what: "Go to the words", act: () => byId("text").focus() },
  { keys: ["d"], shown: "D", what: "Go to the sheet", act: () => canvas.focus() },
  { keys: ["r"], shown: "R", what: "Go to the photos", act: () => grid.focusCurrent() },
  { keys: ["o"], shown: "O", what: "Add a drawing or photo", act: () => byId("files").click() },
  { keys: ["?"], shown: "?", what: "This help", act: () => byId("help", HTMLDialogElement).showModal() },
], [
  { shown: "Arrows", what: "Move the pen on the sheet, go through photos" },
  { shown: "Space", what: "On the sheet: pen down, pen up" },
  { shown: "Ctrl V", what: "Search with a copied picture" },
  { shown: "Esc", what: "Close what is open" },
]);

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied.");
  } catch {
    say("The browser does not allow copying here.");
  }
}

drawing.restore(strokesOf(load().strokes));
words.restore();
watch.ask();
