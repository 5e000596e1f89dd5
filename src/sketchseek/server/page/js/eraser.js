/** The eraser cuts strokes where it passes, so that what is left is strokes again. */

/** @import { Stroke } from "./drawing.js" */
/** @typedef {{x: number, y: number}} Point */

/**
 * What is left of strokes after a round eraser went straight from one point to another.
 * Untouched strokes stay the same objects.
 * @param {readonly Stroke[]} strokes
 * @param {Point} from
 * @param {Point} to
 * @param {number} radius
 * @returns {readonly Stroke[]} the same array if nothing was touched
 */
export function erase(strokes, from, to, radius) {
  let touched = false;
  const left = strokes.flatMap((stroke) => {
    const pieces = cut(stroke, from, to, radius + stroke.width / 2);
    touched ||= pieces.length !== 1 || pieces[0] !== stroke;
    return pieces;
  });
  return touched ? left : strokes;
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
    const gone = distance(point, point, from, to) < reach;
    // Points lie far apart on a fast line: the eraser can pass between them.
    const parted = i > 0 && distance(points[i - 1], point, from, to) < reach;
    if ((gone || parted) && i > start) runs.push([start, i]);
    if (gone) start = i + 1;
    else if (parted) start = i;
  });
  if (start === 0) return [stroke];
  if (start < points.length) runs.push([start, points.length]);
  return runs
    .filter(([first, end]) => end - first > 1) // a lone point left of a line is a crumb
    .map(([first, end]) => ({
      width: stroke.width,
      xs: stroke.xs.slice(first, end),
      ys: stroke.ys.slice(first, end),
      pressures: stroke.pressures.slice(first, end),
    }));
}

/** Between the segments a-b and c-d. */
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

/** On which side of the line a-b a point lies. */
function side(/** @type {Point} */ a, /** @type {Point} */ b, /** @type {Point} */ point) {
  return Math.sign((b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x));
}
