/** The folders of the gallery in its dialog: add, look for changes, pause, try again, forget, follow. */

import { addFolder, forgetFolder, resumeIndexing, scanFolders, stopIndexing, watchFolders } from "./api.js";
import { byId, icon, make } from "./dom.js";
import { isRunning, progress } from "./status.js";
import { counted, t } from "./texts.js";

/** @import { Status } from "./api.js" */
/** @import { FolderChooser } from "./folder-chooser.js" */
/** @typedef {{changed: () => void, notify: (text: string) => void}} Callbacks `changed`: ask for the status now */

export class Folders {
  #callbacks;
  #list = byId("folders");
  #chooser;
  /** Key of what is shown: an equal one is not created again, which would interrupt a click. */
  #shown = "";
  #acting = 0; // requests that are not answered yet
  #last = Promise.resolve();

  constructor(/** @type {FolderChooser} */ chooser, /** @type {Callbacks} */ callbacks) {
    this.#chooser = chooser;
    this.#callbacks = callbacks;
  }

  /** Show the folders and what can be done with them. */
  show(/** @type {Status} */ status) {
    const running = isRunning(status);
    const { state, model, error } = status.indexing;
    const key = JSON.stringify([status.folders, status.failed, status.watching, status.adds_folders, running, state, model, error]);
    const isAsking = this.#list.querySelector(".question:focus-within:not([aria-busy])") !== null;
    if (key !== this.#shown && !isAsking && !this.#acting) {
      this.#shown = key;
      const focused = this.#list.contains(document.activeElement) ? document.activeElement?.id : null;
      this.#list.replaceChildren(...this.#content(status, running));
      if (focused !== null) {
        const same = focused && this.#list.querySelector(`#${focused}:enabled`);
        /** @type {HTMLElement | null} */ (same || this.#list.querySelector(".acts :enabled"))?.focus();
      }
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
      confirmed.addEventListener("click", () => {
        if (question.hasAttribute("aria-busy")) return; // a second click
        question.setAttribute("aria-busy", "true");
        this.#act(async () => {
          const { files } = await forgetFolder(folder);
          this.#callbacks.notify(counted(files, "{count} file forgotten.", "{count} files forgotten."));
        });
      });
    });
    return row;
  }

  #watchSwitch(/** @type {Status} */ status) {
    const box = make("input", { id: "watch-folders", type: "checkbox", role: "switch", checked: status.watching });
    box.addEventListener("change", () => {
      const on = box.checked;
      this.#act(() => watchFolders(on));
    });
    return box;
  }

  #button(/** @type {string} */ id, /** @type {string} */ name, /** @type {string} */ label, /** @type {() => void} */ click, disabled = false) {
    return make("button", { id, type: "button", class: "button", disabled, click }, icon(name), label);
  }

  /** One request after another, in the order of the clicks. */
  #act(/** @type {() => Promise<unknown>} */ request) {
    this.#acting++;
    this.#last = this.#last.then(async () => {
      try {
        await request();
      } catch (error) {
        this.#shown = ""; // a switch goes back to what the server says
        this.#callbacks.notify(/** @type {Error} */ (error).message);
      }
      this.#acting--;
      this.#callbacks.changed();
    });
    return this.#last;
  }

  /** Open the dialog to choose a folder of the server's machine. */
  choose() {
    this.#chooser.open({
      title: t("Add a folder of photos"),
      note: t("Photos are only read, never changed or sent anywhere. Folders below it are included."),
      button: t("Add this folder"),
      choose: async (folder) => {
        await addFolder(folder);
        this.#callbacks.changed();
      },
    });
  }

  /** Add a folder by its name. */
  add(/** @type {string} */ name) {
    return this.#act(() => addFolder(name));
  }
}
