/** The text fields for words and for words to exclude, and the balance between drawing and words. */

import { byId } from "./dom.js";
import { load, save } from "./storage.js";
import { t } from "./texts.js";

/** @import { Query } from "./query.js" */

export class TextFields {
  #query;
  #text = byId("text", HTMLInputElement);
  #minus = byId("minus", HTMLInputElement);
  #balance = byId("balance", HTMLInputElement);

  constructor(/** @type {Query} */ query) {
    this.#query = query;
    for (const input of [this.#text, this.#minus, this.#balance]) input.addEventListener("input", () => this.#read(true));
    for (const input of [this.#text, this.#minus]) input.addEventListener("keydown", (event) => event.key === "Enter" && this.#read(false));
    this.#balance.addEventListener("dblclick", () => {
      this.#balance.value = "50";
      this.#read(false);
    });
    query.addEventListener("change", () => this.show());
  }

  /** Show the words of an earlier visit. */
  restore() {
    const { text, minus, balance } = load();
    if (typeof text === "string") this.#text.value = text;
    if (typeof minus === "string") this.#minus.value = minus;
    if (Number.isFinite(balance)) this.#balance.value = String(balance);
    this.#read(false);
  }

  /** Show the query's words, and the balance if there are both words and pictures. */
  show() {
    for (const [input, value] of /** @type {[HTMLInputElement, string][]} */ ([[this.#text, this.#query.text], [this.#minus, this.#query.minus], [this.#balance, String(this.#query.balance)]])) {
      if (input.value !== value) input.value = value;
    }
    byId("balance-row").hidden = !this.#query.text.trim() || !this.#query.hasPictures;
    const balance = this.#query.balance;
    this.#balance.setAttribute("aria-valuetext", balance === 50 ? t("even") : balance < 50 ? t("{share} % drawing", { share: 100 - balance }) : t("{share} % words", { share: balance }));
  }

  #read(/** @type {boolean} */ typing) {
    const values = { text: this.#text.value, minus: this.#minus.value, balance: Number(this.#balance.value) };
    save(values);
    this.#query.set(values, typing);
  }
}
