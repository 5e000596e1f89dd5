/** Drawing without a pointer: arrow keys move the pen, Space puts it down and lifts it. */

import { erase } from "./eraser.js";
import { SHEET, WIDTHS } from "./drawing.js";
import { strokeAt } from "./sheet.js";
import { t } from "./texts.js";

/** @import { Drawing } from "./drawing.js" */
/** @import { Pen, Sheet } from "./sheet.js" */

const STEP = 20; // sheet units; five times that with Shift

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Drawing} drawing
 * @param {Pen} pen
 * @param {Sheet} sheet
 * @param {(text: string) => void} announce
 */
export function addKeyboardPen(canvas, drawing, pen, sheet, announce) {
  let at = { x: SHEET.width / 2, y: SHEET.height / 2 };
  let down = false;
  const showCursor = () => sheet.showCursor({ ...at, radius: WIDTHS[pen.width] / 2 + (down ? 8 : 14) });
  const lift = () => {
    if (!down) return;
    down = false;
    drawing.commit();
  };
  const lower = () => {
    down = true;
    if (pen.tool === "pen") {
      drawing.preview([...drawing.strokes, strokeAt(pen, at)]);
    }
  };
  const move = (/** @type {number} */ x, /** @type {number} */ y) => {
    const from = at;
    at = { x: Math.min(SHEET.width, Math.max(0, at.x + x)), y: Math.min(SHEET.height, Math.max(0, at.y + y)) };
    if (!down) return;
    if (pen.tool === "eraser") return drawing.preview(erase(drawing.strokes, from, at, WIDTHS[pen.width] + 8));
    const last = drawing.strokes[drawing.strokes.length - 1];
    drawing.preview([...drawing.strokes.slice(0, -1),
      { ...last, xs: [...last.xs, at.x], ys: [...last.ys, at.y], pressures: [...last.pressures, 1] }]);
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 5 * STEP : STEP;
    const direction = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (pen.tool === "select") {
      const factor = { "+": 1.1, "-": 1 / 1.1 }[event.key];
      if (direction || factor) sheet.mover.nudge(direction?.[0] ?? 0, direction?.[1] ?? 0, factor);
      else if ((event.key !== "Delete" && event.key !== "Backspace") || !sheet.mover.remove()) return;
      event.preventDefault();
      return;
    }
    if (direction) move(direction[0], direction[1]);
    else if (event.key === " ") {
      if (down) lift();
      else lower();
      announce(down ? t("Pen down.") : t("Pen up."));
    } else return;
    event.preventDefault();
    showCursor();
  });
  canvas.addEventListener("blur", () => {
    lift();
    sheet.showCursor(null);
  });
  canvas.addEventListener("pointerdown", () => {
    lift();
    sheet.showCursor(null);
  }, { capture: true });
  canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && showCursor());
}
