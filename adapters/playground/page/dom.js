// Small things to build the page from, and the ways it speaks to the person.

const SVG = "http://www.w3.org/2000/svg";
const TOAST_MS = 8000;

export const NARROW = matchMedia("(max-width: 820px)");
export const CALM = matchMedia("(prefers-reduced-motion: reduce)");

export const $ = (id) => document.getElementById(id);

// An element. Attributes named on… are listeners; false, null and undefined leave an attribute out.
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child != null && child !== false));
  return made;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export function button(name, label, onclick, extra = {}) {
  return el("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick, ...extra }, icon(name));
}

// Only for HTML that the server rendered from Markdown; it never passes raw HTML on.
export function setHtml(node, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  node.replaceChildren(template.content);
}

export const newId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

let toastTimer = 0;
export function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => ($("toast").hidden = true), TOAST_MS);
}

// Tells a screen reader.
export const announce = (text) => ($("said").textContent = text.slice(0, 4000));

// Runs work that may fail; a failure is shown to the person, and gives undefined.
export const attempt = (work) => work().catch((error) => toast(error.message));

export function confirmed(text, { yes = "Delete", no = "Keep" } = {}) {
  $("confirm-text").textContent = text;
  $("confirm").querySelector("[value=yes]").textContent = yes;
  $("confirm").querySelector("[value=no]").textContent = no;
  return answered($("confirm")).then((value) => value === "yes");
}

// What the person typed, or an empty string when they thought better of it.
export async function asked(text) {
  const words = $("ask-words");
  $("ask-text").textContent = text;
  words.value = "";
  return (await answered($("ask"))) === "yes" ? words.value.trim() : "";
}

function answered(dialog) {
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

export async function copy(pressed, text) {
  try {
    await navigator.clipboard.writeText(text || "");
    pressed.replaceChildren(icon("check"));
    announce("Copied");
    setTimeout(() => pressed.replaceChildren(icon("copy")), 1500);
  } catch {
    toast("The browser did not allow copying.");
  }
}
