// Light or dark: as the system is set, until the button is used.

import { byId, draw } from "./dom.js";

const DARK = matchMedia("(prefers-color-scheme: dark)");

export function setUpTheme() {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
  byId("theme").append(
    draw("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, draw("circle", { cx: 12, cy: 12, r: 8 }), draw("path", { d: "M12 4a8 8 0 0 1 0 16z" })),
  );
  byId("theme").addEventListener("click", () => {
    const dark = (document.documentElement.dataset.theme ?? (DARK.matches ? "dark" : "light")) === "dark";
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", document.documentElement.dataset.theme);
  });
}
