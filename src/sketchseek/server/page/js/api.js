/** Requests to the server, the types of its responses, and the errors. */

/**
 * @typedef {{id: string, score: number, relevance: number, weak: boolean, name: string, folder: string, width: number,
 *   height: number, taken: string | null, duplicates: number}} Hit
 * @typedef {{hits: Hit[], more: boolean, note: string | null, took_ms: Record<string, number>}} SearchResponse
 * @typedef {{id: string, name: string, folder: string, path: string, width: number, height: number,
 *   taken: string | null, duplicates: string[]}} PhotoDetails
 * @typedef {[number, number, number, number]} Box left, top, right, bottom as fractions
 * @typedef {{id: string, grid: number, photo: number[], drawing: number[] | null, best: (number | null)[] | null,
 *   photo_box: Box, drawing_box: Box | null}} Explanation
 * @typedef {{version: string, photos: number, files: number, duplicates: number, failed: number, model: string | null,
 *   explains: boolean, folders: {folder: string, path: string}[],
 *   indexing: {state: string, model: string | null, done: number | null, total: number | null, failed: number, photos_per_s: number | null,
 *   seconds: number | null, error: string | null}, failures: {file: string, reason: string}[]}} Status
 * @typedef {{name: string, about: string, licence: string, languages: string, speed: string, bytes: number | null,
 *   here: boolean, vectors: number, current: boolean}} KnownModel
 */

/** The server rejected the request; the message is for the user. */
export class RequestError extends Error {
  constructor(/** @type {number} */ status, /** @type {string} */ message) {
    super(message);
    this.status = status;
  }
}

/** The server is at its limit; repeat the request after `seconds`. */
export class ServerBusy extends Error {
  constructor(/** @type {number} */ seconds) {
    super("the server is busy");
    this.seconds = seconds;
  }
}

/** The server does not respond. */
export class ServerUnreachable extends Error {}

/** @returns {Promise<SearchResponse>} */
export const search = (/** @type {FormData} */ form, /** @type {AbortSignal} */ signal) =>
  fetchJson("api/search", { method: "POST", body: form, signal });

/** @returns {Promise<Explanation>} */
export const explain = (/** @type {FormData} */ form, /** @type {AbortSignal} */ signal) =>
  fetchJson("api/explain", { method: "POST", body: form, signal });

/** @returns {Promise<PhotoDetails>} */
export const about = (/** @type {string} */ id, /** @type {AbortSignal} */ signal) => fetchJson(`${photoUrl(id)}/about`, { signal });

/** @returns {Promise<Status>} */
export const status = () => fetchJson("api/status", { signal: AbortSignal.timeout(8000) });

/** @returns {Promise<KnownModel[]>} */
export const models = async () => (await fetchJson("api/models", {})).models;

/** Index all photos with another model, then search with it. */
export const changeModel = (/** @type {string} */ name) => fetchJson(`api/models/${encodeURIComponent(name)}/use`, { method: "POST" });

export const stopIndexing = () => fetchJson("api/indexing/stop", { method: "POST" });

/** Why a photo has no thumbnail. @returns {Promise<string>} */
export async function thumbnailFailure(/** @type {string} */ id) {
  try {
    await fetchJson(thumbnailUrl(id), {});
    return "";
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
}

export const photoUrl = (/** @type {string} */ id) => `api/photos/${encodeURIComponent(id)}`;

/** `side`: the longer side in px: 160, 320, 640 or 1280. */
export const thumbnailUrl = (/** @type {string} */ id, side = 320) => `${photoUrl(id)}/thumbnail?size=${side}`;

/** @returns {Promise<any>} */
async function fetchJson(/** @type {string} */ url, /** @type {RequestInit} */ request) {
  let response;
  try {
    response = await fetch(url, request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ServerUnreachable("the server does not respond");
  }
  if (response.ok) return response.json();
  if (response.status === 503) throw new ServerBusy(Number(response.headers.get("Retry-After")) || 1);
  if (response.status === 401) location.reload(); // the server then shows its login page
  const body = await response.json().catch(() => ({}));
  throw new RequestError(response.status, body.error ?? `The server responded with status ${response.status}.`);
}
