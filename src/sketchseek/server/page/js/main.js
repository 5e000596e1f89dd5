/** Sets up the page. */

import { addressOf, keepParts, read } from "./address.js";
import { cameras, collect, folderTree, ServerBusy, timeline as sections } from "./api.js";
import { showChips } from "./chips.js";
import { CollectionDialogs } from "./collections.js";
import { byId, placeIcons } from "./dom.js";
import { Drawing } from "./drawing.js";
import { ExportDialog } from "./export.js";
import { Filters } from "./filters.js";
import { FolderChooser } from "./folder-chooser.js";
import { Folders } from "./folders.js";
import { addFullScreen } from "./full-screen.js";
import { showGallery, showSummary } from "./gallery.js";
import { Grid } from "./grid.js";
import { Guesses } from "./guesses.js";
import { addPalette } from "./palette.js";
import * as pictureInput from "./picture-input.js";
import { addKeyboardPen } from "./keyboard-pen.js";
import { banner, notify } from "./messages.js";
import { showModels } from "./models.js";
import { MAX_PICTURES, Query } from "./query.js";
import { Results } from "./results.js";
import { sample } from "./samples.js";
import { forgetSearches, remember, showSearches } from "./searches.js";
import { Selection } from "./selection.js";
import { Sheet } from "./sheet.js";
import { Sheets } from "./sheets.js";
import * as shortcuts from "./shortcuts.js";
import { StatusWatch } from "./status.js";
import { load, save, validStrokes } from "./storage.js";
import { choose, language, LANGUAGES, t, translatePage } from "./texts.js";
import { addThemeButton } from "./theme.js";
import { Timeline } from "./timeline.js";
import { Toolbar } from "./toolbar.js";
import { Viewer } from "./viewer.js";
import { TextFields } from "./text-fields.js";

const INPUT_DELAY = 120; // ms after the last key or slider movement before a search
const EVERYTHING = { under: "", from: "", to: "", name: "", kind: "", camera: "" };
const ADDRESS_DELAY = 400; // ms after the last change before the address follows: browsers limit how often it may

placeIcons();
await translatePage();
const drawing = new Drawing();
const query = new Query(drawing);
const canvas = byId("sheet", HTMLCanvasElement);
const toolbar = new Toolbar(drawing);
const sheet = new Sheet(canvas, drawing, toolbar.pen);
new Sheets(drawing);
addPalette(query, toolbar.pen, () => toolbar.setTool("pen"));
addFullScreen();
const watch = new StatusWatch();
const chooser = new FolderChooser();
const folders = new Folders(chooser, { changed: () => watch.poll(), notify });
const filters = new Filters(query);
const textFields = new TextFields(query);
const grid = new Grid(byId("grid", HTMLOListElement), {
  open: (id) => viewer.open(/** @type {import("./api.js").Hit} */ (grid.hits.find((hit) => hit.id === id)), ofGrid),
  mark: (how, hit) => query.mark(how, hit),
}, (id) => query.markOf(id));
const timeline = new Timeline((photo) => viewer.open(photo, ofTimeline));
const guesses = new Guesses(query);
const results = new Results(query, grid, timeline, watch, filters, {
  start: (name) => drawing.replace(sample(name)), copy, banner, folders, opened: () => noteAddress(), guessed: (names) => guesses.show(names),
});
const selection = new Selection({
  notify,
  photo: (id) => grid.hits.find((hit) => hit.id === id) ?? timeline.photo(id),
  more: (photos) => {
    query.set({ like: [...query.like.filter(({ id }) => !selection.has(id)), ...photos.map(({ id, name }) => ({ id, name }))].slice(-64) });
    selection.clear();
  },
});
const exportDialog = new ExportDialog(chooser);
const dialogs = new CollectionDialogs(query, selection, {
  notify,
  open: openCollection,
  repeat: (address) => go(address),
  export: (name, photos) => exportDialog.open(name, photos, watch.last?.adds_folders ?? false),
});
byId("collection-export").addEventListener("click", () => dialogs.export(results.collection ?? ""));
let goes = 0; // the newest change to another query; older ones that are still read do not count
let stepping = 0; // timer, while the step back out of a collection is still to come
byId("collection-close").addEventListener("click", () => {
  if (stepping) return;
  if (!history.state?.collection || results.isSearching) return results.schedule();
  history.back();
  stepping = setTimeout(() => (stepping = 0), 1000);
});
byId("selection-remove").addEventListener("click", async () => {
  const name = results.collection ?? "";
  const ids = selection.photos.map(({ id }) => id);
  try {
    await collect("remove", name, ids);
    selection.remove(ids);
    await results.refreshCollection(name);
  } catch (error) {
    notify(/** @type {Error} */ (error).message);
  }
});
const viewer = new Viewer(query, { notify, isSelected: (id) => selection.has(id), select: (photo) => selection.toggle(photo) });

/** What the large view goes through. @type {import("./viewer.js").Source} */
const ofGrid = {
  get count() { return grid.hits.length; },
  get more() { return results.hasMore; },
  placeOf: (id) => grid.hits.findIndex((hit) => hit.id === id),
  peek: (place) => grid.hits[place] ?? null,
  at: async (place) => {
    if (place >= grid.hits.length) await results.loadMore();
    return grid.hits[place] ?? null;
  },
  closed: (id) => grid.focus(id),
};
/** @type {import("./viewer.js").Source} */
const ofTimeline = {
  get count() { return timeline.count; },
  more: false,
  placeOf: (id, supposed) => timeline.placeOf(id, supposed),
  peek: (place) => timeline.peek(place),
  at: (place) => timeline.at(place),
  closed: (id, place) => timeline.isShown && timeline.focus(Math.max(0, timeline.placeOf(id, place))),
};

// The query.
drawing.addEventListener("change", () => results.whileDrawing());
drawing.addEventListener("commit", () => {
  save({ strokes: drawing.strokes });
  textFields.show();
  results.schedule();
  noteAddress();
});
query.addEventListener("change", (event) => {
  const { typing } = /** @type {CustomEvent} */ (event).detail;
  showChips(byId("chips"), query);
  grid.refresh();
  results.schedule(typing ? INPUT_DELAY : 0);
  noteAddress();
});
addKeyboardPen(canvas, drawing, toolbar.pen, sheet, notify);
let before = Promise.resolve(); // pictures that are still being added: one question at a time
pictureInput.listen((files) => (before = before.catch(() => {}).then(() => addPictures(files))));
async function addPictures(/** @type {File[]} */ files) {
  for (const file of files) {
    const problem = pictureInput.problem(file);
    const found = problem ? null : await pictureInput.recognise(file);
    if (problem) notify(problem);
    else if (found && !query.addPicture({ ...found, file })) notify(t("A search can use at most {count} drawings and {count} photos.", { count: MAX_PICTURES }));
  }
}

// The address carries the query, a reload keeps it, and the last searches can be repeated.
const NOW = "sketchseek.now"; // what a reload takes: the address itself follows later
let following = false; // not before the query of the address is read
let timer = 0;
function noteAddress() {
  if (!following || results.isOpening) return;
  sessionStorage.setItem(NOW, addressOf(query, results.keptCollection));
  keepParts(query);
  clearTimeout(timer);
  timer = setTimeout(writeAddress, ADDRESS_DELAY);
}

function writeAddress() {
  clearTimeout(timer);
  if (results.isOpening) return; // what is noted then names the collection
  const address = addressOf(query, results.keptCollection);
  history.replaceState(results.keptCollection === null ? null : history.state, "", address ? `#${address}` : location.pathname + location.search);
  if (!query.isEmpty) remember(addressOf(query));
}

/** Show a collection, which Back closes. */
async function openCollection(/** @type {string} */ name) {
  try {
    await results.openCollection(name, () => {
      if (document.querySelector("dialog[open]")) return false; // it would open behind that
      if (results.keptCollection !== null) return true;
      writeAddress(); // of what Back returns to
      history.pushState({ collection: true }, "");
      return true;
    });
  } catch (error) {
    return notify(/** @type {Error} */ (error).message);
  }
  if (results.collection === name) writeAddress();
}

async function go(/** @type {string} */ address) {
  const mine = ++goes;
  const { values, strokes, collection, missing } = await read(address);
  if (mine !== goes) return;
  if (drawing.isEmpty && !drawing.canUndo) drawing.restore(strokes);
  else drawing.replace(strokes);
  query.set(values);
  if (collection !== null) {
    const opened = results.openCollection(collection).catch((error) => {
      notify(error.message);
      noteAddress();
    });
    sessionStorage.setItem(NOW, address); // for a reload before it has opened
    await Promise.race([opened, new Promise((resolve) => setTimeout(resolve, 1000))]); // the page is not hidden for long
  }
  if (missing) notify(t("A drawing or picture of this search is kept in another browser, or no longer."));
}

async function restore() {
  const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  const now = navigation?.type === "reload" ? sessionStorage.getItem(NOW) : null;
  const address = now ?? location.hash.slice(1);
  sessionStorage.setItem(NOW, address); // no longer that of a page before in this tab
  if (address) await go(address);
  else {
    drawing.restore(validStrokes(load().strokes));
    textFields.restore();
  }
  following = true;
}
addEventListener("popstate", () => { // steps in the history, and an address that the user changes
  clearTimeout(timer); // it would write into this entry what belongs to the one before
  clearTimeout(stepping);
  stepping = 0;
  if (viewer.isLeaving) return noteAddress();
  goes++;
  results.dropOpening();
  const address = location.hash.slice(1);
  if (address === addressOf(query, results.collection)) {
    results.keepCollection(); // forward to it while it was being closed
    noteAddress();
  } else if (address === addressOf(query)) { // back from a collection
    sessionStorage.setItem(NOW, address);
    results.schedule();
  } else go(address);
});
addEventListener("pageshow", (event) => event.persisted && noteAddress()); // another page may have been in this tab
byId("searches-open").addEventListener("click", () => {
  showSearches(go);
  dialogs.showSaved();
});
byId("searches-clear").addEventListener("click", forgetSearches);

// The state of the server.
let treeOf = "";
let listings = 0; // how often the lists of the filters were asked for
const listed = { cameras: 0, months: 0, folders: 0 }; // the newest that is shown of each
watch.addEventListener("status", () => {
  const status = /** @type {import("./api.js").Status} */ (watch.last);
  viewer.canExplain = status.explains;
  viewer.reveals = status.reveals;
  byId("files", HTMLInputElement).accept = ["image/*", ...status.accepts].join();
  showSummary(status, false);
  folders.show(status);
  showGallery(status);
  showModels(status, () => watch.poll());
  results.refresh();
  const tree = JSON.stringify([status.files, status.folders]);
  if (tree === treeOf) return;
  treeOf = tree;
  // Not every store can list these; one that is busy is asked again with the next status.
  const failed = (/** @type {Error} */ error) => void (error instanceof ServerBusy && (treeOf = ""));
  const roots = status.folders.map(({ folder }) => ({ folder, files: 0 }));
  const mine = ++listings;
  const isNewer = (/** @type {keyof typeof listed} */ list) => mine > listed[list] && (listed[list] = mine);
  cameras().then((found) => void (isNewer("cameras") && filters.setCameras(found)), failed);
  sections(EVERYTHING, "date").then((found) => void (isNewer("months") && filters.setMonths(found.sections.map(({ month }) => month ?? "").filter(Boolean))), failed);
  folderTree().then((found) => void (isNewer("folders") && filters.setFolders(found)), (error) => {
    if (!listed.folders) filters.setFolders(roots);
    failed(error);
  });
});
watch.addEventListener("lost", () => {
  banner("lost", true);
  showSummary(watch.last, true);
});
watch.addEventListener("back", () => {
  banner("lost", false);
  results.searchAgain();
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
const languages = byId("language", HTMLSelectElement);
languages.replaceChildren(...Object.entries(LANGUAGES).map(([name, own]) => new Option(own, name)));
languages.value = language;
languages.addEventListener("change", () => choose(languages.value));
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address belongs to the query
  byId("results").focus();
});
const toSheet = byId("to-sheet");
new IntersectionObserver(([entry]) => (toSheet.hidden = entry.isIntersecting)).observe(canvas);
toSheet.addEventListener("click", () => {
  scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth" });
  canvas.focus({ preventScroll: true });
});

shortcuts.listen([
  { keys: ["b"], shown: "B", label: t("Pen"), action: () => toolbar.setTool("pen") },
  { keys: ["e"], shown: "E", label: t("Eraser"), action: () => toolbar.setTool("eraser") },
  { keys: ["v"], shown: "V", label: t("Move and resize lines"), action: () => toolbar.setTool("select") },
  { keys: ["w"], shown: "W", label: t("Full screen"), action: () => byId("full").click() },
  { keys: ["["], shown: "[", label: t("Finer line"), action: () => toolbar.stepWidth(-1) },
  { keys: ["]"], shown: "]", label: t("Broader line"), action: () => toolbar.stepWidth(1) },
  { keys: ["mod+z"], shown: "Ctrl Z", label: t("Undo"), action: () => drawing.undo() },
  { keys: ["mod+shift+z", "mod+y"], shown: "Ctrl Shift Z", label: t("Redo"), action: () => drawing.redo() },
  { keys: ["f"], shown: "F", label: t("Flip left and right"), action: () => drawing.flip() },
  { keys: ["delete", "backspace"], shown: "Delete", label: t("Clear the sheet"), action: () => drawing.clear() },
  { keys: ["/"], shown: "/", label: t("Go to the words"), action: () => byId("text").focus() },
  { keys: ["d"], shown: "D", label: t("Go to the sheet"), action: () => canvas.focus() },
  { keys: ["r"], shown: "R", label: t("Go to the photos"), action: () => (timeline.isShown ? timeline.focus() : grid.focusCurrent()) },
  { keys: ["o"], shown: "O", label: t("Add a drawing or photo"), action: () => byId("files").click() },
  { keys: ["?"], shown: "?", label: t("This help"), action: () => byId("help", HTMLDialogElement).showModal() },
], [
  { shown: "Arrows", label: t("Move the pen on the sheet, move between photos") },
  { shown: "Space", label: t("On the sheet: pen down, pen up") },
  { shown: "S", label: t("On a photo: select it, with Shift all up to it") },
  { shown: "+ −", label: t("In the large view: zoom") },
  { shown: "Ctrl V", label: t("Search with a copied picture") },
  { shown: "Esc", label: t("Close the dialog") },
]);

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    notify(t("Copied."));
  } catch {
    notify(t("The browser does not allow copying here."));
  }
}

await restore().finally(() => (document.body.dataset.ready = "")); // what is shown from now on stays where it is
watch.poll();
