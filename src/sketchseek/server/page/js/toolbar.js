/** The toolbar of the sheet: pen, eraser, widths, undo, redo, flip, clear. */

import { byId } from "./dom.js";
import { WIDTHS } from "./drawing.js";
import { load, save } from "./storage.js";
import { counted, t } from "./texts.js";

/** @import { Drawing } from "./drawing.js" */
/** @import { Pen } from "./sheet.js" */

export class Toolbar {
  /** @type {Pen} */ pen = { tool: "pen", width: "medium", colour: null };
  #buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-tool]"));
  #widths = /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("[name=width]"));

  constructor(/** @type {Drawing} */ drawing) {
    const { width } = load();
    this.setTool("pen");
    this.setWidth(width in WIDTHS ? width : "medium");
    for (const button of this.#buttons) button.addEventListener("click", () => this.setTool(/** @type {Pen["tool"]} */ (button.dataset.tool)));
    for (const radio of this.#widths) radio.addEventListener("change", () => this.setWidth(/** @type {Pen["width"]} */ (radio.value)));
    for (const action of /** @type {const} */ (["undo", "redo", "flip", "clear"])) byId(action).addEventListener("click", () => drawing[action]());
    const show = () => {
      // aria-disabled, not disabled: a disabled button would lose the focus.
      byId("undo").setAttribute("aria-disabled", String(!drawing.canUndo));
      byId("redo").setAttribute("aria-disabled", String(!drawing.canRedo));
      for (const id of ["flip", "clear"]) byId(id).setAttribute("aria-disabled", String(drawing.isEmpty));
      const count = drawing.strokes.length;
      byId("sheet").setAttribute("aria-label", count ? counted(count, "Drawing of {count} stroke", "Drawing of {count} strokes") : t("Empty sheet"));
      byId("sheet-hint").hidden = count > 0;
    };
    drawing.addEventListener("change", show);
    drawing.addEventListener("commit", show);
    drawing.addEventListener("clear", () => this.setTool("pen")); // there is nothing to erase or to move
    show();
  }

  setTool(/** @type {Pen["tool"]} */ tool) {
    this.pen.tool = tool;
    for (const button of this.#buttons) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    byId("sheet").dataset.tool = tool;
    byId("sheet").dispatchEvent(new Event("toolchange"));
  }

  setWidth(/** @type {Pen["width"]} */ width) {
    this.pen.width = width;
    for (const radio of this.#widths) radio.checked = radio.value === width;
    save({ width });
  }

  /** Select the next finer or broader line. */
  stepWidth(/** @type {1 | -1} */ direction) {
    const widths = /** @type {Pen["width"][]} */ (Object.keys(WIDTHS));
    const to = widths[widths.indexOf(this.pen.width) + direction];
    if (to) this.setWidth(to);
  }
}
