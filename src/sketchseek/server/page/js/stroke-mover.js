/** The tool that selects lines of the drawing, moves them and changes their size. */

/** @import { Drawing, Stroke } from "./drawing.js" */
/** @typedef {{x: number, y: number}} Point */
/** @typedef {{left: number, top: number, right: number, bottom: number}} Box */

const REACH = 28; // sheet units: how near a tap must be to a line, or to the handle
const MARGIN = 14; // between the lines and the frame around them

export class StrokeMover {
  #drawing;
  /** @type {Set<number>} */ #chosen = new Set();
  /** @type {"box" | "move" | "scale" | null} */ #mode = null;
  /** @type {Point} */ #from = { x: 0, y: 0 };
  /** @type {Point} */ #to = { x: 0, y: 0 };
  /** @type {readonly Stroke[]} */ #before = [];

  constructor(/** @type {Drawing} */ drawing) {
    this.#drawing = drawing;
    drawing.addEventListener("change", () => {
      if (this.#mode === null && this.#drawing.strokes.length !== this.#before.length) this.clear();
    });
  }

  clear() {
    this.#chosen.clear();
    this.#mode = null;
    this.#before = this.#drawing.strokes;
  }

  down(/** @type {Point} */ point) {
    this.#from = this.#to = point;
    this.#before = this.#drawing.strokes;
    const frame = this.#frame();
    if (frame && Math.hypot(point.x - frame.right, point.y - frame.bottom) < REACH) this.#mode = "scale";
    else if (frame && point.x > frame.left && point.x < frame.right && point.y > frame.top && point.y < frame.bottom) this.#mode = "move";
    else {
      this.#mode = "box";
      this.#chosen.clear();
    }
  }

  move(/** @type {Point} */ point) {
    this.#to = point;
    if (this.#mode === "move") this.#change((x, y) => [x + point.x - this.#from.x, y + point.y - this.#from.y]);
    else if (this.#mode === "scale") {
      const box = /** @type {Box} */ (boxOf(this.#before, this.#chosen));
      const factor = Math.max(0.1, Math.hypot(point.x - box.left, point.y - box.top) / Math.max(1, Math.hypot(this.#from.x - box.left, this.#from.y - box.top)));
      this.#change((x, y) => [box.left + (x - box.left) * factor, box.top + (y - box.top) * factor]);
    }
  }

  up() {
    if (this.#mode === "box") this.#choose();
    else this.#drawing.commit();
    this.#mode = null;
    this.#before = this.#drawing.strokes;
  }

  cancel() {
    if (this.#mode === "move" || this.#mode === "scale") this.#drawing.cancel();
    this.#mode = null;
  }

  /** Move or resize by keyboard: what is selected, or else everything. */
  nudge(/** @type {number} */ x, /** @type {number} */ y, factor = 1) {
    if (this.#drawing.isEmpty) return;
    this.#before = this.#drawing.strokes;
    if (!this.#chosen.size) this.#before.forEach((_, i) => this.#chosen.add(i));
    const box = /** @type {Box} */ (boxOf(this.#before, this.#chosen));
    const [cx, cy] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
    this.#change((px, py) => [cx + (px - cx) * factor + x, cy + (py - cy) * factor + y]);
    this.#drawing.commit();
    this.#before = this.#drawing.strokes;
  }

  /** Delete what is selected; false if nothing is. */
  remove() {
    if (!this.#chosen.size) return false;
    this.#drawing.replace(this.#drawing.strokes.filter((_, i) => !this.#chosen.has(i)));
    this.clear();
    return true;
  }

  /** Draw the frame and the rectangle; the context is scaled to sheet units. */
  paint(/** @type {CanvasRenderingContext2D} */ context, /** @type {string} */ colour) {
    const frame = this.#mode === "box" ? boxBetween(this.#from, this.#to) : this.#frame();
    if (!frame) return;
    context.save();
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 2.5;
    context.setLineDash([9, 7]);
    context.strokeRect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
    context.setLineDash([]);
    if (this.#mode !== "box") context.fillRect(frame.right - 9, frame.bottom - 9, 18, 18);
    context.restore();
  }

  #change(/** @type {(x: number, y: number) => number[]} */ place) {
    const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;
    this.#drawing.preview(this.#before.map((stroke, i) => {
      if (!this.#chosen.has(i)) return stroke;
      const points = stroke.xs.map((x, at) => place(x, stroke.ys[at]));
      return { ...stroke, xs: points.map(([x]) => round(x)), ys: points.map(([, y]) => round(y)) };
    }));
  }

  /** The lines in the rectangle, or the one that was tapped. */
  #choose() {
    const box = boxBetween(this.#from, this.#to);
    const tapped = box.right - box.left < 8 && box.bottom - box.top < 8;
    const away = this.#drawing.strokes.map(({ xs, ys }) => Math.min(...xs.map((x, i) => Math.hypot(x - this.#to.x, ys[i] - this.#to.y))));
    const nearest = away.indexOf(Math.min(...away));
    this.#drawing.strokes.forEach(({ xs, ys }, number) => {
      const inside = xs.some((x, i) => x >= box.left && x <= box.right && ys[i] >= box.top && ys[i] <= box.bottom);
      if (tapped ? number === nearest && away[number] < REACH : inside) this.#chosen.add(number);
    });
  }

  #frame() {
    const box = boxOf(this.#drawing.strokes, this.#chosen);
    return box && { left: box.left - MARGIN, top: box.top - MARGIN, right: box.right + MARGIN, bottom: box.bottom + MARGIN };
  }
}

/** @returns {Box | null} */
function boxOf(/** @type {readonly Stroke[]} */ strokes, /** @type {Set<number>} */ chosen) {
  const some = strokes.filter((_, i) => chosen.has(i));
  if (!some.length) return null;
  const [xs, ys] = [some.flatMap((one) => one.xs), some.flatMap((one) => one.ys)];
  const least = (/** @type {number[]} */ values) => values.reduce((a, b) => Math.min(a, b));
  const most = (/** @type {number[]} */ values) => values.reduce((a, b) => Math.max(a, b));
  return { left: least(xs), right: most(xs), top: least(ys), bottom: most(ys) };
}

/** @returns {Box} */
const boxBetween = (/** @type {Point} */ a, /** @type {Point} */ b) =>
  ({ left: Math.min(a.x, b.x), right: Math.max(a.x, b.x), top: Math.min(a.y, b.y), bottom: Math.max(a.y, b.y) });
