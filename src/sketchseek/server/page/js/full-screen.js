/** Full screen: the sheet as large as the window permits, the photos beside or below it; kept across reloads. */

import { byId } from "./dom.js";
import { load, save } from "./storage.js";

export function addFullScreen() {
  const button = byId("full");
  const isOn = () => button.getAttribute("aria-pressed") === "true";
  const show = (/** @type {boolean} */ on) => {
    document.body.dataset.sheet = on ? "full" : "";
    button.setAttribute("aria-pressed", String(on));
    const focused = document.activeElement;
    if (on && focused !== document.body && !focused?.checkVisibility()) byId("sheet").focus(); // what is hidden now loses the focus
  };
  const set = (/** @type {boolean} */ on) => {
    save({ full: on });
    show(on);
    scrollTo({ top: 0, behavior: "instant" });
    // Not every browser can, and none may without a click or a key; the sheet then fills the window.
    if (on) document.documentElement.requestFullscreen?.().then(() => (isOn() ? undefined : document.exitFullscreen())).catch(() => {});
    else if (document.fullscreenElement) document.exitFullscreen();
  };
  button.addEventListener("click", () => set(!isOn()));
  document.addEventListener("fullscreenchange", () => !document.fullscreenElement && isOn() && set(false));
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOn() || event.defaultPrevented) return;
    const first = document.querySelector("dialog[open], [data-selecting='true'], input[type='search']:focus"); // it has the key
    if (!first) set(false);
  });
  show(load().full === true);
}
