/** What is shown in place of the grid: how to start, indexing, no hits, or an error. */

import { SHEET } from "./drawing.js";
import { drawStrokes } from "./render-strokes.js";
import { places } from "./api.js";
import { byId, icon, make } from "./dom.js";
import { shortName } from "./folder-chooser.js";
import { SAMPLES, sample } from "./samples.js";
import { counted, number, t } from "./texts.js";

/** @import { Status } from "./api.js" */
/** @import { Folders } from "./folders.js" */

const notice = byId("notice");
/** Key of the current notice: an equal one is not created again, which would interrupt a click. */
let shown = "";

export function hideNotice() {
  shown = "";
  keepFocus();
  notice.hidden = true;
  notice.replaceChildren();
}

/** A button that was pressed goes with its notice; the focus stays beside it. */
function keepFocus() {
  if (notice.contains(document.activeElement)) byId("results").focus({ preventScroll: true });
}

function show(/** @type {string} */ key, /** @type {() => (Node | null)[]} */ content) {
  if (key === shown) return;
  shown = key;
  keepFocus();
  notice.replaceChildren(...content().filter((node) => node !== null));
  notice.hidden = false;
}

/** There are photos, and the query is empty. */
export function invite(/** @type {number} */ count, /** @type {(name: string) => void} */ start) {
  show(`invite ${count}`, () => [
    make("h3", { text: counted(count, "{count} photo, one drawing away", "{count} photos, one drawing away") }),
    make("p", { text: t("Draw an outline, and the photos follow every stroke. Or start with one of these:") }),
    make("div", { class: "samples" }, ...SAMPLES.map((name) =>
      make("button", { type: "button", class: "sample", click: () => start(name), "aria-label": `${t("Draw this:")} ${t(name)}` }, preview(name), make("span", { text: t(name) })))),
  ]);
}

/** The gallery contains no photos yet. */
export function firstRun(/** @type {Status} */ status, /** @type {Folders} */ chooser, /** @type {(text: string) => void} */ copy) {
  const { indexing, folders, failed } = status;
  if (indexing.state === "looking" || indexing.state === "indexing") {
    show("indexing", () => [
      illustration(),
      make("h3", { text: t("Getting to know your photos") }),
      make("p", { text: t("You can search as soon as the first ones are indexed. Photos are only read, never changed or sent anywhere.") }),
      make("progress", { id: "first-progress", "aria-label": t("Photos indexed") }),
      make("p", { id: "first-words", class: "muted" }),
    ]);
    const bar = byId("first-progress", HTMLProgressElement);
    if (indexing.total) [bar.max, bar.value] = [indexing.total, indexing.done ?? 0];
    else bar.removeAttribute("value");
    const pace = indexing.photos_per_s ? ` · ${t("{count} photos a second", { count: number(indexing.photos_per_s, 1) })}` : "";
    byId("first-words").textContent = indexing.total ? `${t("{done} of {total}", { done: number(indexing.done ?? 0), total: number(indexing.total) })}${pace}` : t("Looking through the folders …");
    return;
  }
  const reason = indexing.error ?? (failed ? counted(failed, "None of {count} photo could be read.", "None of {count} photos could be read.")
    : folders.length ? t("The folders of this gallery contain no photos.") : null);
  show(`first run ${reason} ${status.adds_folders}`, () => [
    illustration(),
    make("h3", { text: t("No photos yet") }),
    reason ? make("p", { class: "reason", text: reason }) : null,
    ...(status.adds_folders ? offers(chooser) : command(copy)),
    make("p", { class: "muted", text: t("Photos are only read, never changed or sent anywhere.") }),
  ]);
}

/** Buttons for the folders in which photos usually are, and one to look for another. */
function offers(/** @type {Folders} */ chooser) {
  const buttons = make("div", { class: "samples" }, make("button", { type: "button", class: "button", text: t("Choose a folder …"), click: () => chooser.choose() }));
  places(null).then(({ suggestions }) => buttons.prepend(...suggestions.map((name) =>
    make("button", { type: "button", class: "button primary", text: t("Add {name}", { name: shortName(name) }), title: name, click: () => chooser.add(name) }))), () => {});
  return [make("p", { text: t("Where are your photos? Folders below the one you choose are included.") }), buttons];
}

function command(/** @type {(text: string) => void} */ copy) {
  const line = "sketchseek serve ~/Pictures";
  return [
    make("p", { text: t("Stop the server with Ctrl+C and start it again with the folder your photos are in:") }),
    make("p", { class: "command" }, make("code", { text: line }),
      make("button", { type: "button", class: "icon-button", "aria-label": t("Copy the command"), title: t("Copy"), click: () => copy(line) }, icon("copy"))),
  ];
}

/** The search found no photos. */
export function noHits(/** @type {string} */ reason, /** @type {{label: string, action: () => void}[]} */ actions) {
  show(`no hits ${reason} ${actions.map((action) => action.label)}`, () => [
    make("h3", { text: t("Nothing found") }),
    make("p", { text: reason[0].toUpperCase() + reason.slice(1) }),
    make("div", { class: "samples" }, ...actions.map(({ label, action }) => make("button", { type: "button", class: "button", text: label, click: action }))),
  ]);
}

/** The server rejected the search, or failed. */
export function searchFailed(/** @type {string} */ reason, /** @type {() => void} */ retry) {
  show(`failed ${reason}`, () => [
    icon("warning"),
    make("h3", { text: t("The search failed") }),
    make("p", { text: reason }),
    make("div", { class: "samples" }, make("button", { type: "button", class: "button", text: t("Try again"), click: retry })),
  ]);
}

/** A small picture of a sample drawing. */
function preview(/** @type {string} */ name) {
  const canvas = make("canvas", { width: 160, height: 128, "aria-hidden": "true" });
  drawStrokes(canvas, sample(name), SHEET, getComputedStyle(notice).color);
  return canvas;
}

/** A pencil line that turns into a picture. */
function illustration() {
  return make("img", { src: "begin.svg", alt: "", class: "illustration", width: 220, height: 132 });
}
