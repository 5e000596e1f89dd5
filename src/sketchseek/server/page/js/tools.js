/** The toolbar over the sheet: pen and eraser, widths, and what is done to the whole drawing. */

import { byId } from "./dom.js";
import { WIDTHS } from "./drawing.js";
import { keep, load } from "./storage.js";

/** @import { Drawing } from "./drawing.js" */
/** @import { Pen } from "./sheet.js" */

export class Tools {
  /** @type {Pen} */ pen = { tool: "pen", width: "medium" };
  #buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-tool]"));
  #widths = /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("[name=width]"));

  constructor(/** @type {Drawing} */ drawing) {
    const { width } = load();
    this.choose("pen");
    this.widen(width in WIDTHS ? width : "medium");
    for (const button of this.#buttons) button.addEventListener("click", () => this.choose(/** @type {Pen["tool"]} */ (button.dataset.tool)));
    for (const radio of this.#widths) radio.addEventListener("change", () => this.widen(/** @type {Pen["width"]} */ (radio.value)));
    for (const act of /** @type {const} */ (["undo", "redo", "flip", "clear"])) byId(act).addEventListener("click", () => drawing[act]());
    const show = () => {
      // aria-disabled, not disabled: a button that takes itself away would lose the focus.
      byId("undo").setAttribute("aria-disabled", String(!drawing.canUndo));
      byId("redo").setAttribute("aria-disabled", String(!drawing.canRedo));
      for (const id of ["flip", "clear"]) byId(id).setAttribute("aria-disabled", String(drawing.isEmpty));
      const count = drawing.strokes.length;
      byId("sheet").setAttribute("aria-label", count ? `Drawing of ${count} ${count === 1 ? "stroke" : "strokes"}` : "Empty sheet");
      byId("sheet-hint").hidden = count > 0;
    };
    drawing.addEventListener("change", show);
    drawing.addEventListener("settle", show);
    show();
  }

  choose(/** @type {Pen["tool"]} */ tool) {
    this.pen.tool = tool;
    for (const button of this.#buttons) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    byId("sheet").dataset.tool = tool;
  }

  widen(/** @type {Pen["width"]} */ width) {
    this.pen.width = width;
    for (const radio of this.#widths) radio.checked = radio.value === width;
    keep({ width });
  }

  /** The next finer or broader line. */
  step(/** @type {1 | -1} */ way) {
    const widths = /** @type {Pen["width"][]} */ (Object.keys(WIDTHS));
    const to = widths[widths.indexOf(this.pen.width) + way];
    if (to) this.widen(to);
  }
}
