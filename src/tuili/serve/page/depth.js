// Depth as colour: pale for few layers, dark for many.

import { byId, make } from "./dom.js";
import { number, say } from "./language.js";

const SHADES = 5;
const DEFAULT_EXITS = [3, 6, 9, 12]; // of the shipped model, in layers
let exits = DEFAULT_EXITS;

/** The CSS class of a token that took this number of layers. */
export function shade(layers) {
  const index = exits.findIndex((exit) => layers <= exit);
  const rank = index < 0 ? exits.length - 1 : index;
  return `depth-${exits.length < SHADES ? rank : Math.round((rank * (SHADES - 1)) / (exits.length - 1))}`;
}

/** Set the exits of the chosen model, or the default ones where the server names none, and show them in the legend. */
export function useExits(modelExits) {
  exits = modelExits?.length ? modelExits : DEFAULT_EXITS;
  byId("legend").replaceChildren(
    ...exits.map((layers) => make("li", shade(layers), {}, say(make("span"), "layersShort", { n: () => number(layers) }))),
  );
}
