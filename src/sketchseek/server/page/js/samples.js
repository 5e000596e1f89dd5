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
  bicycle: [
    arc(270, 540, 140, 140),
    arc(730, 540, 140, 140),
    line([270, 540], [380, 330], [640, 330], [480, 540], [270, 540]),
    line([480, 540], [370, 290]),
    line([325, 290], [420, 290]),
    line([730, 540], [630, 270], [700, 250]),
    arc(480, 540, 25, 25),
  ],
  umbrella: [
    bend([160, 420], [500, -120], [840, 420]),
    bend([160, 420], [245, 360], [330, 420]),
    bend([330, 420], [415, 360], [500, 420]),
    bend([500, 420], [585, 360], [670, 420]),
    bend([670, 420], [755, 360], [840, 420]),
    line([500, 400], [500, 660]),
    bend([500, 660], [490, 730], [420, 690]),
    line([500, 150], [500, 100]),
  ],
  church: [
    line([230, 720], [230, 420], [500, 300], [770, 420], [770, 720], [230, 720]),
    line([430, 330], [430, 200], [500, 80], [570, 200], [570, 330]),
    line([500, 80], [500, 20]),
    line([475, 40], [525, 40]),
    line([450, 720], [450, 600]),
    arc(500, 600, 50, 60, 0.5, 1),
    line([550, 600], [550, 720]),
  ],
  plane: [
    bend([130, 420], [140, 370], [260, 365]),
    line([260, 365], [740, 365]),
    bend([740, 365], [850, 370], [880, 270]),
    line([880, 270], [800, 270], [740, 365]),
    bend([130, 420], [160, 450], [300, 450]),
    line([300, 450], [700, 450], [860, 380]),
    line([420, 420], [620, 640], [690, 640], [580, 420]),
    line([430, 365], [560, 210], [620, 210], [560, 365]),
    arc(250, 400, 12, 12),
    arc(330, 400, 12, 12),
    arc(410, 400, 12, 12),
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
