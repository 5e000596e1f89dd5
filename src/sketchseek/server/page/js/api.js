/** Requests to the server, the types of its responses, and the errors. */

/** @import { Within } from "./timeline.js" */
/**
 * @typedef {{id: string, name: string, folder: string, width: number, height: number, taken: string | null,
 *   duplicates: number, colours: string | null}} Photo
 * @typedef {Photo & {score: number, relevance: number | null, weak: boolean}} Hit
 * @typedef {{month: string | null, folder: string | null, count: number, pages: string[]}} Section `pages`: the id of every 200th photo
 * @typedef {{hits: Hit[], more: boolean, note: string | null, guesses: string[], took_ms: Record<string, number>}} SearchResponse
 * @typedef {{id: string, name: string, folder: string, path: string, width: number, height: number,
 *   taken: string | null, duplicates: string[]}} PhotoDetails
 * @typedef {{bytes: number, camera: string | null, lens: string | null, aperture: number | null, exposure_s: number | null,
 *   iso: number | null, focal_mm: number | null, place: [number, number] | null}} PhotoFacts
 * @typedef {[number, number, number, number]} Box left, top, right, bottom as fractions
 * @typedef {{id: string, grid: number, photo: number[], drawing: number[] | null, best: (number | null)[] | null,
 *   photo_box: Box, drawing_box: Box | null}} Explanation
 * @typedef {{version: string, photos: number, files: number, duplicates: number, failed: number, model: string | null,
 *   explains: boolean, adds_folders: boolean, watching: boolean, reveals: boolean, accepts: string[], folders: {folder: string, path: string}[],
 *   indexing: {state: string, model: string | null, done: number | null, total: number | null, failed: number, photos_per_s: number | null,
 *   seconds: number | null, error: string | null}, failures: {file: string, reason: string}[]}} Status
 * @typedef {{folder: string | null, parent: string | null, folders: string[], photos: number, more: boolean,
 *   suggestions: string[]}} PlacesListing
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

/** @returns {Promise<{photos: number, sections: Section[]}>} */
export const timeline = (/** @type {Within} */ within, /** @type {"date" | "folder"} */ by) =>
  fetchJson(`api/timeline?${withinQuery(within)}&${new URLSearchParams({ by })}`, {});

/** `k` photos of a section from the one with the id `first`. @returns {Promise<Photo[]>} */
export const timelinePage = async (/** @type {Section} */ { folder }, /** @type {string} */ first, /** @type {number} */ k, /** @type {Within} */ within) =>
  (await fetchJson(`api/timeline/page?${withinQuery(within)}&${new URLSearchParams({ first, k: String(k), ...(folder === null ? {} : { folder }) })}`, {})).photos;

/** All folders of the gallery, with the number of photos in each. @returns {Promise<{folder: string, files: number}[]>} */
export const folderTree = async () => (await fetchJson("api/folders", {})).folders;

/** The cameras that took photos. @returns {Promise<{camera: string, photos: number}[]>} */
export const cameras = async () => (await fetchJson("api/cameras", {})).cameras;

const withinQuery = (/** @type {Within} */ { from, to, ...others }) =>
  new URLSearchParams(Object.entries({ taken_from: from, taken_to: to, ...others, name: others.name.trim() }).filter(([, value]) => value));

/** @returns {Promise<PhotoDetails>} */
export const about = (/** @type {Photo} */ photo, /** @type {AbortSignal} */ signal) => fetchJson(`${photoUrl(photo.id)}/about?${fileOf(photo)}`, { signal });

/** @returns {Promise<Status>} */
export const status = () => fetchJson("api/status", { signal: AbortSignal.timeout(8000) });

/** @returns {Promise<KnownModel[]>} */
export const models = async () => (await fetchJson("api/models", {})).models;

/** Index all photos with another model, then search with it. */
export const changeModel = (/** @type {string} */ name) => fetchJson(`api/models/${encodeURIComponent(name)}/use`, { method: "POST" });

export const stopIndexing = () => fetchJson("api/indexing/stop", { method: "POST" });

export const resumeIndexing = () => fetchJson("api/indexing/resume", { method: "POST" });

/** The folders of the server's machine in one that can be added; null: where to begin. @returns {Promise<PlacesListing>} */
export const places = (/** @type {string | null} */ folder) =>
  fetchJson(`api/places${folder === null ? "" : `?${new URLSearchParams({ folder })}`}`, {});

export const addFolder = (/** @type {string} */ folder) => change("add", { folder });

/** Look for changes in all folders; `retry`: open files again that failed before. */
export const scanFolders = (/** @type {boolean} */ retry) => change("scan", { retry: String(retry) });

/** @returns {Promise<{files: number}>} */
export const forgetFolder = (/** @type {string} */ folder) => change("forget", { folder });

export const watchFolders = (/** @type {boolean} */ on) => change("watch", { on: String(on) });

const change = (/** @type {string} */ what, /** @type {Record<string, string>} */ values) =>
  fetchJson(`api/folders/${what}?${new URLSearchParams(values)}`, { method: "POST" });

/** @returns {Promise<{collections: {name: string, photos: number}[], searches: {name: string, query: Record<string, any>}[]}>} */
export const collections = () => fetchJson("api/collections", {});

/** @returns {Promise<{photos: Photo[], more: boolean}>} */
export const collectionPhotos = (/** @type {string} */ name, /** @type {number} */ offset, /** @type {number} */ k) =>
  fetchJson(`api/collections/photos?${new URLSearchParams({ name, offset: String(offset), k: String(k) })}`, {});

/** Add photos to a collection, or remove them. @returns {Promise<{photos: number}>} */
export const collect = (/** @type {"add" | "remove"} */ how, /** @type {string} */ name, /** @type {string[]} */ ids) =>
  fetchJson(`api/collections/${how}`, { method: "POST", body: formOf({ name, ids: ids.join(" ") }) });

/** Copy some photos of a collection into a folder, or link to them there. @returns {Promise<{folder: string, photos: number, failed: string[], more: boolean}>} */
export const copyCollection = (/** @type {string} */ name, /** @type {string} */ folder, /** @type {"copy" | "link"} */ how, /** @type {number} */ offset) =>
  fetchJson(`api/collections/copy?${new URLSearchParams({ name, folder, how, offset: String(offset) })}`, { method: "POST" });

/** A file with all photos of a collection, or with their paths. */
export const exportUrl = (/** @type {string} */ name, /** @type {"zip" | "lines" | "null" | "json"} */ form) =>
  form === "zip" ? `api/collections/zip?${new URLSearchParams({ name })}` : `api/collections/paths?${new URLSearchParams({ name, form })}`;

export const deleteCollection = (/** @type {string} */ name) => fetchJson(`api/collections/delete?${new URLSearchParams({ name })}`, { method: "POST" });

export const saveSearch = (/** @type {string} */ name, /** @type {object} */ query) =>
  fetchJson("api/searches/save", { method: "POST", body: formOf({ name, query: JSON.stringify(query) }) });

export const deleteSearch = (/** @type {string} */ name) => fetchJson(`api/searches/delete?${new URLSearchParams({ name })}`, { method: "POST" });

function formOf(/** @type {Record<string, string>} */ values) {
  const form = new FormData();
  for (const [name, value] of Object.entries(values)) form.set(name, value);
  return form;
}

/** @returns {Promise<PhotoFacts>} */
export const facts = (/** @type {string} */ id, /** @type {AbortSignal} */ signal) => fetchJson(`${photoUrl(id)}/facts`, { signal });

/** Show a photo in the file manager of the server's machine. */
export const reveal = (/** @type {Photo} */ photo) => fetchJson(`${photoUrl(photo.id)}/reveal?${fileOf(photo)}`, { method: "POST" });

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

export const downloadUrl = (/** @type {Photo} */ photo) => `${photoUrl(photo.id)}?download=true&${fileOf(photo)}`;

/** Which file of a photo is meant: the one that is shown. */
const fileOf = (/** @type {Photo} */ { folder, name }) => new URLSearchParams({ file: `${folder}/${name}` });

/** `side`: the longer side in px: 160, 320, 640 or 1280. */
export const thumbnailUrl = (/** @type {string} */ id, side = 320) => `${photoUrl(id)}/thumbnail?size=${side}`;

/** @returns {Promise<any>} */
async function fetchJson(/** @type {string} */ url, /** @type {RequestInit} */ request) {
  let response;
  try {
    response = await fetch(url, request);
    if (response.status === 204) return null;
    if (response.ok) return await response.json();
  } catch (error) {
    if ((error instanceof DOMException && error.name === "AbortError") || error instanceof SyntaxError) throw error;
    throw new ServerUnreachable("the server does not respond"); // or no longer, in the middle of a response
  }
  if (response.status === 503) throw new ServerBusy(Number(response.headers.get("Retry-After")) || 1);
  if (response.status === 401) location.reload(); // the server then shows its login page
  const body = await response.json().catch(() => ({}));
  throw new RequestError(response.status, body.error ?? `The server responded with status ${response.status}.`);
}
