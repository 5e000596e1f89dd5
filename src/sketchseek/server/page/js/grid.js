/** The grid of hits. Tiles are kept by photo id between responses, so that they do not flicker. */

import { ratioOf, Tile } from "./tile.js";

/** @import { Hit } from "./api.js" */
/** @import { Actions } from "./tile.js" */

const FIRST_TILES = 10; // which replace the previous hits only when there is something to show of them
const MAX_WAIT = 70; // ms
const REST_DELAY = 300; // ms without another answer before the photos out of sight follow; while one draws, they would double the work

export class Grid {
  /** @type {Map<string, Tile>} in the order they are shown */ #tiles = new Map();
  #list;
  #actions;
  #markOf;
  /** @type {string | null} the photo that Tab focuses */ #current = null;
  #version = 0;
  #isPending = false; // other hits may come
  /** @type {(() => void) | null} shows the hits that are here, but wait for their pictures */ #placeFirst = null;
  /** @type {(() => void) | null} adds the hits that are not in sight yet */ #addRest = null;
  /** @type {Hit[]} */ hits = [];

  /**
   * @param {HTMLOListElement} list
   * @param {Actions} actions
   * @param {(id: string) => "like" | "unlike" | null} markOf
   */
  constructor(list, actions, markOf) {
    this.#list = list;
    this.#actions = actions;
    this.#markOf = markOf;
    addEventListener("scroll", () => this.#addRest?.(), { passive: true });
    list.addEventListener("keydown", (event) => this.#onKey(event));
    list.addEventListener("focusin", (event) => {
      this.#addRest?.();
      const tile = /** @type {Element} */ (event.target).closest("li");
      if (tile instanceof HTMLLIElement && tile.dataset.id) this.#setCurrent(tile.dataset.id);
    });
  }

  set isPending(/** @type {boolean} */ pending) {
    this.#isPending = pending;
    this.#showBusy();
  }

  #showBusy() {
    this.#list.ariaBusy = String(this.#isPending || this.#placeFirst !== null);
  }

  /** Replace all hits, as soon as there is something to show of the first ones or after a short wait. */
  async show(/** @type {Hit[]} */ hits) {
    const version = ++this.#version;
    const first = hits.slice(0, this.#inSight(hits));
    const tiles = first.map((hit) => this.#tiles.get(hit.id) ?? this.#createTile(hit));
    this.#placeFirst = () => {
      this.#placeFirst = null;
      this.#place(first, tiles);
      if (!this.#list.contains(document.activeElement)) this.#setCurrent(hits[0]?.id ?? null);
      if (first.length === hits.length) return;
      this.hits = hits;
      this.#list.classList.add("partial");
      this.#addRest = () => this.#place(hits, [...this.#tiles.values(), ...hits.slice(first.length).map((hit) => this.#createTile(hit))]);
      setTimeout(() => version === this.#version && this.#addRest?.(), REST_DELAY);
    };
    this.#showBusy();
    if (this.#tiles.size) {
      const timeout = new Promise((resolve) => setTimeout(resolve, MAX_WAIT));
      await Promise.race([Promise.all(tiles.slice(0, FIRST_TILES).map((tile) => tile.ready())), timeout]);
      if (version !== this.#version) {
        for (const tile of tiles) if (!this.#tiles.has(tile.hit.id)) tile.remove();
        return;
      }
    }
    this.#placeFirst?.();
  }

  /** How many hits are in sight, to the end of a row; all of them where a shorter list would move what one looks at. */
  #inSight(/** @type {Hit[]} */ hits) {
    const { top, width } = this.#list.getBoundingClientRect();
    if (top < 0 || this.#list.contains(document.activeElement)) return hits.length;
    const row = this.rowHeight;
    const gap = parseFloat(getComputedStyle(this.#list).columnGap);
    let bottom = top;
    let count = 0;
    while (count < hits.length && (bottom < innerHeight || count < FIRST_TILES)) { // a row, as the style sheet fills it
      let ratios = ratioOf(hits[count++]);
      let room = width;
      while (count < hits.length && row * (ratios + ratioOf(hits[count])) <= room - gap) {
        ratios += ratioOf(hits[count++]);
        room -= gap;
      }
      bottom += room / ratios + gap;
    }
    return count;
  }

  /** Add the next page of hits; those already shown are skipped. */
  append(/** @type {Hit[]} */ hits) {
    this.#placeFirst?.();
    this.#addRest?.();
    const fresh = hits.filter((hit) => !this.#tiles.has(hit.id));
    this.#version++;
    this.#place([...this.hits, ...fresh], [...this.#tiles.values(), ...fresh.map((hit) => this.#createTile(hit))]);
  }

  /** Show empty tiles until the first response. */
  showSkeletons() {
    if (this.#tiles.size) return;
    const ratios = [1.5, 0.75, 1.5, 1.33, 1, 1.5, 1.5, 0.7, 1.33, 1.5, 1, 1.5];
    this.#list.replaceChildren(...ratios.map((ratio) => {
      const tile = document.createElement("li");
      tile.className = "tile skeleton";
      tile.style.setProperty("--ratio", String(ratio));
      return tile;
    }));
  }

  clear() {
    this.#version++;
    this.#placeFirst = null;
    this.#place([], []);
  }

  /** Show changed marks. */
  refresh() {
    for (const tile of this.#tiles.values()) tile.update(tile.hit, this.#markOf(tile.hit.id));
  }

  /** Focus a photo, or the current one if it is no longer shown. */
  focus(/** @type {string} */ id) {
    if (this.#tiles.has(id)) this.#setCurrent(id);
    this.focusCurrent();
  }

  /** Focus the photo that Tab would focus. */
  focusCurrent() {
    if (this.#current) this.#tiles.get(this.#current)?.focus();
  }

  get rowHeight() {
    return parseFloat(getComputedStyle(this.#list).getPropertyValue("--row")) || 160;
  }

  #createTile(/** @type {Hit} */ hit) {
    return new Tile(hit, this.#actions, this.rowHeight);
  }

  #place(/** @type {Hit[]} */ hits, /** @type {Tile[]} */ tiles) {
    this.#addRest = null;
    this.#showBusy();
    this.#list.classList.remove("partial");
    const focused = this.#list.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
    const place = [...this.#tiles.keys()].indexOf(focused?.closest("li")?.dataset.id ?? "");
    const staying = new Set(tiles);
    for (const tile of this.#tiles.values()) if (!staying.has(tile)) tile.remove();
    for (const skeleton of this.#list.querySelectorAll(".skeleton")) skeleton.remove();
    tiles.forEach((tile, i) => {
      tile.update(hits[i], this.#markOf(hits[i].id));
      const sibling = this.#list.children[i];
      if (sibling !== tile.element) this.#list.insertBefore(tile.element, sibling ?? null);
    });
    this.#tiles = new Map(tiles.map((tile) => [tile.hit.id, tile]));
    this.hits = hits;
    if (!this.#current || !this.#tiles.has(this.#current)) this.#setCurrent(hits[Math.max(0, Math.min(place, hits.length - 1))]?.id ?? null);
    if (focused && document.activeElement !== focused) {
      // Moved or removed: the keyboard focus stays in the grid.
      if (focused.isConnected) focused.focus({ preventScroll: true });
      else if (this.#current) this.#tiles.get(this.#current)?.focus();
    }
  }

  #setCurrent(/** @type {string | null} */ id) {
    if (this.#current) this.#tiles.get(this.#current)?.setTabStop(false);
    this.#current = id;
    if (id) this.#tiles.get(id)?.setTabStop(true);
  }

  #onKey(/** @type {KeyboardEvent} */ event) {
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
      const offset = (/** @type {DOMRect} */ one) => Math.abs(one.left + one.width / 2 - middle);
      if (best === place || offset(at) < offset(box(best))) best = i;
    }
    return best;
  }
}

