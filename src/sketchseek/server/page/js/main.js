/** Sets up the page. */

import { showChips } from "./chips.js";
import { byId } from "./dom.js";
import { Drawing } from "./drawing.js";
import { Filters } from "./filters.js";
import { showGallery, showSummary } from "./gallery.js";
import { Grid } from "./grid.js";
import * as pictureInput from "./picture-input.js";
import { addKeyboardPen } from "./keyboard-pen.js";
import { banner, notify } from "./messages.js";
import { showModels } from "./models.js";
import { MAX_PICTURES, Query } from "./query.js";
import { Results } from "./results.js";
import { sample } from "./samples.js";
import { Sheet } from "./sheet.js";
import * as shortcuts from "./shortcuts.js";
import { StatusWatch } from "./status.js";
import { load, save, validStrokes } from "./storage.js";
import { addThemeButton } from "./theme.js";
import { Toolbar } from "./toolbar.js";
import { Viewer } from "./viewer.js";
import { TextFields } from "./text-fields.js";

const INPUT_DELAY = 120; // ms after the last key or slider movement before a search

const drawing = new Drawing();
const query = new Query(drawing);
const canvas = byId("sheet", HTMLCanvasElement);
const toolbar = new Toolbar(drawing);
const sheet = new Sheet(canvas, drawing, toolbar.pen);
const watch = new StatusWatch();
const filters = new Filters(query);
const textFields = new TextFields(query);
const grid = new Grid(byId("grid", HTMLOListElement), { open: (id) => viewer.open(id), mark: (how, hit) => query.mark(how, hit) },
  (id) => query.markOf(id));
const results = new Results(query, grid, watch, filters, { start: (name) => drawing.replace(sample(name)), copy, banner });
const viewer = new Viewer(query, { hits: () => grid.hits, more: () => results.loadMore(), closed: (id) => grid.focus(id), notify });

// The query.
drawing.addEventListener("change", () => results.whileDrawing());
drawing.addEventListener("commit", () => {
  save({ strokes: drawing.strokes });
  textFields.show();
  results.schedule();
});
query.addEventListener("change", (event) => {
  const { typing } = /** @type {CustomEvent} */ (event).detail;
  showChips(byId("chips"), query);
  grid.refresh();
  results.schedule(typing ? INPUT_DELAY : 0);
});
addKeyboardPen(canvas, drawing, toolbar.pen, sheet, notify);
pictureInput.listen(async (files) => {
  for (const file of files) {
    const problem = pictureInput.problem(file);
    const found = problem ? null : await pictureInput.recognise(file);
    if (problem) notify(problem);
    else if (found && !query.addPicture({ ...found, file })) notify(`A search can use at most ${MAX_PICTURES} drawings and ${MAX_PICTURES} photos.`);
  }
});

// The state of the server.
watch.addEventListener("status", () => {
  const status = /** @type {import("./api.js").Status} */ (watch.last);
  filters.setFolders(status, results.folders);
  viewer.canExplain = status.explains;
  showSummary(status, false);
  showGallery(status);
  showModels(status, () => watch.poll());
  results.refresh();
});
watch.addEventListener("lost", () => {
  banner("lost", true);
  showSummary(watch.last, true);
});
watch.addEventListener("back", () => {
  banner("lost", false);
  results.schedule();
});

// The rest of the page.
addThemeButton(() => sheet.recolour());
for (const [opener, dialog] of [["help-open", "help"], ["gallery-open", "gallery"]]) {
  byId(opener).addEventListener("click", () => byId(dialog, HTMLDialogElement).showModal());
}
for (const dialog of document.querySelectorAll("dialog.sheet-dialog")) {
  dialog.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target === dialog || target.closest("[data-close]")) /** @type {HTMLDialogElement} */ (dialog).close();
  });
}
byId("gallery-open").addEventListener("click", () => showModels(watch.last, () => watch.poll(), true));
const toSheet = byId("to-sheet");
new IntersectionObserver(([entry]) => (toSheet.hidden = entry.isIntersecting)).observe(canvas);
toSheet.addEventListener("click", () => {
  scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth" });
  canvas.focus({ preventScroll: true });
});

shortcuts.listen([
  { keys: ["b"], shown: "B", label: "Pen", action: () => toolbar.setTool("pen") },
  { keys: ["e"], shown: "E", label: "Eraser", action: () => toolbar.setTool("eraser") },
  { keys: ["["], shown: "[", label: "Finer line", action: () => toolbar.stepWidth(-1) },
  { keys: ["]"], shown: "]", label: "Broader line", action: () => toolbar.stepWidth(1) },
  { keys: ["mod+z"], shown: "Ctrl Z", label: "Undo", action: () => drawing.undo() },
  { keys: ["mod+shift+z", "mod+y"], shown: "Ctrl Shift Z", label: "Redo", action: () => drawing.redo() },
  { keys: ["f"], shown: "F", label: "Flip left and right", action: () => drawing.flip() },
  { keys: ["delete", "backspace"], shown: "Delete", label: "Clear the sheet", action: () => drawing.clear() },
  { keys: ["/"], shown: "/", label: "Go to the words", action: () => byId("text").focus() },
  { keys: ["d"], shown: "D", label: "Go to the sheet", action: () => canvas.focus() },
  { keys: ["r"], shown: "R", label: "Go to the photos", action: () => grid.focusCurrent() },
  { keys: ["o"], shown: "O", label: "Add a drawing or photo", action: () => byId("files").click() },
  { keys: ["?"], shown: "?", label: "This help", action: () => byId("help", HTMLDialogElement).showModal() },
], [
  { shown: "Arrows", label: "Move the pen on the sheet, move between photos" },
  { shown: "Space", label: "On the sheet: pen down, pen up" },
  { shown: "Ctrl V", label: "Search with a copied picture" },
  { shown: "Esc", label: "Close the dialog" },
]);

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    notify("Copied.");
  } catch {
    notify("The browser does not allow copying here.");
  }
}

drawing.restore(validStrokes(load().strokes));
textFields.restore();
watch.poll();
