// Which language is spoken, and texts that change with it. What the texts are is left to `words.js`.

import { words } from "./words.js";

const values = new WeakMap(); // element -> what stands in its text
let language = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");

/** A text in the language that is spoken. A name that is not among the words is the server's: it stays as it is. */
export function text(name, given = {}) {
  return (words[language][name] ?? name).replace(/\{(\w+)\}/g, (whole, key) => (key in given ? of(given[key]) : whole));
}

/** A number as it is written here. */
export function number(value, digits = 0) {
  return value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export const percent = (share) => number(100 * share, Number.isInteger(Math.round(1e4 * share) / 100) ? 0 : 1) + "%";

/** Let an element say a text, now and after the language has changed. A value may be a function: it is asked anew. */
export function say(element, name, given = {}) {
  element.dataset.word = name;
  values.set(element, given);
  element.textContent = text(name, given);
  return element;
}

/** Let an element be called by a text, which buttons also show when pointed at. */
export function label(element, name) {
  element.dataset.label = name;
  element.ariaLabel = text(name);
  if (element.tagName === "BUTTON") element.title = element.ariaLabel;
  return element;
}

/** Change the language, or speak the present one for the first time. */
export function speak(next = language) {
  language = next;
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const element of document.querySelectorAll("[data-word]")) say(element, element.dataset.word, values.get(element));
  for (const element of document.querySelectorAll("[data-label]")) label(element, element.dataset.label);
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = text(element.dataset.placeholder);
  document.dispatchEvent(new Event("language"));
}

export function otherLanguage() {
  localStorage.setItem("language", language === "zh" ? "en" : "zh");
  speak(localStorage.getItem("language"));
}

const of = (value) => (typeof value === "function" ? value() : value);
