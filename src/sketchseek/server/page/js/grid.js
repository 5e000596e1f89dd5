/** The photos found: kept by id from answer to answer, so that what stays does not flicker, and longer as one scrolls. */

import { Tile } from "./tile.js";

/** @import { Hit } from "./api.js" */
/** @import { Acts } from "./tile.js" */

const FIRST_LOOK = 10; // photos whose pictures are waited for, a moment, before they take the place of others
const MOMENT = 70; // ms

export class Grid {
  /** @type {Map<string, Tile>} in the order they are shown */ #tiles = new Map();
  #list;
  #acts;
  #markOf;
  /** @type {string | null} the photo that Tab reaches */ #current = null;
  #version = 0;
  /** @type {Hit[]} */ hits = [];

  /**
   * @param {HTMLOListElement} list
   * @param {Acts} acts
   * @param {(id: string) => "like" | "unlike" | null} markOf
   */
  constructor(list, acts, markOf) {
    this.#list = list;
    this.#acts = acts;
    this.#markOf = markOf;
    list.addEventListener("keydown", (event) => this.#key(event));
    list.addEventListener("focusin", (event) => {
      const tile = /** @type {Element} */ (event.target).closest("li");
      if (tile instanceof HTMLLIElement && tile.dataset.id) this.#reach(tile.dataset.id);
    });
  }

  /** Show these photos and no others, once the first pictures are there or a moment has passed. */
  async show(/** @type {Hit[]} */ hits) {
    const version = ++this.#version;
    const tiles = hits.map((hit) => this.#tiles.get(hit.id) ?? this.#made(hit));
    if (this.#tiles.size) {
      const moment = new Promise((resolve) => setTimeout(resolve, MOMENT));
      await Promise.race([Promise.all(tiles.slice(0, FIRST_LOOK).map((tile) => tile.ready())), moment]);
      if (version !== this.#version) {
        for (const tile of tiles) if (!this.#tiles.has(tile.hit.id)) tile.remove();
        return;
      }
    }
    this.#place(hits, tiles);
    if (!this.#list.contains(document.activeElement)) this.#reach(hits[0]?.id ?? null);
  }

  /** More photos of the same answer; those that are shown already are left out. */
  append(/** @type {Hit[]} */ hits) {
    const fresh = hits.filter((hit) => !this.#tiles.has(hit.id));
    this.#version++;
    this.#place([...this.hits, ...fresh], [...this.#tiles.values(), ...fresh.map((hit) => this.#made(hit))]);
  }

  /** Empty tiles, for the first answer of a visit. */
  expect() {
    if (this.#tiles.size) return;
    const ratios = [1.5, 0.75, 1.5, 1.33, 1, 1.5, 1.5, 0.7, 1.33, 1.5, 1, 1.5];
    this.#list.replaceChildren(...ratios.map((ratio) => {
      const tile = document.createElement("li");
      tile.className = "tile skeleton";
      tile.style.setProperty("--ratio", String(ratio));
      return tile;
    }));
    this.#list.setAttribute("aria-busy", "true");
  }

  clear() {
    this.#version++;
    this.#place([], []);
  }

  /** Marks may have changed. */
  refresh() {
    for (const tile of this.#tiles.values()) tile.update(tile.hit, this.#markOf(tile.hit.id));
  }

  /** Go to a photo, or if it is not there any more to the one that Tab would reach. */
  focus(/** @type {string} */ id) {
    if (this.#tiles.has(id)) this.#reach(id);
    this.focusCurrent();
  }

  /** Go to the photo that Tab would reach. */
  focusCurrent() {
    if (this.#current) this.#tiles.get(this.#current)?.focus();
  }

  get rowHeight() {
    return parseFloat(getComputedStyle(this.#list).getPropertyValue("--row")) || 180;
  }

  #made(/** @type {Hit} */ hit) {
    return new Tile(hit, this.#acts, this.rowHeight);
  }

  #place(/** @type {Hit[]} */ hits, /** @type {Tile[]} */ tiles) {
    const focused = this.#list.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
    const place = [...this.#tiles.keys()].indexOf(focused?.closest("li")?.dataset.id ?? "");
    const staying = new Set(tiles);
    for (const tile of this.#tiles.values()) if (!staying.has(tile)) tile.remove();
    for (const waiting of this.#list.querySelectorAll(".skeleton")) waiting.remove();
    tiles.forEach((tile, i) => {
      tile.update(hits[i], this.#markOf(hits[i].id));
      const there = this.#list.children[i];
      if (there !== tile.element) this.#list.insertBefore(tile.element, there ?? null);
    });
    this.#tiles = new Map(tiles.map((tile) => [tile.hit.id, tile]));
    this.hits = hits;
    this.#list.removeAttribute("aria-busy");
    if (!this.#current || !this.#tiles.has(this.#current)) this.#reach(hits[Math.max(0, Math.min(place, hits.length - 1))]?.id ?? null);
    if (focused && document.activeElement !== focused) {
      // Moved or gone: whoever works by keyboard stays in the grid.
      if (focused.isConnected) focused.focus({ preventScroll: true });
      else if (this.#current) this.#tiles.get(this.#current)?.focus();
    }
  }

  #reach(/** @type {string | null} */ id) {
    if (this.#current) this.#tiles.get(this.#current)?.reachable(false);
    this.#current = id;
    if (id) this.#tiles.get(id)?.reachable(true);
  }

  #key(/** @type {KeyboardEvent} */ event) {
    const ids = [...this.#tiles.keys()];
    const place = this.#current ? ids.indexOf(this.#current) : -1;
    if (place < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: ids.length - 1,
      ArrowDown: this.#vertical(ids, place, 1), ArrowUp: this.#vertical(ids, place, -1) }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to >= 0 && to < ids.length) this.focus(ids[to]);
  }

  /** The photo above or below: the nearest in the next row. */
  #vertical(/** @type {string[]} */ ids, /** @type {number} */ place, /** @type {1 | -1} */ way) {
    const box = (/** @type {number} */ i) => /** @type {Tile} */ (this.#tiles.get(ids[i])).element.getBoundingClientRect();
    const from = box(place);
    const middle = from.left + from.width / 2;
    let best = place;
    let row = null;
    for (let i = place + way; i >= 0 && i < ids.length; i += way) {
      const at = box(i);
      if (Math.abs(at.top - from.top) < 4) continue;
      row ??= at.top;
      if (Math.abs(at.top - row) > 4) break;
      const off = (/** @type {DOMRect} */ one) => Math.abs(one.left + one.width / 2 - middle);
      if (best === place || off(at) < off(box(best))) best = i;
    }
    return best;
  }
}

