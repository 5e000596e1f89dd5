/** The eraser: cuts strokes where it passes and keeps the rest as strokes. */

/** @import { Stroke } from "./drawing.js" */
/** @typedef {{x: number, y: number}} Point */

/**
 * The strokes that remain after a round eraser has moved in a straight line.
 * Untouched strokes stay the same objects.
 * @param {readonly Stroke[]} strokes
 * @param {Point} from
 * @param {Point} to
 * @param {number} radius
 * @returns {readonly Stroke[]} the same array if no stroke was touched
 */
export function erase(strokes, from, to, radius) {
  let touched = false;
  const remaining = strokes.flatMap((stroke) => {
    const pieces = cut(stroke, from, to, radius + stroke.width / 2);
    touched ||= pieces.length !== 1 || pieces[0] !== stroke;
    return pieces;
  });
  return touched ? remaining : strokes;
}

/**
 * @param {Stroke} stroke
 * @param {Point} from
 * @param {Point} to
 * @param {number} reach
 */
function cut(stroke, from, to, reach) {
  const points = stroke.xs.map((x, i) => ({ x, y: stroke.ys[i] }));
  /** @type {[number, number][]} first kept point of each piece, and the one after its last */
  const runs = [];
  let start = 0;
  points.forEach((point, i) => {
    const erased = distance(point, point, from, to) < reach;
    // The points of a fast line are far apart: the eraser can pass between two of them.
    const crossed = i > 0 && distance(points[i - 1], point, from, to) < reach;
    if ((erased || crossed) && i > start) runs.push([start, i]);
    if (erased) start = i + 1;
    else if (crossed) start = i;
  });
  if (start === 0) return [stroke];
  if (start < points.length) runs.push([start, points.length]);
  return runs
    .filter(([first, end]) => end - first > 1) // drop single points left of a line
    .map(([first, end]) => ({
      ...stroke,
      xs: stroke.xs.slice(first, end),
      ys: stroke.ys.slice(first, end),
      pressures: stroke.pressures.slice(first, end),
    }));
}

/** Distance between the segments a-b and c-d. */
function distance(/** @type {Point} */ a, /** @type {Point} */ b, /** @type {Point} */ c, /** @type {Point} */ d) {
  if (side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) return 0;
  return Math.min(toSegment(a, c, d), toSegment(b, c, d), toSegment(c, a, b), toSegment(d, a, b));
}

function toSegment(/** @type {Point} */ point, /** @type {Point} */ a, /** @type {Point} */ b) {
  const [x, y] = [b.x - a.x, b.y - a.y];
  const square = x * x + y * y;
  const along = square ? Math.min(1, Math.max(0, ((point.x - a.x) * x + (point.y - a.y) * y) / square)) : 0;
  return Math.hypot(point.x - a.x - along * x, point.y - a.y - along * y);
}

/** On which side of the line a-b the point is: -1, 0 or 1. */
function side(/** @type {Point} */ a, /** @type {Point} */ b, /** @type {Point} */ point) {
  return Math.sign((b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x));
}
