/** Search and show the hits: while the user draws, further pages while the user scrolls, and notices. */

import { RequestError, search, ServerBusy, ServerUnreachable } from "./api.js";
import { byId, photos } from "./dom.js";
import * as notices from "./notices.js";
import { PAGE } from "./query.js";
import { LiveSearch } from "./live-search.js";

/** @import { SearchResponse, Hit } from "./api.js" */
/** @import { Filters } from "./filters.js" */
/** @import { Grid } from "./grid.js" */
/** @import { Query } from "./query.js" */
/** @import { StatusWatch } from "./status.js" */
/** @typedef {{start: (sample: string) => void, copy: (text: string) => void, banner: (what: "busy", on: boolean) => void}} Callbacks */

const ANNOUNCE_DELAY = 700; // ms without a new response before the last one is announced to screen readers
const MAX_OFFSET = 2000; // hits, the limit of the server

export class Results {
  /** @type {LiveSearch<SearchResponse>} */ #live;
  #query;
  #grid;
  #watch;
  #filters;
  #callbacks;
  #list = byId("grid");
  #more = false;
  #received = 0; // hits of this query, including those not shown
  /** @type {Promise<boolean> | null} */ #paging = null;
  /** @type {number | null} photos in the gallery at the last update */ #photos = null;
  #generation = 0;
  #announceTimer = 0;
  /** Folders of all hits so far. @type {Set<string>} */ folders = new Set();

  /**
   * @param {Query} query
   * @param {Grid} grid
   * @param {StatusWatch} watch
   * @param {Filters} filters
   * @param {Callbacks} callbacks
   */
  constructor(query, grid, watch, filters, callbacks) {
    this.#query = query;
    this.#grid = grid;
    this.#watch = watch;
    this.#filters = filters;
    this.#callbacks = callbacks;
    this.#live = new LiveSearch({
      search: (signal) => this.#search(signal),
      show: (answer) => this.#show(answer),
      fail: (error) => this.#fail(error),
      busy: (waiting) => callbacks.banner("busy", waiting),
      unreachable: () => this.#onUnreachable(),
    });
    new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.loadMore(), { rootMargin: "900px" })
      .observe(byId("grid-end"));
  }

  /** The query has changed: search after `delay` ms without another change. */
  schedule(delay = 0) {
    this.#live.schedule(delay);
  }

  /** A stroke is being drawn: search now and then. */
  whileDrawing() {
    this.#live.whileDrawing();
  }

  /** The gallery may have changed: update the notice, and the hits unless the user is browsing them. */
  refresh() {
    const photos = this.#watch.last?.photos ?? 0;
    const changed = this.#photos !== null && photos !== this.#photos;
    this.#photos = photos;
    if (!this.#grid.hits.length && (this.#query.isEmpty || !photos)) this.#welcome();
    else if (changed && !this.#query.isEmpty && this.#grid.hits.length <= PAGE && !this.#isBrowsing && !this.#isScrolled) this.schedule();
  }

  /** The next page. @returns {Promise<boolean>} whether there are more photos now than before */
  async loadMore() {
    if (this.#paging) return this.#paging;
    if (!this.#more || this.#watch.isLost) return false;
    this.#paging = this.#page(this.#generation);
    try {
      return await this.#paging;
    } finally {
      this.#paging = null;
    }
  }

  async #page(/** @type {number} */ generation) {
    const offset = this.#received;
    const k = Math.min(PAGE, MAX_OFFSET - offset);
    if (k <= 0) return false;
    try {
      const answer = await search(this.#query.form(offset, k), AbortSignal.timeout(20_000));
      if (generation !== this.#generation) return false;
      this.#received += answer.hits.length;
      this.#more = answer.more && answer.hits.length > 0;
      this.#collectFolders(answer);
      const before = this.#grid.hits.length;
      this.#grid.append(this.#withoutUnliked(answer.hits));
      this.#count(this.#grid.hits.length);
      return this.#grid.hits.length > before;
    } catch (error) {
      if (error instanceof ServerUnreachable) this.#watch.poll();
      return false; // the next scroll tries again
    }
  }

  #search(/** @type {AbortSignal} */ signal) {
    if (this.#query.isEmpty || this.#watch.last?.photos === 0) return null;
    if (!this.#grid.hits.length && !this.#generation) this.#skeletons();
    return search(this.#query.form(), signal);
  }

  #show(/** @type {SearchResponse | null} */ answer) {
    this.#generation++;
    this.#received = answer?.hits.length ?? 0;
    this.#more = answer?.more ?? false;
    if (!answer) {
      this.#grid.clear();
      this.#count(0);
      return this.#welcome();
    }
    this.#collectFolders(answer);
    const hits = this.#withoutUnliked(answer.hits);
    if (hits.length) {
      notices.hideNotice();
      this.#list.hidden = false;
      this.#grid.show(hits);
      if (this.#isScrolled && !this.#isBrowsing) byId("results").scrollIntoView({ block: "start" }); // the best hits are at the top
    } else {
      this.#grid.clear();
      this.#list.hidden = true;
      notices.noHits(answer.note ?? "No photo matches.", this.#suggestions());
    }
    this.#count(hits.length);
    this.#announce(hits, answer);
  }

  /** Whether the user moves through the photos by keyboard, or a dialog is open. */
  get #isBrowsing() {
    return this.#list.contains(document.activeElement) || document.querySelector("dialog[open]") !== null;
  }

  get #isScrolled() {
    return this.#list.getBoundingClientRect().top < 0;
  }

  /** No response: search again if the server still responds, otherwise wait for it. */
  async #onUnreachable() {
    await this.#watch.poll();
    if (!this.#watch.isLost) this.schedule(1000);
  }

  #fail(/** @type {Error} */ error) {
    this.#generation++;
    this.#more = false;
    this.#grid.clear();
    this.#list.hidden = true;
    this.#count(0);
    const message = error instanceof ServerBusy ? "The server is busy with other searches." : error instanceof RequestError ? error.message : "Internal error of the page.";
    notices.searchFailed(message, () => this.schedule());
    byId("live").textContent = message;
    if (!(error instanceof ServerBusy || error instanceof RequestError)) throw error;
  }

  #welcome() {
    const status = this.#watch.last;
    if (!status) return;
    this.#list.hidden = true;
    if (status.photos) notices.invite(status.photos, this.#callbacks.start);
    else notices.firstRun(status, this.#callbacks.copy);
  }

  #skeletons() {
    notices.hideNotice();
    this.#list.hidden = false;
    this.#grid.showSkeletons();
  }

  #suggestions() {
    const { threshold, filters } = this.#query;
    return [
      ...(threshold ? [{ label: "Show the closest matches anyway", action: () => this.#filters.removeThreshold() }] : []),
      ...(filters ? [{ label: "Reset the filters", action: () => this.#filters.reset() }] : []),
    ];
  }

  #collectFolders(/** @type {SearchResponse} */ answer) {
    for (const hit of answer.hits) this.folders.add(hit.folder);
    if (this.#watch.last) this.#filters.setFolders(this.#watch.last, this.folders);
  }

  #count(/** @type {number} */ shown) {
    const weak = shown > 0 && this.#grid.hits.every((hit) => hit.weak);
    const many = `${photos(shown)}${this.#more ? " and more" : ""}`;
    byId("count").textContent = shown ? (weak ? `Nothing is really like it. The nearest ${many}:` : many) : "";
  }

  /** Unliked photos are hidden at once, before the server responds. */
  #withoutUnliked(/** @type {Hit[]} */ hits) {
    return hits.filter((hit) => this.#query.markOf(hit.id) !== "unlike");
  }

  #announce(/** @type {Hit[]} */ hits, /** @type {SearchResponse} */ answer) {
    clearTimeout(this.#announceTimer);
    this.#announceTimer = setTimeout(() => {
      const [first] = hits;
      byId("live").textContent = first ? `${photos(hits.length)} found${answer.more ? ", and more" : ""}. ${hits.every((hit) => hit.weak) ? " None is really like it." : ""} First: ${first.name}.` : (answer.note ?? "No photo found.");
    }, ANNOUNCE_DELAY);
  }
}
