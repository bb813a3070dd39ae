// The thread: draws each turn, and draws anew only what of it has changed.

import { $, button, copy, el, icon, setHtml } from "./dom.js";
import { answerTools, questionTools } from "./tools.js";
import { drawPart } from "./parts.js";
import * as turns from "./turns.js";

const nodes = new Map(); // question id -> {node, keys}: where a turn is drawn, and what of it
const EMPTY_WORDS = "A file";

export const nodeOf = (id) => nodes.get(id)?.node;

export function startThread() {
  turns.watch("changed", draw);
  turns.watch("removed", (turn) => {
    nodes.get(turn.id)?.node.remove();
    nodes.delete(turn.id);
  });
  turns.watch("ordered", order);
}

function draw(turn) {
  if (!nodes.has(turn.id)) {
    const node = el("li", { class: "turn", "data-id": turn.id });
    nodes.set(turn.id, { node, keys: {} });
    $("thread").append(node);
  }
  const { node } = nodes.get(turn.id);
  const isRunning = turn.phase === "sending" || turn.phase === "running";
  node.classList.toggle("running", isRunning && Boolean(turn.answer));
  node.classList.toggle("past", turn.phase === "past");
  node.classList.toggle("last-past", Boolean(turn.isLastPast));
  if (turn.question) drawQuestion(turn);
  drawAnswer(turn, isRunning);
}

// Draws into the node unless that is what it shows already.
function once(turn, part, value, make) {
  const drawn = nodes.get(turn.id);
  const key = JSON.stringify(value);
  if (drawn.keys[part] === key) return;
  drawn.keys[part] = key;
  make();
}

function drawQuestion(turn) {
  const { question, phase } = turn;
  once(turn, "question", [question.text, question.parts, question.is_editable, phase === "past"], () => {
    const bubble = el("div", { class: "bubble" }, ...question.parts.map((part) => drawPart(part, true)));
    if (question.text && !isTranscript(question)) bubble.append(el("p", { class: "words" }, question.text));
    if (!bubble.children.length) bubble.append(el("p", { class: "words faint" }, EMPTY_WORDS));
    const tools = el("div", { class: "tools", role: "group", "aria-label": "Your message" }, ...questionTools(turn));
    const drawn = el("article", { class: "question", "aria-label": "You" }, bubble, tools);
    nodeOf(turn.id).querySelector(".question")?.remove();
    nodeOf(turn.id).prepend(drawn);
  });
}

export const isTranscript = (question) =>
  question.parts.some((part) => part.type === "audio" && part.transcript && part.transcript === question.text);

function drawAnswer(turn, isRunning) {
  const node = nodeOf(turn.id);
  if (!turn.answer) {
    nodes.get(turn.id).keys = { question: nodes.get(turn.id).keys.question };
    return node.querySelector(".answer")?.remove();
  }
  const drawn = node.querySelector(".answer") || node.appendChild(frame());
  drawn.setAttribute("aria-busy", isRunning);
  if (turn.answer.error) drawn.dataset.error = turn.answer.error;
  else delete drawn.dataset.error;
  drawBlocks(drawn.querySelector(".md"), turn.answer.blocks);
  drawStatus(drawn.querySelector(".status"), turn.answer, isRunning);
  once(turn, "parts", turn.answer.parts, () =>
    drawn.querySelector(".parts").replaceChildren(...turn.answer.parts.map((part) => drawPart(part, false))),
  );
  const notices = [...(turn.answer.notices || []), ...(turn.answer.is_stopped ? ["You stopped this answer."] : [])];
  once(turn, "notices", notices, () => drawn.querySelector(".notices").replaceChildren(...notices.map((text) => el("p", {}, text))));
  once(turn, "tools", [turn.phase, turn.answer.turn, turn.answer.actions, turn.answer.model, turn.rating], () =>
    drawn.querySelector(".tools").replaceChildren(...(turn.phase === "done" ? answerTools(turn) : [])),
  );
}

function frame() {
  const logo = icon("logo");
  logo.classList.add("logo");
  const body = el("div", { class: "body" }, el("p", { class: "status" }), el("div", { class: "md" }), el("div", { class: "parts" }));
  body.append(el("div", { class: "notices" }), el("div", { class: "tools", role: "group", "aria-label": "This answer" }));
  return el("article", { class: "answer", "aria-label": "Parley" }, el("span", { class: "face" }, logo), body);
}

function drawStatus(status, answer, isRunning) {
  const doing = answer.status || "Thinking…";
  status.hidden = !isRunning || (answer.blocks.length > 0 && !answer.status);
  if (status.hidden || status.dataset.text === doing) return;
  status.dataset.text = doing;
  status.replaceChildren(el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), doing);
}

function drawBlocks(md, blocks) {
  while (md.children.length > blocks.length) md.lastElementChild.remove();
  blocks.forEach((html, at) => {
    const kept = md.children[at];
    if (kept?.source === html) return;
    const block = el("div", { class: "block" });
    setHtml(block, html);
    block.source = html;
    for (const code of block.querySelectorAll("figure.code")) addCopy(code);
    if (kept) kept.replaceWith(block);
    else md.append(block);
  });
}

function addCopy(figure) {
  const press = button("copy", "Copy code", (event) => copy(event.currentTarget, figure.querySelector("code").textContent));
  figure.querySelector("figcaption").append(press);
}

// What is past comes first, then what the history holds, then what it does not hold yet.
function order(ids) {
  const known = ids.map((id) => nodeOf(id)).filter(Boolean);
  const others = [...$("thread").children].filter((node) => !known.includes(node));
  const past = others.filter((node) => node.classList.contains("past"));
  const wanted = [...past, ...known, ...others.filter((node) => !past.includes(node))];
  if (wanted.some((node, at) => $("thread").children[at] !== node)) $("thread").append(...wanted);
}
