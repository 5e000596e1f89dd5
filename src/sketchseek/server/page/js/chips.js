/** The pictures and marked photos of the query, each with a button to remove it. */

import { thumbnailUrl } from "./api.js";
import { icon, make } from "./dom.js";
import { t } from "./texts.js";

/** @import { Marked, Picture, Query } from "./query.js" */

export function showChips(/** @type {HTMLElement} */ list, /** @type {Query} */ query) {
  const focused = list.contains(document.activeElement) ? [...list.querySelectorAll("button")].indexOf(/** @type {HTMLButtonElement} */ (document.activeElement)) : -1;
  list.replaceChildren(
    ...query.pictures.map((picture) => pictureChip(query, picture)),
    ...query.like.map((marked) => markedChip(query, "like", marked)),
    ...query.unlike.map((marked) => markedChip(query, "unlike", marked)),
  );
  list.hidden = !list.children.length;
  if (focused < 0) return;
  const buttons = list.querySelectorAll("button");
  (buttons[Math.min(focused, buttons.length - 1)] ?? document.getElementById("add-picture"))?.focus();
}

function pictureChip(/** @type {Query} */ query, /** @type {Picture} */ picture) {
  const label = picture.problem ? t("Cannot be used") : picture.kind === "sketch" ? t("Drawing") : t("Photo");
  const other = picture.kind === "sketch" ? "photo" : "sketch";
  const swap = () => query.set({ pictures: query.pictures.map((one) => (one === picture ? { ...one, kind: other, problem: "" } : one)) });
  const remove = () => {
    if (picture.url) URL.revokeObjectURL(picture.url);
    query.set({ pictures: query.pictures.filter((one) => one !== picture) });
  };
  return make("li", { class: "chip", "data-kind": picture.kind, "data-problem": picture.problem || null, title: picture.problem || null },
    picture.url ? make("img", { src: picture.url, alt: "" }) : make("span", { class: "no-picture" }, icon("picture")),
    make("span", { class: "chip-text" }, make("span", { class: "chip-kind", text: label }), make("span", { class: "chip-name", text: picture.file.name, title: picture.file.name })),
    make("button", { type: "button", class: "icon-button", click: swap, title: other === "sketch" ? t("Use it as a drawing") : t("Use it as a photo"),
      "aria-label": t(other === "sketch" ? "Use {name} as a drawing" : "Use {name} as a photo", { name: picture.file.name }) }, icon("swap")),
    removeButton(picture.file.name, remove));
}

function markedChip(/** @type {Query} */ query, /** @type {"like" | "unlike"} */ how, /** @type {Marked} */ marked) {
  return make("li", { class: "chip", "data-kind": how },
    make("img", { src: thumbnailUrl(marked.id, 160), alt: "" }),
    make("span", { class: "chip-text" }, make("span", { class: "chip-kind", text: how === "like" ? t("More like") : t("Not like") }),
      make("span", { class: "chip-name", text: marked.name, title: marked.name })),
    removeButton(marked.name, () => query.mark(how, marked)));
}

function removeButton(/** @type {string} */ name, /** @type {() => void} */ remove) {
  return make("button", { type: "button", class: "icon-button", click: remove, title: t("Remove"), "aria-label": t("Remove {name}", { name }) }, icon("close"));
}
