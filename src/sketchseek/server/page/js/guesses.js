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

  /** Show these names, likeliest first, without those to exclude; none if one of them is among the words already. */
  show(/** @type {string[]} */ names) {
    this.#names = names;
    this.#show();
  }

  #show() {
    const { text, minus } = this.#query;
    const names = this.#names.some((name) => isAmong(name, text)) ? [] : this.#names.filter((name) => !isAmong(name, minus));
    if (names.join() === [...this.#list.children].map((button) => button.textContent?.slice(0, -1)).join()) return;
    if (this.#list.contains(document.activeElement)) byId("sheet").focus({ preventScroll: true }); // the button goes
    this.#list.replaceChildren(...names.map((name) => make("button", { type: "button", class: "guess", lang: "en", click: () => this.#add(name) }, `${name}?`)));
    this.#list.hidden = !names.length;
  }

  #add(/** @type {string} */ name) {
    const words = this.#query.text.trim().split(/\s+/);
    if (name.startsWith(words[words.length - 1].toLowerCase())) words.pop(); // the name was being typed
    const text = [...words, name].join(" ");
    save({ text });
    this.#query.set({ text });
  }
}

const isAmong = (/** @type {string} */ name, /** @type {string} */ words) => ` ${words.toLowerCase().replaceAll(/[\s,]+/g, " ")} `.includes(` ${name} `);
