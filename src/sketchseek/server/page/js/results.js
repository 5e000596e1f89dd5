/** Search and show the hits: while the user draws, further pages while the user scrolls, and notices. */

import { collectionPhotos, RequestError, search, ServerBusy, ServerUnreachable } from "./api.js";
import { byId } from "./dom.js";
import { notify } from "./messages.js";
import * as notices from "./notices.js";
import { PAGE } from "./query.js";
import { LiveSearch } from "./live-search.js";
import { counted, t } from "./texts.js";

/** @import { SearchResponse, Hit } from "./api.js" */
/** @import { Folders } from "./folders.js" */
/** @import { Filters } from "./filters.js" */
/** @import { Grid } from "./grid.js" */
/** @import { Query } from "./query.js" */
/** @import { Timeline } from "./timeline.js" */
/** @import { StatusWatch } from "./status.js" */
/** @typedef {{start: (sample: string) => void, copy: (text: string) => void, folders: Folders, banner: (what: "busy", on: boolean) => void,
 *   opened: () => void, guessed: (names: string[]) => void}} Callbacks `opened`: a collection was opened or closed */

const ANNOUNCE_DELAY = 700; // ms without a new response before the last one is announced to screen readers
const END_DELAY = 400; // ms without a new response before more photos are loaded: while one draws, they would be for nothing
const AGAIN_DELAY = 2000; // ms before more photos are asked for again
const MAX_OFFSET = 2000; // hits, the limit of the server

export class Results {
  /** @type {LiveSearch<SearchResponse>} */ #live;
  #query;
  #grid;
  #timeline;
  #watch;
  #filters;
  #callbacks;
  #list = byId("grid");
  #end;
  #more = false;
  #received = 0; // hits of this query, including those not shown
  /** @type {{generation: number, more: Promise<boolean>} | null} */ #paging = null;
  /** @type {number | null} photos in the gallery at the last update */ #photos = null;
  #generation = 0;
  #turn = 0; // raised by what the user does: a collection that was asked for before does not open
  #opening = -1; // turn of the collection that is being loaded
  #openingName = "";
  #isSearching = false;
  #isUnanswered = false; // the server did not respond to the last search
  #sent = new FormData(); // of the last search
  #shown = new FormData(); // of the one whose hits are shown
  #announceTimer = 0;
  #endTimer = 0;

  /**
   * @param {Query} query
   * @param {Grid} grid
   * @param {Timeline} timeline
   * @param {StatusWatch} watch
   * @param {Filters} filters
   * @param {Callbacks} callbacks
   */
  constructor(query, grid, timeline, watch, filters, callbacks) {
    this.#query = query;
    this.#grid = grid;
    this.#timeline = timeline;
    this.#watch = watch;
    this.#filters = filters;
    this.#callbacks = callbacks;
    this.#live = new LiveSearch({
      search: (signal) => this.#search(signal),
      show: (answer) => this.#show(answer),
      fail: (error) => this.#fail(error),
      busy: (waiting) => callbacks.banner("busy", waiting),
      unreachable: () => this.#onUnreachable(),
      pending: (on) => (grid.isPending = this.#isSearching = on),
    });
    this.#end = new IntersectionObserver((entries) => entries.at(-1)?.isIntersecting && this.loadMore(), { rootMargin: "900px" });
    this.#lookAtEnd();
  }

  /** The query has changed: search after `delay` ms without another change. */
  schedule(delay = 0) {
    this.#turn++;
    this.#live.schedule(delay);
  }

  /** A stroke is being drawn: search now and then. */
  whileDrawing() {
    this.#turn++;
    this.#live.whileDrawing();
  }

  /** Whether an answer to a search is still to come. */
  get isSearching() { return this.#isSearching; }

  /** The collection that is shown, unless a search is about to close it. */
  get keptCollection() { return this.#isSearching ? null : this.collection; }

  /** Whether a collection is being loaded. */
  get isOpening() { return this.#opening === this.#turn; }

  /** Do not open a collection that is still being loaded. */
  dropOpening() {
    this.#turn++;
  }

  /** Do not search if that would close a collection. */
  keepCollection() {
    if (this.collection === null) return;
    this.#live.stop();
    this.#isUnanswered = false;
  }

  /** The server responds again: search if the last search has had no response. */
  searchAgain() {
    if (this.#isUnanswered) this.schedule();
    else this.#lookAtEnd();
  }

  /** The collection that is shown; null if none is. @type {string | null} */ collection = null;

  /** Show the photos of a collection again, unless it is being closed. */
  async refreshCollection(/** @type {string} */ name) {
    const isOtherOpening = this.isOpening && name !== this.#openingName;
    if (name === this.keptCollection && !isOtherOpening) await this.openCollection(name);
  }

  /**
   * Show the photos of a collection in place of hits, unless the user does something else before they have loaded.
   * `before` is called when they have; they are not shown if it returns false.
   */
  async openCollection(/** @type {string} */ name, before = () => true) {
    const turn = (this.#opening = ++this.#turn);
    this.#openingName = name;
    const { photos, more } = await collectionPhotos(name, 0, PAGE).finally(() => {
      if (turn === this.#opening) this.#opening = -1;
    });
    if (turn !== this.#turn || !before()) return;
    this.#live.stop();
    this.#isUnanswered = false;
    clearTimeout(this.#announceTimer);
    this.#generation++;
    const isNew = name !== this.collection;
    this.#showCollection(name);
    [this.#received, this.#more] = [photos.length, more];
    this.#timeline.hide();
    notices.hideNotice();
    this.#list.hidden = false;
    this.#grid.show(/** @type {Hit[]} */ (photos));
    this.#count(/** @type {Hit[]} */ (photos));
    this.#lookAtEnd();
    if (isNew) byId("results").scrollIntoView({ block: "start" }); // on a phone they are below the sheet
  }

  #showCollection(/** @type {string | null} */ name) {
    if (name === this.collection) return;
    this.collection = name;
    const focused = document.activeElement?.id ?? "";
    if (name === null && ["collection-close", "collection-export", "selection-remove"].includes(focused)) byId("results").focus({ preventScroll: true }); // they go
    byId("collection-close").hidden = byId("collection-export").hidden = byId("selection-remove").hidden = name === null;
    this.#callbacks.opened();
  }

  /** The gallery may have changed: update the notice, and the hits unless the user is browsing them. */
  refresh() {
    const photos = this.#watch.last?.photos ?? 0;
    const changed = this.#photos !== null && photos !== this.#photos;
    this.#photos = photos;
    if (this.collection !== null) return;
    if (!this.#grid.hits.length && (this.#query.isEmpty || !photos)) this.#welcome();
    else if (changed && !this.#query.isEmpty && this.#grid.hits.length <= PAGE && !this.#isBrowsing && !this.#isScrolled) this.#live.schedule();
  }

  /** An observer reports only changes. Observe again, because the end may still be near after more photos. */
  #lookAtEnd() {
    clearTimeout(this.#endTimer);
    this.#end.disconnect();
    this.#end.observe(byId("grid-end"));
  }

  /** Whether there are photos after those that are shown. */
  get hasMore() { return this.#more; }

  /** The next page. @returns {Promise<boolean>} whether there are more photos now than before */
  async loadMore() {
    const generation = this.#generation;
    if (this.#paging?.generation === generation) return this.#paging.more;
    if (!this.#more || this.#watch.isLost) return false;
    const paging = (this.#paging = { generation, more: this.#page(generation) });
    try {
      return await paging.more;
    } finally {
      if (paging === this.#paging) this.#paging = null;
    }
  }

  async #page(/** @type {number} */ generation) {
    const offset = this.#received;
    const k = this.collection === null ? Math.min(PAGE, MAX_OFFSET - offset) : PAGE;
    if (k <= 0) return false;
    try {
      const answer = await this.#next(offset, k);
      if (generation !== this.#generation) return false;
      this.#received += answer.hits.length;
      this.#more = answer.more && answer.hits.length > 0;
      const before = this.#grid.hits.length;
      this.#grid.append(this.#withoutUnliked(answer.hits));
      this.#count(this.#grid.hits);
      this.#lookAtEnd();
      return this.#grid.hits.length > before;
    } catch (error) {
      if (error instanceof ServerUnreachable) this.#watch.poll();
      clearTimeout(this.#endTimer);
      this.#endTimer = setTimeout(() => this.#lookAtEnd(), AGAIN_DELAY);
      return false;
    }
  }

  /** @returns {Promise<{hits: Hit[], more: boolean}>} */
  async #next(/** @type {number} */ offset, /** @type {number} */ k) {
    if (this.collection === null) {
      this.#shown.set("offset", String(offset));
      this.#shown.set("k", String(k));
      return search(this.#shown, AbortSignal.timeout(20_000));
    }
    const { photos, more } = await collectionPhotos(this.collection, offset, k);
    return { hits: /** @type {Hit[]} */ (photos), more };
  }

  #search(/** @type {AbortSignal} */ signal) {
    if (this.#query.isEmpty || this.#watch.last?.photos === 0) return null;
    if (!this.#grid.hits.length && !this.#generation) this.#skeletons();
    this.#sent = this.#query.form();
    return search(this.#sent, signal);
  }

  #show(/** @type {SearchResponse | null} */ answer) {
    this.#generation++;
    this.#isUnanswered = false;
    this.#shown = this.#sent;
    clearTimeout(this.#announceTimer);
    this.#showCollection(null);
    this.#received = answer?.hits.length ?? 0;
    this.#more = answer?.more ?? false;
    this.#callbacks.guessed(answer?.guesses ?? []);
    if (!answer) {
      this.#grid.clear();
      this.#count([]);
      return this.#welcome();
    }
    this.#timeline.hide();
    const hits = this.#withoutUnliked(answer.hits);
    if (hits.length) {
      notices.hideNotice();
      this.#list.hidden = false;
      this.#grid.show(hits);
      if (this.#isScrolled && !this.#isBrowsing) byId("results").scrollIntoView({ block: "start" }); // the best hits are at the top
    } else {
      this.#grid.clear();
      this.#list.hidden = true;
      notices.noHits(answer.note ?? t("No photo matches."), this.#suggestions());
    }
    this.#count(hits);
    clearTimeout(this.#endTimer);
    this.#endTimer = setTimeout(() => this.#lookAtEnd(), END_DELAY);
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
    this.#isUnanswered = true;
    await this.#watch.poll();
    if (this.#isUnanswered && !this.#watch.isLost) this.#live.schedule(1000);
  }

  #fail(/** @type {Error} */ error) {
    const broken = error instanceof RequestError && this.#query.pictures.find(({ file, problem }) => !problem && error.message.startsWith(`${file.name}: `));
    if (broken) { // search without it
      notify(error.message);
      return this.#query.set({ pictures: this.#query.pictures.map((one) => (one === broken ? { ...one, problem: error.message } : one)) });
    }
    this.#generation++;
    this.#isUnanswered = false;
    clearTimeout(this.#announceTimer);
    this.#showCollection(null);
    this.#callbacks.guessed([]);
    this.#more = false;
    this.#timeline.hide();
    this.#grid.clear();
    this.#list.hidden = true;
    this.#count([]);
    const message = error instanceof ServerBusy ? t("The server is busy with other searches.") : error instanceof RequestError ? error.message : t("Internal error of the page.");
    notices.searchFailed(message, () => this.schedule());
    byId("live").textContent = message;
    if (!(error instanceof ServerBusy || error instanceof RequestError)) throw error;
  }

  #welcome() {
    const status = this.#watch.last;
    if (!status) return;
    this.#list.hidden = true;
    if (status.photos) {
      const invite = () => notices.invite(status.photos, this.#callbacks.start);
      const { under, from, to, name, kind, camera, filters } = this.#query;
      if (!filters) invite();
      this.#timeline.show({ under, from, to, name, kind, camera }, `${status.photos} ${status.files}`).then((shown) => {
        if (!shown || !filters || !this.#query.isEmpty || this.collection !== null) return;
        if (this.#timeline.count || this.#timeline.problem) invite();
        else notices.noHits(t("No photo passes the filters."), this.#suggestions());
      });
    } else {
      this.#timeline.hide();
      notices.firstRun(status, this.#callbacks.folders, this.#callbacks.copy);
    }
  }

  #skeletons() {
    this.#timeline.hide();
    notices.hideNotice();
    this.#list.hidden = false;
    this.#grid.showSkeletons();
  }

  #suggestions() {
    const { threshold, filters } = this.#query;
    return [
      ...(threshold ? [{ label: t("Show the closest matches anyway"), action: () => this.#filters.removeThreshold() }] : []),
      ...(filters ? [{ label: t("Reset the filters"), action: () => this.#filters.reset() }] : []),
    ];
  }

  /** `hits`: all that are shown, or will be as soon as their pictures have loaded. */
  #count(/** @type {Hit[]} */ hits) {
    const shown = hits.length;
    const weak = shown > 0 && hits.every((hit) => hit.weak);
    const many = this.#more ? counted(shown, "{count} photo and more", "{count} photos and more") : counted(shown, "{count} photo", "{count} photos");
    if (this.collection !== null) byId("count").textContent = `${this.collection}: ${many}`;
    else if (weak) byId("count").textContent = counted(shown, "Nothing is really like it. The nearest photo:", "Nothing is really like it. The nearest {count} photos:");
    else byId("count").textContent = shown ? many : "";
  }

  /** Unliked photos are hidden at once, before the server responds. */
  #withoutUnliked(/** @type {Hit[]} */ hits) {
    return hits.filter((hit) => this.#query.markOf(hit.id) !== "unlike");
  }

  #announce(/** @type {Hit[]} */ hits, /** @type {SearchResponse} */ answer) {
    clearTimeout(this.#announceTimer);
    this.#announceTimer = setTimeout(() => {
      const [first] = hits;
      const many = answer.more ? counted(hits.length, "{count} photo found, and more.", "{count} photos found, and more.") : counted(hits.length, "{count} photo found.", "{count} photos found.");
      const weak = hits.every((hit) => hit.weak) ? t("None is really like it.") : "";
      byId("live").textContent = first ? [many, weak, t("First: {name}.", { name: first.name })].filter(Boolean).join(" ") : (answer.note ?? t("No photo found."));
    }, ANNOUNCE_DELAY);
  }
}
