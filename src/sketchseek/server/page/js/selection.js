/** The photos that the user has selected, among hits or in the timeline, and what can be done with all of them. */

import { about, downloadUrl } from "./api.js";
import { byId, icon, make } from "./dom.js";
import { counted, t } from "./texts.js";

/** @import { Photo } from "./api.js" */
/** @typedef {{notify: (text: string) => void, photo: (id: string) => Photo | null, more: (photos: Photo[]) => void}} Callbacks */

const MOST_DOWNLOADS = 100;
const BETWEEN = 350; // ms between two downloads: browsers drop those that come at once
const MOST = 2000; // selected photos
const AT_ONCE = 6; // requests

export class Selection {
  /** @type {Map<string, Photo>} */ #photos = new Map();
  #callbacks;
  #bar = byId("selection");
  /** @type {string | null} the photo from which Shift selects */ #anchor = null;
  #area = byId("results");
  #downloading = ""; // key of the photos that were asked for last, until they are downloaded
  #downloads = Promise.resolve();

  constructor(/** @type {Callbacks} */ callbacks) {
    this.#callbacks = callbacks;
    this.#area.addEventListener("click", (event) => this.#onClick(event), true);
    this.#area.addEventListener("keydown", (event) => this.#onKey(event), true);
    // Photos that are shown again are still selected.
    new MutationObserver(() => this.#mark()).observe(this.#area, { childList: true, subtree: true });
    for (const [id, action] of /** @type {[string, () => void][]} */ ([
      ["selection-clear", () => this.clear()], ["selection-download", () => this.#download()],
      ["selection-paths", () => this.#copyPaths()], ["selection-more", () => callbacks.more([...this.#photos.values()])],
    ])) byId(id).addEventListener("click", action);
    addEventListener("keydown", (event) => event.key === "Escape" && !document.querySelector("dialog[open]") && this.#photos.size && this.clear());
  }

  get photos() { return [...this.#photos.values()]; }

  has(/** @type {string} */ id) { return this.#photos.has(id); }

  toggle(/** @type {Photo} */ photo) {
    if (!this.#photos.delete(photo.id) && this.#photos.size < MOST) this.#photos.set(photo.id, photo);
    this.#anchor = photo.id;
    this.#show();
  }

  clear() {
    this.#photos.clear();
    this.#show();
  }

  /** These are no longer selected; others may have been selected since they were sent. */
  remove(/** @type {string[]} */ ids) {
    for (const id of ids) this.#photos.delete(id);
    this.#show();
  }

  #onClick(/** @type {MouseEvent} */ event) {
    const target = /** @type {Element} */ (event.target);
    const id = target.closest("li[data-id]")?.getAttribute("data-id");
    const box = target.closest(".select");
    if (!id || !(box || ((event.ctrlKey || event.metaKey || event.shiftKey) && target.closest(".open")))) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.shiftKey) this.#selectTo(id);
    else this.#toggleId(id);
  }

  #onKey(/** @type {KeyboardEvent} */ event) {
    const id = /** @type {Element} */ (event.target).closest("li[data-id]")?.getAttribute("data-id");
    if (!id || event.key.toLowerCase() !== "s" || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.shiftKey) this.#selectTo(id);
    else this.#toggleId(id);
  }

  #toggleId(/** @type {string} */ id) {
    const photo = this.#photos.get(id) ?? this.#callbacks.photo(id);
    if (photo) this.toggle(photo);
  }

  /** Select all photos from the last one to this one. */
  #selectTo(/** @type {string} */ id) {
    const order = this.#tiles().filter((tile) => tile.checkVisibility()).map((tile) => tile.dataset.id ?? "");
    const [from, to] = [order.indexOf(this.#anchor ?? id), order.indexOf(id)];
    const all = from < 0 ? [id] : order.slice(Math.min(from, to), Math.max(from, to) + 1);
    for (const one of all) {
      const photo = this.#photos.get(one) ?? this.#callbacks.photo(one);
      if (photo && this.#photos.size < MOST) this.#photos.set(one, photo);
    }
    this.#anchor = id;
    this.#show();
  }

  /** Focus the photo that was selected last, or else the photos. */
  #focusAnchor() {
    const last = this.#tiles().find((tile) => tile.dataset.id === this.#anchor && tile.checkVisibility());
    (/** @type {HTMLElement | undefined | null} */ (last?.querySelector(".open")) ?? this.#area).focus();
  }

  #tiles() {
    return /** @type {HTMLLIElement[]} */ ([...this.#area.querySelectorAll("li[data-id]")]);
  }

  #show() {
    const hadFocus = this.#bar.contains(document.activeElement);
    this.#bar.hidden = !this.#photos.size;
    if (hadFocus && this.#bar.hidden) this.#focusAnchor();
    byId("selection-count").textContent = counted(this.#photos.size, "{count} photo selected", "{count} photos selected");
    document.body.dataset.selecting = String(this.#photos.size > 0);
    this.#mark();
  }

  #mark() {
    for (const tile of this.#tiles()) {
      const selected = String(this.#photos.has(tile.dataset.id ?? ""));
      if (tile.dataset.selected === selected) continue;
      tile.dataset.selected = selected;
      const button = tile.querySelector(".select");
      button?.setAttribute("aria-pressed", selected);
      if (selected === "true" && !button?.firstChild) button?.append(icon("check")); // only now: it is transparent before
    }
  }

  #download() {
    const photos = this.photos.slice(0, MOST_DOWNLOADS);
    const key = photos.map(({ id }) => id).join();
    if (key === this.#downloading) return; // a second click
    this.#downloading = key;
    if (photos.length < this.#photos.size) this.#callbacks.notify(t("Only the first {count} are downloaded.", { count: MOST_DOWNLOADS }));
    this.#downloads = this.#downloads.then(async () => {
      for (const photo of photos) {
        make("a", { href: downloadUrl(photo), download: photo.name }).click();
        await new Promise((resolve) => setTimeout(resolve, BETWEEN));
      }
      if (key === this.#downloading) this.#downloading = "";
    });
  }

  async #copyPaths() {
    const photos = this.photos;
    /** @type {string[]} */ const paths = [];
    try {
      for (let at = 0; at < photos.length; at += AT_ONCE) {
        const details = await Promise.all(photos.slice(at, at + AT_ONCE).map((photo) => about(photo, AbortSignal.timeout(20_000))));
        paths.push(...details.map(({ path }) => path));
      }
      await navigator.clipboard.writeText(`${paths.join("\n")}\n`);
      this.#callbacks.notify(counted(paths.length, "{count} path copied.", "{count} paths copied."));
    } catch (error) {
      this.#callbacks.notify(error instanceof DOMException ? t("The browser does not allow copying here.") : /** @type {Error} */ (error).message);
    }
  }
}

/** The button of a photo that selects it. */
export const selectButton = (/** @type {string} */ name) =>
  make("button", { type: "button", class: "select", "aria-pressed": "false", "aria-label": t("Select {name}", { name }), title: t("Select"), tabindex: -1 });
