/** The texts of the page in the language of its user. English texts are the keys of the catalogues in `texts`. */

import { load, save } from "./storage.js";

export const LANGUAGES = { en: "English", de: "Deutsch", es: "Español" };
const ATTRIBUTES = ["aria-label", "aria-roledescription", "alt", "title", "placeholder", "content"];

/** @type {Record<string, string>} */ let catalogue = {};

export const language = chosen();

/** The text in the user's language, with `{name}` replaced by values. */
export function t(/** @type {string} */ text, /** @type {Record<string, string | number>} */ values = {}) {
  return (catalogue[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** `one` for a count of 1, otherwise `many`; in them `{count}` is the count with separators. */
export function counted(/** @type {number} */ count, /** @type {string} */ one, /** @type {string} */ many, /** @type {Record<string, string | number>} */ values = {}) {
  return t(count === 1 ? one : many, { ...values, count: number(count) });
}

/** A number with separators: 10,000. */
export const number = (/** @type {number} */ value, digits = 0) => value.toLocaleString(language, { maximumFractionDigits: digits });

export function choose(/** @type {string} */ name) {
  save({ language: name });
  location.reload();
}

/** Load the catalogue and translate the text of the page itself. English needs neither. */
export async function translatePage() {
  if (language === "en") return;
  const response = await fetch(`texts/${language}.json`);
  if (!response.ok) return;
  catalogue = await response.json();
  document.documentElement.lang = language;
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = (node.nodeValue ?? "").trim();
    if (text in catalogue) node.nodeValue = /** @type {string} */ (node.nodeValue).replace(text, catalogue[text]);
  }
  for (const name of ATTRIBUTES) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      const text = /** @type {string} */ (element.getAttribute(name));
      if (text in catalogue) element.setAttribute(name, catalogue[text]);
    }
  }
}

function chosen() {
  const wanted = [load().language, ...(navigator.languages ?? [])].map((name) => String(name ?? "").slice(0, 2));
  return wanted.find((name) => name in LANGUAGES) ?? "en";
}
