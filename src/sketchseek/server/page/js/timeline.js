/** The photos by date or by folder, before there is a query: only what is near the window is created, whatever their number. */

import { RequestError, thumbnailUrl, timeline, timelinePage } from "./api.js";
import { byId, make } from "./dom.js";
import { showPreview } from "./preview.js";
import { selectButton } from "./selection.js";
import { load, save } from "./storage.js";
import { counted, language, number, t } from "./texts.js";

/** @import { Photo, Section } from "./api.js" */
/** @typedef {{section: Section, first: number, top: number, height: number}} Block `first`: place of its first photo */
/** @typedef {{under: string, from: string, to: string, name: string, kind: string, camera: string}} Within */

const PAGE = 200; // photos the server returns at once
const GAP = 4; // px
const HEAD = 44; // px, the heading of a section
const AHEAD = 700; // px above and below the window that are created
const KEPT_PAGES = 60;
const RENEW = 8000; // ms between two looks at a gallery that grows
const SETTLE = 60; // ms without scrolling before pages are loaded

export class Timeline {
  #root = byId("timeline");
  #list = byId("timeline-photos");
  #heads = byId("timeline-heads");
  #bar = byId("timeline-bar");
  #now = byId("timeline-now"); // the heading of what is at the top, which its own one scrolls under
  #jump = byId("timeline-jump", HTMLSelectElement);
  #by = byId("timeline-by", HTMLSelectElement);
  #open;
  /** @type {Block[]} */ #blocks = [];
  /** @type {Map<string, Photo[] | Promise<Photo[]>>} by section and number, the last used last */ #pages = new Map();
  /** @type {Map<number, HTMLLIElement>} by place */ #cells = new Map();
  #columns = 1;
  #side = 100;
  #current = 0; // place of the photo that Tab focuses
  #frame = 0;
  #timer = 0;
  #version = 0;
  #within = "";
  #generation = "";
  /** @type {Within | null} what is to be shown; null: nothing, whatever is still loading */ #wanted = null;
  #isAnswered = false;
  #loadedAt = 0;
  count = 0;
  /** Why there is no timeline; empty if there is one. */ problem = "";

  constructor(/** @type {(photo: Photo) => void} */ open) {
    this.#open = open;
    addEventListener("scroll", () => this.#schedule(), { passive: true });
    new ResizeObserver(() => this.#layout()).observe(this.#root);
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
    this.#jump.addEventListener("change", () => {
      const block = this.#blocks.find(({ section }) => this.#keyOf(section) === this.#jump.value);
      if (block) this.#scrollTo(block.top);
    });
    if (load().timeline === "folder") this.#by.value = "folder";
    this.#by.addEventListener("change", () => {
      save({ timeline: this.#by.value });
      this.show(this.#wanted ?? this.#filter, this.#generation).then(() => this.#list.getBoundingClientRect().top < 0 && this.#scrollTo(0));
    });
  }

  get isShown() { return !this.#root.hidden; }

  hide() {
    this.#wanted = null;
    this.#root.hidden = true;
    this.#bar.hidden = true;
  }

  /**
   * Show the photos that pass the filters; `generation`: another one means that the gallery has changed. Returns whether
   * they are shown: not if they are still loading, or something else is to be shown by now.
   */
  async show(/** @type {Within} */ within, /** @type {string} */ generation) {
    const by = this.#by.value === "folder" ? "folder" : "date";
    const key = JSON.stringify([within, by]);
    const wasHidden = this.#root.hidden;
    this.#wanted = within;
    this.#root.hidden = Boolean(this.problem);
    this.#bar.hidden = this.#root.hidden || !this.count;
    if (wasHidden) this.#layout();
    if (key === this.#within && (generation === this.#generation || (!wasHidden && this.#isInUse))) return this.#isAnswered;
    this.#isAnswered = false;
    [this.#within, this.#generation, this.#loadedAt] = [key, generation, performance.now()];
    const version = ++this.#version;
    try {
      const { sections, photos } = await timeline(within, by);
      if (version !== this.#version) return false;
      this.#filter = within;
      this.#sections(sections, photos);
      this.problem = "";
    } catch (error) {
      if (version !== this.#version) return false;
      this.problem = /** @type {Error} */ (error).message;
      this.#sections([], 0);
      if (!(error instanceof RequestError)) this.#within = ""; // tried again; but a store that cannot list never can
    }
    this.#isAnswered = true;
    this.#root.hidden = !this.#wanted || !this.count;
    return this.#wanted !== null;
  }

  /** Whether the user looks through the photos, or they were loaded just now: changes of the gallery are shown later. */
  get #isInUse() {
    return this.#list.getBoundingClientRect().top < 0 || this.#list.contains(document.activeElement) || performance.now() - this.#loadedAt < RENEW;
  }

  /** @type {Within} */ #filter = { under: "", from: "", to: "", name: "", kind: "", camera: "" };

  /** A photo that is loaded. */
  photo(/** @type {string} */ id) {
    return this.peek(this.placeOf(id));
  }

  /** The place of a photo that is loaded, or -1. `supposed` is tried first, because one with copies is in several folders. */
  placeOf(/** @type {string} */ id, supposed = this.#current) {
    if (this.peek(supposed)?.id === id) return supposed;
    for (const { section, first } of this.#blocks) {
      for (const number of section.pages.keys()) {
        const page = this.#pages.get(pageKey(first, number));
        const at = Array.isArray(page) ? page.findIndex((photo) => photo.id === id) : -1;
        if (at >= 0) return first + number * PAGE + at;
      }
    }
    return -1;
  }

  /** @returns {Promise<Photo | null>} the photo at a place, loaded if necessary */
  async at(/** @type {number} */ place) {
    const spot = this.#spot(place);
    return spot ? ((await this.#load(spot))[spot.offset] ?? null) : null;
  }

  /** The photo at a place, if it is loaded. */
  peek(/** @type {number} */ place) {
    const spot = this.#spot(place);
    const page = spot && this.#pages.get(pageKey(spot.block.first, spot.number));
    return spot && Array.isArray(page) ? (page[spot.offset] ?? null) : null;
  }

  /** Focus a photo, e.g. the one that was shown large last. */
  focus(place = this.#current) {
    if (!this.count) return;
    this.#current = Math.min(this.count - 1, Math.max(0, place));
    const { top } = this.#position(this.#current);
    const box = this.#root.getBoundingClientRect();
    if (box.top + top < 110 || box.top + top + this.#side > innerHeight) this.#scrollTo(top - innerHeight / 3);
    this.#paint();
    this.#cells.get(this.#current)?.querySelector("button")?.focus({ preventScroll: true });
  }

  #sections(/** @type {Section[]} */ sections, /** @type {number} */ photos) {
    this.#pages.clear();
    for (const cell of this.#cells.values()) cell.remove();
    this.#cells.clear();
    this.count = photos;
    let first = 0;
    this.#blocks = sections.map((section) => {
      const block = { section, first, top: 0, height: 0 };
      first += section.count;
      return block;
    });
    /** @type {Map<string, number>} */ const counts = new Map();
    for (const section of sections) counts.set(this.#keyOf(section), (counts.get(this.#keyOf(section)) ?? 0) + section.count);
    this.#jump.replaceChildren(...[...counts].map(([key, count]) => new Option(`${key || t("No date")} · ${number(count)}`, key)));
    this.#jump.hidden = counts.size < 2;
    const byFolder = sections[0] && sections[0].folder !== null;
    this.#jump.title = byFolder ? t("Go to a folder") : t("Go to a year");
    this.#jump.setAttribute("aria-label", this.#jump.title);
    this.#list.setAttribute("aria-label", byFolder ? t("All photos, by folder") : t("All photos, newest first"));
    this.#bar.hidden = !photos || this.#root.hidden;
    this.#layout();
  }

  /** What one can go to: a year, "" for no date, or a folder. */
  #keyOf(/** @type {Section} */ { folder, month }) {
    return folder ?? (month ?? "").slice(0, 4);
  }

  #layout() {
    const width = this.#root.clientWidth;
    if (!width || !this.isShown) return;
    const least = width < 500 ? 92 : width < 900 ? 120 : 150;
    this.#columns = Math.max(3, Math.floor((width + GAP) / (least + GAP)));
    this.#side = Math.floor((width + GAP) / this.#columns) - GAP;
    let top = 0;
    for (const block of this.#blocks) {
      block.top = top;
      block.height = HEAD + Math.ceil(block.section.count / this.#columns) * (this.#side + GAP);
      top += block.height + 10;
    }
    this.#list.style.height = `${top}px`;
    this.#list.style.setProperty("--side", `${this.#side}px`);
    for (const cell of this.#cells.values()) cell.remove();
    this.#cells.clear();
    this.#paint();
  }

  #schedule() {
    if (this.isShown) this.#frame ||= requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (!this.isShown) return;
    const offset = this.#list.getBoundingClientRect().top;
    const [low, high] = [-offset - AHEAD, -offset + innerHeight + AHEAD];
    /** @type {Set<number>} */ const wanted = new Set();
    const near = this.#blocks.filter(({ top, height }) => top < high && top + height > low);
    for (const { section, first, top } of near) {
      const row = (/** @type {number} */ y) => Math.floor((y - top - HEAD) / (this.#side + GAP));
      const from = Math.max(0, row(low)) * this.#columns;
      const to = Math.min(section.count, (row(high) + 1) * this.#columns);
      for (let i = from; i < to; i++) wanted.add(first + i);
    }
    const keep = this.#list.contains(document.activeElement) ? this.#current : -1;
    for (const [place, cell] of this.#cells) {
      if (wanted.has(place) || place === keep) continue;
      cell.remove();
      this.#cells.delete(place);
    }
    for (const place of wanted) this.#fill(place);
    this.#heads.replaceChildren(...near.map(({ section, top }) => this.#head(section, top)));
    const now = this.#blocks.findLast(({ top }) => top <= this.#header + 1 - offset) ?? this.#blocks[0];
    const { folder = null } = now?.section ?? {};
    this.#now.replaceChildren(...(now ? this.#head({ ...now.section, folder: folder && folder.slice(folder.lastIndexOf("/") + 1) }, 0).childNodes : []));
    if (now && document.activeElement !== this.#jump) this.#jump.value = this.#keyOf(now.section);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#loadMissing(), SETTLE);
  }

  #head(/** @type {Section} */ { folder, month, count }, /** @type {number} */ top) {
    const name = folder ?? (month ? new Date(`${month}-15T12:00`).toLocaleDateString(language, { month: "long", year: "numeric" }) : t("No date"));
    const head = make("h3", {}, make("span", { class: "section", text: name }), make("span", { class: "muted", text: counted(count, "{count} photo", "{count} photos") }));
    head.style.top = `${top}px`;
    return head;
  }

  #fill(/** @type {number} */ place) {
    let cell = this.#cells.get(place);
    if (!cell) {
      cell = /** @type {HTMLLIElement} */ (make("li", { class: "cell", "aria-posinset": place + 1, "aria-setsize": this.count }));
      const { left, top } = this.#position(place);
      cell.style.left = `${left}px`;
      cell.style.top = `${top}px`;
      this.#cells.set(place, cell);
      const after = [...this.#cells.keys()].filter((other) => other > place).sort((a, b) => a - b)[0];
      this.#list.insertBefore(cell, (after !== undefined && this.#cells.get(after)) || null);
    }
    const photo = this.peek(place);
    if (photo && !cell.firstChild) {
      const image = make("img", { alt: "", decoding: "async", draggable: "false", load: () => cell.classList.add("loaded") });
      image.src = thumbnailUrl(photo.id, this.#side * devicePixelRatio > 170 ? 320 : 160);
      const label = photo.taken ? `${photo.name}, ${new Date(photo.taken).toLocaleDateString(language, { dateStyle: "medium" })}` : photo.name;
      cell.dataset.id = photo.id;
      const open = make("button", { type: "button", class: "open", "aria-label": label, title: photo.name, click: () => {
        this.#current = place;
        this.#open(photo);
      } }, image);
      showPreview(open, photo);
      cell.append(open, selectButton(photo.name));
    }
    const stop = place === this.#current || (!this.#cells.has(this.#current) && place === Math.min(...this.#cells.keys()));
    for (const button of cell.querySelectorAll("button")) button.tabIndex = stop ? 0 : -1;
  }

  async #loadMissing() {
    const version = this.#version;
    /** @type {Map<string, {block: Block, number: number}>} */ const missing = new Map();
    for (const [place, cell] of this.#cells) {
      const spot = cell.firstChild ? null : this.#spot(place);
      if (spot) missing.set(pageKey(spot.block.first, spot.number), spot);
    }
    for (const spot of missing.values()) {
      await this.#load(spot).catch(() => {}); // the next scroll tries again; the watch of the status reports a lost server
      if (version !== this.#version) return;
      for (const place of this.#cells.keys()) this.#fill(place);
    }
  }

  /** @returns {Promise<Photo[]>} */
  async #load(/** @type {{block: Block, number: number}} */ { block: { section, first }, number }) {
    const key = pageKey(first, number);
    const known = this.#pages.get(key);
    if (known) {
      this.#pages.delete(key);
      this.#pages.set(key, known);
      return known;
    }
    const asked = timelinePage(section, section.pages[number], Math.min(PAGE, section.count - number * PAGE), this.#filter);
    this.#pages.set(key, asked);
    try {
      const photos = await asked;
      if (this.#pages.get(key) === asked) this.#pages.set(key, photos);
      for (const oldest of this.#pages.keys()) if (this.#pages.size > KEPT_PAGES) this.#pages.delete(oldest);
      return photos;
    } catch (error) {
      this.#pages.delete(key);
      throw error;
    }
  }

  /** The block of a place, the number of its page, and where it is in that page. */
  #spot(/** @type {number} */ place) {
    if (place < 0 || place >= this.count) return null;
    const block = /** @type {Block} */ (this.#blocks.findLast(({ first }) => first <= place));
    const inside = place - block.first;
    return { block, number: Math.floor(inside / PAGE), offset: inside % PAGE };
  }

  #position(/** @type {number} */ place) {
    const { block } = /** @type {{block: Block}} */ (this.#spot(place));
    const inside = place - block.first;
    return { left: (inside % this.#columns) * (this.#side + GAP), top: block.top + HEAD + Math.floor(inside / this.#columns) * (this.#side + GAP) };
  }

  /** Height of the header of the page, below which the bar stays. */
  get #header() {
    return parseFloat(getComputedStyle(this.#bar).top);
  }

  #scrollTo(/** @type {number} */ y) {
    scrollTo({ top: scrollY + this.#list.getBoundingClientRect().top + y - this.#header, behavior: "instant" });
    this.#paint();
  }

  #onKey(/** @type {KeyboardEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = Math.max(1, Math.floor(innerHeight / (this.#side + GAP)) - 1);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.#columns, ArrowUp: -this.#columns, PageDown: rows * this.#columns,
      PageUp: -rows * this.#columns, Home: -this.count, End: this.count }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.#go(this.#current + step);
  }

  async #go(/** @type {number} */ place) {
    const to = Math.min(this.count - 1, Math.max(0, place));
    this.#current = to;
    await this.at(to).catch(() => null);
    if (this.#current === to) this.focus(to);
  }
}

/** `first`: place of the first photo of the section. */
const pageKey = (/** @type {number} */ first, /** @type {number} */ number) => `${first}/${number}`;
