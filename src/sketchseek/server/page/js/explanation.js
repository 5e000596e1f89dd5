/** The large view's toggle that shows which part of the photo matches which part of the drawing. */

import { explain } from "./api.js";
import { SHEET } from "./drawing.js";
import { byId } from "./dom.js";
import { paintHeat, pairs } from "./heatmap.js";
import { drawStrokes } from "./render-strokes.js";
import { t } from "./texts.js";

/** @import { Explanation, Hit } from "./api.js" */
/** @import { Query } from "./query.js" */

const SIDE = 900; // px, longer side of the heatmap

export class ExplanationView {
  #query;
  #button = byId("viewer-explain", HTMLButtonElement);
  #heat = byId("viewer-heat", HTMLCanvasElement);
  #panel = byId("viewer-explanation");
  #caption = byId("viewer-explained");
  /** @type {Hit | null} */ #hit = null;
  #enabled = false;
  #abort = new AbortController();
  /** Whether the model can show what matches. */ available = false;

  constructor(/** @type {Query} */ query) {
    this.#query = query;
    this.#button.addEventListener("click", () => {
      this.#enabled = !this.#enabled;
      if (this.#hit) this.show(this.#hit);
    });
  }

  /** The large view shows another photo; explain it if the previous one was explained. */
  show(/** @type {Hit} */ hit) {
    this.leave();
    this.#hit = hit;
    const available = this.available && !this.#query.isEmpty && !this.#query.isOfColoursAlone;
    this.#button.hidden = !available;
    this.#button.setAttribute("aria-pressed", String(this.#enabled));
    this.#panel.hidden = !available || !this.#enabled;
    if (!this.#panel.hidden) this.#explain(hit);
  }

  /** The large view shows a photo that no search found. */
  hide() {
    this.leave();
    this.#button.hidden = this.#panel.hidden = true;
  }

  /** The large view shows another photo or none. */
  leave() {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#hit = null;
    this.#heat.hidden = true;
  }

  async #explain(/** @type {Hit} */ hit) {
    const { signal } = this.#abort;
    const form = this.#query.terms();
    form.set("id", hit.id);
    this.#caption.textContent = t("Comparing …");
    try {
      const explanation = await explain(form, signal);
      this.#paintPhoto(hit, explanation);
      await this.#paintDrawing(explanation, signal);
      signal.throwIfAborted();
      this.#caption.textContent = [t("Warm parts of the photo match your search."),
        pairs(explanation).length ? t("Equal numbers mark a part of the drawing and the part of the photo that matches it.") : ""].filter(Boolean).join(" ");
    } catch (error) {
      if (!signal.aborted) this.#caption.textContent = /** @type {Error} */ (error).message;
    }
  }

  #paintPhoto(/** @type {Hit} */ hit, /** @type {Explanation} */ explanation) {
    const scale = SIDE / Math.max(hit.width, hit.height);
    this.#heat.width = Math.round(hit.width * scale); // this also clears it
    this.#heat.height = Math.round(hit.height * scale);
    paintHeat(this.#heat, explanation.photo, explanation.grid, explanation.photo_box, pairs(explanation).map((pair) => pair.photo), true);
    this.#heat.hidden = false;
  }

  async #paintDrawing(/** @type {Explanation} */ explanation, /** @type {AbortSignal} */ signal) {
    const canvas = byId("viewer-drawing", HTMLCanvasElement);
    canvas.hidden = !explanation.drawing;
    if (!explanation.drawing) return;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const file = this.#query.pictures.find((picture) => picture.kind === "sketch" && picture.url);
    if (!this.#query.drawing.isEmpty) {
      canvas.height = Math.round((canvas.width * SHEET.height) / SHEET.width);
      drawStrokes(canvas, this.#query.drawing.strokes, SHEET, getComputedStyle(byId("sheet")).color);
    } else if (file) {
      const image = new Image();
      image.src = file.url;
      await image.decode();
      signal.throwIfAborted();
      canvas.height = Math.round((canvas.width * image.naturalHeight) / image.naturalWidth);
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    paintHeat(canvas, explanation.drawing, explanation.grid, explanation.drawing_box ?? [0, 0, 1, 1], pairs(explanation).map((pair) => pair.drawing), false);
  }
}
