/** The last searches, in a dialog: a click repeats one. */

import { byId, make } from "./dom.js";
import { SHEET } from "./drawing.js";
import { kept } from "./kept.js";
import { drawStrokes } from "./render-strokes.js";
import { load, save, validStrokes } from "./storage.js";
import { language, t } from "./texts.js";

const MOST = 50;

/** @typedef {{address: string, at: number}} Search */

/** Remember a search; one that grew out of the last one within `same` ms replaces it. */
export function remember(/** @type {string} */ address, same = 60_000) {
  const before = searches().filter((one) => one.address !== address);
  const [last] = before;
  const now = Date.now();
  if (last && now - last.at < same && isPartOf(last.address, address)) before.shift();
  save({ searches: [{ address, at: now }, ...before].slice(0, MOST) });
}

/** Show the list; `repeat` gets the address of the one that is chosen. */
export function showSearches(/** @type {(address: string) => void} */ repeat) {
  const dialog = byId("searches", HTMLDialogElement);
  const found = searches();
  const rows = found.map(({ address, at }) => make("li", {}, make("button", { type: "button", class: "search-row", click: () => {
    dialog.close();
    repeat(address);
  } }, preview(address), make("span", { class: "search-words" }, describe(address),
    make("span", { class: "muted", text: new Date(at).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" }) })))));
  byId("searches-list").replaceChildren(...rows);
  byId("searches-none").hidden = found.length > 0;
  byId("searches-clear").hidden = !found.length;
  dialog.showModal();
}

export function forgetSearches() {
  save({ searches: [] });
  byId("searches-list").replaceChildren();
  byId("searches-none").hidden = false;
  byId("searches-clear").hidden = true;
  byId("searches").querySelector("button")?.focus(); // the one that was pressed is gone
}

/** @returns {Search[]} */
function searches() {
  const saved = load().searches;
  return Array.isArray(saved) ? saved.filter((one) => typeof one?.address === "string" && Number.isFinite(one.at)).slice(0, MOST) : [];
}

/** Whether a search only adds to another: the same words or their beginning, and another step of the drawing. */
function isPartOf(/** @type {string} */ before, /** @type {string} */ after) {
  const [a, b] = [new URLSearchParams(before), new URLSearchParams(after)];
  return [...a].every(([name, value]) => (name === "drawing" && b.has(name)) || b.getAll(name).some((other) => other === value || (name === "text" && other.startsWith(value))));
}

function describe(/** @type {string} */ address) {
  const values = new URLSearchParams(address);
  const marked = (/** @type {string} */ how) => {
    const [first, ...others] = values.getAll(how).map((mark) => mark.slice(17));
    return others.length ? `${first} ${t("and {count} more", { count: others.length })}` : first;
  };
  const parts = [values.get("text") && `“${values.get("text")}”`, values.get("minus") && t("without {words}", { words: values.get("minus") ?? "" }),
    values.has("drawing") || values.has("sketch") ? t("drawing") : "", values.has("colours") ? t("colours only") : "", values.has("photo") ? t("photo") : "",
    values.has("like") ? t("more like {name}", { name: marked("like") }) : "", values.has("unlike") ? t("not like {name}", { name: marked("unlike") }) : "",
    { picture: t("this picture"), kind: t("this kind") }[values.get("look") ?? ""], values.get("under"), values.get("name"), values.get("kind")?.toUpperCase(), values.get("camera"),
    [values.get("from"), values.get("to")].filter(Boolean).join(" – ")];
  return parts.filter(Boolean).join(" · ");
}

function preview(/** @type {string} */ address) {
  const canvas = make("canvas", { width: 120, height: 96, "aria-hidden": "true" });
  const id = new URLSearchParams(address).get("drawing");
  if (id) kept(id).then((strokes) => drawStrokes(canvas, validStrokes(strokes), SHEET, getComputedStyle(canvas).color));
  return canvas;
}
