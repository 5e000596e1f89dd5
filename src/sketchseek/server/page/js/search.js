/** Asks the server anew as the question changes: one answer under way at most, stale ones dropped. */

import { Busy, Lost } from "./api.js";

const MAX_TRIES = 5;

/**
 * @template A
 * @typedef {{ask: (signal: AbortSignal) => Promise<A> | null, show: (answer: A | null) => void,
 *   refuse: (reason: Error) => void, busy: (waiting: boolean) => void, lost: () => void}} Ways
 *   `ask` gives null if there is nothing to ask
 */

/** @template A */
export class LiveSearch {
  /** @type {Ways<A>} */ #ways;
  /** @type {AbortController | null} */ #underWay = null;
  #timer = 0;
  #again = false;

  constructor(/** @type {Ways<A>} */ ways) {
    this.#ways = ways;
  }

  /** Ask after `delay` ms without another change; an answer under way is no longer wanted. */
  soon(delay = 0) {
    clearTimeout(this.#timer);
    this.#again = false;
    this.#timer = setTimeout(() => this.#start(), delay);
  }

  /**
   * Ask while a stroke grows: every `pace` ms at most, and only when the answer before has come, for otherwise a long
   * stroke would see none.
   */
  meanwhile(pace = 90) {
    if (this.#underWay) this.#again = true;
    else this.#timer ||= setTimeout(() => this.#start(), pace);
  }

  /** Nothing under way is wanted any more. */
  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#again = false;
    this.#underWay?.abort();
    this.#underWay = null;
  }

  async #start() {
    this.stop();
    const mine = (this.#underWay = new AbortController());
    try {
      const answer = await this.#patiently(mine.signal);
      if (mine === this.#underWay) this.#ways.show(answer);
    } catch (error) {
      if (mine !== this.#underWay) return; // aborted by a newer question
      if (error instanceof Lost) this.#ways.lost();
      else this.#ways.refuse(/** @type {Error} */ (error));
    } finally {
      if (mine === this.#underWay) {
        this.#underWay = null;
        this.#ways.busy(false);
        if (this.#again) this.meanwhile();
        this.#again = false;
      }
    }
  }

  /** @returns {Promise<A | null>} */
  async #patiently(/** @type {AbortSignal} */ signal) {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#ways.ask(signal);
      } catch (error) {
        if (!(error instanceof Busy) || tries === MAX_TRIES || signal.aborted) throw error;
        this.#ways.busy(true);
        await new Promise((resolve) => setTimeout(resolve, error.seconds * 1000));
        signal.throwIfAborted();
      }
    }
  }
}
