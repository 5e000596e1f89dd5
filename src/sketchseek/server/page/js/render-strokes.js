/** Draw strokes as smooth lines on a canvas. */

/** @import { Stroke } from "./drawing.js" */

/**
 * Quadratic curves between the midpoints of neighbouring points, so that the samples of the pen make no corners.
 * @param {CanvasRenderingContext2D} context scaled to sheet units
 * @param {Stroke} stroke
 * @param {string} ink the colour of a stroke that has none of its own
 */
export function drawStroke(context, stroke, ink) {
  const { xs, ys, width, pressures } = stroke;
  const last = xs.length - 1;
  context.strokeStyle = context.fillStyle = stroke.colour ?? ink;
  context.lineCap = context.lineJoin = "round";
  if (last === 0) {
    context.beginPath();
    context.arc(xs[0], ys[0], (width * pressures[0]) / 2, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  const even = pressures.every((pressure) => pressure === pressures[0]);
  context.lineWidth = width * pressures[0];
  context.beginPath();
  context.moveTo(xs[0], ys[0]);
  for (let i = 1; i <= last; i++) {
    const [x, y] = i < last ? [(xs[i] + xs[i + 1]) / 2, (ys[i] + ys[i + 1]) / 2] : [xs[i], ys[i]];
    context.quadraticCurveTo(xs[i], ys[i], x, y);
    if (even) continue;
    // With pressure, each piece has its own width.
    context.lineWidth = (width * (pressures[i - 1] + pressures[i])) / 2;
    context.stroke();
    context.beginPath();
    context.moveTo(x, y);
  }
  if (even) context.stroke();
}

/**
 * Clear a canvas and draw strokes at its full size.
 * @param {HTMLCanvasElement} canvas
 * @param {readonly Stroke[]} strokes
 * @param {{width: number, height: number}} sheet
 * @param {string} ink
 */
export function drawStrokes(canvas, strokes, sheet, ink) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(canvas.width / sheet.width, 0, 0, canvas.height / sheet.height, 0, 0);
  context.clearRect(0, 0, sheet.width, sheet.height);
  for (const stroke of strokes) drawStroke(context, stroke, ink);
}
