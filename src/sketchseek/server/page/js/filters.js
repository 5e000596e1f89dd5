/** What to look for, and the filters: folder, dates, threshold, grouping of near-duplicates. */

import { byId } from "./dom.js";
import { load, save } from "./storage.js";
import { number, t } from "./texts.js";

/** @import { Query } from "./query.js" */

export class Filters {
  #query;
  #form = byId("filters", HTMLFormElement);
  #button = byId("filters-open");
  #look = /** @type {RadioNodeList} */ (this.#form.elements.namedItem("look")); // outside of the form, but reset with it
  #under = byId("under", HTMLSelectElement);
  #from = byId("from", HTMLInputElement);
  #to = byId("to", HTMLInputElement);
  #threshold = byId("threshold", HTMLInputElement);
  #fold = byId("fold", HTMLInputElement);
  #folders = "";

  constructor(/** @type {Query} */ query) {
    this.#query = query;
    this.#look.value = load().look ?? this.#look.value;
    this.#query.look = this.#look.value;
    for (const radio of this.#look) radio.addEventListener("change", () => this.#read());
    this.#button.addEventListener("click", () => this.open(this.#form.hidden));
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("input", () => this.#read());
    this.#form.addEventListener("reset", () => setTimeout(() => this.#read()));
    query.addEventListener("change", () => this.#showState());
  }

  open(/** @type {boolean} */ open) {
    this.#form.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
  }

  /** Back to the defaults. */
  reset() {
    this.#form.reset();
  }

  /** Remove the threshold. */
  removeThreshold() {
    this.#threshold.value = "0";
    this.#read();
  }

  /** All folders of the gallery, those below others indented; `counts`: how many photos are directly in each. */
  setFolders(/** @type {{folder: string, files: number}[]} */ counts) {
    const key = JSON.stringify(counts);
    if (key === this.#folders) return;
    this.#folders = key;
    const known = new Set(counts.map(({ folder }) => folder));
    const above = (/** @type {string} */ folder) => {
      const parents = [];
      for (let end = folder.lastIndexOf("/"); end > 0; end = folder.lastIndexOf("/", end - 1)) if (known.has(folder.slice(0, end))) parents.push(folder.slice(0, end));
      return parents; // the nearest first
    };
    /** @type {Map<string, number>} with those of folders below */ const totals = new Map();
    for (const { folder, files } of counts) for (const one of [folder, ...above(folder)]) totals.set(one, (totals.get(one) ?? 0) + files);
    const option = (/** @type {string} */ folder) => {
      const parents = above(folder);
      const total = totals.get(folder);
      return new Option(`${"\u2003".repeat(parents.length)}${parents.length ? folder.slice(parents[0].length + 1) : folder}${total ? ` (${number(total)})` : ""}`, folder);
    };
    this.#under.replaceChildren(new Option(t("All folders"), ""), ...[...known].map(option));
    this.#showState();
  }

  #read() {
    save({ look: this.#look.value });
    this.#query.set({
      look: this.#look.value,
      under: this.#under.value,
      from: this.#from.value,
      to: this.#to.value,
      threshold: Number(this.#threshold.value),
      fold: this.#fold.checked,
    }, true);
  }

  #showState() {
    const query = this.#query;
    if (query.under && ![...this.#under.options].some(({ value }) => value === query.under)) this.#under.append(new Option(query.under, query.under));
    for (const [input, value] of /** @type {[HTMLInputElement | HTMLSelectElement, string][]} */ ([[this.#under, query.under], [this.#from, query.from],
      [this.#to, query.to], [this.#threshold, String(query.threshold)]])) if (input.value !== value && input !== document.activeElement) input.value = value;
    this.#fold.checked = query.fold;
    this.#look.value = query.look;
    byId("threshold-value").textContent = query.threshold ? `${query.threshold} %` : t("any");
    const count = byId("filters-count");
    count.textContent = String(query.filters);
    count.hidden = !query.filters;
    this.#button.setAttribute("aria-label", query.filters ? t("Filters, {count} in use", { count: query.filters }) : t("Filters"));
  }
}
