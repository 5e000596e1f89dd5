/** What a reload keeps: the drawing, words and settings. A browser that stores nothing loses only this. */

const KEY = "sketchseek.v1";

/** @returns {Record<string, any>} */
export function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return kept && typeof kept === "object" ? kept : {};
  } catch {
    return {};
  }
}

/** Keep `values` beside what is kept already. */
export function keep(/** @type {Record<string, unknown>} */ values) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...load(), ...values }));
  } catch {
    // full or forbidden: the page works without
  }
}

/** Strokes as they were kept, or none if that is not what is there. @returns {import("./drawing.js").Stroke[]} */
export function strokesOf(/** @type {unknown} */ kept) {
  const numbers = (/** @type {unknown} */ values) => Array.isArray(values) && values.every(Number.isFinite);
  if (!Array.isArray(kept)) return [];
  return kept.filter((one) => one && Number.isFinite(one.width) && [one.xs, one.ys, one.pressures].every(numbers)
    && one.xs.length > 0 && one.xs.length === one.ys.length && one.xs.length === one.pressures.length);
}
