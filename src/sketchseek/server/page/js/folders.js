/** The folders of the gallery in its dialog: add, look for changes, pause, try again, forget, follow. */

import { addFolder, forgetFolder, places, resumeIndexing, scanFolders, stopIndexing, watchFolders } from "./api.js";
import { byId, icon, make } from "./dom.js";
import { isRunning, progress } from "./status.js";
import { counted, t } from "./texts.js";

/** @import { Status } from "./api.js" */
/** @typedef {{changed: () => void, notify: (text: string) => void}} Callbacks `changed`: ask for the status now */

export class Folders {
  #callbacks;
  #list = byId("folders");
  #dialog = byId("places", HTMLDialogElement);
  #body = byId("places-body");
  #problem = byId("places-problem");
  /** @type {string | null} */ #current = null;
  #places = 0; // where one can begin
  /** Key of what is shown: an equal one is not created again, which would interrupt a click. */
  #shown = "";

  constructor(/** @type {Callbacks} */ callbacks) {
    this.#callbacks = callbacks;
    byId("places-add").addEventListener("click", () => this.#current !== null && this.add(this.#current));
  }

  /** Show the folders and what can be done with them. */
  show(/** @type {Status} */ status) {
    const running = isRunning(status);
    const { state, model, error } = status.indexing;
    const key = JSON.stringify([status.folders, status.failed, status.watching, status.adds_folders, running, state, model, error]);
    if (key !== this.#shown) {
      this.#shown = key;
      const focused = document.activeElement?.id;
      this.#list.replaceChildren(...this.#content(status, running));
      if (focused && this.#list.querySelector(`#${focused}`)) byId(focused).focus();
    }
    const bar = this.#list.querySelector("progress");
    if (!bar) return;
    byId("folders-progress").textContent = progress(status);
    if (status.indexing.total && state === "indexing") [bar.max, bar.value] = [status.indexing.total, status.indexing.done ?? 0];
    else bar.removeAttribute("value");
  }

  #content(/** @type {Status} */ status, /** @type {boolean} */ running) {
    const { state, error } = status.indexing;
    const some = status.folders.length > 0;
    return [
      make("h3", { text: t("Folders") }),
      some ? make("ul", { class: "places" }, ...status.folders.map((one) => this.#row(one, running)))
        : make("p", { class: "muted", text: t("None yet.") }),
      running ? make("div", { class: "progress" }, make("progress", { "aria-label": t("Photos indexed") }), make("p", { id: "folders-progress", class: "muted" })) : null,
      state === "stopped" ? make("p", { class: "muted", text: t("Paused. What is done stays.") }) : null,
      error ? make("p", { class: "reason", role: "alert", text: error }) : null,
      make("div", { class: "acts" },
        status.adds_folders ? this.#button("add-folder", "folder", t("Add a folder"), () => this.choose(), running) : null,
        running ? this.#button("pause", "pause", t("Pause"), () => this.#act(stopIndexing)) : null,
        state === "stopped" ? this.#button("resume", "next", t("Continue"), () => this.#act(resumeIndexing)) : null,
        some && !running ? this.#button("rescan", "refresh", t("Look for changes"), () => this.#act(() => scanFolders(false))) : null,
        some && !running && status.failed ? this.#button("retry-failed", "refresh", t("Try failed files again"), () => this.#act(() => scanFolders(true))) : null),
      some ? make("label", { class: "check" }, this.#watchSwitch(status), t("Follow changes while the server runs")) : null,
    ].filter((node) => node !== null);
  }

  #row(/** @type {{folder: string, path: string}} */ { folder, path }, /** @type {boolean} */ running) {
    const forget = make("button", { type: "button", class: "quiet", disabled: running, text: t("Forget"), "aria-label": t("Forget {name}", { name: folder }) });
    const row = make("li", {}, make("span", { text: path, class: "file" }), forget);
    forget.addEventListener("click", () => {
      const confirmed = make("button", { type: "button", class: "button warn", text: t("Forget its photos") });
      const keep = make("button", { type: "button", class: "quiet", text: t("Keep") });
      const question = make("div", { class: "question", role: "alertdialog", "aria-label": t("Forget {name}", { name: folder }) },
        make("p", { text: t("Its photos leave the gallery. The files themselves stay.") }), make("div", { class: "acts" }, confirmed, keep));
      row.append(question);
      forget.hidden = true;
      keep.focus();
      keep.addEventListener("click", () => {
        question.remove();
        forget.hidden = false;
        forget.focus();
      });
      confirmed.addEventListener("click", () => this.#act(async () => {
        const { files } = await forgetFolder(folder);
        this.#callbacks.notify(counted(files, "{count} file forgotten.", "{count} files forgotten."));
      }));
    });
    return row;
  }

  #watchSwitch(/** @type {Status} */ status) {
    const box = make("input", { id: "watch-folders", type: "checkbox", role: "switch", checked: status.watching });
    box.addEventListener("change", () => this.#act(() => watchFolders(box.checked)));
    return box;
  }

  #button(/** @type {string} */ id, /** @type {string} */ name, /** @type {string} */ label, /** @type {() => void} */ click, disabled = false) {
    return make("button", { id, type: "button", class: "button", disabled, click }, icon(name), label);
  }

  async #act(/** @type {() => Promise<unknown>} */ request) {
    try {
      await request();
    } catch (error) {
      this.#shown = ""; // a switch goes back to what the server says
      this.#callbacks.notify(/** @type {Error} */ (error).message);
    }
    this.#callbacks.changed();
  }

  /** Open the dialog to choose a folder of the server's machine. */
  choose() {
    this.#dialog.showModal();
    this.#go(null);
  }

  /** Add a folder by its name. */
  async add(/** @type {string} */ name) {
    try {
      await addFolder(name);
      this.#dialog.close();
    } catch (error) {
      this.#problem.textContent = /** @type {Error} */ (error).message;
      if (!this.#dialog.open) this.#callbacks.notify(/** @type {Error} */ (error).message);
    }
    this.#callbacks.changed();
  }

  async #go(/** @type {string | null} */ folder) {
    this.#problem.textContent = "";
    try {
      const listing = await places(folder);
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
      byId("places-add", HTMLButtonElement).disabled = folder === null;
      this.#body.querySelector("button")?.focus();
    } catch (error) {
      this.#problem.textContent = /** @type {Error} */ (error).message;
    }
  }

  #step(/** @type {string | null} */ to, /** @type {string} */ name, /** @type {string} */ label) {
    return make("button", { type: "button", class: "place", click: () => this.#go(to) }, icon(name), make("span", { text: label }));
  }
}

/** The last part of a folder's name. */
export const shortName = (/** @type {string} */ name) => name.slice(name.lastIndexOf("/") + 1) || name;
