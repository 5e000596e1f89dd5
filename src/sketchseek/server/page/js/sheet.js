/** The sheet on the page: shows a drawing, and turns pointers into strokes. */

import { erase } from "./eraser.js";
import { MAX_POINTS, SHEET, WIDTHS } from "./drawing.js";
import { drawAll, drawStroke } from "./ink.js";

/** @import { Drawing, Stroke } from "./drawing.js" */

const STEP = 1.5; // sheet units; nearer points add trembling, not shape
const ERASER_BUTTON = 32; // of a stylus turned round

/** @typedef {{tool: "pen" | "eraser", width: keyof WIDTHS}} Pen */

export class Sheet {
  #canvas;
  #drawing;
  #pen;
  #context;
  #settled = document.createElement("canvas"); // the strokes that do not change while one grows
  /** @type {readonly Stroke[]} */ #shown = [];
  /** @type {number | null} */ #pointer = null;
  /** @type {{x: number, y: number}} */ #last = { x: 0, y: 0 };
  /** @type {Stroke | null} */ #stroke = null;
  #erasing = false;
  #frame = 0;
  #colour = "";
  /** Where the keyboard's pen or the eraser stands, drawn over the strokes. @type {{x: number, y: number, radius: number} | null} */
  #cursor = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Drawing} drawing
   * @param {Pen} pen tool and width as they are when a stroke begins
   */
  constructor(canvas, drawing, pen) {
    this.#canvas = canvas;
    this.#drawing = drawing;
    this.#pen = pen;
    this.#context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    drawing.addEventListener("change", () => this.#repaint());
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => event.pointerId === this.#pointer && this.#abandon());
    canvas.addEventListener("pointerleave", () => this.point(null));
    this.recolour();
  }

  /** Light and dark have inks of their own. */
  recolour() {
    this.#colour = getComputedStyle(this.#canvas).getPropertyValue("color");
    this.#resize();
  }

  /** Mark a place on the sheet with a ring, or none. */
  point(/** @type {{x: number, y: number, radius: number} | null} */ cursor) {
    this.#cursor = cursor;
    this.#repaint();
  }

  #down(/** @type {PointerEvent} */ event) {
    if (event.button !== 0 && event.button !== 5) return;
    if (this.#pointer !== null) {
      // Two fingers are no stroke; a palm beside a stylus is ignored.
      if (event.pointerType === "touch") this.#abandon();
      return;
    }
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    this.#erasing = this.#pen.tool === "eraser" || (event.buttons & ERASER_BUTTON) !== 0;
    const point = (this.#last = this.#place(event));
    if (this.#erasing) return this.#erase(point);
    if (this.#drawing.isFull) return this.#abandon();
    this.#stroke = { width: WIDTHS[this.#pen.width], xs: [point.x], ys: [point.y], pressures: [pressure(event)] };
    this.#drawing.grow([...this.#drawing.strokes, this.#stroke]);
  }

  #move(/** @type {PointerEvent} */ event) {
    if (this.#pen.tool === "eraser" && event.pointerType !== "touch") {
      this.point({ ...this.#place(event), radius: this.#reach() });
    }
    if (event.pointerId !== this.#pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const one of all.length ? all : [event]) this.#follow(one);
  }

  #follow(/** @type {PointerEvent} */ event) {
    const point = this.#place(event);
    if (Math.hypot(point.x - this.#last.x, point.y - this.#last.y) < STEP) return;
    if (this.#erasing) this.#erase(point);
    else this.#extend(point, pressure(event));
    this.#last = point;
  }

  #extend(/** @type {{x: number, y: number}} */ point, /** @type {number} */ press) {
    const stroke = this.#stroke;
    if (!stroke || stroke.xs.length >= MAX_POINTS) return;
    this.#stroke = {
      width: stroke.width,
      xs: [...stroke.xs, point.x],
      ys: [...stroke.ys, point.y],
      pressures: [...stroke.pressures, press],
    };
    this.#drawing.grow([...this.#drawing.strokes.slice(0, -1), this.#stroke]);
  }

  #erase(/** @type {{x: number, y: number}} */ point) {
    const left = erase(this.#drawing.strokes, this.#last, point, this.#reach());
    if (left !== this.#drawing.strokes) this.#drawing.grow(left);
  }

  #up(/** @type {PointerEvent} */ event) {
    if (event.pointerId !== this.#pointer) return;
    this.#follow(event);
    this.#pointer = this.#stroke = null;
    this.#drawing.settle();
  }

  #abandon() {
    if (this.#pointer !== null && this.#canvas.hasPointerCapture(this.#pointer)) {
      this.#canvas.releasePointerCapture(this.#pointer);
    }
    this.#pointer = this.#stroke = null;
    this.#drawing.cancel();
  }

  #reach() {
    return WIDTHS[this.#pen.width] + 8;
  }

  #place(/** @type {PointerEvent} */ event) {
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
    for (const canvas of [this.#canvas, this.#settled]) {
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
    const settled = this.#stroke ? strokes.slice(0, -1) : strokes;
    if (settled.length !== this.#shown.length || settled.some((stroke, i) => stroke !== this.#shown[i]) || !settled.length) {
      drawAll(this.#settled, settled, SHEET, this.#colour);
      this.#shown = settled;
    }
    const context = this.#context;
    const { width, height } = this.#canvas;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    if (width && height) context.drawImage(this.#settled, 0, 0);
    context.setTransform(width / SHEET.width, 0, 0, height / SHEET.height, 0, 0);
    context.strokeStyle = context.fillStyle = this.#colour;
    if (this.#stroke) drawStroke(context, this.#stroke);
    if (this.#cursor) {
      context.lineWidth = 2;
      context.beginPath();
      context.arc(this.#cursor.x, this.#cursor.y, this.#cursor.radius, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}

/** A pen's pressure as a factor on the width; other pointers report none that means anything. */
function pressure(/** @type {PointerEvent} */ event) {
  return event.pointerType === "pen" ? Math.round((0.35 + 1.3 * event.pressure) * 100) / 100 : 1;
}
