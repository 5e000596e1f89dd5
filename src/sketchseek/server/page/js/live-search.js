/** Search again when the query changes: at most one request at a time, outdated responses are dropped. */

import { ServerBusy, ServerUnreachable } from "./api.js";

const MAX_TRIES = 5;

/**
 * @template A
 * @typedef {{search: (signal: AbortSignal) => Promise<A> | null, show: (response: A | null) => void,
 *   fail: (error: Error) => void, busy: (waiting: boolean) => void, unreachable: () => void, pending: (on: boolean) => void}} Callbacks
 *   `search` returns null if there is nothing to search for; `pending`: whether a response is still to come
 */

/** @template A */
export class LiveSearch {
  /** @type {Callbacks<A>} */ #callbacks;
  /** @type {AbortController | null} */ #current = null;
  #timer = 0;
  #turn = 0; // of the last search that was asked for or stopped: an older one that waits does not begin
  #again = false;

  constructor(/** @type {Callbacks<A>} */ callbacks) {
    this.#callbacks = callbacks;
  }

  /** Search after `delay` ms without another change, and drop the current request then. */
  schedule(delay = 0) {
    clearTimeout(this.#timer);
    this.#again = false;
    this.#callbacks.pending(true);
    const turn = ++this.#turn;
    const start = () => turn === this.#turn && this.#start();
    if (delay) this.#timer = setTimeout(start, delay);
    else queueMicrotask(start); // after all that happens now; a timer would let the browser paint first
  }

  /**
   * Search while a stroke is drawn: at most every `pace` ms, and only after the previous response, because otherwise a
   * long stroke would never see one.
   */
  whileDrawing(pace = 90) {
    if (this.#current) this.#again = true;
    else this.#timer ||= setTimeout(() => this.#start(), pace);
    this.#callbacks.pending(true);
  }

  /** Drop the current request and the scheduled one. */
  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#turn++;
    this.#again = false;
    this.#current?.abort();
    this.#current = null;
    this.#callbacks.busy(false);
    this.#callbacks.pending(false);
  }

  async #start() {
    this.stop();
    const mine = (this.#current = new AbortController());
    this.#callbacks.pending(true);
    let waits = false; // for the server to respond at all
    try {
      const response = await this.#searchWithRetries(mine.signal);
      if (mine === this.#current) this.#callbacks.show(response);
    } catch (error) {
      if (mine !== this.#current) return; // aborted by a newer search
      waits = error instanceof ServerUnreachable;
      if (waits) this.#callbacks.unreachable();
      else this.#callbacks.fail(/** @type {Error} */ (error));
    } finally {
      if (mine === this.#current) {
        this.#current = null;
        this.#callbacks.busy(false);
        this.#callbacks.pending(waits || this.#timer !== 0);
        if (this.#again) this.whileDrawing();
        this.#again = false;
      }
    }
  }

  /** @returns {Promise<A | null>} */
  async #searchWithRetries(/** @type {AbortSignal} */ signal) {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#callbacks.search(signal);
      } catch (error) {
        if (!(error instanceof ServerBusy) || tries === MAX_TRIES || signal.aborted) throw error;
        this.#callbacks.busy(true);
        await new Promise((resolve) => setTimeout(resolve, error.seconds * 1000));
        signal.throwIfAborted();
      }
    }
  }
}
