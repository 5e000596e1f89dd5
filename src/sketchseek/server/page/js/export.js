/** The dialog that exports a collection: as a zip file, as a list of paths, or into a folder of the server's machine. */

import { copyCollection, exportUrl } from "./api.js";
import { byId } from "./dom.js";
import { counted, number, t } from "./texts.js";

/** @import { FolderChooser } from "./folder-chooser.js" */

export class ExportDialog {
  #chooser;
  #dialog = byId("export", HTMLDialogElement);
  #bar = byId("export-progress", HTMLProgressElement);
  #state = byId("export-state");
  #stop = byId("export-stop", HTMLButtonElement);
  #name = "";
  #photos = 0;
  #run = 0; // the newest one; an older one ends

  constructor(/** @type {FolderChooser} */ chooser) {
    this.#chooser = chooser;
    byId("export-copy").addEventListener("click", () => this.#choose("copy"));
    byId("export-link").addEventListener("click", () => this.#choose("link"));
    this.#stop.addEventListener("click", () => this.#end(t("Stopped. What is done stays.")));
    this.#dialog.addEventListener("close", () => this.#end(""));
  }

  /** `intoFolders`: whether the server puts photos into folders. */
  open(/** @type {string} */ name, /** @type {number} */ photos, /** @type {boolean} */ intoFolders) {
    this.#name = name;
    this.#photos = photos;
    byId("export-title").textContent = t("Export {name}", { name });
    byId("export-count").textContent = counted(photos, "{count} photo", "{count} photos");
    for (const form of /** @type {const} */ (["zip", "lines", "null", "json"])) byId(`export-${form}`, HTMLAnchorElement).href = exportUrl(name, form);
    byId("export-copy").hidden = byId("export-link").hidden = !intoFolders;
    this.#end("");
    this.#dialog.showModal();
  }

  #choose(/** @type {"copy" | "link"} */ how) {
    const copied = how === "copy";
    this.#chooser.open({
      title: copied ? t("Copy the photos into a folder") : t("Link to the photos in a folder"),
      note: t("They go into a new folder in it, named after the collection. Nothing is overwritten."),
      button: copied ? t("Copy here") : t("Link here"),
      choose: (folder) => this.#copy(folder, how),
    });
  }

  /** Ends when the first photos are in the folder, so that the chooser can show what is wrong with it; goes on after that. */
  async #copy(/** @type {string} */ folder, /** @type {"copy" | "link"} */ how) {
    const run = ++this.#run;
    const first = await copyCollection(this.#name, folder, how, 0);
    if (run === this.#run) this.#copyRest(run, folder, how, first);
  }

  async #copyRest(/** @type {number} */ run, /** @type {string} */ folder, /** @type {"copy" | "link"} */ how,
    /** @type {{folder: string, photos: number, failed: string[], more: boolean}} */ { folder: target, photos: done, failed, more }) {
    let asked = done + failed.length;
    try {
      while (more) {
        this.#bar.hidden = this.#stop.hidden = false;
        [this.#bar.max, this.#bar.value] = [this.#photos, asked];
        this.#state.textContent = t("{done} of {count} photos", { done: number(asked), count: number(this.#photos) });
        const next = await copyCollection(this.#name, folder, how, asked);
        if (run !== this.#run) return;
        done += next.photos;
        failed.push(...next.failed);
        asked += next.photos + next.failed.length;
        more = next.more;
      }
      const put = counted(done, "{count} photo is in {folder}.", "{count} photos are in {folder}.", { folder: target });
      this.#end([put, ...failed].join(" "));
    } catch (error) {
      if (run === this.#run) this.#end(/** @type {Error} */ (error).message);
    }
  }

  /** Show how it ended; a run that still goes on ends before its next photos. */
  #end(/** @type {string} */ text) {
    this.#run++;
    this.#bar.hidden = this.#stop.hidden = true;
    this.#state.textContent = text;
  }
}
