/** What the server is doing, asked again and again; also how its loss and its return are noticed. */

import { Lost, status } from "./api.js";

/** @import { Status } from "./api.js" */

const BUSY = 1000; // ms between two questions while photos are being taken in
const CALM = 10_000;
const LOST = [500, 1000, 2000, 4000];

/** Fires "status" with each answer, "lost" and "back" when the server goes and comes. */
export class StatusWatch extends EventTarget {
  /** @type {Status | null} */ last = null;
  #failures = 0;
  #timer = 0;

  get isLost() { return this.#failures > 0; }

  async ask() {
    clearTimeout(this.#timer);
    let wait = CALM;
    try {
      this.last = await status();
      if (["looking", "indexing"].includes(this.last.indexing.state)) wait = BUSY;
      const returned = this.isLost;
      this.#failures = 0;
      this.dispatchEvent(new Event("status"));
      if (returned) this.dispatchEvent(new Event("back"));
    } catch (error) {
      if (error instanceof Lost && this.#failures++ === 0) this.dispatchEvent(new Event("lost"));
      wait = LOST[Math.min(Math.max(0, this.#failures - 1), LOST.length - 1)];
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.ask(), wait);
  }
}

/** Indexing in one line, or nothing. */
export function progress(/** @type {Status} */ { indexing }) {
  if (indexing.state === "looking") return "looking through your folders";
  if (indexing.state !== "indexing") return "";
  const of = indexing.total === null ? `${indexing.done ?? 0}` : `${(indexing.done ?? 0).toLocaleString("en")} of ${indexing.total.toLocaleString("en")}`;
  const pace = indexing.photos_per_s ? `, ${indexing.photos_per_s < 10 ? indexing.photos_per_s.toFixed(1) : Math.round(indexing.photos_per_s)} photos/s` : "";
  return `indexing ${of}${pace}`;
}
