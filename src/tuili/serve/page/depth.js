// Depth as colour: pale for few layers, dark for many.

import { byId, make } from "./dom.js";
import { number, say } from "./language.js";

const SHADES = 5;
const USUAL = [3, 6, 9, 12]; // exits of the shipped model
let exits = USUAL;

/** The class of a token that took so many layers. */
export function shade(layers) {
  const place = exits.findIndex((exit) => layers <= exit);
  const rank = place < 0 ? exits.length - 1 : place;
  return `depth-${exits.length < SHADES ? rank : Math.round((rank * (SHADES - 1)) / (exits.length - 1))}`;
}

/** Learn which exits a model has, if the server says so, and show them. */
export function useExits(own) {
  exits = own?.length ? own : USUAL;
  byId("legend").replaceChildren(
    ...exits.map((layers) => make("li", shade(layers), {}, say(make("span"), "layersShort", { n: () => number(layers) }))),
  );
}
