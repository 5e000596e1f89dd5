/** Folder, dates, threshold and folding. */

import { byId } from "./dom.js";

/** @import { Status } from "./api.js" */
/** @import { Query } from "./query.js" */

const LEAST = 10; // % of likelihood below which a photo is no result

export class Filters {
  #query;
  #form = byId("filters", HTMLFormElement);
  #button = byId("filters-open");
  #under = byId("under", HTMLSelectElement);
  #from = byId("from", HTMLInputElement);
  #to = byId("to", HTMLInputElement);
  #threshold = byId("threshold", HTMLInputElement);
  #fold = byId("fold", HTMLInputElement);
  #folders = "";

  constructor(/** @type {Query} */ query) {
    this.#query = query;
    this.#button.addEventListener("click", () => this.open(this.#form.hidden));
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("input", () => this.#read());
    this.#form.addEventListener("reset", () => setTimeout(() => this.#read()));
    query.addEventListener("change", () => this.#say());
  }

  open(/** @type {boolean} */ open) {
    this.#form.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
  }

  /** Everything without limits, as after a reset. */
  reset() {
    this.#form.reset();
  }

  /** Nothing is too little like it. */
  allowAll() {
    this.#threshold.value = "0";
    this.#read();
  }

  /** Whether the model knows how likely a photo is what was meant: then little likely ones are left out at first. */
  calibrated(/** @type {boolean} */ known) {
    if (this.#query.relevance === known) return;
    this.#query.relevance = known;
    this.#query.usual = known ? LEAST : 0;
    this.#threshold.defaultValue = String(this.#query.usual);
    this.#threshold.value = this.#threshold.defaultValue;
    this.#read();
  }

  /** Folders that can be chosen: those the gallery was given, and those in them that photos were seen in. */
  offer(/** @type {Status} */ status, /** @type {Iterable<string>} */ seen) {
    const all = new Set(status.folders.map(({ folder }) => folder));
    for (const folder of seen) {
      const parts = folder.split("/");
      for (let depth = 1; depth <= parts.length; depth++) all.add(parts.slice(0, depth).join("/"));
    }
    const folders = [...all].filter((folder) => status.folders.some((root) => `${folder}/`.startsWith(`${root.folder}/`))).sort();
    if (folders.join("\n") === this.#folders) return;
    this.#folders = folders.join("\n");
    const chosen = this.#under.value;
    this.#under.replaceChildren(new Option("All folders", ""), ...folders.map((folder) => new Option(folder, folder)));
    if (folders.includes(chosen)) this.#under.value = chosen;
  }

  #read() {
    this.#query.set({
      under: this.#under.value,
      from: this.#from.value,
      to: this.#to.value,
      threshold: Number(this.#threshold.value),
      fold: this.#fold.checked,
    }, true);
  }

  #say() {
    const query = this.#query;
    const unit = query.relevance ? `${query.threshold} %` : (query.threshold / 100).toFixed(2);
    byId("threshold-value").textContent = query.threshold ? unit : "any";
    const count = byId("filters-count");
    count.textContent = String(query.filters);
    count.hidden = !query.filters;
    this.#button.setAttribute("aria-label", query.filters ? `Filters, ${query.filters} in use` : "Filters");
  }
}
