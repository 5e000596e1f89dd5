/** The address carries the query after its #, which is not sent to the server: words, marks, filters, ids of drawings. */

import { load, validStrokes } from "./storage.js";
import { idOf, keep, kept } from "./kept.js";

/** @import { Query, Picture } from "./query.js" */

const TEXTS = /** @type {const} */ (["text", "minus", "under", "from", "to", "name", "kind", "camera"]);
const LOOKS = ["picture", "both", "kind"];

/** @type {WeakMap<File, string>} */ const ids = new WeakMap();

/** The query, and the collection that is shown, as the text after #; empty for an empty query without filters. */
export function addressOf(/** @type {Query} */ query, /** @type {string | null} */ collection = null) {
  const values = new URLSearchParams();
  for (const name of TEXTS) if (query[name].trim()) values.set(name, query[name].trim());
  if (!query.drawing.isEmpty) {
    const strokes = JSON.stringify(query.drawing.strokes);
    values.set("drawing", idOf(strokes));
  }
  for (const picture of query.pictures) values.append(picture.kind === "sketch" ? "sketch" : "photo", idOfFile(picture.file));
  for (const how of /** @type {const} */ (["like", "unlike"])) for (const { id, name } of query[how]) values.append(how, `${id}:${name}`);
  if (query.look !== "both") values.set("look", query.look);
  if (query.balance !== 50) values.set("balance", String(query.balance));
  if (query.threshold) values.set("threshold", String(query.threshold));
  if (!query.fold) values.set("fold", "no");
  if (query.coloursOnly && query.hasColours) values.set("colours", "only");
  if (collection !== null) values.set("collection", collection);
  return values.toString();
}

/** Keep what the address names by id. */
export async function keepParts(/** @type {Query} */ query) {
  if (!query.drawing.isEmpty) await keep(idOf(JSON.stringify(query.drawing.strokes)), query.drawing.strokes);
  for (const { file } of query.pictures) await keep(idOfFile(file), file);
}

/**
 * The values of a query for an address; `missing`: drawings or pictures that this browser does not have.
 * @returns {Promise<{values: Partial<Query>, strokes: import("./drawing.js").Stroke[], collection: string | null, missing: number}>}
 */
export async function read(/** @type {string} */ address) {
  const given = new URLSearchParams(address);
  let missing = 0;
  const number = (/** @type {string} */ name, /** @type {number} */ usual) => {
    const value = Number(given.get(name) ?? usual);
    return value >= 0 && value <= 100 ? value : usual;
  };
  /** @type {Picture[]} */ const pictures = [];
  for (const kind of /** @type {const} */ (["sketch", "photo"])) {
    for (const id of given.getAll(kind).slice(0, 4)) {
      const file = await kept(id);
      if (file instanceof File) {
        ids.set(file, id);
        pictures.push({ kind, file, url: /\.(json|ndjson)$/i.test(file.name) ? "" : URL.createObjectURL(file) });
      } else missing++;
    }
  }
  const drawing = given.get("drawing");
  const last = load().strokes; // of a drawing that was not kept yet when the page was closed
  const strokes = drawing ? validStrokes((await kept(drawing)) ?? (idOf(JSON.stringify(last ?? null)) === drawing ? last : null)) : [];
  if (drawing && !strokes.length) missing++;
  const marks = (/** @type {string} */ how) => given.getAll(how).slice(0, 64).map((mark) => ({ id: mark.slice(0, 16), name: mark.slice(17) }))
    .filter(({ id }) => /^[0-9a-f]{16}$/.test(id));
  const look = given.get("look") ?? "both";
  const values = {
    ...Object.fromEntries(TEXTS.map((name) => [name, (given.get(name) ?? "").slice(0, name === "under" ? 4096 : 300)])),
    pictures, like: marks("like"), unlike: marks("unlike"), look: LOOKS.includes(look) ? look : "both",
    balance: number("balance", 50), threshold: number("threshold", 0), fold: given.get("fold") !== "no", coloursOnly: given.get("colours") === "only",
  };
  return { values, strokes, collection: given.get("collection"), missing };
}

function idOfFile(/** @type {File} */ file) {
  const id = ids.get(file) ?? idOf(`${file.name} ${file.size} ${file.lastModified}`);
  ids.set(file, id);
  return id;
}
