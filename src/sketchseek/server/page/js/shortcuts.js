/** Keyboard shortcuts, and their list in the help. */

import { byId, make } from "./dom.js";
import { load, save } from "./storage.js";

/** @typedef {{keys: string[], shown: string, label: string, action: () => void}} Shortcut `keys` as `pressed` names them */

/** Single letters can be switched off, because they interfere with speech input. */
export function listen(/** @type {Shortcut[]} */ shortcuts, /** @type {{shown: string, label: string}[]} */ others) {
  const single = byId("single-keys", HTMLInputElement);
  single.checked = load().singleKeys !== false;
  single.addEventListener("change", () => save({ singleKeys: single.checked }));
  byId("shortcuts").replaceChildren(...[...shortcuts, ...others].map(({ shown, label }) =>
    make("div", {}, make("dt", {}, ...shown.split(" ").map((key) => make("kbd", { text: key }))), make("dd", { text: label }))));
  addEventListener("keydown", (event) => {
    const key = pressed(event);
    const found = shortcuts.find(({ keys }) => keys.includes(key));
    const target = /** @type {Element} */ (event.target);
    if (!found || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    // In a text field, keys type, and Ctrl+Z undoes typing.
    if (target.matches("input:not([type=range], [type=checkbox], [type=radio]), select, textarea")) return;
    if (!single.checked && !key.includes("+")) return;
    event.preventDefault();
    found.action();
  });
}

/** "b", "?", "mod+z", "mod+shift+z": mod is Ctrl, or the command key on a Mac. */
function pressed(/** @type {KeyboardEvent} */ event) {
  const key = event.key.toLowerCase();
  if (event.altKey) return "";
  if (!event.ctrlKey && !event.metaKey) return key;
  return `mod+${event.shiftKey ? "shift+" : ""}${key}`;
}
