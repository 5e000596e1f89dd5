/** The heatmap of an explanation: warm spots and numbered pairs over a photo and a drawing. */

/** @import { Box, Explanation } from "./api.js" */

const MAX_PAIRS = 4; // more numbers would hide the pictures
const MIN_DISTANCE = 2; // cells between two numbers

/**
 * The best matching cells of the drawing, at some distance from each other, each with its cell of the photo.
 * @param {Explanation} explanation
 * @returns {{drawing: number, photo: number}[]}
 */
export function pairs({ grid, drawing, best }) {
  if (!drawing || !best) return [];
  const far = (/** @type {number} */ a, /** @type {number} */ b) =>
    Math.max(Math.abs((a % grid) - (b % grid)), Math.abs(Math.floor(a / grid) - Math.floor(b / grid))) >= MIN_DISTANCE;
  /** @type {{drawing: number, photo: number}[]} */
  const found = [];
  for (const cell of drawing.map((_, i) => i).sort((a, b) => drawing[b] - drawing[a])) {
    const photo = best[cell];
    if (photo === null || drawing[cell] <= 0 || found.length === MAX_PAIRS) continue;
    if (found.every((one) => far(one.drawing, cell) && one.photo !== photo)) found.push({ drawing: cell, photo });
  }
  return found;
}

/**
 * Paint a heatmap over a picture that fills the canvas.
 * @param {HTMLCanvasElement} canvas
 * @param {readonly number[]} values row by row, 0 to 1
 * @param {number} grid cells per side
 * @param {Box} box the part of the canvas that the grid covers
 * @param {readonly number[]} marks cells to label with 1, 2, ...
 * @param {boolean} dim whether to darken what does not match (photos, not drawings)
 */
export function paintHeat(canvas, values, grid, box, marks, dim) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const small = document.createElement("canvas");
  small.width = small.height = grid;
  const cells = new ImageData(grid, grid);
  const most = Math.max(...values, 1e-6);
  values.forEach((value, i) => {
    const warm = value / most;
    // Photos: dark except where they match. Drawings: coloured where they match.
    const colour = dim
      ? [255 * warm, 130 * warm, 30 * (1 - warm), 170 * (1 - warm) ** 1.5 + 70 * warm]
      : [255, 90 + 110 * warm, 0, 190 * warm ** 1.5];
    cells.data.set(colour, 4 * i);
  });
  /** @type {CanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(cells, 0, 0);
  const { width, height } = canvas;
  const [left, top] = [box[0] * width, box[1] * height];
  const [across, down] = [((box[2] - box[0]) * width) / grid, ((box[3] - box[1]) * height) / grid];
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, left, top, across * grid, down * grid);
  marks.forEach((cell, i) => badge(context, left + across * ((cell % grid) + 0.5), top + down * (Math.floor(cell / grid) + 0.5), i + 1));
}

function badge(/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ number) {
  const { width, height } = context.canvas;
  const radius = Math.max(11, Math.min(width, height) / 36);
  const inside = (/** @type {number} */ value, /** @type {number} */ size) => Math.min(size - radius - 2, Math.max(radius + 2, value));
  [x, y] = [inside(x, width), inside(y, height)];
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = "#fff";
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = "#1d1e20";
  context.stroke();
  context.fillStyle = "#1d1e20";
  context.font = `600 ${radius * 1.25}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(String(number), x, y + radius * 0.06);
}
