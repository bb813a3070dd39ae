// The turns of the open conversation: each is one question and the answer to it. No drawing and no requests here.
//
// A turn is in one of four phases:
//
//   sending  the question is on its way to the server
//   running  the server has it; its answer is awaited, or streams
//   done     the answer has ended, or none is due
//   past     it is only there to be seen: the history began anew without it
//
//   what happens                  sending   running   done      past
//   the server has the question   running   -         -         -
//   an answer begins              running   running   running   -
//   the answer ends               done      done      done      -
//   the history begins anew       past      past      past      -
//
// Two sources tell of a turn: events as they happen, and the history, which is asked for now and then. An answer of the history
// that was asked for before the latest event of a turn is older than what the turn knows, and changes nothing.

const EMPTY = { turn: "", text: "", status: "", blocks: [], parts: [], notices: [], actions: [], model: "", error: "" };

const turns = new Map(); // question id -> turn, in order of their creation
const watchers = { changed: [], removed: [], ordered: [] };
let now = 0; // counts what happened

export const watch = (what, watcher) => watchers[what].push(watcher);
const tell = (what, value) => watchers[what].forEach((watcher) => watcher(value));

export const all = () => [...turns.values()];
export const find = (id) => turns.get(id);
export const isEmpty = () => turns.size === 0;
export const running = () => all().filter((turn) => turn.phase === "sending" || turn.phase === "running");
export const moment = () => now;

function create(id) {
  const turn = { id, phase: "running", question: null, answer: null, rating: "", touched: 0 };
  turns.set(id, turn);
  return turn;
}

function touch(turn) {
  turn.touched = now += 1;
  tell("changed", turn);
}

export function clear() {
  for (const turn of all()) remove(turn.id);
}

export function remove(id) {
  const turn = turns.get(id);
  if (!turn) return;
  turns.delete(id);
  tell("removed", turn);
}

// --- What the person does -------------------------------------------------------------------------------------------

export function startSending(id, question, status) {
  const turn = create(id);
  Object.assign(turn, { phase: "sending", question, answer: { ...EMPTY, status } });
  touch(turn);
}

export function noteSent(id) {
  const turn = turns.get(id);
  if (turn?.phase !== "sending") return; // its answer began before the request was answered
  Object.assign(turn, { phase: "running", answer: { ...EMPTY } });
  touch(turn);
}

export function reword(id, text) {
  const turn = turns.get(id);
  if (!turn) return;
  turn.question = { ...turn.question, text };
  touch(turn);
}

export function rate(id, rating) {
  const turn = turns.get(id);
  if (!turn) return;
  turn.rating = rating;
  touch(turn);
}

// The history begins anew after this turn. What was said before stays in sight until the page is left, unless it was deleted.
export function beginAnew(last, { isDeleted }) {
  for (const turn of all().slice(0, all().indexOf(last) + 1)) {
    if (isDeleted && turn !== last) {
      remove(turn.id);
      continue;
    }
    turn.phase = "past";
    turn.isLastPast = turn === last;
    touch(turn);
  }
}

// --- What the server tells ------------------------------------------------------------------------------------------

export function begin(id, turnId) {
  const turn = turns.get(id) || create(id);
  if (turn.phase === "past") return;
  Object.assign(turn, { phase: "running", answer: { ...EMPTY, turn: turnId }, rating: "" });
  touch(turn);
}

// An answer has more: `status` and `parts`, or `blocks` from the one at `at` on.
export function grow(id, turnId, { at = null, blocks = [], ...rest }) {
  if (turns.get(id)?.phase !== "running" || turns.get(id).answer?.turn !== turnId) begin(id, turnId);
  const turn = turns.get(id);
  if (turn.phase !== "running") return;
  Object.assign(turn.answer, rest);
  if (at !== null) turn.answer.blocks = [...turn.answer.blocks.slice(0, at), ...blocks];
  touch(turn);
}

export function finish(id, answer) {
  const turn = turns.get(id) || create(id);
  if (turn.phase !== "past") turn.phase = "done";
  turn.answer = { ...EMPTY, ...answer };
  touch(turn);
  return turn;
}

// The stream starts over: what streams will be told as a whole.
export function expectWhole() {
  for (const turn of running()) if (turn.answer) turn.answer.blocks = [];
}

// The history as it stood at that moment, or a little later. keeps: turns that it need not hold.
export function take(entries, asked, keeps) {
  const questions = entries.filter((entry) => entry.role === "user" && entry.id);
  const ids = new Set(questions.map((entry) => entry.id));
  for (const turn of all()) {
    const isKept = turn.phase === "sending" || turn.phase === "past" || turn.touched > asked || keeps(turn);
    if (!ids.has(turn.id) && !isKept) remove(turn.id);
  }
  for (const question of questions) {
    const turn = turns.get(question.id) || create(question.id);
    const answers = entries.filter((entry) => entry.role === "assistant" && question.turn && entry.turn === question.turn);
    if (turn.phase !== "past") takeEntry(turn, question, answers, asked);
  }
  tell("ordered", [...ids]);
}

function takeEntry(turn, question, answers, asked) {
  turn.question = withFiles(question, turn.question);
  if (turn.touched <= asked) {
    const isSame = turn.answer?.turn === question.turn;
    if (question.is_running && !(isSame && turn.phase !== "sending")) awaitAnswer(turn, question.turn);
    else if (!question.is_running) Object.assign(turn, { phase: "done", answer: joined(answers) });
  }
  tell("changed", turn);
}

// Otherwise the answer streams already, or was told and is about to be written down.
function awaitAnswer(turn, turnId) {
  Object.assign(turn, { phase: "running", answer: { ...EMPTY, turn: turnId } });
}

// Files that are not read yet are not in the history; what was sent stays.
function withFiles(entry, before) {
  const isBare = !entry.parts.length && before?.parts.length && (!entry.text || entry.text === before.text);
  return isBare ? { ...entry, parts: before.parts } : entry;
}

// One answer of several messages.
function joined(answers) {
  if (!answers.length) return null;
  const last = answers[answers.length - 1];
  const all = (name) => answers.flatMap((one) => one[name]);
  return { ...EMPTY, ...last, blocks: all("blocks"), parts: all("parts") };
}
