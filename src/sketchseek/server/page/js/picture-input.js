/** Pictures that the user chooses, drops or pastes: is it a drawing or a photo? Asks if it is unclear. */

import { byId } from "./dom.js";
import { t } from "./texts.js";

const DRAWINGS = /\.(svg|json|ndjson)$/i;
const MAX_BYTES = 32 * 2 ** 20 - 2 ** 16; // the server takes 32 MB, form included
const SIDE = 64; // px of the small copy that is examined

/** @typedef {"sketch" | "photo"} Kind */

/**
 * @param {File} file
 * @returns {Promise<{kind: Kind, url: string} | null>} `url` shows the picture, empty if the browser cannot;
 *   null if the user cancelled the question
 */
export async function recognise(file) {
  if (/\.(json|ndjson)$/i.test(file.name)) return { kind: "sketch", url: "" };
  const url = URL.createObjectURL(file);
  const image = new Image();
  image.src = url;
  const shown = await image.decode().then(() => true, () => false);
  const kind = DRAWINGS.test(file.name) ? "sketch" : shown ? guess(image) : "photo"; // RAW and HEIC come from cameras
  const chosen = kind ?? (await choose(url, file.name));
  if (!chosen || !shown) URL.revokeObjectURL(url);
  return chosen && { kind: chosen, url: shown ? url : "" };
}

/** A drawing is mostly paper of one tone, with little colour. @returns {Kind | null} null: unclear */
function guess(/** @type {HTMLImageElement} */ image) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(image, 0, 0, SIDE, SIDE);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  let white = 0, black = 0, clear = 0, coloured = 0;
  for (let i = 0; i < data.length; i += 4) {
    const [low, high] = [Math.min(data[i], data[i + 1], data[i + 2]), Math.max(data[i], data[i + 1], data[i + 2])];
    if (data[i + 3] < 32) clear++;
    else if (low > 225) white++;
    else if (high < 40) black++;
    if (high - low > 60) coloured++;
  }
  const all = SIDE * SIDE;
  const paper = Math.max(white + clear, black + clear) / all;
  if (paper > 0.6 && coloured / all < 0.1) return "sketch";
  return paper < 0.35 ? "photo" : null;
}

/** @returns {Promise<Kind | null>} */
function choose(/** @type {string} */ url, /** @type {string} */ name) {
  const dialog = byId("choice", HTMLDialogElement);
  byId("choice-picture", HTMLImageElement).src = url;
  byId("choice-name").textContent = name;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(/** @type {Kind} */ (dialog.returnValue) || null), { once: true });
  });
}

/**
 * Call `addFiles` with the files of the button, of drag and drop, and of the clipboard.
 * @param {(files: File[]) => void} addFiles
 */
export function listen(addFiles) {
  const input = byId("files", HTMLInputElement);
  const drop = byId("drop");
  byId("add-picture").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    addFiles([...(input.files ?? [])]);
    input.value = ""; // so that the same file can be chosen again
  });
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.hidden = true;
  });
  addEventListener("drop", (event) => {
    drop.hidden = true;
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    addFiles([...event.dataTransfer.files]);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return; // text is pasted as usual
    event.preventDefault();
    addFiles(files);
  });
}

/** Why a file cannot be used, or an empty string. */
export function problem(/** @type {File} */ file) {
  if (!file.size) return t("{name} is empty.", { name: file.name });
  return file.size > MAX_BYTES ? t("{name} is larger than {size} MB.", { name: file.name, size: Math.round(MAX_BYTES / 2 ** 20) }) : "";
}
