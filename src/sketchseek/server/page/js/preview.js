/** A blurred picture of a photo, to show until it has loaded. */

const SIDE = 12;
const LEVELS = [6, 7, 6]; // of red, green and blue

/** @returns {HTMLCanvasElement | null} null if the gallery keeps no colours of the photo */
export function preview(/** @type {import("./api.js").Photo} */ { colours, width, height }) {
  const cells = colours === null ? "" : atob(colours);
  if (cells.length !== SIDE * SIDE) return null;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  canvas.className = "preview";
  canvas.style.aspectRatio = `${width} / ${height}`;
  const picture = new ImageData(SIDE, SIDE);
  for (let cell = 0; cell < cells.length; cell++) {
    let value = cells.charCodeAt(cell);
    for (let part = 2; part >= 0; part--) {
      picture.data[4 * cell + part] = (255 * (value % LEVELS[part])) / (LEVELS[part] - 1);
      value = Math.floor(value / LEVELS[part]);
    }
    picture.data[4 * cell + 3] = 255;
  }
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(picture, 0, 0);
  return canvas;
}
