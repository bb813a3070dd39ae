// What happens on the server: the stream of events of the open conversation, and looks into its history.

import { getEntries, getStatus, openEvents } from "./api.js";
import { loadConversations } from "./conversations.js";
import { $, announce, attempt } from "./dom.js";
import { stayAtBottom, toBottom } from "./scroll.js";
import { beginsAnew, commandIn, session } from "./session.js";
import * as turns from "./turns.js";

let source = null;
let looks = { asked: 0, answered: 0 }; // a look that a later one overtook is dropped

// Follows the open conversation. Gives a promise that is kept when its history is drawn for the first time.
export function listen() {
  source?.close();
  source = openEvents(session.channel);
  const handlers = {
    begin: ({ to, turn }) => turns.begin(to, turn),
    rest: ({ to, turn, status, parts }) => turns.grow(to, turn, { status, parts }),
    blocks: ({ to, turn, at, blocks }) => turns.grow(to, turn, { at, blocks }),
    done: finish,
    settled: () => Promise.all([refresh(), loadConversations()]),
    changed: refresh,
    quiet: () => turns.running().length > 0 && refresh(), // the end may have been missed while the bus was away
  };
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => {
      handle(JSON.parse(event.data));
      stayAtBottom();
    });
  }
  return new Promise((resolve) => follow(source, resolve));
}

// From `ready` on nothing is missed, so the history is read after it.
function follow(opened, resolve) {
  opened.addEventListener("ready", async () => {
    $("link").textContent = "";
    turns.expectWhole();
    await refresh();
    toBottom();
    resolve();
  });
  opened.addEventListener("error", () => {
    $("link").textContent = "Reconnecting…";
    if (opened.readyState === EventSource.CLOSED) refused();
    resolve();
  });
}

// The browser does not try again by itself: the session has ended, which the next call finds, or there are too many open pages.
const refused = () =>
  attempt(async () => {
    $("link").textContent = "Not connected: close other pages of Parley, and reload this one.";
    await getStatus();
  });

const refresh = () =>
  attempt(async () => {
    const { channel } = session;
    const asked = (looks.asked += 1);
    const moment = turns.moment();
    const entries = await getEntries(channel);
    if (channel !== session.channel || asked < looks.answered) return;
    looks.answered = asked;
    const isBeginningAnew = turns.running().some((turn) => beginsAnew(turn.question?.text));
    turns.take(entries, moment, () => isBeginningAnew); // then the history has let go already of what still stands there
    stayAtBottom();
  });

function finish({ to, ...answer }) {
  const turn = turns.finish(to, answer);
  const text = turn.question?.text || "";
  if (beginsAnew(text) && !answer.error) turns.beginAnew(turn, { isDeleted: commandIn(text).name === "forget" });
  announce([answer.text, ...answer.notices].filter(Boolean).join(" ") || "The answer is there.");
}
