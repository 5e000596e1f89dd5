/** Short messages: a toast that goes by itself, and a banner that stays while something is wrong. */

import { byId } from "./dom.js";

const BANNERS = {
  lost: "The server does not answer. Your drawing is safe; trying again …",
  busy: "The server is busy; the search waits a moment …",
};
/** @type {Set<keyof BANNERS>} */
const wrong = new Set();
let timer = 0;

/** For eyes and screen readers. */
export function say(/** @type {string} */ text) {
  const dialog = document.querySelector("dialog[open]");
  const toast = byId("toast");
  (dialog ?? document.body).append(toast); // what lies behind an open dialog is neither seen nor read
  toast.textContent = text;
  toast.classList.add("shown");
  clearTimeout(timer);
  timer = setTimeout(() => toast.classList.remove("shown"), 4000);
}

export function banner(/** @type {keyof BANNERS} */ what, /** @type {boolean} */ on) {
  if (on) wrong.add(what);
  else wrong.delete(what);
  const worst = wrong.has("lost") ? "lost" : wrong.has("busy") ? "busy" : null;
  const bar = byId("banner");
  bar.hidden = !worst;
  bar.dataset.what = worst ?? "";
  if (worst && bar.textContent !== BANNERS[worst]) bar.textContent = BANNERS[worst];
}
