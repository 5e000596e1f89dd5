/** The query: drawing, words, pictures, marked photos, what to look for and filters, and the form to send. */

import { SHEET, WIDTHS } from "./drawing.js";

/** @import { Drawing } from "./drawing.js" */
/**
 * `url` shows it on the page, empty if the browser cannot. `problem`: why the server cannot use it; it is left out.
 * @typedef {{kind: "sketch" | "photo", file: File, url: string, problem?: string}} Picture
 */
/** @typedef {{id: string, name: string}} Marked */

export const PAGE = 48;
const FOLD = 0.97;
export const MAX_PICTURES = 4;
const MAX_TEXTS = 8;

/** Fires "change"; `detail.typing` is true while the user types or moves a slider. */
export class Query extends EventTarget {
  /** @type {Picture[]} */ pictures = [];
  /** @type {Marked[]} */ like = [];
  /** @type {Marked[]} */ unlike = [];
  text = "";
  minus = "";
  /** 0: only drawings and photos, 100: only words. */ balance = 50;
  /** The least relevance of a photo, in percent. */ threshold = 0;
  /** "picture", "kind" or "both". */ look = "both";
  under = "";
  from = "";
  to = "";
  /** A part of the file name. */ name = "";
  kind = "";
  camera = "";
  fold = true;
  /** Of a coloured drawing, only where which colour is counts. */ coloursOnly = false;

  constructor(/** @type {Drawing} */ drawing) {
    super();
    this.drawing = drawing;
  }

  get hasPictures() { return !this.drawing.isEmpty || this.#usable.length > 0; }
  get #usable() { return this.pictures.filter(({ problem }) => !problem); }
  get hasColours() { return this.drawing.strokes.some(({ colour }) => colour); }
  get isEmpty() { return !this.hasPictures && !this.text.trim() && !this.like.length; }
  get filters() { return [this.under, this.from || this.to, this.name.trim(), this.kind, this.camera, this.threshold].filter(Boolean).length; }

  set(/** @type {Partial<Query>} */ values, typing = false) {
    Object.assign(this, values);
    this.changed(typing);
  }

  changed(typing = false) {
    this.dispatchEvent(new CustomEvent("change", { detail: { typing } }));
  }

  /** @returns {boolean} false if the query already has as many as the server accepts */
  addPicture(/** @type {Picture} */ picture) {
    if (this.pictures.filter((one) => one.kind === picture.kind).length >= MAX_PICTURES) return false;
    this.set({ pictures: [...this.pictures, picture] });
    return true;
  }

  /** Mark a photo as liked or unliked; marking it the same way again removes the mark. */
  mark(/** @type {"like" | "unlike"} */ how, /** @type {Marked} */ { id, name }) {
    const had = this[how].some((one) => one.id === id);
    this.like = this.like.filter((one) => one.id !== id);
    this.unlike = this.unlike.filter((one) => one.id !== id);
    if (!had) this[how] = [...this[how], { id, name }].slice(-64);
    this.changed();
  }

  /** @returns {"like" | "unlike" | null} */
  markOf(/** @type {string} */ id) {
    if (this.like.some((one) => one.id === id)) return "like";
    return this.unlike.some((one) => one.id === id) ? "unlike" : null;
  }

  /** Such a query gives no relevance, and no parts of a photo that match. */
  get isOfColoursAlone() {
    return this.coloursOnly && this.hasColours && !this.text.trim() && !this.minus.trim() && !this.like.length && !this.unlike.length && !this.#usable.length;
  }

  /** The terms of the query, without paging and filters. */
  terms() {
    const form = new FormData();
    if (!this.drawing.isEmpty) form.set("strokes", JSON.stringify(strokesRecord(this.drawing)));
    for (const { kind, file } of this.#usable) form.append(kind, file, file.name);
    if (this.text.trim()) form.append("text", this.text.trim());
    for (const words of this.minus.split(",").map((part) => part.trim()).filter(Boolean).slice(0, MAX_TEXTS)) {
      form.append("minus", words);
    }
    for (const { id } of this.like) form.append("like", id);
    for (const { id } of this.unlike) form.append("unlike", id);
    const drawn = Math.min(1, 2 - this.balance / 50);
    const balanced = this.text.trim() && this.hasPictures ? { sketch: drawn, photo: drawn, text: Math.min(1, this.balance / 50) } : {};
    const weights = { ...balanced, ...(this.coloursOnly && this.hasColours ? { sketch: 0 } : {}) };
    if (Object.keys(weights).length) form.set("weights", JSON.stringify(weights));
    return form;
  }

  /** The complete form, for the first hits. */
  form() {
    const form = this.terms();
    form.set("k", String(PAGE));
    form.set("look", this.look);
    if (this.threshold && !this.isOfColoursAlone) form.set("min_relevance", String(this.threshold / 100));
    if (this.under) form.set("under", this.under);
    if (this.from) form.set("taken_from", this.from);
    if (this.to) form.set("taken_to", this.to);
    if (this.name.trim()) form.set("name", this.name.trim());
    if (this.kind) form.set("kind", this.kind);
    if (this.camera) form.set("camera", this.camera);
    if (this.fold) form.set("fold", String(FOLD));
    return form;
  }
}

/** The drawing in the format of the server; a width of 1 is that of a medium line. */
function strokesRecord(/** @type {Drawing} */ { strokes }) {
  const mean = (/** @type {readonly number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    drawing: strokes.map(({ xs, ys }) => [xs, ys]),
    widths: strokes.map(({ width, pressures }) => Math.round(((width * mean(pressures)) / WIDTHS.medium) * 100) / 100),
    sheet: [SHEET.width, SHEET.height],
    ...(strokes.some(({ colour }) => colour) ? { colours: strokes.map(({ colour }) => colour ?? null) } : {}),
  };
}
