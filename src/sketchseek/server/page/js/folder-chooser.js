/** The dialog in which a folder of the server's machine is chosen, to index it or to put photos into it. */

import { places } from "./api.js";
import { byId, icon, make } from "./dom.js";
import { counted, t } from "./texts.js";

/** @typedef {{title: string, note: string, button: string, choose: (folder: string) => Promise<unknown>}} Purpose */

export class FolderChooser {
  #dialog = byId("places", HTMLDialogElement);
  #body = byId("places-body");
  #button = byId("places-choose", HTMLButtonElement);
  #problem = byId("places-problem");
  /** @type {Purpose | null} */ #purpose = null;
  /** @type {string | null} */ #current = null;
  #places = 0; // where one can begin
  #asked = 0; // the newest request for a folder; answers to older ones are not shown

  constructor() {
    this.#button.addEventListener("click", () => this.#choose());
    this.#dialog.addEventListener("close", () => (this.#purpose = null));
  }

  /** Open the dialog. It closes when `choose` is done, and shows an error of it. */
  open(/** @type {Purpose} */ purpose) {
    this.#purpose = purpose;
    byId("places-title").textContent = purpose.title;
    byId("places-note").textContent = purpose.note;
    this.#button.textContent = purpose.button;
    this.#dialog.showModal();
    this.#current = null;
    this.#body.inert = false;
    this.#go(null);
  }

  async #choose() {
    const purpose = this.#purpose;
    if (!purpose || this.#current === null) return;
    this.#button.disabled = this.#body.inert = true; // once is enough
    try {
      await purpose.choose(this.#current);
      if (purpose === this.#purpose) this.#dialog.close();
    } catch (error) {
      if (purpose !== this.#purpose) return;
      this.#problem.textContent = /** @type {Error} */ (error).message;
      this.#button.disabled = this.#body.inert = false;
      this.#button.focus();
    }
  }

  async #go(/** @type {string | null} */ folder) {
    const asked = ++this.#asked;
    this.#problem.textContent = "";
    this.#button.disabled = true; // otherwise it would choose the previous folder
    try {
      const listing = await places(folder);
      if (asked !== this.#asked) return;
      if (folder === null) this.#places = listing.folders.length;
      if (folder === null && this.#places === 1) return this.#go(listing.folders[0]);
      this.#current = listing.folder;
      const rows = listing.folders.map((name) => this.#step(name, "folder", shortName(name)));
      if (folder !== null && (listing.parent !== null || this.#places > 1)) rows.unshift(this.#step(listing.parent, "up", t("Up")));
      this.#body.replaceChildren(...rows.map((row) => make("li", {}, row)));
      this.#body.scrollTop = 0;
      byId("places-name").textContent = folder ?? t("Choose where to begin");
      byId("places-count").textContent = folder === null ? "" : [
        listing.photos ? counted(listing.photos, "{count} photo here", "{count} photos here") : t("No photos here"),
        listing.folders.length ? counted(listing.folders.length, "{count} folder", "{count} folders") : "", listing.more ? t("and more") : ""].filter(Boolean).join(", ");
      this.#body.querySelector("button")?.focus();
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#problem.textContent = /** @type {Error} */ (error).message;
    }
    this.#button.disabled = this.#current === null;
  }

  #step(/** @type {string | null} */ to, /** @type {string} */ name, /** @type {string} */ label) {
    return make("button", { type: "button", class: "place", click: () => this.#go(to) }, icon(name), make("span", { text: label }));
  }
}

/** The last part of a folder's name. */
export const shortName = (/** @type {string} */ name) => name.slice(name.lastIndexOf("/") + 1) || name;
