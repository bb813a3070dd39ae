// The commands that fit what is typed after a slash: arrows choose, Tab and Enter take.

import { chooseCommand, isEditing } from "./composer.js";
import { $, el } from "./dom.js";
import { session } from "./session.js";

let chosen = 0;

function matching() {
  const typed = /^\/([a-z_-]*)$/.exec($("words").value);
  return typed && !isEditing() && session.status ? session.status.commands.filter((one) => one.name.startsWith(typed[1])) : [];
}

export function drawPalette() {
  const found = matching();
  chosen = Math.min(chosen, Math.max(found.length - 1, 0));
  $("palette").replaceChildren(...found.map(row));
  $("palette").hidden = !found.length;
  $("palette").querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  if (found.length) $("words").setAttribute("aria-activedescendant", `command-${found[chosen].name}`);
  else $("words").removeAttribute("aria-activedescendant");
}

function row(command, at) {
  const name = el("b", {}, `/${command.name}`, command.usage ? el("i", {}, ` ${command.usage}`) : "");
  const attributes = {
    role: "option",
    id: `command-${command.name}`,
    "aria-selected": String(at === chosen),
    onmousedown: (event) => event.preventDefault(), // the message box keeps the focus
    onclick: () => chooseCommand(command),
  };
  return el("li", attributes, name, el("span", {}, command.summary));
}

export function hidePalette() {
  $("palette").hidden = true;
  $("words").removeAttribute("aria-activedescendant");
}

// Whether the key was for the palette.
export function paletteKey(event) {
  const found = matching();
  if ($("palette").hidden || !found.length) return false;
  const isWhole = `/${found[chosen].name}` === $("words").value && /^(\[|$)/.test(found[chosen].usage);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    chosen = (chosen + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
    drawPalette();
  } else if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey && !isWhole)) {
    chooseCommand(found[chosen]);
  } else {
    return false;
  }
  event.preventDefault();
  return true;
}
