/** Sample drawings to start a search without a pen. */

import { WIDTHS } from "./drawing.js";

/** @import { Stroke } from "./drawing.js" */

/** Part of an ellipse around (x, y); `from` and `to` in full turns, clockwise from the right. */
function arc(/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ rx, /** @type {number} */ ry, from = 0, to = 1) {
  const steps = Math.max(12, Math.round(Math.abs(to - from) * 48));
  return Array.from({ length: steps + 1 }, (_, i) => {
    const angle = 2 * Math.PI * (from + ((to - from) * i) / steps);
    return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)];
  });
}

/** Straight pieces, sampled so that they stay straight when smoothed. */
function line(/** @type {number[][]} */ ...corners) {
  return corners.flatMap(([x, y], i) => {
    if (i === 0) return [[x, y]];
    const [fromX, fromY] = corners[i - 1];
    const steps = Math.max(2, Math.round(Math.hypot(x - fromX, y - fromY) / 12));
    return Array.from({ length: steps }, (_, step) => [fromX + ((x - fromX) * (step + 1)) / steps, fromY + ((y - fromY) * (step + 1)) / steps]);
  });
}

/** From one point to another, drawn towards a third between them. */
function bend(/** @type {number[]} */ [fromX, fromY], /** @type {number[]} */ [viaX, viaY], /** @type {number[]} */ [toX, toY]) {
  return Array.from({ length: 25 }, (_, i) => {
    const [near, both, far] = [(1 - i / 24) ** 2, 2 * (i / 24) * (1 - i / 24), (i / 24) ** 2];
    return [near * fromX + both * viaX + far * toX, near * fromY + both * viaY + far * toY];
  });
}

/** @type {Record<string, number[][][]>} */
const DRAWINGS = {
  fish: [
    bend([900, 400], [600, 70], [280, 360]),
    bend([900, 400], [600, 660], [280, 440]),
    line([280, 360], [107, 229], [151, 400], [107, 571], [280, 440]),
    arc(770, 370, 20, 20),
    bend([670, 218], [570, 118], [440, 251]),
    bend([620, 543], [552, 623], [500, 530]),
  ],
  house: [
    line([270, 400], [270, 690], [730, 690], [730, 400]),
    line([215, 440], [500, 180], [785, 440]),
    line([450, 690], [450, 530], [550, 530], [550, 690]),
    line([320, 460], [400, 460], [400, 540], [320, 540], [320, 460]),
    line([600, 460], [680, 460], [680, 540], [600, 540], [600, 460]),
    line([620, 285], [620, 200], [680, 200], [680, 340]),
  ],
  sailboat: [
    line([220, 570], [300, 680], [700, 680], [790, 570], [220, 570]),
    line([500, 570], [500, 120]),
    line([515, 140], [740, 510], [515, 510], [515, 140]),
    line([485, 200], [310, 510], [485, 510], [485, 200]),
  ],
  tree: [
    line([460, 700], [465, 500], [400, 430]),
    line([540, 700], [535, 500], [600, 430]),
    arc(500, 310, 210, 190),
    line([330, 700], [670, 700]),
  ],
};
export const SAMPLES = Object.keys(DRAWINGS);

/** @returns {Stroke[]} */
export function sample(/** @type {string} */ name) {
  const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;
  return DRAWINGS[name].map((points) => ({
    width: WIDTHS.medium,
    xs: points.map(([x]) => round(x)),
    ys: points.map(([, y]) => round(y)),
    pressures: points.map(() => 1),
  }));
}
