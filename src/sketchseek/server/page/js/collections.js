/** The collections of photos and the saved searches that the gallery keeps, in their dialogs. */

import { collections, collect, deleteCollection, deleteSearch, saveSearch } from "./api.js";
import { addressOf } from "./address.js";
import { byId, icon, make } from "./dom.js";
import { idOf, keep } from "./kept.js";
import { validStrokes } from "./storage.js";
import { counted, t } from "./texts.js";

/** @import { Query } from "./query.js" */
/** @import { Selection } from "./selection.js" */
/** @typedef {{notify: (text: string) => void, open: (name: string) => void, repeat: (address: string) => void,
 *   export: (name: string, photos: number) => void}} Callbacks */

export class CollectionDialogs {
  #query;
  #selection;
  #callbacks;
  #dialog = byId("collections", HTMLDialogElement);
  #adding = false;
  #asked = 0; // the newest request for a dialog; answers to older ones open nothing
  #askedSaved = 0;

  constructor(/** @type {Query} */ query, /** @type {Selection} */ selection, /** @type {Callbacks} */ callbacks) {
    this.#query = query;
    this.#selection = selection;
    this.#callbacks = callbacks;
    byId("collections-open").addEventListener("click", () => this.#show(false));
    byId("selection-collect").addEventListener("click", () => this.#show(true));
    byId("collections-new").addEventListener("submit", () => this.#add(take("collections-name")));
    byId("saved-new").addEventListener("submit", () => this.#save(take("saved-name")));
  }

  /** `adding`: choose where the selected photos go. */
  async #show(/** @type {boolean} */ adding) {
    const found = await this.#ask();
    if (!found) return;
    this.#adding = adding;
    byId("collections-new").hidden = !adding;
    byId("collections-none").textContent = found.collections.length ? "" : adding ? t("None yet.") : t("None yet. Select photos to make one.");
    const choose = (/** @type {string} */ name) => {
      this.#dialog.close();
      if (adding) this.#add(name);
      else this.#callbacks.open(name);
    };
    fill("collections-list", found.collections.map(({ name, photos }) =>
      row("layers", name, counted(photos, "{count} photo", "{count} photos"), () => choose(name), ...(adding ? [] : [
        action("download", t("Export {name}", { name }), () => this.#callbacks.export(name, photos)),
        action("clear", t("Delete {name}", { name }), () => this.#delete(name)),
      ]))));
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  /** The saved searches, in the dialog of the last ones. */
  async showSaved() {
    byId("saved-new").hidden = this.#query.isEmpty;
    const asked = ++this.#askedSaved;
    const found = await this.#try(collections);
    if (!found || asked !== this.#askedSaved) return;
    fill("saved-list", found.searches.map(({ name, query }) => row("search", name, "", async () => {
      const strokes = validStrokes(query.strokes);
      if (strokes.length) await keep(idOf(JSON.stringify(strokes)), strokes);
      byId("searches", HTMLDialogElement).close();
      this.#callbacks.repeat(String(query.address ?? ""));
    }, action("clear", t("Delete {name}", { name }), async () => {
      if (!confirm(t("Delete the search {name}?", { name }))) return;
      await this.#try(() => deleteSearch(name));
      this.showSaved();
    }))));
  }

  /** Export one of them. */
  async export(/** @type {string} */ name) {
    const found = await this.#ask();
    const one = found?.collections.find((one) => one.name === name);
    if (one) this.#callbacks.export(name, one.photos);
  }

  async #add(/** @type {string} */ name) {
    const ids = this.#selection.photos.map(({ id }) => id);
    const added = await this.#try(() => collect("add", name, ids));
    if (!added) return;
    this.#callbacks.notify(counted(added.photos, "{count} photo added to {name}.", "{count} photos added to {name}.", { name }));
    this.#selection.remove(ids);
  }

  async #save(/** @type {string} */ name) {
    const query = { address: addressOf(this.#query), strokes: this.#query.drawing.strokes };
    if ((await this.#try(() => saveSearch(name, query))) !== undefined) this.#callbacks.notify(t("Saved as {name}.", { name }));
  }

  async #delete(/** @type {string} */ name) {
    if (!confirm(t("Delete the collection {name}? Its photos stay in the gallery.", { name }))) return;
    await this.#try(() => deleteCollection(name));
    if (this.#dialog.open && !this.#adding) this.#show(false);
  }

  /** The collections, for a dialog; undefined if something else has been opened meanwhile. */
  async #ask() {
    const asked = ++this.#asked;
    const found = await this.#try(collections);
    const isOverOther = !this.#dialog.open && document.querySelector("dialog[open]") !== null;
    return asked === this.#asked && !isOverOther ? found : undefined;
  }

  /** What a request returns; undefined, after a message, if it fails. @template T @returns {Promise<T | undefined>} */
  async #try(/** @type {() => Promise<T>} */ request) {
    try {
      return await request();
    } catch (error) {
      this.#callbacks.notify(/** @type {Error} */ (error).message);
      return undefined;
    }
  }
}

/** Replace the rows of a list; if the button that was pressed goes with its row, the focus stays in the dialog. */
function fill(/** @type {string} */ id, /** @type {Node[]} */ rows) {
  const list = byId(id);
  const hadFocus = list.contains(document.activeElement);
  list.replaceChildren(...rows);
  if (hadFocus) (list.querySelector("button") ?? list.closest("dialog")?.querySelector("button"))?.focus();
}

function row(/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ more, /** @type {() => void} */ choose, /** @type {Node[]} */ ...actions) {
  const button = make("button", { type: "button", class: "place", click: choose }, icon(name), make("span", { text: label }), make("span", { class: "muted", text: more }));
  return make("li", {}, button, ...actions);
}

const action = (/** @type {string} */ name, /** @type {string} */ label, /** @type {() => void} */ click) =>
  make("button", { type: "button", class: "icon-button", "aria-label": label, title: label, click }, icon(name));

/** The text of a field, which is emptied. */
function take(/** @type {string} */ id) {
  const field = byId(id, HTMLInputElement);
  const value = field.value.trim();
  field.value = "";
  return value;
}
