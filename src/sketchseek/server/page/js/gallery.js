/** The summary of the gallery in the header, and its dialog: photos, model, folders, progress, failures. */

import { byId, make, number, photos } from "./dom.js";
import { progress } from "./status.js";

/** @import { Status } from "./api.js" */

export function showSummary(/** @type {Status | null} */ status, /** @type {boolean} */ lost) {
  const summary = byId("summary");
  if (!status) return void (summary.textContent = lost ? "not connected" : "…");
  const failed = status.failed ? ` · ${number(status.failed)} failed` : "";
  const activity = progress(status);
  summary.textContent = lost ? "not connected" : `${photos(status.photos)}${activity ? ` · ${activity}` : ""}${failed}`;
  byId("gallery-open").dataset.state = lost ? "lost" : activity ? "working" : "";
}

export function showGallery(/** @type {Status} */ status) {
  const { indexing, failures, folders } = status;
  const activity = progress(status) || { idle: "up to date", done: "up to date", stopped: "stopped", failed: "failed" }[indexing.state] || "";
  const rows = [
    ["Photos", number(status.photos)],
    ["Files", `${number(status.files)}${status.duplicates ? `, ${number(status.duplicates)} of them copies` : ""}`],
    ["Model", status.model ?? "none"],
    ["Indexing", indexing.error ? `${activity}: ${indexing.error}` : activity],
    ["Version", status.version],
  ];
  const body = byId("gallery-body");
  const open = body.querySelector("details")?.open ?? failures.length < 6;
  body.replaceChildren(
    make("dl", { class: "table" }, ...rows.map(([term, value]) => make("div", {}, make("dt", { text: term }), make("dd", { text: value })))),
    make("h3", { text: "Folders" }),
    folders.length
      ? make("ul", { class: "places" }, ...folders.map(({ path }) => make("li", { text: path })))
      : make("p", { class: "muted", text: "None yet." }),
    ...(failures.length ? [failureList(status, open)] : []),
  );
}

function failureList(/** @type {Status} */ { failures, failed: count }, /** @type {boolean} */ open) {
  const rest = count - failures.length;
  return make("details", { class: "failures", open },
    make("summary", {}, make("h3", { text: `${photos(count)} could not be read` })),
    make("ul", {}, ...failures.map(({ file, reason }) => make("li", {}, make("span", { class: "file", text: file }), make("span", { class: "muted", text: reason })))),
    rest > 0 ? make("p", { class: "muted", text: `and ${number(rest)} more` }) : null);
}
