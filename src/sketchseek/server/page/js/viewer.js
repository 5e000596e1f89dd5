/** The large view of one photo: its data, its neighbours, and what matches. */

import { about, photoUrl, thumbnailUrl } from "./api.js";
import { byId, make, number } from "./dom.js";
import { ExplanationView } from "./explanation.js";
import { matchLabel } from "./tile.js";

/** @import { Hit } from "./api.js" */
/** @import { Query } from "./query.js" */
/** @typedef {{hits: () => Hit[], more: () => Promise<boolean>, closed: (id: string) => void, notify: (text: string) => void}} Callbacks */

const LARGE = 1280; // px of the largest thumbnail

export class Viewer {
  #query;
  #callbacks;
  #dialog = byId("viewer", HTMLDialogElement);
  #photo = byId("viewer-photo", HTMLImageElement);
  #frame = /** @type {HTMLElement} */ (this.#photo.parentElement);
  /** @type {Hit | null} */ #hit = null;
  #position = 0; // of the photo among the hits when it was opened
  #path = "";
  #explanation;
  #abort = new AbortController();

  constructor(/** @type {Query} */ query, /** @type {Callbacks} */ callbacks) {
    this.#query = query;
    this.#callbacks = callbacks;
    this.#explanation = new ExplanationView(query);
    this.#dialog.addEventListener("close", () => this.#onClose());
    this.#dialog.addEventListener("keydown", (event) => this.#onKey(event));
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    byId("viewer-close").addEventListener("click", () => this.#dialog.close());
    byId("viewer-previous").addEventListener("click", () => this.#step(-1));
    byId("viewer-next").addEventListener("click", () => this.#step(1));
    byId("viewer-more").addEventListener("click", () => this.#mark("like"));
    byId("viewer-less").addEventListener("click", () => this.#mark("unlike"));
    byId("copy-path").addEventListener("click", () => this.#copy(this.#path, "Path"));
    byId("copy-name").addEventListener("click", () => this.#copy(this.#hit?.name ?? "", "Name"));
    this.#photo.addEventListener("error", () => this.#onError());
  }

  /** Whether the model can show what matches. */
  set canExplain(/** @type {boolean} */ available) {
    this.#explanation.available = available;
  }

  open(/** @type {string} */ id) {
    const hit = this.#callbacks.hits().find((one) => one.id === id);
    if (!hit) return;
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#show(hit);
  }

  #show(/** @type {Hit} */ hit) {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#hit = hit;
    this.#path = "";
    const ratio = hit.width / hit.height;
    this.#frame.style.setProperty("--ratio", String(ratio));
    this.#frame.style.setProperty("--natural", `${hit.width}px`);
    byId("viewer-failed").hidden = true;
    this.#photo.hidden = false;
    this.#photo.alt = hit.name;
    this.#photo.src = thumbnailUrl(hit.id); // usually loaded already
    this.#loadLarge(hit, this.#abort.signal);
    const hits = this.#callbacks.hits();
    const place = hits.findIndex((one) => one.id === hit.id);
    this.#position = place;
    byId("viewer-place").textContent = `${number(place + 1)} of ${number(hits.length)}`;
    byId("viewer-name").textContent = hit.name;
    byId("viewer-previous").setAttribute("aria-disabled", String(place <= 0)); // a disabled button would lose the focus
    this.#showMarks();
    this.#facts([["Folder", hit.folder], ["Size", `${number(hit.width)} × ${number(hit.height)}`],
      ["Taken", hit.taken ? new Date(hit.taken).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "unknown"],
      ["Match", `${Math.round(hit.relevance * 100)} %${hit.weak ? ", weak" : ""} (similarity ${hit.score.toFixed(3)})`]]);
    this.#loadDetails(hit, this.#abort.signal);
    this.#explanation.show(hit);
    for (const near of [hits[place + 1], hits[place - 1]]) if (near) new Image().src = thumbnailUrl(near.id, LARGE);
  }

  /** Replace the thumbnail by a large picture when that has loaded. */
  async #loadLarge(/** @type {Hit} */ hit, /** @type {AbortSignal} */ signal) {
    const image = new Image();
    const box = /** @type {HTMLElement} */ (this.#frame.parentElement).getBoundingClientRect();
    const needed = Math.max(box.width, box.height) * devicePixelRatio;
    image.src = needed > LARGE && Math.max(hit.width, hit.height) > LARGE ? photoUrl(hit.id) : thumbnailUrl(hit.id, LARGE);
    await image.decode().catch(() => {});
    if (!signal.aborted && image.naturalWidth) this.#photo.src = image.src;
  }

  async #loadDetails(/** @type {Hit} */ hit, /** @type {AbortSignal} */ signal) {
    const more = /** @type {HTMLDetailsElement} */ (byId("viewer-duplicates"));
    more.hidden = !hit.duplicates;
    /** @type {HTMLButtonElement} */ (byId("copy-path")).disabled = true;
    try {
      const details = await about(hit.id, signal);
      this.#path = details.path;
      /** @type {HTMLButtonElement} */ (byId("copy-path")).disabled = false;
      byId("copy-path").title = details.path;
      const others = details.duplicates;
      more.hidden = !others.length && !hit.duplicates;
      const summary = /** @type {HTMLElement} */ (more.querySelector("summary"));
      summary.textContent = `${hit.duplicates || others.length} more like it`;
      const lines = others.map((path) => make("li", { text: path }));
      const near = hit.duplicates - others.length;
      if (near > 0) lines.push(make("li", { text: `${near} near-duplicate ${near === 1 ? "photo" : "photos"}, which the filters can show separately` }));
      /** @type {HTMLElement} */ (more.querySelector("ul")).replaceChildren(...lines);
    } catch (error) {
      if (!signal.aborted) this.#showFailure(/** @type {Error} */ (error).message);
    }
  }

  #facts(/** @type {[string, string][]} */ rows) {
    byId("viewer-facts").replaceChildren(...rows.map(([term, value]) => make("div", {}, make("dt", { text: term }), make("dd", { text: value }))));
  }

  async #step(/** @type {1 | -1} */ direction) {
    const found = this.#callbacks.hits().findIndex((one) => one.id === this.#hit?.id);
    const before = direction > 0 ? this.#position - 1 : this.#position; // if the photo was removed from the hits
    const place = found < 0 ? before : found;
    let next = this.#callbacks.hits()[place + direction];
    if (!next && direction > 0 && (await this.#callbacks.more())) next = this.#callbacks.hits()[place + direction];
    if (next) this.#show(next);
    else this.#callbacks.notify(direction > 0 ? "This is the last photo." : "This is the first photo.");
  }

  #mark(/** @type {"like" | "unlike"} */ how) {
    if (!this.#hit) return;
    this.#query.mark(how, this.#hit);
    this.#showMarks();
    const marked = this.#query.markOf(this.#hit.id);
    this.#callbacks.notify(marked === "like" ? "Looking for more like it." : marked === "unlike" ? "Looking for different photos." : "No longer marked.");
  }

  #showMarks() {
    const marked = this.#hit && this.#query.markOf(this.#hit.id);
    byId("viewer-more").setAttribute("aria-pressed", String(marked === "like"));
    byId("viewer-less").setAttribute("aria-pressed", String(marked === "unlike"));
  }

  async #copy(/** @type {string} */ text, /** @type {string} */ what) {
    try {
      await navigator.clipboard.writeText(text);
      this.#callbacks.notify(`${what} copied.`);
    } catch {
      this.#callbacks.notify(`The browser does not allow copying here: ${text}`);
    }
  }

  #onError() {
    this.#showFailure("The picture cannot be shown.");
  }

  #showFailure(/** @type {string} */ reason) {
    const failed = byId("viewer-failed");
    failed.textContent = reason;
    failed.hidden = false;
    this.#photo.hidden = !this.#photo.naturalWidth;
  }

  #onKey(/** @type {KeyboardEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowRight") this.#step(1);
    else if (event.key === "ArrowLeft") this.#step(-1);
    else return;
    event.preventDefault();
  }

  #onClose() {
    this.#abort.abort();
    this.#explanation.leave();
    if (this.#hit) this.#callbacks.closed(this.#hit.id);
    this.#hit = null;
    this.#photo.removeAttribute("src");
  }
}
