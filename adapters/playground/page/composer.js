// The message box: what is typed, sent and edited.

import { postMessage } from "./api.js";
import { isListed, loadConversations } from "./conversations.js";
import { $, newId, toast } from "./dom.js";
import * as files from "./files.js";
import { closeSide } from "./looks.js";
import { drawPalette, hidePalette, paletteKey } from "./palette.js";
import { previews } from "./parts.js";
import { endRecording, isRecording } from "./recorder.js";
import { toBottom } from "./scroll.js";
import { commandIn, session } from "./session.js";
import { nodeOf } from "./thread.js";
import { saveEdit, stop } from "./tools.js";
import * as turns from "./turns.js";

const MAX_HEIGHT = 240;
const HINT = "Enter sends · Shift+Enter for a new line · / for commands · ↑ edits your last message";
const HINT_EDITING = "Editing your message · Enter saves · Esc leaves it as it was";

let editing = ""; // the id of the message that is being edited
let isSending = false;

export const focusWords = () => $("words").focus();
export const words = () => $("words").value.trim();

export function setWords(text) {
  $("words").value = text;
  fitWords();
  drawPalette();
  drawState();
}

function fitWords() {
  $("words").style.height = "auto";
  $("words").style.height = `${Math.min($("words").scrollHeight, MAX_HEIGHT)}px`;
}

// What the buttons offer depends on what is typed and on whether an answer is under way.
export function drawState() {
  const hasWords = Boolean(words() || files.chosen().length);
  $("stop").hidden = !turns.running().length || hasWords;
  $("send").hidden = !$("stop").hidden;
  $("send").disabled = !hasWords || isSending;
  $("empty").hidden = !turns.isEmpty();
  $("thread").hidden = turns.isEmpty();
  $("hint").textContent = editing ? HINT_EDITING : HINT;
}

// --- Sending --------------------------------------------------------------------------------------------------------

// Gives whether the message was sent. attached: [{file, url, node}]; voice: {blob, name, seconds}.
export async function send({ text, attached = [], voice = null }) {
  const { channel } = session;
  const id = newId();
  const question = { id, text, parts: previews(attached, voice), is_editable: Boolean(text) && !commandIn(text) };
  turns.startSending(id, question, attached.length || voice ? "Sending…" : "");
  toBottom();
  try {
    await postMessage(channel, { id, text, files: attached, voice }, (share) => files.drawShare(attached, share));
    turns.noteSent(id);
    if (!isListed()) loadConversations();
    return true;
  } catch (error) {
    turns.remove(id);
    toast(error.message);
    return false;
  }
}

async function submit() {
  const text = words();
  if (editing) return finishEdit(text);
  const attached = files.chosen();
  if ((!text && !attached.length) || isSending) return;
  isSending = true;
  setWords("");
  $("chips").classList.add("sending");
  const wasSent = await send({ text, attached });
  isSending = false;
  $("chips").classList.remove("sending");
  if (wasSent) files.take(attached);
  else if (!$("words").value) setWords(text);
  drawState();
}

export async function sendVoice(voice) {
  const attached = files.chosen();
  if (!(await send({ text: words(), attached, voice }))) return;
  files.take(attached);
  setWords("");
}

export function chooseCommand({ name, usage }) {
  setWords(`/${name} `);
  hidePalette();
  focusWords();
  if (!usage) submit();
}

// --- Editing --------------------------------------------------------------------------------------------------------

export const isEditing = () => Boolean(editing);

export function startEdit(id) {
  const text = turns.find(id)?.question?.text;
  if (!text) return;
  cancelEdit();
  editing = id;
  nodeOf(id).classList.add("editing");
  setWords(text);
  focusWords();
}

export function cancelEdit() {
  if (!editing) return;
  nodeOf(editing)?.classList.remove("editing");
  editing = "";
  setWords("");
}

function finishEdit(text) {
  const turn = turns.find(editing);
  if (!text) return;
  cancelEdit();
  if (turn && text !== turn.question.text) saveEdit(turn.id, text);
}

function editLast() {
  const mine = turns.all().filter((turn) => turn.question?.is_editable && turn.phase !== "past");
  if (mine.length) startEdit(mine[mine.length - 1].id);
  return mine.length > 0;
}

// --- Keys -----------------------------------------------------------------------------------------------------------

function wordsKey(event) {
  if (event.isComposing || paletteKey(event)) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    submit();
  } else if (event.key === "ArrowUp" && !$("words").value && !editing && editLast()) {
    event.preventDefault();
  }
}

// Escape leaves the innermost thing that is open; with nothing open it stops the answer.
function escapeKey(event) {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (!$("palette").hidden) hidePalette();
  else if (isRecording()) endRecording(false);
  else if (editing) cancelEdit();
  else if (!closeSide()) stop();
}

export function startComposer() {
  $("words").addEventListener("input", () => setWords($("words").value));
  $("words").addEventListener("keydown", wordsKey);
  addEventListener("keydown", escapeKey);
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  $("stop").addEventListener("click", stop);
  for (const what of ["changed", "removed", "ordered"]) turns.watch(what, drawState);
  turns.watch("removed", (turn) => turn.id === editing && cancelEdit());
}
