/** What is shown in place of the grid: how to start, indexing, no hits, or an error. */

import { SHEET } from "./drawing.js";
import { drawStrokes } from "./render-strokes.js";
import { byId, icon, make, number, photos } from "./dom.js";
import { SAMPLES, sample } from "./samples.js";

/** @import { Status } from "./api.js" */

const notice = byId("notice");
/** Key of the current notice: an equal one is not created again, which would interrupt a click. */
let shown = "";

export function hideNotice() {
  shown = "";
  notice.hidden = true;
  notice.replaceChildren();
}

function show(/** @type {string} */ key, /** @type {() => (Node | null)[]} */ content) {
  if (key === shown) return;
  shown = key;
  notice.replaceChildren(...content().filter((node) => node !== null));
  notice.hidden = false;
}

/** There are photos, and the query is empty. */
export function invite(/** @type {number} */ count, /** @type {(name: string) => void} */ start) {
  show(`invite ${count}`, () => [
    make("h3", { text: `${photos(count)}, one drawing away` }),
    make("p", { text: "Draw an outline, and the photos follow every stroke. Or start with one of these:" }),
    make("div", { class: "samples" }, ...SAMPLES.map((name) =>
      make("button", { type: "button", class: "sample", click: () => start(name), "aria-label": `Draw a ${name}` }, preview(name), make("span", { text: name })))),
  ]);
}

/** The gallery contains no photos yet. */
export function firstRun(/** @type {Status} */ status, /** @type {(text: string) => void} */ copy) {
  const { indexing, folders, failed } = status;
  if (indexing.state === "looking" || indexing.state === "indexing") {
    show("indexing", () => [
      illustration(),
      make("h3", { text: "Getting to know your photos" }),
      make("p", { text: "You can search as soon as the first ones are indexed. Photos are only read, never changed or sent anywhere." }),
      make("progress", { id: "first-progress", "aria-label": "Photos indexed" }),
      make("p", { id: "first-words", class: "muted" }),
    ]);
    const bar = byId("first-progress", HTMLProgressElement);
    if (indexing.total) [bar.max, bar.value] = [indexing.total, indexing.done ?? 0];
    else bar.removeAttribute("value");
    const pace = indexing.photos_per_s ? ` · ${Math.round(indexing.photos_per_s * 10) / 10} photos a second` : "";
    byId("first-words").textContent = indexing.total ? `${number(indexing.done ?? 0)} of ${number(indexing.total)}${pace}` : "Looking through the folders …";
    return;
  }
  const command = "sketchseek serve ~/Pictures";
  const reason = indexing.error ?? (failed ? `None of ${photos(failed)} could be read.` : folders.length ? "The folders of this gallery contain no photos." : null);
  show(`first run ${reason}`, () => [
    illustration(),
    make("h3", { text: "No photos yet" }),
    reason ? make("p", { class: "reason", text: reason }) : null,
    make("p", { text: "Stop the server with Ctrl+C and start it again with the folder your photos are in:" }),
    make("p", { class: "command" }, make("code", { text: command }),
      make("button", { type: "button", class: "icon-button", "aria-label": "Copy the command", title: "Copy", click: () => copy(command) }, icon("copy"))),
    make("p", { class: "muted", text: "Photos are only read, never changed or sent anywhere." }),
  ]);
}

/** The search found no photos. */
export function noHits(/** @type {string} */ reason, /** @type {{label: string, action: () => void}[]} */ actions) {
  show(`no hits ${reason} ${actions.map((action) => action.label)}`, () => [
    make("h3", { text: "Nothing found" }),
    make("p", { text: reason[0].toUpperCase() + reason.slice(1) }),
    make("div", { class: "samples" }, ...actions.map(({ label, action }) => make("button", { type: "button", class: "button", text: label, click: action }))),
  ]);
}

/** The server rejected the search, or failed. */
export function searchFailed(/** @type {string} */ reason, /** @type {() => void} */ retry) {
  show(`failed ${reason}`, () => [
    icon("warning"),
    make("h3", { text: "The search failed" }),
    make("p", { text: reason }),
    make("div", { class: "samples" }, make("button", { type: "button", class: "button", text: "Try again", click: retry })),
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
