/** From a question to photos on the page: asks while one draws, pages on while one scrolls, says what came of it. */

import { Busy, Lost, Refusal, search } from "./api.js";
import { byId, photos } from "./dom.js";
import * as notices from "./notices.js";
import { PAGE } from "./query.js";
import { LiveSearch } from "./search.js";

/** @import { Answer, Hit } from "./api.js" */
/** @import { Filters } from "./filters.js" */
/** @import { Grid } from "./grid.js" */
/** @import { Query } from "./query.js" */
/** @import { StatusWatch } from "./status.js" */
/** @typedef {{start: (sample: string) => void, copy: (text: string) => void, banner: (what: "busy", on: boolean) => void}} Ways */

const QUIET = 700; // ms without a new answer before a screen reader hears of the last
const DEEPEST = 2000; // hits; the server pages no further

export class Results {
  /** @type {LiveSearch<Answer>} */ #live;
  #query;
  #grid;
  #watch;
  #filters;
  #ways;
  #list = byId("grid");
  #more = false;
  #taken = 0; // hits of this question that came, those left out as known included
  /** @type {Promise<boolean> | null} */ #paging = null;
  /** @type {number | null} in the gallery, when last heard */ #photos = null;
  #generation = 0;
  #telling = 0;
  /** Folders that photos were found in. @type {Set<string>} */ folders = new Set();

  /**
   * @param {Query} query
   * @param {Grid} grid
   * @param {StatusWatch} watch
   * @param {Filters} filters
   * @param {Ways} ways
   */
  constructor(query, grid, watch, filters, ways) {
    this.#query = query;
    this.#grid = grid;
    this.#watch = watch;
    this.#filters = filters;
    this.#ways = ways;
    this.#live = new LiveSearch({
      ask: (signal) => this.#ask(signal),
      show: (answer) => this.#show(answer),
      refuse: (reason) => this.#refuse(reason),
      busy: (waiting) => ways.banner("busy", waiting),
      lost: () => this.#lost(),
    });
    new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.loadMore(), { rootMargin: "900px" })
      .observe(byId("grid-end"));
  }

  /** The question is another one: ask after `delay` ms without a further change. */
  soon(delay = 0) {
    this.#live.soon(delay);
  }

  /** A stroke grows. */
  meanwhile() {
    this.#live.meanwhile();
  }

  /** The gallery may have changed: what stands where photos are not, and photos that nobody is going through. */
  refresh() {
    const photos = this.#watch.last?.photos ?? 0;
    const grown = this.#photos !== null && photos !== this.#photos;
    this.#photos = photos;
    if (!this.#grid.hits.length && (this.#query.isEmpty || !photos)) this.#welcome();
    else if (grown && !this.#query.isEmpty && this.#grid.hits.length <= PAGE && !this.#looking && !this.#scrolled) this.soon();
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
    const offset = this.#taken;
    const k = Math.min(PAGE, DEEPEST - offset);
    if (k <= 0) return false;
    try {
      const answer = await search(this.#query.form(offset, k), AbortSignal.timeout(20_000));
      if (generation !== this.#generation) return false;
      this.#taken += answer.hits.length;
      this.#more = answer.more && answer.hits.length > 0;
      this.#note(answer);
      const before = this.#grid.hits.length;
      this.#grid.append(this.#wanted(answer.hits));
      this.#count(this.#grid.hits.length);
      return this.#grid.hits.length > before;
    } catch (error) {
      if (error instanceof Lost) this.#watch.ask();
      return false; // scrolling on asks again
    }
  }

  #ask(/** @type {AbortSignal} */ signal) {
    if (this.#query.isEmpty || this.#watch.last?.photos === 0) return null;
    if (!this.#grid.hits.length && !this.#generation) this.#skeletons();
    return search(this.#query.form(), signal);
  }

  #show(/** @type {Answer | null} */ answer) {
    this.#generation++;
    this.#taken = answer?.hits.length ?? 0;
    this.#more = answer?.more ?? false;
    if (!answer) {
      this.#grid.clear();
      this.#count(0);
      return this.#welcome();
    }
    this.#note(answer);
    const hits = this.#wanted(answer.hits);
    if (hits.length) {
      notices.hideNotice();
      this.#list.hidden = false;
      this.#grid.show(hits);
      if (this.#scrolled && !this.#looking) byId("found").scrollIntoView({ block: "start" }); // the best are at the top
    } else {
      this.#grid.clear();
      this.#list.hidden = true;
      notices.nothing(answer.note ?? "No photo matches.", this.#waysOut());
    }
    this.#count(hits.length);
    this.#tell(hits, answer);
  }

  /** Whether somebody goes through the photos by keyboard, or sees one large. */
  get #looking() {
    return this.#list.contains(document.activeElement) || document.querySelector("dialog[open]") !== null;
  }

  get #scrolled() {
    return this.#list.getBoundingClientRect().top < 0;
  }

  /** No answer: if only this one was lost, ask again; else the page waits for the server. */
  async #lost() {
    await this.#watch.ask();
    if (!this.#watch.isLost) this.soon(1000);
  }

  #refuse(/** @type {Error} */ reason) {
    this.#generation++;
    this.#more = false;
    this.#grid.clear();
    this.#list.hidden = true;
    this.#count(0);
    const sentence = reason instanceof Busy ? "The server is busy with other searches." : reason instanceof Refusal ? reason.message : "Something in the page went wrong.";
    notices.refused(sentence, () => this.soon());
    byId("live").textContent = sentence;
    if (!(reason instanceof Busy || reason instanceof Refusal)) throw reason;
  }

  #welcome() {
    const status = this.#watch.last;
    if (!status) return;
    this.#list.hidden = true;
    if (status.photos) notices.invite(status.photos, this.#ways.start);
    else notices.firstRun(status, this.#ways.copy);
  }

  #skeletons() {
    notices.hideNotice();
    this.#list.hidden = false;
    this.#grid.expect();
  }

  #waysOut() {
    const { threshold, filters } = this.#query;
    return [
      ...(threshold ? [{ label: "Show the nearest all the same", act: () => this.#filters.allowAll() }] : []),
      ...(filters ? [{ label: "Reset the filters", act: () => this.#filters.reset() }] : []),
    ];
  }

  #note(/** @type {Answer} */ answer) {
    for (const hit of answer.hits) this.folders.add(hit.folder);
    if (this.#watch.last) this.#filters.offer(this.#watch.last, this.folders);
  }

  #count(/** @type {number} */ shown) {
    byId("count").textContent = shown ? `${photos(shown)}${this.#more ? " and more" : ""}` : "";
  }

  /** What somebody does not want is not shown again. */
  #wanted(/** @type {Hit[]} */ hits) {
    return hits.filter((hit) => this.#query.markOf(hit.id) !== "unlike");
  }

  #tell(/** @type {Hit[]} */ hits, /** @type {Answer} */ answer) {
    clearTimeout(this.#telling);
    this.#telling = setTimeout(() => {
      const [first] = hits;
      byId("live").textContent = first ? `${photos(hits.length)} found${answer.more ? ", and more" : ""}. First: ${first.name}.` : (answer.note ?? "No photo found.");
    }, QUIET);
  }
}
