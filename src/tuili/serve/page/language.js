// The language of the page, and elements whose text changes with it. The texts themselves are in `words.js`.

import { words } from "./words.js";

const textValues = new WeakMap(); // element -> the values in its text
let language = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");

/** The text of this name in the current language. A name that `words` does not have comes from the server, and is shown as it is. */
export function text(name, values = {}) {
  return (words[language][name] ?? name).replace(/\{(\w+)\}/g, (whole, key) => (key in values ? resolve(values[key]) : whole));
}

/** A number as it is written in the current language. */
export function number(value, digits = 0) {
  return value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export const percent = (share) => number(100 * share, Number.isInteger(Math.round(1e4 * share) / 100) ? 0 : 1) + "%";

/** Give an element a text, in the current language and in any later one. A value that is a function is called each time. */
export function say(element, name, values = {}) {
  element.dataset.word = name;
  textValues.set(element, values);
  element.textContent = text(name, values);
  return element;
}

/** Give an element a label for screen readers. A button also shows it as a tooltip. */
export function label(element, name) {
  element.dataset.label = name;
  element.ariaLabel = text(name);
  if (element.tagName === "BUTTON") element.title = element.ariaLabel;
  return element;
}

/** Show the page in a language, by default the current one. */
export function speak(next = language) {
  language = next;
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const element of document.querySelectorAll("[data-word]")) say(element, element.dataset.word, textValues.get(element));
  for (const element of document.querySelectorAll("[data-label]")) label(element, element.dataset.label);
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = text(element.dataset.placeholder);
  document.dispatchEvent(new Event("language"));
}

export function otherLanguage() {
  localStorage.setItem("language", language === "zh" ? "en" : "zh");
  speak(localStorage.getItem("language"));
}

const resolve = (value) => (typeof value === "function" ? value() : value);
