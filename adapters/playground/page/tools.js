// The buttons beneath questions and answers, and what they do. Which of them an answer has is the server's rule.

import { deleteMessage, editMessage, pressButton } from "./api.js";
import { announce, asked, attempt, button, copy, el, toast } from "./dom.js";
import { focusWords, startEdit } from "./composer.js";
import { session } from "./session.js";
import { isTranscript } from "./thread.js";
import * as turns from "./turns.js";

export function questionTools(turn) {
  const { id, question, phase } = turn;
  if (phase === "past") return [];
  const tools = [];
  if (question.text && !isTranscript(question)) {
    tools.push(button("copy", "Copy your message", (event) => copy(event.currentTarget, question.text)));
    if (question.is_editable) tools.push(button("edit", "Edit your message", () => startEdit(id)));
  }
  tools.push(button("bin", "Delete your message", () => erase(id)));
  return tools;
}

export function answerTools(turn) {
  const { id, answer, rating } = turn;
  const worded = (label, onclick) => el("button", { type: "button", class: "more", onclick }, label);
  const thumb = (action, label) => {
    const pressed = { "aria-pressed": String(rating === action), "data-rating": action };
    const made = button("up", label, () => rate(id, action), pressed);
    made.classList.toggle("upside-down", action === "thumbs_down");
    return made;
  };
  const makers = {
    continue: () => worded("Continue", () => press(id, "continue")),
    vary: () => worded("Vary", () => press(id, "vary")),
    edit_image: () => worded("Edit", () => editPicture(id)),
    regenerate: () => button("again", "Answer again", () => press(id, "regenerate")),
    thumbs_up: () => thumb("thumbs_up", "Good answer"),
    thumbs_down: () => thumb("thumbs_down", "Bad answer"),
  };
  const made = (answer.actions || []).filter((action) => makers[action]).map((action) => makers[action]());
  const model = answer.model ? [el("span", { class: "model" }, answer.model.replace(/^.*?:/, ""))] : [];
  return [button("copy", "Copy this answer", (event) => copy(event.currentTarget, answer.text)), ...made, ...model];
}

const press = (id, action, value = "") =>
  attempt(async () => {
    if (await pressButton(session.channel, id, action, value)) return true;
    throw new Error("That cannot be done with this answer any more.");
  });

async function rate(id, action) {
  if (!(await press(id, action))) return;
  turns.rate(id, action);
  announce("Thank you");
}

async function editPicture(id) {
  const words = await asked("What should change in the picture?");
  if (words) await press(id, "edit_image", words);
}

// An answer that ends just then has nothing left to stop; that is no mistake of the person's.
export const stop = () =>
  turns.running().forEach((turn) => attempt(() => pressButton(session.channel, turn.id, "stop")));

const erase = (id) =>
  attempt(async () => {
    await deleteMessage(session.channel, id);
    turns.remove(id);
    announce("Deleted");
    focusWords();
  });

export const saveEdit = (id, text) =>
  attempt(async () => {
    if (!(await editMessage(session.channel, id, text))) return toast("This message cannot be changed; send it again instead.");
    turns.reword(id, text);
  });
