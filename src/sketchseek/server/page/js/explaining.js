/** The large view's toggle that shows which part of the photo matches which part of the drawing. */

import { explain } from "./api.js";
import { SHEET } from "./drawing.js";
import { byId } from "./dom.js";
import { paintHeat, pairs } from "./heat.js";
import { drawAll } from "./ink.js";

/** @import { Explanation, Hit } from "./api.js" */
/** @import { Query } from "./query.js" */

const SIDE = 900; // px, the longer one of the map

export class Explaining {
  #query;
  #button = byId("viewer-explain", HTMLButtonElement);
  #heat = byId("viewer-heat", HTMLCanvasElement);
  #part = byId("viewer-explanation");
  #words = byId("viewer-explained");
  /** @type {Hit | null} */ #hit = null;
  #wanted = false;
  #leaving = new AbortController();
  /** Whether the model can say what matches. */ possible = false;

  constructor(/** @type {Query} */ query) {
    this.#query = query;
    this.#button.addEventListener("click", () => {
      this.#wanted = !this.#wanted;
      if (this.#hit) this.show(this.#hit);
    });
  }

  /** Another photo is large now; it is explained at once if the one before was. */
  show(/** @type {Hit} */ hit) {
    this.leave();
    this.#hit = hit;
    const can = this.possible && !this.#query.isEmpty;
    this.#button.hidden = !can;
    this.#button.setAttribute("aria-pressed", String(this.#wanted));
    this.#part.hidden = !can || !this.#wanted;
    if (!this.#part.hidden) this.#explain(hit);
  }

  /** No photo is large any more. */
  leave() {
    this.#leaving.abort();
    this.#leaving = new AbortController();
    this.#hit = null;
    this.#heat.hidden = true;
  }

  async #explain(/** @type {Hit} */ hit) {
    const { signal } = this.#leaving;
    const form = this.#query.terms();
    form.set("id", hit.id);
    this.#words.textContent = "Comparing …";
    try {
      const found = await explain(form, signal);
      this.#paintPhoto(hit, found);
      await this.#paintDrawing(found);
      this.#words.textContent = `Warm parts of the photo match what you look for.${
        pairs(found).length ? " Equal numbers belong together: this part of the drawing, that part of the photo." : ""}`;
    } catch (error) {
      if (!signal.aborted) this.#words.textContent = /** @type {Error} */ (error).message;
    }
  }

  #paintPhoto(/** @type {Hit} */ hit, /** @type {Explanation} */ found) {
    const scale = SIDE / Math.max(hit.width, hit.height);
    this.#heat.width = Math.round(hit.width * scale); // also wipes it
    this.#heat.height = Math.round(hit.height * scale);
    paintHeat(this.#heat, found.photo, found.grid, found.photo_box, pairs(found).map((pair) => pair.photo), true);
    this.#heat.hidden = false;
  }

  async #paintDrawing(/** @type {Explanation} */ found) {
    const canvas = byId("viewer-drawing", HTMLCanvasElement);
    canvas.hidden = !found.drawing;
    if (!found.drawing) return;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const file = this.#query.pictures.find((picture) => picture.kind === "sketch" && picture.url);
    if (!this.#query.drawing.isEmpty) {
      canvas.height = Math.round((canvas.width * SHEET.height) / SHEET.width);
      drawAll(canvas, this.#query.drawing.strokes, SHEET, getComputedStyle(byId("sheet")).color);
    } else if (file) {
      const image = new Image();
      image.src = file.url;
      await image.decode();
      canvas.height = Math.round((canvas.width * image.naturalHeight) / image.naturalWidth);
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    paintHeat(canvas, found.drawing, found.grid, found.drawing_box ?? [0, 0, 1, 1], pairs(found).map((pair) => pair.drawing), false);
  }
}
