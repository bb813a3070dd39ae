// The frame around a conversation: the theme, the side with its menu, the skip link, dialogs.

import { $, NARROW } from "./dom.js";

const THEMES = ["automatic", "light", "dark"];
const THEME_KEY = "parley-theme";

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").querySelector("span").textContent = `Theme: ${theme}`;
  localStorage.setItem(THEME_KEY, theme);
}

const nextTheme = () => THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];

const isSideOpen = () => document.body.classList.contains("side-open");

export function showSide(isShown) {
  document.body.classList.toggle("side-open", isShown);
  $("menu").setAttribute("aria-expanded", String(isShown));
  $("scrim").hidden = !isShown;
  $("side").inert = NARROW.matches && !isShown;
  if (isShown) $("new").focus();
}

// Gives whether it was open.
export function closeSide() {
  const wasOpen = isSideOpen();
  if (wasOpen) showSide(false);
  return wasOpen;
}

export function startLooks() {
  const stored = localStorage.getItem(THEME_KEY);
  setTheme(THEMES.includes(stored) ? stored : THEMES[0]);
  $("theme").addEventListener("click", () => setTheme(nextTheme()));
  $("menu").addEventListener("click", () => showSide(!isSideOpen()));
  $("scrim").addEventListener("click", () => showSide(false));
  NARROW.addEventListener("change", () => showSide(false));
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address after # names the conversation
    $("words").focus();
  });
  for (const dialog of document.querySelectorAll("dialog")) startDialog(dialog);
  showSide(false);
}

// A dialog closes by any of its buttons, by a click beside it, and by Enter in its field.
function startDialog(dialog) {
  dialog.addEventListener("click", (event) => {
    const pressed = event.target.closest("button");
    if (pressed || event.target === dialog) dialog.close(pressed?.value || "no");
  });
  dialog.querySelector("input")?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault(); // or the button that opened the dialog, focused again, would be pressed
    dialog.close("yes");
  });
}
