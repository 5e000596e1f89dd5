/** The large view of one photo: zoom, its data, its neighbours, what can be done with it, and what matches. */

import { about, downloadUrl, facts, photoUrl, reveal, thumbnailUrl } from "./api.js";
import { byId, make } from "./dom.js";
import { ExplanationView } from "./explanation.js";
import { language, number, t } from "./texts.js";
import { matchLabel } from "./tile.js";
import { Zoom } from "./zoom.js";

/** @import { Hit, Photo, PhotoFacts } from "./api.js" */
/** @import { Query } from "./query.js" */
/**
 * The photos to go through: `peek` gives one that is loaded, `at` loads it if necessary.
 * `more`: whether there may be more than `count`.
 * @typedef {{count: number, more: boolean, placeOf: (id: string, supposed?: number) => number, peek: (place: number) => Photo | null,
 *   at: (place: number) => Promise<Photo | null>, closed: (id: string, place: number) => void}} Source
 * @typedef {{notify: (text: string) => void, isSelected: (id: string) => boolean, select: (photo: Photo) => void}} Callbacks
 */

const LARGE = 1280; // px of the largest thumbnail

export class Viewer {
  #query;
  #callbacks;
  #dialog = byId("viewer", HTMLDialogElement);
  #photo = byId("viewer-photo", HTMLImageElement);
  #frame = /** @type {HTMLElement} */ (this.#photo.parentElement);
  /** @type {Photo | null} */ #shown = null;
  /** @type {Source | null} */ #source = null;
  #place = 0; // of the photo in its source when it was shown
  #path = "";
  #explanation;
  #zoom;
  #abort = new AbortController();
  #inHistory = false;
  #under = ""; // the hash of the entry below the view's
  #closing = 0; // timer, while the view waits for the history
  /** Whether Back has just closed the view. */ isLeaving = false;
  /** Whether the server can show a photo in the file manager. */ reveals = false;

  constructor(/** @type {Query} */ query, /** @type {Callbacks} */ callbacks) {
    this.#query = query;
    this.#callbacks = callbacks;
    this.#explanation = new ExplanationView(query);
    this.#zoom = new Zoom(/** @type {HTMLElement} */ (this.#frame.parentElement), this.#frame, () => this.#loadFull());
    this.#dialog.addEventListener("close", () => this.#onClose());
    this.#dialog.addEventListener("keydown", (event) => this.#onKey(event));
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#leave());
    this.#dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#leave();
    });
    addEventListener("popstate", () => {
      this.isLeaving = this.#inHistory && location.hash === this.#under; // a query that was changed in the view stays
      this.#inHistory = false;
      this.#stopWaiting();
      setTimeout(() => {
        this.isLeaving = false;
        history.scrollRestoration = "auto";
      });
      if (this.#dialog.open) this.#dialog.close();
    });
    for (const [id, action] of /** @type {[string, () => void][]} */ ([
      ["viewer-close", () => this.#leave()],
      ["viewer-previous", () => this.#step(-1)],
      ["viewer-next", () => this.#step(1)],
      ["viewer-more", () => this.#mark("like")],
      ["viewer-less", () => this.#mark("unlike")],
      ["viewer-select", () => this.#select()],
      ["copy-path", () => this.#copy(this.#path, t("Path copied."))],
      ["copy-name", () => this.#copy(this.#shown?.name ?? "", t("Name copied."))],
      ["viewer-reveal", () => this.#reveal()],
    ])) byId(id).addEventListener("click", action);
    this.#photo.addEventListener("error", () => this.#showFailure(t("The picture cannot be shown.")));
  }

  /** Whether the model can show what matches. */
  set canExplain(/** @type {boolean} */ available) {
    this.#explanation.available = available;
  }

  get isOpen() { return this.#dialog.open; }

  open(/** @type {Photo} */ photo, /** @type {Source} */ source) {
    this.#source = source;
    const isNew = !this.#dialog.open;
    if (isNew) this.#dialog.showModal();
    this.#show(photo);
    if (isNew) {
      this.#stopWaiting();
      this.#under = location.hash;
      history.scrollRestoration = "manual"; // or Back would scroll away from the photo that was shown last
      history.pushState({ viewer: true }, ""); // so that Back closes the view
      this.#inHistory = true;
    }
  }

  /** `supposed`: where it is in its source, if it is there more than once. */
  #show(/** @type {Photo} */ photo, /** @type {number | undefined} */ supposed = undefined) {
    const source = /** @type {Source} */ (this.#source);
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#shown = photo;
    this.#path = "";
    this.#zoom.reset();
    this.#frame.style.setProperty("--ratio", String(photo.width / photo.height));
    this.#frame.style.setProperty("--natural", `${photo.width}px`);
    byId("viewer-failed").hidden = true;
    this.#photo.hidden = false;
    this.#photo.alt = photo.name;
    this.#photo.src = thumbnailUrl(photo.id); // usually loaded already
    this.#loadLarge(photo, signal);
    this.#place = source.placeOf(photo.id, supposed);
    byId("viewer-place").textContent = t("{place} of {count}", { place: number(this.#place + 1), count: number(source.count) });
    byId("viewer-name").textContent = photo.name;
    byId("viewer-previous").setAttribute("aria-disabled", String(this.#place <= 0)); // a disabled button would lose the focus
    byId("viewer-next").setAttribute("aria-disabled", String(this.#place >= source.count - 1 && !source.more));
    byId("viewer-open", HTMLAnchorElement).href = photoUrl(photo.id);
    const download = byId("viewer-download", HTMLAnchorElement);
    download.href = downloadUrl(photo);
    download.download = photo.name;
    byId("viewer-reveal").hidden = !this.reveals;
    this.#showMarks();
    this.#showFacts(photo, null);
    this.#loadDetails(photo, signal);
    if (isHit(photo)) this.#explanation.show(photo);
    else this.#explanation.hide();
    for (const place of [this.#place + 1, this.#place - 1]) {
      const near = source.peek(place);
      if (near) new Image().src = thumbnailUrl(near.id, LARGE);
      else if (place >= 0 && place < source.count) source.at(place).catch(() => {});
    }
  }

  /** Replace the thumbnail by a large picture when that has loaded. */
  async #loadLarge(/** @type {Photo} */ photo, /** @type {AbortSignal} */ signal) {
    const box = /** @type {HTMLElement} */ (this.#frame.parentElement).getBoundingClientRect();
    const needed = Math.max(box.width, box.height) * devicePixelRatio;
    const full = needed > LARGE && Math.max(photo.width, photo.height) > LARGE;
    await this.#replace(full ? photoUrl(photo.id) : thumbnailUrl(photo.id, LARGE), signal);
  }

  /** The photo was enlarged: show all of its pixels. */
  async #loadFull() {
    if (this.#shown && Math.max(this.#shown.width, this.#shown.height) > LARGE) await this.#replace(photoUrl(this.#shown.id), this.#abort.signal);
  }

  async #replace(/** @type {string} */ url, /** @type {AbortSignal} */ signal) {
    const image = new Image();
    image.src = url;
    await image.decode().catch(() => {});
    if (!signal.aborted && image.naturalWidth) this.#photo.src = image.src;
  }

  async #loadDetails(/** @type {Photo} */ photo, /** @type {AbortSignal} */ signal) {
    const more = /** @type {HTMLDetailsElement} */ (byId("viewer-duplicates"));
    more.hidden = !photo.duplicates;
    byId("copy-path", HTMLButtonElement).disabled = true;
    try {
      const details = await about(photo, signal);
      this.#path = details.path;
      byId("copy-path", HTMLButtonElement).disabled = false;
      byId("copy-path").title = details.path;
      const others = details.duplicates;
      more.hidden = !others.length && !photo.duplicates;
      const summary = /** @type {HTMLElement} */ (more.querySelector("summary"));
      summary.textContent = t("{count} more like it", { count: number(photo.duplicates || others.length) });
      const lines = others.map((path) => make("li", { text: path }));
      const near = photo.duplicates - others.length;
      if (near > 0) lines.push(make("li", { text: t("{count} nearly equal, which the filters can show separately", { count: number(near) }) }));
      /** @type {HTMLElement} */ (more.querySelector("ul")).replaceChildren(...lines);
      this.#showFacts(photo, await facts(photo.id, signal));
    } catch (error) {
      if (!signal.aborted) this.#showFailure(/** @type {Error} */ (error).message);
    }
  }

  #showFacts(/** @type {Photo} */ photo, /** @type {PhotoFacts | null} */ more) {
    const size = `${number(photo.width)} × ${number(photo.height)}`;
    const hit = isHit(photo) ? photo : null;
    /** @type {[string, string | Node | null][]} */
    const rows = [
      [t("Folder"), photo.folder],
      [t("Size"), more ? `${size} · ${inBytes(more.bytes)}` : size],
      [t("Taken"), photo.taken ? new Date(photo.taken).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" }) : t("unknown")],
      [t("Camera"), more?.camera ?? null],
      [t("Lens"), more?.lens ?? null],
      [t("Exposure"), more && exposure(more)],
      [t("Place"), more?.place ? more.place.map((degrees) => number(degrees, 5)).join(", ") : null],
      [t("Match"), hit && [matchLabel(hit), t("similarity {score}", { score: number(hit.score, 3) })].filter(Boolean).join(" · ")],
    ];
    byId("viewer-facts").replaceChildren(...rows.filter(([, value]) => value).map(([term, value]) => make("div", {}, make("dt", { text: term }), make("dd", {}, value))));
  }

  async #step(/** @type {1 | -1} */ direction) {
    const source = /** @type {Source} */ (this.#source);
    const from = this.#shown;
    const found = from ? source.placeOf(from.id, this.#place) : -1;
    const before = direction > 0 ? this.#place - 1 : this.#place; // if the photo was removed from the hits
    const place = (found < 0 ? before : found) + direction;
    const next = await source.at(place).catch(() => null);
    if (this.#shown !== from) return; // closed, or another step was faster
    if (next) this.#show(next, place);
    else this.#callbacks.notify(direction > 0 ? t("This is the last photo.") : t("This is the first photo."));
  }

  #mark(/** @type {"like" | "unlike"} */ how) {
    if (!this.#shown) return;
    this.#query.mark(how, this.#shown);
    this.#showMarks();
    const marked = this.#query.markOf(this.#shown.id);
    this.#callbacks.notify(marked === "like" ? t("Looking for more like it.") : marked === "unlike" ? t("Looking for different photos.") : t("No longer marked."));
  }

  #select() {
    if (!this.#shown) return;
    this.#callbacks.select(this.#shown);
    this.#showMarks();
  }

  #showMarks() {
    if (!this.#shown) return;
    const marked = this.#query.markOf(this.#shown.id);
    byId("viewer-more").setAttribute("aria-pressed", String(marked === "like"));
    byId("viewer-less").setAttribute("aria-pressed", String(marked === "unlike"));
    byId("viewer-select").setAttribute("aria-pressed", String(this.#callbacks.isSelected(this.#shown.id)));
  }

  async #copy(/** @type {string} */ text, /** @type {string} */ done) {
    try {
      await navigator.clipboard.writeText(text);
      this.#callbacks.notify(done);
    } catch {
      this.#callbacks.notify(t("The browser does not allow copying here: {text}", { text }));
    }
  }

  async #reveal() {
    try {
      if (this.#shown) await reveal(this.#shown);
    } catch (error) {
      this.#callbacks.notify(/** @type {Error} */ (error).message);
    }
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
    else if (event.key === "+" || event.key === "=") this.#zoom.by(1.4);
    else if (event.key === "-") this.#zoom.by(1 / 1.4);
    else if (event.key === "0") this.#zoom.reset();
    else return;
    event.preventDefault();
  }

  /** Go back, which closes the view: the history is then as it was before the view was opened. */
  #leave() {
    if (!this.#inHistory) return this.#dialog.close();
    if (this.#closing) return;
    history.back();
    this.#closing = setTimeout(() => this.#dialog.close(), 1000); // a browser may refuse to go back
  }

  #stopWaiting() {
    clearTimeout(this.#closing);
    this.#closing = 0;
  }

  #onClose() {
    if (this.#dialog.open) return; // again, by now
    this.#abort.abort();
    this.#explanation.leave();
    if (this.#shown) this.#source?.closed(this.#shown.id, this.#place);
    this.#shown = null;
    this.#photo.removeAttribute("src");
    this.#leave(); // a browser closes a dialog by itself when Escape is pressed again and again
  }
}

/** Whether a search found the photo. @returns {photo is Hit} */
const isHit = (/** @type {Photo} */ photo) => "relevance" in photo;

const inBytes = (/** @type {number} */ bytes) => (bytes < 1e6 ? `${number(bytes / 1e3, 1)} kB` : `${number(bytes / 1e6, bytes < 1e7 ? 1 : 0)} MB`);

/** "1/250 s · f/2.8 · ISO 200 · 35 mm", of what is known. */
function exposure(/** @type {PhotoFacts} */ { exposure_s: seconds, aperture, iso, focal_mm: focal }) {
  const time = seconds && (seconds < 0.4 ? `1/${number(1 / seconds)} s` : `${number(seconds, 1)} s`);
  return [time, aperture && `f/${number(aperture, 1)}`, iso && `ISO ${iso}`, focal && `${number(focal)} mm`].filter(Boolean).join(" · ");
}
