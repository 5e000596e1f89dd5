/** One photo in the grid. Its size is known before its picture loads, so that nothing moves. */

import { thumbnailFailure, thumbnailUrl } from "./api.js";
import { icon, make } from "./dom.js";
import { showPreview } from "./preview.js";
import { selectButton } from "./selection.js";
import { t } from "./texts.js";

/** @import { Hit } from "./api.js" */
/** @typedef {{open: (id: string) => void, mark: (how: "like" | "unlike", hit: Hit) => void}} Actions */

const NARROWEST = 0.5; // width / height; photos beyond these limits are cropped
const WIDEST = 2; // also so that a row before a wide photo needs to grow little

export class Tile {
  /** @type {HTMLLIElement} */ element;
  /** @type {HTMLImageElement} */ #image;
  /** @type {Hit} */ hit;
  #open;
  #caption;
  #folded;
  #more;
  #less;
  #select;
  #hasPreview;

  constructor(/** @type {Hit} */ hit, /** @type {Actions} */ actions, /** @type {number} */ rowHeight) {
    this.hit = hit;
    const ratio = ratioOf(hit);
    const px = Math.max(ratio, 1) * rowHeight * 1.3 * devicePixelRatio;
    this.#image = make("img", { alt: "", decoding: "async", draggable: "false", load: () => this.#loaded(), error: () => this.#failed() });
    this.#image.src = thumbnailUrl(hit.id, px > 340 ? 640 : 320);
    this.#caption = make("span", { class: "caption" });
    this.#folded = make("span", { class: "folded" });
    this.#open = make("button", { type: "button", class: "open", click: () => actions.open(this.hit.id) }, this.#image, this.#folded, this.#caption);
    this.#more = this.#markButton(t("More like this"), () => actions.mark("like", this.hit));
    this.#less = this.#markButton(t("Not like this"), () => actions.mark("unlike", this.hit));
    this.#select = selectButton(hit.name);
    this.element = make("li", { class: "tile", "data-id": hit.id }, this.#open, make("span", { class: "marks" }, this.#more, this.#less), this.#select);
    for (const event of ["pointerenter", "focusin"]) this.element.addEventListener(event, () => this.#drawIcons(), { once: true });
    this.element.style.setProperty("--ratio", String(ratio));
    this.#hasPreview = showPreview(this.#open, hit, ratio);
    this.setTabStop(false);
  }

  /** Show the same photo as a hit of another query. */
  update(/** @type {Hit} */ hit, /** @type {"like" | "unlike" | null} */ mark) {
    this.hit = hit;
    const match = matchLabel(hit);
    this.#caption.replaceChildren(make("span", { class: "name", text: hit.name }), make("span", { class: "degree", text: match }));
    this.#folded.replaceChildren(...(hit.duplicates ? [icon("layers"), `+${hit.duplicates}`] : []));
    const copies = hit.duplicates ? `, ${t("{count} more like it", { count: hit.duplicates })}` : "";
    this.#open.setAttribute("aria-label", `${hit.name}${match && `, ${match}`}${copies}`);
    this.#more.setAttribute("aria-pressed", String(mark === "like"));
    this.#less.setAttribute("aria-pressed", String(mark === "unlike"));
    this.element.dataset.mark = mark ?? "";
    if (mark) this.#drawIcons();
    this.element.dataset.weak = String(hit.weak);
  }

  /** Whether Tab stops here; one photo of the grid at a time. */
  setTabStop(/** @type {boolean} */ stop) {
    for (const button of [this.#open, this.#select, this.#more, this.#less]) button.tabIndex = stop ? 0 : -1;
  }

  focus() {
    this.#open.focus({ preventScroll: false });
  }

  /** Resolves when there is something to show. */
  async ready() {
    if (!this.#hasPreview) await this.#image.decode().catch(() => {});
  }

  /** Also stops loading the picture. */
  remove() {
    if (!this.#image.complete) this.#image.removeAttribute("src");
    this.element.remove();
  }

  #loaded() {
    this.element.classList.add("loaded"); // the preview stays below: to remove it would paint the photo again
  }

  /** The icons of both marks, when they can be seen: 48 photos at once would take half as long again with them. */
  #drawIcons() {
    if (this.#more.firstChild) return;
    this.#more.append(icon("more"));
    this.#less.append(icon("less"));
  }

  async #failed() {
    if (!this.#image.getAttribute("src")) return;
    this.#open.style.background = "";
    this.element.classList.add("failed");
    const reason = await thumbnailFailure(this.hit.id);
    this.#image.replaceWith(make("span", { class: "reason", text: reason || t("The picture could not be loaded.") }));
  }

  #markButton(/** @type {string} */ label, /** @type {() => void} */ action) {
    return make("button", { type: "button", class: "mark", title: label, "aria-label": label, click: action });
  }
}

/** Width by height of a photo in the grid. */
export function ratioOf(/** @type {Hit} */ hit) {
  return Math.min(WIDEST, Math.max(NARROWEST, hit.width / hit.height));
}

/** How well a photo matches, in words. */
export function matchLabel(/** @type {Hit} */ hit) {
  if (typeof hit.relevance !== "number") return ""; // of a collection, which no search found, or by colours alone
  return t(hit.weak ? "{share} % weak" : "{share} % match", { share: Math.round(hit.relevance * 100) });
}
