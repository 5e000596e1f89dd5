/** Messages: a toast that disappears, and a banner that stays while there is a problem. */

import { byId } from "./dom.js";
import { t } from "./texts.js";

const BANNERS = {
  lost: () => t("The server does not respond. Your drawing is safe; trying again …"),
  busy: () => t("The server is busy; the search will start in a moment …"),
};
/** @type {Set<keyof typeof BANNERS>} */
const problems = new Set();
let timer = 0;

/** Show a short message, also to screen readers. */
export function notify(/** @type {string} */ text) {
  const dialog = document.querySelector("dialog[open]");
  const toast = byId("toast");
  (dialog ?? document.body).append(toast); // elements behind an open dialog are hidden from everyone
  toast.textContent = text;
  toast.classList.add("shown");
  clearTimeout(timer);
  timer = setTimeout(() => toast.classList.remove("shown"), 4000);
}

export function banner(/** @type {keyof typeof BANNERS} */ problem, /** @type {boolean} */ on) {
  if (on) problems.add(problem);
  else problems.delete(problem);
  const worst = problems.has("lost") ? "lost" : problems.has("busy") ? "busy" : null;
  const bar = byId("banner");
  bar.hidden = !worst;
  bar.dataset.problem = worst ?? "";
  if (worst && bar.textContent !== BANNERS[worst]()) bar.textContent = BANNERS[worst]();
}
