/** The sheet on the page: shows the drawing and turns pointer events into strokes. */

import { erase } from "./eraser.js";
import { line, tidied } from "./shapes.js";
import { StrokeMover } from "./stroke-mover.js";
import { MAX_POINTS, SHEET, WIDTHS } from "./drawing.js";
import { drawStrokes, drawStroke } from "./render-strokes.js";

/** @import { Drawing, Stroke } from "./drawing.js" */

const STEP = 1.5; // sheet units; closer points add noise, not shape
const ERASER_BUTTON = 32; // of a stylus
const HOLD = 700; // ms that the pen is kept still until a line or an ellipse takes the place of what was drawn
const STILL = 7; // sheet units

/** @typedef {{tool: "pen" | "eraser" | "select", width: keyof typeof WIDTHS, colour: string | null}} Pen */

export class Sheet {
  #canvas;
  #drawing;
  #pen;
  #context;
  #committed = document.createElement("canvas"); // all strokes but the one being drawn
  /** @type {readonly Stroke[]} */ #shown = [];
  /** @type {number | null} */ #pointer = null;
  /** @type {{x: number, y: number}} */ #last = { x: 0, y: 0 };
  /** @type {Stroke | null} */ #stroke = null;
  #erasing = false;
  #moving = false;
  /** What was drawn before a line or an ellipse took its place; drawing on brings it back. @type {Stroke | null} */ #rough = null;
  #hold = 0;
  /** @type {{x: number, y: number}} */ #restedAt = { x: 0, y: 0 };
  #frame = 0;
  #colour = "";
  /** Position of the keyboard's pen or the eraser, drawn over the strokes. @type {{x: number, y: number, radius: number} | null} */
  #cursor = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Drawing} drawing
   * @param {Pen} pen current tool and width
   */
  constructor(canvas, drawing, pen) {
    this.#canvas = canvas;
    this.#drawing = drawing;
    this.#pen = pen;
    this.mover = new StrokeMover(drawing);
    this.#context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    drawing.addEventListener("change", () => this.#repaint());
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    canvas.addEventListener("toolchange", () => this.#repaint()); // the frame around selected lines
    canvas.addEventListener("pointerdown", (event) => this.#onDown(event));
    canvas.addEventListener("pointermove", (event) => this.#onMove(event));
    canvas.addEventListener("pointerup", (event) => this.#onUp(event));
    canvas.addEventListener("pointercancel", (event) => event.pointerId === this.#pointer && this.#cancel());
    canvas.addEventListener("pointerleave", () => this.showCursor(null));
    this.recolour();
  }

  /** Use the ink colour of the light or dark theme. */
  recolour() {
    this.#colour = getComputedStyle(this.#canvas).getPropertyValue("color");
    this.#resize();
  }

  /** Show a ring on the sheet, or hide it. */
  showCursor(/** @type {{x: number, y: number, radius: number} | null} */ cursor) {
    this.#cursor = cursor;
    this.#repaint();
  }

  #onDown(/** @type {PointerEvent} */ event) {
    if (event.button !== 0 && event.button !== 5) return;
    if (this.#pointer !== null) {
      // A second finger cancels the stroke; a palm beside a stylus is ignored.
      if (event.pointerType === "touch") this.#cancel();
      return;
    }
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    this.#erasing = this.#pen.tool === "eraser" || (event.buttons & ERASER_BUTTON) !== 0;
    const point = (this.#last = this.#sheetPoint(event));
    this.#moving = this.#pen.tool === "select" && !this.#erasing;
    this.#rough = null;
    if (this.#moving) return this.mover.down(point);
    this.mover.clear();
    if (this.#erasing) return this.#erase(point);
    if (this.#drawing.isFull) return this.#cancel();
    this.#stroke = strokeAt(this.#pen, point, pressure(event));
    this.#drawing.preview([...this.#drawing.strokes, this.#stroke]);
  }

  #onMove(/** @type {PointerEvent} */ event) {
    if (this.#pen.tool === "eraser" && event.pointerType !== "touch") {
      this.showCursor({ ...this.#sheetPoint(event), radius: this.#eraserRadius() });
    }
    if (event.pointerId !== this.#pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const one of all.length ? all : [event]) this.#follow(one);
  }

  #follow(/** @type {PointerEvent} */ event) {
    const point = this.#sheetPoint(event);
    if (Math.hypot(point.x - this.#last.x, point.y - this.#last.y) < STEP) return;
    if (this.#moving) {
      this.mover.move(point);
      this.#repaint();
    } else if (this.#erasing) this.#erase(point);
    else if (event.shiftKey && this.#stroke) this.#replaceStroke(line(this.#stroke, point));
    else {
      if (this.#rough && Math.hypot(point.x - this.#restedAt.x, point.y - this.#restedAt.y) < 2 * STILL) return;
      this.#stroke = this.#rough ?? this.#stroke;
      this.#rough = null;
      this.#extend(point, pressure(event));
    }
    this.#last = point;
    if (this.#stroke && Math.hypot(point.x - this.#restedAt.x, point.y - this.#restedAt.y) > STILL) this.#waitForRest(point);
  }

  /** Tidy up the stroke if the pen rests here. */
  #waitForRest(/** @type {{x: number, y: number}} */ point) {
    this.#restedAt = point;
    clearTimeout(this.#hold);
    this.#hold = setTimeout(() => {
      const tidy = this.#stroke && !this.#rough ? tidied(this.#stroke) : null;
      if (!tidy) return;
      this.#rough = this.#stroke;
      this.#replaceStroke(tidy);
    }, HOLD);
  }

  #replaceStroke(/** @type {Stroke} */ stroke) {
    this.#stroke = stroke;
    this.#drawing.preview([...this.#drawing.strokes.slice(0, -1), stroke]);
  }

  #extend(/** @type {{x: number, y: number}} */ point, /** @type {number} */ press) {
    const stroke = this.#stroke;
    if (!stroke || stroke.xs.length >= MAX_POINTS) return;
    this.#stroke = {
      ...stroke,
      xs: [...stroke.xs, point.x],
      ys: [...stroke.ys, point.y],
      pressures: [...stroke.pressures, press],
    };
    this.#drawing.preview([...this.#drawing.strokes.slice(0, -1), this.#stroke]);
  }

  #erase(/** @type {{x: number, y: number}} */ point) {
    const left = erase(this.#drawing.strokes, this.#last, point, this.#eraserRadius());
    if (left !== this.#drawing.strokes) this.#drawing.preview(left);
  }

  #onUp(/** @type {PointerEvent} */ event) {
    if (event.pointerId !== this.#pointer) return;
    clearTimeout(this.#hold);
    this.#follow(event);
    clearTimeout(this.#hold);
    this.#pointer = this.#stroke = null;
    if (!this.#moving) return this.#drawing.commit();
    this.#moving = false;
    this.mover.up();
    this.#repaint();
  }

  #cancel() {
    if (this.#pointer !== null && this.#canvas.hasPointerCapture(this.#pointer)) {
      this.#canvas.releasePointerCapture(this.#pointer);
    }
    clearTimeout(this.#hold);
    this.#pointer = this.#stroke = null;
    if (this.#moving) this.mover.cancel();
    this.#moving = false;
    this.#drawing.cancel();
  }

  #eraserRadius() {
    return WIDTHS[this.#pen.width] + 8;
  }

  #sheetPoint(/** @type {PointerEvent} */ event) {
    const box = this.#canvas.getBoundingClientRect();
    const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;
    return {
      x: round(((event.clientX - box.left) / box.width) * SHEET.width),
      y: round(((event.clientY - box.top) / box.height) * SHEET.height),
    };
  }

  #resize() {
    const box = this.#canvas.getBoundingClientRect();
    if (!box.width) return;
    const scale = devicePixelRatio || 1;
    for (const canvas of [this.#canvas, this.#committed]) {
      canvas.width = Math.round(box.width * scale);
      canvas.height = Math.round(box.height * scale);
    }
    this.#shown = [];
    this.#paint();
  }

  #repaint() {
    this.#frame ||= requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const strokes = this.#drawing.strokes;
    const committed = this.#stroke ? strokes.slice(0, -1) : strokes;
    if (committed.length !== this.#shown.length || committed.some((stroke, i) => stroke !== this.#shown[i]) || !committed.length) {
      drawStrokes(this.#committed, committed, SHEET, this.#colour);
      this.#shown = committed;
    }
    const context = this.#context;
    const { width, height } = this.#canvas;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    if (width && height) context.drawImage(this.#committed, 0, 0);
    context.setTransform(width / SHEET.width, 0, 0, height / SHEET.height, 0, 0);
    if (this.#stroke) drawStroke(context, this.#stroke, this.#colour);
    if (this.#pen.tool === "select") this.mover.paint(context, this.#colour);
    if (this.#cursor) {
      context.strokeStyle = this.#colour;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(this.#cursor.x, this.#cursor.y, this.#cursor.radius, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}

/** The beginning of a stroke. @returns {Stroke} */
export function strokeAt(/** @type {Pen} */ { width, colour }, /** @type {{x: number, y: number}} */ { x, y }, press = 1) {
  return { width: WIDTHS[width], xs: [x], ys: [y], pressures: [press], ...(colour ? { colour } : {}) };
}

/** Pressure of a pen as a factor of the width; other pointers report no useful pressure. */
function pressure(/** @type {PointerEvent} */ event) {
  return event.pointerType === "pen" ? Math.round((0.35 + 1.3 * event.pressure) * 100) / 100 : 1;
}
