/** The colours of the pen, and whether nothing else of the drawing counts. Without a colour, the pen is black or white. */

import { byId, make } from "./dom.js";
import { load, save } from "./storage.js";
import { t } from "./texts.js";

/** @import { Pen } from "./sheet.js" */
/** @import { Query } from "./query.js" */

/** @returns {[string, string | null][]} name and colour; a function, because texts are translated after this is loaded */
const colours = () => [
  [t("No colour"), null], [t("Red"), "#d62828"], [t("Orange"), "#f0821e"], [t("Yellow"), "#f2cb1d"], [t("Green"), "#2f9e44"],
  [t("Blue"), "#2b6cd4"], [t("Purple"), "#8a3fb5"], [t("Pink"), "#f07fb0"], [t("Brown"), "#8b5a2b"], [t("Grey"), "#8a8d91"],
];

export function addPalette(/** @type {Query} */ query, /** @type {Pen} */ pen, /** @type {() => void} */ chosen) {
  const last = load().colour;
  pen.colour = colours().some(([, colour]) => colour === last) ? last : null;
  const swatches = colours().map(([name, colour]) => {
    const radio = make("input", { type: "radio", name: "colour", value: colour ?? "", checked: colour === pen.colour });
    radio.addEventListener("change", () => {
      pen.colour = colour;
      save({ colour });
      chosen();
    });
    const dot = make("span", { class: "swatch" });
    if (colour) dot.style.background = colour;
    return make("label", { title: name }, radio, dot, make("span", { class: "visually-hidden", text: name }));
  });
  byId("colours").replaceChildren(...swatches);
  const row = byId("colours-only-row");
  const only = byId("colours-only", HTMLInputElement);
  only.addEventListener("change", () => query.set({ coloursOnly: only.checked }));
  const show = () => {
    row.inert = !query.hasColours; // it keeps its place: the sheet must not move under the pen
    only.checked = query.coloursOnly;
  };
  query.addEventListener("change", show);
  query.drawing.addEventListener("change", show);
  show();
}
