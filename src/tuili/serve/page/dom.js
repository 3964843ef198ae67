// Making and finding elements.

const SVG = "http://www.w3.org/2000/svg";

/** An element with a class, properties (listeners as `onclick`) and children. */
export function make(tag, name = "", properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (name) element.className = name;
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** An element of SVG with attributes and children. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);
