/** The strokes of a drawing and their history. Knows nothing of the page. */

/** The sheet's size in its own units; every coordinate below is in these. */
export const SHEET = { width: 1000, height: 800 };

/** Width of a line in sheet units. */
export const WIDTHS = { fine: 6, medium: 12, broad: 26 };

/** The server refuses more points; a pen that reports 120 a second draws for minutes. */
export const MAX_POINTS = 40_000;

const HISTORY = 200;

/**
 * Never changed once made, so that steps of the history share strokes.
 * @typedef {{width: number, xs: readonly number[], ys: readonly number[], pressures: readonly number[]}} Stroke
 *   `pressures` are factors on the width, 1 for a mouse.
 */

/** Fires "change" on whatever changes the strokes, "settle" when a step is done and not only growing. */
export class Drawing extends EventTarget {
  /** @type {readonly Stroke[]} */ strokes = [];
  /** @type {(readonly Stroke[])[]} */ #past = [];
  /** @type {(readonly Stroke[])[]} */ #future = [];
  /** @type {readonly Stroke[] | null} */ #before = null;

  get isEmpty() { return this.strokes.length === 0; }
  get canUndo() { return this.#past.length > 0; }
  get canRedo() { return this.#future.length > 0; }
  get isFull() { return this.strokes.reduce((sum, stroke) => sum + stroke.xs.length, 0) >= MAX_POINTS; }

  /** Show strokes of a gesture that still goes on: one step of the history, however often it is called. */
  grow(/** @type {readonly Stroke[]} */ strokes) {
    this.#before ??= this.strokes;
    this.strokes = strokes;
    this.#tell("change");
  }

  /** The gesture is over. */
  settle() {
    if (this.#before && this.#before !== this.strokes) this.#remember(this.#before);
    this.#before = null;
    this.#tell("settle");
  }

  /** The gesture was none: a second finger, a palm. */
  cancel() {
    if (!this.#before) return;
    this.strokes = this.#before;
    this.#before = null;
    this.#tell("change", "settle");
  }

  /** Put other strokes in place of all, as one step. */
  replace(/** @type {readonly Stroke[]} */ strokes) {
    this.#remember(this.strokes);
    this.#before = null;
    this.strokes = strokes;
    this.#tell("change", "settle");
  }

  /** Strokes of an earlier visit: no step to undo. */
  restore(/** @type {readonly Stroke[]} */ strokes) {
    this.strokes = strokes;
    this.#tell("change", "settle");
  }

  undo() { this.#step(this.#past, this.#future); }
  redo() { this.#step(this.#future, this.#past); }

  clear() {
    if (!this.isEmpty) this.replace([]);
  }

  flip() {
    if (this.isEmpty) return;
    this.replace(this.strokes.map((stroke) => ({ ...stroke, xs: stroke.xs.map((x) => SHEET.width - x) })));
  }

  #step(/** @type {(readonly Stroke[])[]} */ from, /** @type {(readonly Stroke[])[]} */ to) {
    const other = this.#before ? undefined : from.pop();
    if (!other) return;
    to.push(this.strokes);
    this.strokes = other;
    this.#tell("change", "settle");
  }

  #remember(/** @type {readonly Stroke[]} */ strokes) {
    this.#past.push(strokes);
    if (this.#past.length > HISTORY) this.#past.shift();
    this.#future.length = 0;
  }

  #tell(/** @type {string[]} */ ...events) {
    for (const event of events) this.dispatchEvent(new Event(event));
  }
}
