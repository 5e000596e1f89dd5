/** Poll the status of the server, and notice when it stops responding and when it is back. */

import { ServerUnreachable, status } from "./api.js";
import { number, t } from "./texts.js";

/** @import { Status } from "./api.js" */

const INDEXING_INTERVAL = 1000; // ms between two requests while photos are being indexed
const IDLE_INTERVAL = 10_000;
const RETRY_INTERVALS = [500, 1000, 2000, 4000];

/** Fires "status" with each response, "lost" when the server stops responding, "back" when it responds again. */
export class StatusWatch extends EventTarget {
  /** @type {Status | null} */ last = null;
  #failures = 0;
  #timer = 0;
  #asked = 0; // the newest request; answers to older ones do not count

  get isLost() { return this.#failures > 0; }

  async poll() {
    clearTimeout(this.#timer);
    let wait = IDLE_INTERVAL;
    const asked = ++this.#asked;
    try {
      const answer = await status();
      if (asked !== this.#asked) return;
      this.last = answer;
      if (isRunning(this.last)) wait = INDEXING_INTERVAL;
      const returned = this.isLost;
      this.#failures = 0;
      this.dispatchEvent(new Event("status"));
      if (returned) this.dispatchEvent(new Event("back"));
    } catch (error) {
      if (asked !== this.#asked) return;
      if (error instanceof ServerUnreachable && this.#failures++ === 0) this.dispatchEvent(new Event("lost"));
      wait = RETRY_INTERVALS[Math.min(Math.max(0, this.#failures - 1), RETRY_INTERVALS.length - 1)];
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.poll(), wait);
  }
}

/** Whether photos are being indexed, or a model is being made ready for that. */
export const isRunning = (/** @type {Status} */ { indexing }) => ["downloading", "converting", "looking", "indexing"].includes(indexing.state);

/** The progress of indexing in one line, or an empty string. */
export function progress(/** @type {Status} */ { indexing }) {
  if (indexing.state === "downloading") return t("downloading {model}, {done} of {total} MB", { model: indexing.model ?? "", done: indexing.done ?? 0, total: indexing.total ?? 0 });
  if (indexing.state === "converting") return t("preparing {model}", { model: indexing.model ?? "" });
  if (indexing.state === "looking") return t("looking through your folders");
  if (indexing.state !== "indexing") return "";
  const done = number(indexing.done ?? 0);
  const pace = indexing.photos_per_s ? `, ${t("{count} photos/s", { count: number(indexing.photos_per_s, indexing.photos_per_s < 10 ? 1 : 0) })}` : "";
  return (indexing.total === null ? t("indexing {done}", { done }) : t("indexing {done} of {total}", { done, total: number(indexing.total) })) + pace;
}
