/** Straight lines and ellipses in place of what a hand drew. */

/** @import { Stroke } from "./drawing.js" */

const STRAIGHT = 0.09; // the farthest a point may be from the line between the ends, as a share of its length
const CLOSED = 0.25; // the farthest the ends may be from each other, as a share of the diagonal of the stroke's box
const STEPS = 64;

/** A straight line between two points. */
export function line(/** @type {Stroke} */ stroke, /** @type {{x: number, y: number}} */ to) {
  const [x, y] = [stroke.xs[0], stroke.ys[0]];
  const count = Math.max(2, Math.round(Math.hypot(to.x - x, to.y - y) / 12)); // points between, so that erasing cuts it
  const along = Array.from({ length: count }, (_, i) => i / (count - 1));
  return shape(stroke, along.map((share) => [x + (to.x - x) * share, y + (to.y - y) * share]));
}

/** The line or the ellipse that a stroke was meant to be; null if it is neither. @returns {Stroke | null} */
export function tidied(/** @type {Stroke} */ stroke) {
  const { xs, ys } = stroke;
  const last = xs.length - 1;
  if (last < 2) return null;
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const diagonal = Math.hypot(right - left, bottom - top);
  if (diagonal < 30) return null;
  const ends = Math.hypot(xs[last] - xs[0], ys[last] - ys[0]);
  const away = (/** @type {number} */ i) => Math.abs((xs[last] - xs[0]) * (ys[0] - ys[i]) - (xs[0] - xs[i]) * (ys[last] - ys[0])) / ends;
  if (ends > 0.9 * diagonal && xs.every((_, i) => away(i) < STRAIGHT * ends)) return line(stroke, { x: xs[last], y: ys[last] });
  if (ends > CLOSED * diagonal) return null;
  const [x, y, rx, ry] = [(left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2];
  if (Math.min(rx, ry) < 8) return null;
  // How far the points are from the ellipse in its box: a square or a star is neither.
  const off = xs.reduce((sum, at, i) => sum + Math.abs(Math.hypot((at - x) / rx, (ys[i] - y) / ry) - 1), 0) / xs.length;
  if (off > 0.16) return null;
  const begin = Math.atan2((ys[0] - y) / ry, (xs[0] - x) / rx);
  return shape(stroke, Array.from({ length: STEPS + 1 }, (_, i) => {
    const angle = begin + (2 * Math.PI * i) / STEPS;
    return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)];
  }));
}

/** @returns {Stroke} */
function shape(/** @type {Stroke} */ { pressures, ...rest }, /** @type {number[][]} */ points) {
  const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;
  const mean = Math.round((pressures.reduce((sum, one) => sum + one, 0) / pressures.length) * 100) / 100;
  return { ...rest, xs: points.map(([x]) => round(x)), ys: points.map(([, y]) => round(y)), pressures: points.map(() => mean) };
}
