/** What the drawing may show: names over the sheet, which add themselves to the words. */

import { byId, make } from "./dom.js";
import { save } from "./storage.js";

/** @import { Query } from "./query.js" */

export class Guesses {
  #query;
  #list = byId("guesses");
  /** @type {string[]} */ #names = [];

  constructor(/** @type {Query} */ query) {
    this.#query = query;
    query.addEventListener("change", () => this.#show());
  }

  /** Show these names, likeliest first; none if one of them is among the words already. */
  show(/** @type {string[]} */ names) {
    this.#names = names;
    this.#show();
  }

  #show() {
    const words = ` ${this.#query.text.toLowerCase().replaceAll(/[\s,]+/g, " ")} `;
    const names = this.#names.some((name) => words.includes(` ${name} `)) ? [] : this.#names;
    if (names.join() === [...this.#list.children].map((button) => button.textContent?.slice(0, -1)).join()) return;
    if (this.#list.contains(document.activeElement)) byId("sheet").focus({ preventScroll: true }); // the button goes
    this.#list.replaceChildren(...names.map((name) => make("button", { type: "button", class: "guess", lang: "en", click: () => this.#add(name) }, `${name}?`)));
    this.#list.hidden = !names.length;
  }

  #add(/** @type {string} */ name) {
    const text = [this.#query.text.trim(), name].filter(Boolean).join(" ");
    save({ text });
    this.#query.set({ text });
  }
}
