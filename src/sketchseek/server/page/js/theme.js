/** Light, dark, or as the system says. */

import { byId } from "./dom.js";
import { keep, load } from "./storage.js";

const THEMES = ["system", "light", "dark"];

export function offerThemes(/** @type {() => void} */ changed) {
  const button = byId("theme");
  let theme = THEMES.includes(load().theme) ? load().theme : "system";
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-label", `Theme: ${theme}`);
    button.title = `Theme: ${theme}`;
    changed();
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    keep({ theme });
    apply();
  });
  apply();
}
