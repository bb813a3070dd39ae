// The list of conversations at the side, and which of them is open. The address after # names it.

import { deleteConversation, getConversations } from "./api.js";
import { cancelEdit, focusWords } from "./composer.js";
import { $, attempt, button, confirmed, el, newId } from "./dom.js";
import { listen } from "./events.js";
import { showSide } from "./looks.js";
import { session } from "./session.js";
import * as turns from "./turns.js";

let list = [];

export const isListed = () => list.some((one) => one.id === session.channel);

export const loadConversations = () =>
  attempt(async () => {
    list = await getConversations();
    draw();
  });

function draw() {
  const rows = list.map((one) => {
    const isHere = one.id === session.channel;
    const open = el("a", { href: `#${one.id}`, "aria-current": isHere ? "page" : null }, one.title || "New conversation");
    const drop = button("bin", `Delete ${one.title || "conversation"}`, () => forget(one));
    return el("li", { class: isHere ? "here" : "" }, open, drop);
  });
  $("list").replaceChildren(...rows);
  const here = list.find((one) => one.id === session.channel);
  $("title").textContent = here?.title || "New conversation";
  document.title = here?.title ? `${here.title} · Parley` : "Parley";
}

function beginConversation() {
  location.hash = `${session.status.handle}-${newId()}`;
  showSide(false);
  focusWords();
}

async function forget(one) {
  if (!(await confirmed(`Delete “${one.title || "this conversation"}” with all its messages and files, for good?`))) return;
  await attempt(async () => {
    await deleteConversation(one.id);
    list = list.filter((other) => other.id !== one.id);
    draw();
    if (one.id === session.channel) beginConversation();
  });
}

function openConversation() {
  const named = location.hash.slice(1);
  if (!named.startsWith(`${session.status.handle}-`)) return beginConversation();
  session.channel = named;
  cancelEdit();
  turns.clear();
  draw();
  return listen();
}

export async function startConversations() {
  $("new").addEventListener("click", beginConversation);
  addEventListener("hashchange", openConversation);
  await loadConversations();
  await openConversation();
}
