/** Several sheets, kept across visits: a row of small pictures under the sheet, and a button for a new one. */

import { byId, icon, make } from "./dom.js";
import { SHEET } from "./drawing.js";
import { drawStrokes } from "./render-strokes.js";
import { load, save, validStrokes } from "./storage.js";
import { t } from "./texts.js";

/** @import { Drawing, Stroke } from "./drawing.js" */

const MOST = 8;

export class Sheets {
  #drawing;
  #list = byId("sheets");
  /** @type {(readonly Stroke[])[]} */ #sheets;
  #current = 0;

  constructor(/** @type {Drawing} */ drawing) {
    this.#drawing = drawing;
    const saved = load().sheets;
    this.#sheets = (Array.isArray(saved) ? saved : []).map(validStrokes).filter((strokes) => strokes.length).slice(0, MOST - 1);
    this.#sheets.unshift([]); // the sheet that is shown
    drawing.addEventListener("commit", () => this.#note());
    this.#show();
  }

  #note() {
    this.#sheets[this.#current] = this.#drawing.strokes;
    this.#show();
  }

  /** Put this sheet aside and begin an empty one. */
  add() {
    if (this.#drawing.isEmpty) return;
    this.#sheets = [[], ...this.#sheets.filter((strokes) => strokes.length)].slice(0, MOST);
    this.#current = 0;
    this.#drawing.replace([]);
    byId("sheet").focus({ preventScroll: true });
  }

  #choose(/** @type {number} */ number) {
    const chosen = this.#sheets[number];
    this.#sheets = this.#sheets.filter((strokes, i) => strokes.length || i === number);
    this.#current = this.#sheets.indexOf(chosen);
    this.#drawing.replace(chosen);
    this.#list.querySelectorAll("button")[this.#current]?.focus();
  }

  #show() {
    save({ sheets: this.#sheets.filter((strokes, i) => strokes.length && i !== this.#current) });
    const several = this.#sheets.length > 1;
    this.#list.replaceChildren(
      ...(several ? this.#sheets.map((strokes, i) => make("li", {}, this.#button(strokes, i))) : []),
      make("li", {}, make("button", { type: "button", id: "new-sheet", class: "quiet", "aria-disabled": String(this.#drawing.isEmpty), click: () => this.add() }, icon("more"), t("New sheet"))));
  }

  #button(/** @type {readonly Stroke[]} */ strokes, /** @type {number} */ number) {
    const canvas = make("canvas", { width: 100, height: 80, "aria-hidden": "true" });
    drawStrokes(canvas, strokes, SHEET, getComputedStyle(this.#list).color);
    return make("button", { type: "button", class: "sheet-choice", "aria-pressed": String(number === this.#current), "aria-label": t("Sheet {number}", { number: number + 1 }),
      click: () => this.#choose(number) }, canvas);
  }
}
