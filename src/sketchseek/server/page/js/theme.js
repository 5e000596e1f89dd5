/** The theme: light, dark, or that of the system. */

import { byId } from "./dom.js";
import { load, save } from "./storage.js";
import { t } from "./texts.js";

const THEMES = ["system", "light", "dark"];

export function addThemeButton(/** @type {() => void} */ changed) {
  const button = byId("theme");
  let theme = THEMES.includes(load().theme) ? load().theme : "system";
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    button.title = t(`Theme: ${theme}`);
    button.setAttribute("aria-label", button.title);
    changed();
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    save({ theme });
    apply();
  });
  apply();
}
