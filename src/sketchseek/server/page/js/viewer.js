/** One photo, large: what and where it is, its neighbours, and why it was found. */

import { about, photoUrl, thumbnailUrl } from "./api.js";
import { byId, make, number } from "./dom.js";
import { Explaining } from "./explaining.js";
import { likeness } from "./tile.js";

/** @import { Hit } from "./api.js" */
/** @import { Query } from "./query.js" */
/** @typedef {{hits: () => Hit[], more: () => Promise<boolean>, closed: (id: string) => void, say: (text: string) => void}} Around */

const LARGE = 1280; // px of the largest thumbnail

export class Viewer {
  #query;
  #around;
  #dialog = byId("viewer", HTMLDialogElement);
  #photo = byId("viewer-photo", HTMLImageElement);
  #frame = /** @type {HTMLElement} */ (this.#photo.parentElement);
  /** @type {Hit | null} */ #hit = null;
  #seen = 0; // its place among the hits when it was shown
  #path = "";
  #explaining;
  #leaving = new AbortController();

  constructor(/** @type {Query} */ query, /** @type {Around} */ around) {
    this.#query = query;
    this.#around = around;
    this.#explaining = new Explaining(query);
    this.#dialog.addEventListener("close", () => this.#closed());
    this.#dialog.addEventListener("keydown", (event) => this.#key(event));
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    byId("viewer-close").addEventListener("click", () => this.#dialog.close());
    byId("viewer-previous").addEventListener("click", () => this.#step(-1));
    byId("viewer-next").addEventListener("click", () => this.#step(1));
    byId("viewer-more").addEventListener("click", () => this.#mark("like"));
    byId("viewer-less").addEventListener("click", () => this.#mark("unlike"));
    byId("copy-path").addEventListener("click", () => this.#copy(this.#path, "Path"));
    byId("copy-name").addEventListener("click", () => this.#copy(this.#hit?.name ?? "", "Name"));
    this.#photo.addEventListener("error", () => this.#failed());
  }

  /** Whether the model can say what matches. */
  set explains(/** @type {boolean} */ can) {
    this.#explaining.possible = can;
  }

  open(/** @type {string} */ id) {
    const hit = this.#around.hits().find((one) => one.id === id);
    if (!hit) return;
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#show(hit);
  }

  #show(/** @type {Hit} */ hit) {
    this.#leaving.abort();
    this.#leaving = new AbortController();
    this.#hit = hit;
    this.#path = "";
    const ratio = hit.width / hit.height;
    this.#frame.style.setProperty("--ratio", String(ratio));
    this.#frame.style.setProperty("--natural", `${hit.width}px`);
    byId("viewer-failed").hidden = true;
    this.#photo.hidden = false;
    this.#photo.alt = hit.name;
    this.#photo.src = thumbnailUrl(hit.id); // there already, most often
    this.#sharpen(hit, this.#leaving.signal);
    const hits = this.#around.hits();
    const place = hits.findIndex((one) => one.id === hit.id);
    this.#seen = place;
    byId("viewer-place").textContent = `${number(place + 1)} of ${number(hits.length)}`;
    byId("viewer-name").textContent = hit.name;
    byId("viewer-previous").setAttribute("aria-disabled", String(place <= 0)); // disabled, it would lose the focus
    this.#showMarks();
    this.#facts([["Folder", hit.folder], ["Size", `${number(hit.width)} × ${number(hit.height)}`],
      ["Taken", hit.taken ? new Date(hit.taken).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "unknown"],
      hit.relevance === null ? ["Similarity", hit.score.toFixed(3)] : ["Match", `${likeness(hit)} (similarity ${hit.score.toFixed(3)})`.replace(" match", "")]]);
    this.#place(hit, this.#leaving.signal);
    this.#explaining.show(hit);
    for (const near of [hits[place + 1], hits[place - 1]]) if (near) new Image().src = thumbnailUrl(near.id, LARGE);
  }

  /** The large picture takes the small one's place when it is there. */
  async #sharpen(/** @type {Hit} */ hit, /** @type {AbortSignal} */ signal) {
    const image = new Image();
    const box = /** @type {HTMLElement} */ (this.#frame.parentElement).getBoundingClientRect();
    const needed = Math.max(box.width, box.height) * devicePixelRatio;
    image.src = needed > LARGE && Math.max(hit.width, hit.height) > LARGE ? photoUrl(hit.id) : thumbnailUrl(hit.id, LARGE);
    await image.decode().catch(() => {});
    if (!signal.aborted && image.naturalWidth) this.#photo.src = image.src;
  }

  async #place(/** @type {Hit} */ hit, /** @type {AbortSignal} */ signal) {
    const more = /** @type {HTMLDetailsElement} */ (byId("viewer-duplicates"));
    more.hidden = !hit.duplicates;
    /** @type {HTMLButtonElement} */ (byId("copy-path")).disabled = true;
    try {
      const known = await about(hit.id, signal);
      this.#path = known.path;
      /** @type {HTMLButtonElement} */ (byId("copy-path")).disabled = false;
      byId("copy-path").title = known.path;
      const others = known.duplicates;
      more.hidden = !others.length && !hit.duplicates;
      const summary = /** @type {HTMLElement} */ (more.querySelector("summary"));
      summary.textContent = `${hit.duplicates || others.length} more like it`;
      const lines = others.map((place) => make("li", { text: place }));
      const near = hit.duplicates - others.length;
      if (near > 0) lines.push(make("li", { text: `${near} nearly equal ${near === 1 ? "photo" : "photos"}: unfold them in the filters` }));
      /** @type {HTMLElement} */ (more.querySelector("ul")).replaceChildren(...lines);
    } catch (error) {
      if (!signal.aborted) this.#fail(/** @type {Error} */ (error).message);
    }
  }

  #facts(/** @type {[string, string][]} */ rows) {
    byId("viewer-facts").replaceChildren(...rows.map(([term, value]) => make("div", {}, make("dt", { text: term }), make("dd", { text: value }))));
  }

  async #step(/** @type {1 | -1} */ way) {
    const found = this.#around.hits().findIndex((one) => one.id === this.#hit?.id);
    const gone = way > 0 ? this.#seen - 1 : this.#seen; // its neighbours have closed up
    const place = found < 0 ? gone : found;
    let next = this.#around.hits()[place + way];
    if (!next && way > 0 && (await this.#around.more())) next = this.#around.hits()[place + way];
    if (next) this.#show(next);
    else this.#around.say(way > 0 ? "This is the last photo." : "This is the first photo.");
  }

  #mark(/** @type {"like" | "unlike"} */ how) {
    if (!this.#hit) return;
    this.#query.mark(how, this.#hit);
    this.#showMarks();
    const marked = this.#query.markOf(this.#hit.id);
    this.#around.say(marked === "like" ? "Looking for more like it." : marked === "unlike" ? "Looking for others." : "No longer marked.");
  }

  #showMarks() {
    const marked = this.#hit && this.#query.markOf(this.#hit.id);
    byId("viewer-more").setAttribute("aria-pressed", String(marked === "like"));
    byId("viewer-less").setAttribute("aria-pressed", String(marked === "unlike"));
  }

  async #copy(/** @type {string} */ text, /** @type {string} */ what) {
    try {
      await navigator.clipboard.writeText(text);
      this.#around.say(`${what} copied.`);
    } catch {
      this.#around.say(`The browser does not allow copying here: ${text}`);
    }
  }

  #failed() {
    this.#fail("This picture cannot be shown.");
  }

  #fail(/** @type {string} */ reason) {
    const failed = byId("viewer-failed");
    failed.textContent = reason;
    failed.hidden = false;
    this.#photo.hidden = !this.#photo.naturalWidth;
  }

  #key(/** @type {KeyboardEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowRight") this.#step(1);
    else if (event.key === "ArrowLeft") this.#step(-1);
    else return;
    event.preventDefault();
  }

  #closed() {
    this.#leaving.abort();
    this.#explaining.leave();
    if (this.#hit) this.#around.closed(this.#hit.id);
    this.#hit = null;
    this.#photo.removeAttribute("src");
  }
}
