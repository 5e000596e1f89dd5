/** What to look for, and the filters: folder, dates, threshold, grouping of near-duplicates. */

import { byId } from "./dom.js";
import { load, save } from "./storage.js";

/** @import { Status } from "./api.js" */
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

  /** Update the choice of folders: those of the gallery, and the folders below them that hits came from. */
  setFolders(/** @type {Status} */ status, /** @type {Iterable<string>} */ seen) {
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
    byId("threshold-value").textContent = query.threshold ? `${query.threshold} %` : "any";
    const count = byId("filters-count");
    count.textContent = String(query.filters);
    count.hidden = !query.filters;
    this.#button.setAttribute("aria-label", query.filters ? `Filters, ${query.filters} in use` : "Filters");
  }
}
