/** The summary of the gallery in the header, and its dialog: photos, model, folders, progress, failures. */

import { byId, make } from "./dom.js";
import { progress } from "./status.js";
import { counted, number, t } from "./texts.js";

/** @import { Status } from "./api.js" */

export function showSummary(/** @type {Status | null} */ status, /** @type {boolean} */ lost) {
  const summary = byId("summary");
  if (!status) return void (summary.textContent = lost ? t("not connected") : "…");
  const failed = status.failed ? ` · ${t("{count} failed", { count: number(status.failed) })}` : "";
  const activity = progress(status);
  summary.textContent = lost ? t("not connected") : `${counted(status.photos, "{count} photo", "{count} photos")}${activity ? ` · ${activity}` : ""}${failed}`;
  byId("gallery-open").dataset.state = lost ? "lost" : activity ? "working" : "";
}

export function showGallery(/** @type {Status} */ status) {
  const { indexing, failures } = status;
  const activity = progress(status) || { idle: t("up to date"), done: t("up to date"), stopped: t("stopped"), failed: t("failed") }[indexing.state] || "";
  const rows = [
    [t("Photos"), number(status.photos)],
    [t("Files"), status.duplicates ? t("{files}, {copies} of them copies", { files: number(status.files), copies: number(status.duplicates) }) : number(status.files)],
    [t("Model"), status.model ?? t("none")],
    [t("Indexing"), indexing.error ? `${activity}: ${indexing.error}` : activity],
    [t("Version"), status.version],
  ];
  const body = byId("gallery-body");
  const open = body.querySelector("details")?.open ?? failures.length < 6;
  const hadFocus = body.contains(document.activeElement);
  body.replaceChildren(
    make("dl", { class: "table" }, ...rows.map(([term, value]) => make("div", {}, make("dt", { text: term }), make("dd", { text: value })))),
    ...(failures.length ? [failureList(status, open)] : []),
  );
  if (hadFocus) body.querySelector("summary")?.focus();
}

function failureList(/** @type {Status} */ { failures, failed: count }, /** @type {boolean} */ open) {
  const rest = count - failures.length;
  return make("details", { class: "failures", open },
    make("summary", {}, make("h3", { text: counted(count, "{count} photo could not be read", "{count} photos could not be read") })),
    make("ul", {}, ...failures.map(({ file, reason }) => make("li", {}, make("span", { class: "file", text: file }), make("span", { class: "muted", text: reason })))),
    rest > 0 ? make("p", { class: "muted", text: t("and {count} more", { count: number(rest) }) }) : null);
}
