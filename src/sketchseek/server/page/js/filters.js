/** What to look for, and the filters: folder, dates, file name and kind, camera, threshold, grouping of near-duplicates. */

import { byId } from "./dom.js";
import { load, save } from "./storage.js";
import { language, number, t } from "./texts.js";

/** The kinds of files that the server knows, with the names that people know. */
const KINDS = { jpeg: "JPEG", png: "PNG", heif: "HEIC", raw: "RAW", tiff: "TIFF", webp: "WebP", avif: "AVIF", gif: "GIF", bmp: "BMP" };

/** @import { Query } from "./query.js" */

export class Filters {
  #query;
  #form = byId("filters", HTMLFormElement);
  #button = byId("filters-open");
  #look = /** @type {RadioNodeList} */ (this.#form.elements.namedItem("look")); // outside of the form, but reset with it
  #under = byId("under", HTMLSelectElement);
  #when = byId("when", HTMLSelectElement);
  #from = byId("from", HTMLInputElement);
  #to = byId("to", HTMLInputElement);
  #name = byId("name", HTMLInputElement);
  #kind = byId("kind", HTMLSelectElement);
  #camera = byId("camera", HTMLSelectElement);
  #threshold = byId("threshold", HTMLInputElement);
  #fold = byId("fold", HTMLInputElement);
  #folders = "";
  #cameras = "";
  #months = "";

  constructor(/** @type {Query} */ query) {
    this.#query = query;
    this.#kind.append(...Object.entries(KINDS).map(([kind, name]) => new Option(name, kind)));
    this.#look.value = load().look ?? this.#look.value;
    this.#query.look = this.#look.value;
    for (const radio of this.#look) radio.addEventListener("change", () => this.#read());
    this.#button.addEventListener("click", () => this.open(this.#form.hidden));
    this.#when.addEventListener("input", () => [this.#from.value, this.#to.value] = `${this.#when.value}/`.split("/"));
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("input", () => this.#read());
    this.#form.addEventListener("reset", (event) => {
      event.preventDefault(); // the form would be reset after this event, and a change made meanwhile would be lost
      this.#from.value = this.#to.value = ""; // also half a date, which counts as none
      save({ look: "both" });
      query.set({ look: "both", under: "", from: "", to: "", name: "", kind: "", camera: "", threshold: 0, fold: true });
    });
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
    this.#replaceOptions(this.#under, this.#query.under, [new Option(t("All folders"), ""), ...[...known].map(option)]);
  }

  /** The cameras of the gallery; the filter is not shown without any. */
  setCameras(/** @type {{camera: string, photos: number}[]} */ cameras) {
    const key = JSON.stringify(cameras);
    if (key === this.#cameras) return;
    this.#cameras = key;
    const options = cameras.map(({ camera, photos }) => new Option(`${camera} (${number(photos)})`, camera));
    this.#replaceOptions(this.#camera, this.#query.camera, [new Option(t("All cameras"), ""), ...options]);
  }

  /** The months in which photos were taken, "2024-07", the newest first. */
  setMonths(/** @type {string[]} */ months) {
    const key = months.join();
    if (key === this.#months) return;
    this.#months = key;
    const name = (/** @type {string} */ month) => new Date(`${month}-15T12:00`).toLocaleDateString(language, { month: "long", year: "numeric" });
    const lastDay = (/** @type {string} */ month) => new Date(Number(month.slice(0, 4)), Number(month.slice(5)), 0).getDate();
    const options = months.flatMap((month, i) => {
      const year = month.slice(0, 4);
      const first = months[i - 1]?.slice(0, 4) !== year;
      return [...(first ? [new Option(year, `${year}-01-01/${year}-12-31`)] : []), new Option(`\u2003${name(month)}`, `${month}-01/${month}-${lastDay(month)}`)];
    });
    this.#when.replaceChildren(this.#when.options[0], ...options);
    this.#when.hidden = !months.length;
    this.#showState();
  }

  /** New options; the one in use stays chosen, also while the list has the focus. */
  #replaceOptions(/** @type {HTMLSelectElement} */ select, /** @type {string} */ value, /** @type {HTMLOptionElement[]} */ options) {
    select.replaceChildren(...options);
    this.#showState();
    select.value = value;
  }

  #read() {
    save({ look: this.#look.value });
    this.#query.set({
      look: this.#look.value,
      under: this.#under.value,
      from: this.#from.value,
      to: this.#to.value,
      name: this.#name.value,
      kind: this.#kind.value,
      camera: this.#camera.value,
      threshold: Number(this.#threshold.value),
      fold: this.#fold.checked,
    }, true);
  }

  #showState() {
    const query = this.#query;
    for (const [select, value] of /** @type {[HTMLSelectElement, string][]} */ ([[this.#under, query.under], [this.#camera, query.camera]])) {
      if (value && ![...select.options].some((option) => option.value === value)) select.append(new Option(value, value));
    }
    byId("camera-row").hidden = this.#camera.options.length < 2;
    for (const [input, value] of /** @type {[HTMLInputElement | HTMLSelectElement, string][]} */ ([[this.#under, query.under], [this.#from, query.from],
      [this.#to, query.to], [this.#name, query.name], [this.#kind, query.kind], [this.#camera, query.camera], [this.#threshold, String(query.threshold)]])) if (input.value !== value) input.value = value;
    const dates = query.from || query.to ? `${query.from}/${query.to}` : "";
    const isListed = [...this.#when.options].some(({ value }) => value === dates);
    this.#when.options[0].text = isListed ? t("Any time") : t("Other dates");
    this.#when.value = isListed ? dates : "";
    this.#fold.checked = query.fold;
    this.#look.value = query.look;
    byId("threshold-value").textContent = query.threshold ? `${query.threshold} %` : t("any");
    const count = byId("filters-count");
    count.textContent = String(query.filters);
    count.hidden = !query.filters;
    this.#button.setAttribute("aria-label", query.filters ? t("Filters, {count} in use", { count: query.filters }) : t("Filters"));
  }
}
