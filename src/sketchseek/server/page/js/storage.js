/** What is kept across reloads: drawing, words and settings. The page also works in browsers that store nothing. */

const KEY = "sketchseek.v1";

/** @returns {Record<string, any>} */
export function load() {
  try {
    const saved = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return saved && typeof saved === "object" ? saved : {};
  } catch {
    return {};
  }
}

/** Save `values` in addition to the saved ones. */
export function save(/** @type {Record<string, unknown>} */ values) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...load(), ...values }));
  } catch {
    // storage is full or forbidden
  }
}

/** The valid strokes of a saved value. @returns {import("./drawing.js").Stroke[]} */
export function validStrokes(/** @type {unknown} */ saved) {
  const numbers = (/** @type {unknown} */ values) => Array.isArray(values) && values.every(Number.isFinite);
  if (!Array.isArray(saved)) return [];
  return saved.filter((one) => one && Number.isFinite(one.width) && [one.xs, one.ys, one.pressures].every(numbers)
    && one.xs.length > 0 && one.xs.length === one.ys.length && one.xs.length === one.pressures.length
    && (one.colour === undefined || /^#[0-9a-f]{6}$/.test(one.colour)));
}
