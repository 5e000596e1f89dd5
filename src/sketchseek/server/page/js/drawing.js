/** The strokes of a drawing and their history, independent of the page. */

/** Size of the sheet in its own units, which all coordinates use. */
export const SHEET = { width: 1000, height: 800 };

/** Width of a line in sheet units. */
export const WIDTHS = { fine: 6, medium: 12, broad: 26 };

/** The server rejects more points; a pen that reports 120 a second can draw for minutes. */
export const MAX_POINTS = 40_000;

const MAX_HISTORY = 200;

/**
 * Immutable, so that steps of the history can share strokes.
 * @typedef {{width: number, xs: readonly number[], ys: readonly number[], pressures: readonly number[], colour?: string}} Stroke
 *   `pressures` are factors on the width, 1 for a mouse. `colour` as in "#2b6cd4"; black strokes have none.
 */

/** Fires "change" whenever the strokes change, "commit" when a step is complete, "clear" when all was to be cleared. */
export class Drawing extends EventTarget {
  /** @type {readonly Stroke[]} */ strokes = [];
  /** @type {(readonly Stroke[])[]} */ #past = [];
  /** @type {(readonly Stroke[])[]} */ #future = [];
  /** @type {readonly Stroke[] | null} */ #before = null;

  get isEmpty() { return this.strokes.length === 0; }
  get canUndo() { return this.#past.length > 0; }
  get canRedo() { return this.#future.length > 0; }
  get isFull() { return this.strokes.reduce((sum, stroke) => sum + stroke.xs.length, 0) >= MAX_POINTS; }

  /** Show the strokes of an unfinished gesture; all calls until `commit` are one step of the history. */
  preview(/** @type {readonly Stroke[]} */ strokes) {
    this.#before ??= this.strokes;
    this.strokes = strokes;
    this.#emit("change");
  }

  /** End the gesture. */
  commit() {
    if (this.#before && this.#before !== this.strokes) this.#addToHistory(this.#before);
    this.#before = null;
    this.#emit("commit");
  }

  /** Discard the gesture: it was a second finger or a palm. */
  cancel() {
    if (!this.#before) return;
    this.strokes = this.#before;
    this.#before = null;
    this.#emit("change", "commit");
  }

  /** Replace all strokes, as one step. */
  replace(/** @type {readonly Stroke[]} */ strokes) {
    this.#addToHistory(this.strokes);
    this.#before = null;
    this.strokes = strokes;
    this.#emit("change", "commit");
  }

  /** Show the strokes of an earlier visit, without a step to undo. */
  restore(/** @type {readonly Stroke[]} */ strokes) {
    this.strokes = strokes;
    this.#emit("change", "commit");
  }

  undo() { this.#move(this.#past, this.#future); }
  redo() { this.#move(this.#future, this.#past); }

  clear() {
    if (!this.isEmpty) this.replace([]);
    this.#emit("clear");
  }

  flip() {
    if (this.isEmpty) return;
    this.replace(this.strokes.map((stroke) => ({ ...stroke, xs: stroke.xs.map((x) => SHEET.width - x) })));
  }

  #move(/** @type {(readonly Stroke[])[]} */ from, /** @type {(readonly Stroke[])[]} */ to) {
    const strokes = this.#before ? undefined : from.pop();
    if (!strokes) return;
    to.push(this.strokes);
    this.strokes = strokes;
    this.#emit("change", "commit");
  }

  #addToHistory(/** @type {readonly Stroke[]} */ strokes) {
    this.#past.push(strokes);
    if (this.#past.length > MAX_HISTORY) this.#past.shift();
    this.#future.length = 0;
  }

  #emit(/** @type {string[]} */ ...events) {
    for (const event of events) this.dispatchEvent(new Event(event));
  }
}
