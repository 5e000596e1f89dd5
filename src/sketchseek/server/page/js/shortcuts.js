/** Keys for everything on the page, and their list in the help. */

import { byId, make } from "./dom.js";
import { keep, load } from "./storage.js";

/** @typedef {{keys: string[], shown: string, what: string, act: () => void}} Shortcut `keys` as `pressed` names them */

/** Single letters can be switched off: they get in the way of speech input. */
export function listen(/** @type {Shortcut[]} */ shortcuts, /** @type {{shown: string, what: string}[]} */ others) {
  const single = byId("single-keys", HTMLInputElement);
  single.checked = load().singleKeys !== false;
  single.addEventListener("change", () => keep({ singleKeys: single.checked }));
  byId("shortcuts").replaceChildren(...[...shortcuts, ...others].map(({ shown, what }) =>
    make("div", {}, make("dt", {}, ...shown.split(" ").map((key) => make("kbd", { text: key }))), make("dd", { text: what }))));
  addEventListener("keydown", (event) => {
    const key = pressed(event);
    const found = shortcuts.find(({ keys }) => keys.includes(key));
    const target = /** @type {Element} */ (event.target);
    if (!found || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    // In a field, keys write; and Ctrl+Z there undoes words.
    if (target.matches("input:not([type=range], [type=checkbox], [type=radio]), select, textarea")) return;
    if (!single.checked && !key.includes("+")) return;
    event.preventDefault();
    found.act();
  });
}

/** "b", "?", "mod+z", "mod+shift+z": mod is Ctrl, on a Mac the command key. */
function pressed(/** @type {KeyboardEvent} */ event) {
  const key = event.key.toLowerCase();
  if (event.altKey) return "";
  if (!event.ctrlKey && !event.metaKey) return key;
  return `mod+${event.shiftKey ? "shift+" : ""}${key}`;
}
