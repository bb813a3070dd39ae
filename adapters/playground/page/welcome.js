// The page before the first message: ideas, and what answers here.

import { send } from "./composer.js";
import { $, el } from "./dom.js";
import { session } from "./session.js";

const MODALITIES = { chat: "Answers", transcribe: "Listens", speech: "Speaks", image: "Draws", embedding: "Compares" };
const IDEAS = ["Explain how tides work, in five sentences", "Write a haiku about a slow Monday", "Plan a quick dinner from eggs, rice and spinach"];

// Variables, models and commands among the words stand in code font, the words between them do not.
function withCode(text) {
  const pieces = text.split(/(`[^`]+`|\b[A-Z]+(?:_[A-Z]+)+\b|\b[a-z]+:[\w.-]+)/);
  return pieces.map((piece, index) => (index % 2 ? el("code", {}, piece.replaceAll("`", "")) : piece));
}

export function drawWelcome() {
  const rows = session.status.models.map(({ modality, model, way }) => {
    const value = model ? el("span", {}, model) : el("span", {}, "off; ", ...withCode(way));
    return el("li", { class: model ? "on" : "off" }, el("b", {}, MODALITIES[modality] || modality), value);
  });
  $("models").replaceChildren(...rows);
  $("models").hidden = !rows.length;
  $("ideas").replaceChildren(...IDEAS.map((text) => el("button", { type: "button", onclick: () => send({ text }) }, text)));
}
