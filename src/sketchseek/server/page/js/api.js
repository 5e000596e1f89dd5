/** The server's answers, and what can go wrong on the way to them. */

/**
 * @typedef {{id: string, score: number, relevance: number | null, name: string, folder: string, width: number,
 *   height: number, taken: string | null, duplicates: number}} Hit
 * @typedef {{hits: Hit[], more: boolean, note: string | null, took_ms: Record<string, number>}} Answer
 * @typedef {{id: string, name: string, folder: string, path: string, width: number, height: number,
 *   taken: string | null, duplicates: string[]}} About
 * @typedef {[number, number, number, number]} Box left, top, right, bottom as fractions
 * @typedef {{id: string, grid: number, photo: number[], drawing: number[] | null, best: (number | null)[] | null,
 *   photo_box: Box, drawing_box: Box | null}} Explanation
 * @typedef {{version: string, photos: number, files: number, duplicates: number, failed: number, model: string | null,
 *   explains: boolean, relevance: boolean, folders: {folder: string, path: string}[],
 *   indexing: {state: string, done: number | null, total: number | null, failed: number, photos_per_s: number | null,
 *   seconds: number | null, error: string | null}, failures: {file: string, reason: string}[]}} Status
 */

/** The server said no, in a sentence for people. */
export class Refusal extends Error {
  constructor(/** @type {number} */ status, /** @type {string} */ sentence) {
    super(sentence);
    this.status = status;
  }
}

/** The server has too much to do; ask again after `seconds`. */
export class Busy extends Error {
  constructor(/** @type {number} */ seconds) {
    super("the server is busy");
    this.seconds = seconds;
  }
}

/** The server does not answer at all. */
export class Lost extends Error {}

/** @returns {Promise<Answer>} */
export const search = (/** @type {FormData} */ form, /** @type {AbortSignal} */ signal) =>
  ask("api/search", { method: "POST", body: form, signal });

/** @returns {Promise<Explanation>} */
export const explain = (/** @type {FormData} */ form, /** @type {AbortSignal} */ signal) =>
  ask("api/explain", { method: "POST", body: form, signal });

/** @returns {Promise<About>} */
export const about = (/** @type {string} */ id, /** @type {AbortSignal} */ signal) => ask(`${photoUrl(id)}/about`, { signal });

/** @returns {Promise<Status>} */
export const status = () => ask("api/status", { signal: AbortSignal.timeout(8000) });

/** Why a photo has no thumbnail. @returns {Promise<string>} */
export async function thumbnailFailure(/** @type {string} */ id) {
  try {
    await ask(thumbnailUrl(id), {});
    return "";
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
}

export const photoUrl = (/** @type {string} */ id) => `api/photos/${encodeURIComponent(id)}`;

/** `side`: the longer one in px, 160, 320, 640 or 1280. */
export const thumbnailUrl = (/** @type {string} */ id, side = 320) => `${photoUrl(id)}/thumbnail?size=${side}`;

/** @returns {Promise<any>} */
async function ask(/** @type {string} */ url, /** @type {RequestInit} */ request) {
  let response;
  try {
    response = await fetch(url, request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Lost("the server does not answer");
  }
  if (response.ok) return response.json();
  if (response.status === 503) throw new Busy(Number(response.headers.get("Retry-After")) || 1);
  if (response.status === 401) location.reload(); // the server then asks for the token
  const body = await response.json().catch(() => ({}));
  throw new Refusal(response.status, body.error ?? `The server answered ${response.status}.`);
}
