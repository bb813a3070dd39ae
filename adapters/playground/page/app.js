// The page: draws conversations, sends what one types, drops or says, and shows answers as they stream.

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const NARROW = matchMedia("(max-width: 820px)");
const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const REFRESH_MS = 500; // after an answer ends: by then it is written down, with the transcript of what was said
const QUIET_MS = 2000; // an answer under way that tells nothing for so long is looked up

const state = {
  status: null, // what the server said of itself
  channel: "", // the conversation shown
  conversations: [],
  turns: new Map(), // question id -> {question, answer, node…}: what stands in the thread, in order
  files: [], // to be sent: {file, url, node}
  source: null, // EventSource
  editing: null,
  recording: null,
  sending: false,
  lastNews: 0,
  asked: 0, // looks into the history, and the latest of them that was answered
  answered: 0,
};

// --- Small things ---------------------------------------------------------------------------------------------------

function el(tag, attributes = {}, ...children) {
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

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

function button(name, label, onclick, extra = {}) {
  return el("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick, ...extra }, icon(name));
}

// Only for HTML that the server rendered from Markdown; it never passes raw HTML on.
function setHtml(node, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  node.replaceChildren(template.content);
}

const newId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

let toastTimer = 0;
function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => ($("toast").hidden = true), 8000);
}

const say = (text) => ($("said").textContent = text.slice(0, 4000));

async function api(path, options = {}) {
  const headers = { Accept: "application/json", ...(options.json ? { "Content-Type": "application/json" } : {}) };
  let response;
  try {
    response = await fetch(path, { ...options, headers, body: options.json ? JSON.stringify(options.json) : options.body });
  } catch {
    throw new Error("Parley cannot be reached. Is it still running?");
  }
  if (response.status === 401) location.reload();
  if (!response.ok) throw new Error(trouble(response.status, await response.text()));
  return response.json();
}

function trouble(status, body) {
  try {
    return JSON.parse(body).text || `The server answered ${status}.`;
  } catch {
    return body.trim() || `The server answered ${status}.`;
  }
}

const attempt = (work) => work().catch((error) => toast(error.message));
const messagePath = (id) => `/api/conversations/${state.channel}/messages/${id}`;

// --- Conversations --------------------------------------------------------------------------------------------------

async function loadConversations() {
  state.conversations = await api("/api/conversations");
  drawConversations();
}

function drawConversations() {
  const rows = state.conversations.map((one) => {
    const isHere = one.id === state.channel;
    const open = el("a", { href: `#${one.id}`, "aria-current": isHere ? "page" : null }, one.title || "New conversation");
    const drop = button("bin", `Delete ${one.title || "conversation"}`, () => forget(one));
    return el("li", { class: isHere ? "here" : "" }, open, drop);
  });
  $("list").replaceChildren(...rows);
  const here = state.conversations.find((one) => one.id === state.channel);
  $("title").textContent = here?.title || "New conversation";
  document.title = here?.title ? `${here.title} · Parley` : "Parley";
}

function newConversation() {
  location.hash = `${state.status.handle}-${newId()}`;
  showSide(false);
  $("words").focus();
}

async function forget(one) {
  const sure = await confirmed(`Delete “${one.title || "this conversation"}” with all its messages and files, for good?`);
  if (!sure) return;
  await attempt(async () => {
    await api(`/api/conversations/${one.id}?id=${newId()}`, { method: "DELETE" });
    state.conversations = state.conversations.filter((other) => other.id !== one.id);
    drawConversations();
    if (one.id === state.channel) newConversation();
  });
}

function confirmed(text) {
  const dialog = $("confirm");
  $("confirm-text").textContent = text;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

async function openConversation() {
  const named = location.hash.slice(1);
  const isMine = named.startsWith(`${state.status.handle}-`);
  if (!isMine) return newConversation();
  state.channel = named;
  cancelEdit();
  state.turns.clear();
  $("thread").replaceChildren();
  drawConversations();
  listen();
  await attempt(refresh);
  toBottom(true);
}

// --- The thread -----------------------------------------------------------------------------------------------------

// One question and its answer. `answer.live` is set while it streams and until the server's history has it.
function turnOf(id) {
  let turn = state.turns.get(id);
  if (!turn) {
    turn = { id, question: null, answer: null, node: el("li", { class: "turn", "data-id": id }) };
    state.turns.set(id, turn);
    $("thread").append(turn.node);
  }
  return turn;
}

async function refresh() {
  const channel = state.channel;
  const asked = (state.asked += 1);
  const entries = await api(`/api/conversations/${channel}`);
  if (channel !== state.channel || asked < state.answered) return; // another conversation, or overtaken by a later look
  state.answered = asked;
  const questions = entries.filter((entry) => entry.role === "user" && entry.id);
  const answers = entries.filter((entry) => entry.role === "assistant");
  const ids = new Set(questions.map((entry) => entry.id));
  for (const [id, turn] of state.turns) if (!ids.has(id) && !turn.isPending && !turn.isPast && !turn.answer?.live) removeTurn(id);
  for (const entry of questions) {
    const turn = turnOf(entry.id);
    const answer = entry.turn ? answers.filter((other) => other.turn === entry.turn) : [];
    turn.isPending = false;
    drawQuestion(turn, entry);
    takeAnswer(turn, entry, answer);
  }
  orderTurns(questions);
  drawState();
}

function takeAnswer(turn, entry, answers) {
  if (turn.answer?.live && !turn.answer.isDone) return;
  if (turn.answer?.isDone && entry.is_running && entry.turn === turn.answer.turn) return lookAgain(); // told, not yet written down
  if (answers.length) {
    const last = answers[answers.length - 1];
    const merged = { ...last, blocks: answers.flatMap((one) => one.blocks), parts: answers.flatMap((one) => one.parts) };
    merged.notices = last.notices;
    merged.isDone = !entry.is_running;
    if (turn.answer?.isDone) Object.assign(merged, { is_truncated: turn.answer.is_truncated, is_stopped: turn.answer.is_stopped, actions: turn.answer.actions });
    drawAnswer(turn, merged);
  } else if (entry.is_running) {
    drawAnswer(turn, { turn: entry.turn, blocks: [], parts: [], live: true, isDone: false });
  } else if (turn.answer && !turn.answer.live) {
    drawAnswer(turn, null);
  }
}

let lookTimer = 0;
function lookAgain() {
  clearTimeout(lookTimer);
  lookTimer = setTimeout(() => attempt(refresh), REFRESH_MS);
}

function orderTurns(questions) {
  const nodes = questions.map((entry) => state.turns.get(entry.id).node);
  const others = [...$("thread").children].filter((node) => !nodes.includes(node));
  const past = others.filter((node) => node.classList.contains("past"));
  const wanted = [...past, ...nodes, ...others.filter((node) => !past.includes(node))];
  if (wanted.some((node, at) => $("thread").children[at] !== node)) $("thread").append(...wanted);
}

function removeTurn(id) {
  state.turns.get(id)?.node.remove();
  state.turns.delete(id);
}

function drawQuestion(turn, entry) {
  const isBare = !entry.parts.length && turn.question?.parts.length && (!entry.text || entry.text === turn.question.text);
  if (isBare) entry = { ...entry, parts: turn.question.parts }; // its files are not read yet: what was sent stays
  const known = JSON.stringify([entry.text, entry.parts]);
  if (turn.drawn === known || state.editing === turn.id) return;
  turn.drawn = known;
  turn.question = entry;
  const bubble = el("div", { class: "bubble" }, ...entry.parts.map((part) => drawPart(part, true)));
  if (entry.text && !isTranscript(entry)) bubble.append(el("p", { class: "words" }, entry.text));
  if (!bubble.children.length) bubble.append(el("p", { class: "words faint" }, "A file"));
  const tools = el("div", { class: "tools", role: "group", "aria-label": "Your message" });
  if (entry.text && !isTranscript(entry)) {
    tools.append(button("copy", "Copy your message", (event) => copy(event.currentTarget, entry.text)));
    if (!entry.text.startsWith("/") && entry.is_editable !== false) tools.append(button("edit", "Edit your message", () => edit(turn.id)));
  }
  tools.append(button("bin", "Delete your message", () => erase(turn.id)));
  const node = el("article", { class: "question", "aria-label": "You" }, bubble, tools);
  turn.node.querySelector(".question")?.remove();
  turn.node.prepend(node);
}

const isTranscript = (entry) => entry.parts.some((part) => part.type === "audio" && part.transcript && part.transcript === entry.text);

function drawAnswer(turn, answer) {
  turn.answer = answer;
  let node = turn.node.querySelector(".answer");
  if (!answer) return node?.remove();
  if (!node) {
    node = el("article", { class: "answer", "aria-label": "Parley" });
    const logo = icon("logo");
    logo.classList.add("logo");
    const body = el("div", { class: "body" }, el("p", { class: "status" }), el("div", { class: "md" }), el("div", { class: "parts" }));
    body.append(el("div", { class: "notices" }), el("div", { class: "tools", role: "group", "aria-label": "This answer" }));
    node.append(el("span", { class: "face" }, logo), body);
    turn.node.append(node);
  }
  drawBlocks(turn, 0, answer.blocks);
  drawRest(turn);
  drawTools(turn);
}

function drawBlocks(turn, at, blocks) {
  const md = turn.node.querySelector(".answer .md");
  while (md.children.length > at + blocks.length) md.lastElementChild.remove();
  blocks.forEach((html, offset) => {
    const kept = md.children[at + offset];
    if (kept && kept.source === html) return;
    const block = el("div", { class: "block" });
    setHtml(block, html);
    block.source = html;
    for (const code of block.querySelectorAll("figure.code")) addCopy(code);
    kept ? kept.replaceWith(block) : md.append(block);
  });
}

function addCopy(figure) {
  const press = button("copy", "Copy code", (event) => copy(event.currentTarget, figure.querySelector("code").textContent));
  figure.querySelector("figcaption").append(press);
}

function drawRest(turn) {
  const { answer, node } = turn;
  const running = !answer.isDone;
  node.classList.toggle("running", running);
  node.querySelector(".answer").setAttribute("aria-busy", running);
  const hasWords = answer.blocks.length > 0;
  const status = node.querySelector(".answer .status");
  status.hidden = !running || (hasWords && !answer.status);
  const doing = answer.status || "Thinking…";
  if (!status.hidden && status.dataset.text !== doing) {
    status.dataset.text = doing;
    status.replaceChildren(el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), doing);
  }
  const parts = node.querySelector(".answer .parts");
  const known = JSON.stringify(answer.parts);
  if (parts.dataset.known !== known) {
    parts.dataset.known = known;
    parts.replaceChildren(...answer.parts.map((part) => drawPart(part, false)));
  }
  const notices = (answer.notices || []).map((text) => el("p", {}, text));
  if (answer.is_stopped) notices.push(el("p", {}, "You stopped this answer."));
  if (answer.error) node.querySelector(".answer").dataset.error = answer.error;
  else delete node.querySelector(".answer").dataset.error;
  node.querySelector(".answer .notices").replaceChildren(...notices);
}

function drawTools(turn) {
  const tools = turn.node.querySelector(".answer .tools");
  const { answer, id } = turn;
  if (!answer.isDone || turn.isPast) return tools.replaceChildren();
  const actions = answer.actions || []; // which buttons stand there is the server's rule, the same on every platform
  const key = `${answer.turn} ${actions}`;
  if (tools.dataset.turn === key && tools.children.length) return;
  tools.dataset.turn = key;
  const thumb = (value, label) => {
    const made = button("up", label, () => rate(turn, value), { "aria-pressed": String(turn.rated === value), "data-rating": value });
    if (value === "thumbs_down") made.classList.add("upside-down");
    return made;
  };
  tools.replaceChildren(
    button("copy", "Copy this answer", (event) => copy(event.currentTarget, turn.answer.text)),
  );
  const worded = (label, onclick) => el("button", { type: "button", class: "more", onclick }, label);
  const made = {
    continue: () => worded("Go on", () => press(id, "continue")),
    vary: () => worded("Vary", () => press(id, "vary")),
    edit_image: () => worded("Edit", () => editPicture(id)),
    regenerate: () => button("again", "Answer again", () => again(turn)),
    thumbs_up: () => thumb("thumbs_up", "Good answer"),
    thumbs_down: () => thumb("thumbs_down", "Bad answer"),
  };
  tools.append(...actions.filter((action) => made[action]).map((action) => made[action]()));
  if (answer.model) tools.append(el("span", { class: "model" }, answer.model.replace(/^.*?:/, "")));
}

function drawPart(part, isMine) {
  if (part.type === "image") {
    const picture = el("img", { src: part.url, alt: part.alt || part.name || "Picture", loading: "lazy", onload: () => toBottom() });
    return el("button", { type: "button", class: "picture", "aria-label": `Enlarge: ${picture.alt}`, onclick: () => enlarge(picture) }, picture);
  }
  if (part.type === "audio") return drawAudio(part, isMine);
  if (part.type === "unread") {
    const words = [el("span", {}, part.name || "File"), el("small", {}, "· could not be read")];
    return el("span", { class: "file unread", title: part.why }, icon("file"), ...words);
  }
  const link = el("a", { class: "file", href: part.url || null, download: part.name || "" }, icon("file"));
  link.append(el("span", {}, part.name || "File"), el("small", {}, part.size_bytes ? size(part.size_bytes) : ""));
  return link;
}

function drawAudio(part, isMine) {
  const label = isMine ? part.name || "Your voice note" : "Spoken answer";
  const player = el("audio", { controls: true, preload: "metadata", src: part.url, "aria-label": label });
  const made = el("div", { class: "audio" }, player);
  if (part.transcript) {
    const words = el("p", { class: "transcript" }, part.transcript);
    made.append(isMine ? words : el("details", {}, el("summary", {}, "Transcript"), words));
  }
  return made;
}

function enlarge(picture) {
  const shown = $("viewer").querySelector("img");
  shown.src = picture.src;
  shown.alt = picture.alt;
  $("viewer").showModal();
}

async function copy(pressed, text) {
  try {
    await navigator.clipboard.writeText(text || "");
    pressed.replaceChildren(icon("check"));
    say("Copied");
    setTimeout(() => pressed.replaceChildren(icon("copy")), 1500);
  } catch {
    toast("The browser did not let the page copy.");
  }
}

// --- What happens on the server -------------------------------------------------------------------------------------

function listen() {
  state.source?.close();
  const source = new EventSource(`/api/events?conversation=${state.channel}`);
  const on = (name, take) =>
    source.addEventListener(name, (event) => {
      state.lastNews = Date.now();
      const wasAtBottom = isAtBottom();
      take(JSON.parse(event.data));
      drawState();
      if (wasAtBottom) toBottom();
    });
  let wasLost = false;
  source.onerror = () => {
    wasLost = true;
    $("link").textContent = "Reconnecting…";
  };
  on("ready", () => {
    $("link").textContent = "";
    for (const turn of state.turns.values()) if (turn.answer?.live && !turn.answer.isDone) turn.answer.blocks = [];
    if (wasLost) attempt(refresh);
    wasLost = false;
  });
  on("begin", ({ to, turn }) => drawAnswer(turnOf(to), { turn, blocks: [], parts: [], live: true, isDone: false }));
  on("rest", ({ to, turn, status, parts }) => {
    const shown = live(to, turn);
    Object.assign(shown.answer, { status, parts });
    drawRest(shown);
  });
  on("blocks", ({ to, turn, at, blocks }) => {
    const shown = live(to, turn);
    shown.answer.blocks.splice(at, Infinity, ...blocks);
    drawBlocks(shown, at, blocks);
    drawRest(shown);
  });
  on("done", (done) => finish(done));
  on("changed", () => attempt(refresh));
  state.source = source;
}

function live(to, turn) {
  const shown = turnOf(to);
  if (!shown.answer?.live || shown.answer.turn !== turn || shown.answer.isDone) {
    drawAnswer(shown, { turn, blocks: [], parts: [], live: true, isDone: false });
  }
  return shown;
}

function finish(done) {
  const shown = turnOf(done.to);
  drawAnswer(shown, { ...done, live: true, isDone: true });
  const command = anew(shown.question?.text || "");
  if (command && !done.error) beginAnew(shown, command);
  say([done.text, ...done.notices].filter(Boolean).join(" ") || "The answer is there.");
  setTimeout(() => {
    if (shown.answer?.isDone) shown.answer.live = false;
    attempt(refresh);
    attempt(loadConversations);
  }, REFRESH_MS);
}

// The name of the command in this text, if it is one after which the history begins anew.
function anew(text) {
  const name = /^\/([a-z_-]+)/.exec(text)?.[1];
  return state.status.commands.find((one) => one.name === name && one.begins_anew)?.name;
}

// What was said before stays in sight until the page is left, though the history begins anew, or was deleted.
function beginAnew(shown, command) {
  for (const [id, turn] of state.turns) {
    if (command === "forget" && turn !== shown) removeTurn(id);
    turn.isPast = true;
    turn.node.classList.add("past");
    turn.node.classList.toggle("last-past", turn === shown);
    for (const tools of turn.node.querySelectorAll(".tools")) tools.replaceChildren();
  }
}

// An answer whose process died tells nothing; its end is found in the history.
setInterval(() => {
  if (isAnswering() && Date.now() - state.lastNews > QUIET_MS && !document.hidden) {
    for (const turn of state.turns.values()) if (turn.answer?.live && !turn.answer.blocks.length && !turn.answer.isDone) turn.answer.live = false;
    attempt(refresh);
  }
}, QUIET_MS);

const running = () => [...state.turns.values()].filter((turn) => turn.answer && !turn.answer.isDone);
const isAnswering = () => running().length > 0;

function drawState() {
  const hasWords = $("words").value.trim() || state.files.length;
  const answering = isAnswering();
  $("stop").hidden = !answering || Boolean(hasWords);
  $("send").hidden = !$("stop").hidden;
  $("send").disabled = !hasWords || state.sending;
  $("empty").hidden = state.turns.size > 0;
  $("thread").hidden = state.turns.size === 0;
  $("hint").textContent = state.editing
    ? "Editing your message · Enter saves · Esc leaves it as it was"
    : "Enter sends · Shift+Enter for a new line · / for commands · ↑ edits your last message";
}

// --- Scrolling ------------------------------------------------------------------------------------------------------

let follows = true;
function isAtBottom() {
  return follows;
}
function toBottom(force = false) {
  if (force) follows = true;
  if (!follows || !state.turns.size) return;
  $("scroll").scrollTo({ top: $("scroll").scrollHeight, behavior: "instant" });
}
$("scroll").addEventListener("scroll", () => {
  const { scrollTop, scrollHeight, clientHeight } = $("scroll");
  follows = scrollHeight - scrollTop - clientHeight < 80;
  $("jump").hidden = follows;
});
$("jump").addEventListener("click", () => $("scroll").scrollTo({ top: $("scroll").scrollHeight, behavior: CALM.matches ? "instant" : "smooth" }));
new ResizeObserver(() => toBottom()).observe($("thread"));

// --- Sending --------------------------------------------------------------------------------------------------------

async function send({ text, files = [], voice = null }) {
  const id = newId();
  const form = new FormData();
  form.append("conversation", state.channel);
  form.append("id", id);
  form.append("text", text);
  if (voice) form.append("duration_s", String(voice.seconds));
  for (const { file } of files) form.append("file", file, file.name);
  if (voice) form.append("voice", voice.blob, voice.name);
  if (anew(text)) for (const other of state.turns.values()) other.isPast = true; // the history lets go of them at once
  const turn = turnOf(id);
  turn.isPending = true;
  drawQuestion(turn, { id, text, parts: previews(files, voice) });
  drawAnswer(turn, { turn: "", blocks: [], parts: [], live: true, isDone: false, status: files.length || voice ? "Sending…" : "" });
  drawState();
  toBottom(true);
  try {
    await upload(form, files);
    state.lastNews = Date.now();
    if (turn.answer?.status === "Sending…") Object.assign(turn.answer, { status: "" });
    if (turn.answer) drawRest(turn);
    if (!state.conversations.some((one) => one.id === state.channel)) attempt(loadConversations);
    return true;
  } catch (error) {
    removeTurn(id);
    toast(error.message);
    return false;
  } finally {
    drawState();
  }
}

function previews(files, voice) {
  const shown = files.map(({ file, url }) =>
    file.type.startsWith("image/") && url
      ? { type: "image", url, alt: file.name, name: file.name }
      : { type: "file", name: file.name, size_bytes: file.size },
  );
  if (voice) shown.push({ type: "audio", url: URL.createObjectURL(voice.blob), name: "Voice note", transcript: "" });
  return shown;
}

// XMLHttpRequest, for fetch tells nothing of how much is sent.
function upload(form, files) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/messages");
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => {
      const share = event.lengthComputable ? event.loaded / event.total : 0;
      for (const { node } of files) node.style.setProperty("--sent", `${Math.round(share * 100)}%`);
    };
    request.onload = () => (request.status < 300 ? resolve() : reject(new Error(trouble(request.status, request.responseText))));
    request.onerror = () => reject(new Error("Parley cannot be reached. Is it still running?"));
    request.send(form);
  });
}

async function submit() {
  const text = $("words").value.trim();
  if (state.editing) return saveEdit(text);
  if ((!text && !state.files.length) || state.sending) return;
  const files = state.files;
  state.sending = true;
  setWords("");
  $("chips").classList.add("sending");
  const wasSent = await send({ text, files });
  state.sending = false;
  $("chips").classList.remove("sending");
  if (wasSent) {
    state.files = state.files.filter((one) => !files.includes(one));
  } else if (!$("words").value) {
    setWords(text);
  }
  drawChips();
  drawState();
}

// --- Editing, deleting, pressing ------------------------------------------------------------------------------------

function edit(id) {
  const turn = state.turns.get(id);
  if (!turn?.question?.text) return;
  cancelEdit();
  state.editing = id;
  turn.node.classList.add("editing");
  setWords(turn.question.text);
  $("words").focus();
  drawState();
}

function cancelEdit() {
  if (!state.editing) return;
  state.turns.get(state.editing)?.node.classList.remove("editing");
  state.editing = null;
  setWords("");
  drawState();
}

async function saveEdit(text) {
  const id = state.editing;
  const turn = state.turns.get(id);
  if (!text) return;
  cancelEdit();
  if (!turn || text === turn.question.text) return;
  await attempt(async () => {
    const { outcome } = await api(messagePath(id), { method: "PATCH", json: { id: newId(), text } });
    if (outcome === "ignored") return toast("This message cannot be changed; send it again instead.");
    drawQuestion(turn, { ...turn.question, text });
  });
}

async function erase(id) {
  await attempt(async () => {
    await api(`${messagePath(id)}?id=${newId()}`, { method: "DELETE" });
    removeTurn(id);
    say("Deleted");
    drawState();
    $("words").focus();
  });
}

const press = (id, action, value = "") =>
  attempt(async () => {
    const answer = await api(`${messagePath(id)}/press`, { method: "POST", json: { id: newId(), action, value } });
    if (answer.outcome === "ignored" && action !== "stop") throw new Error("That cannot be done with this answer any more.");
    return answer;
  });

// The buttons may have been drawn anew meanwhile, so the thumb is kept with the turn.
async function rate(turn, action) {
  if (!(await press(turn.id, action))) return;
  turn.rated = action;
  for (const thumb of turn.node.querySelectorAll(".answer [data-rating]")) {
    thumb.setAttribute("aria-pressed", thumb.dataset.rating === action);
  }
  say("Thank you");
}

function editPicture(id) {
  const words = prompt("What should change in the picture?");
  if (words?.trim()) press(id, "edit_image", words.trim());
}

function again(turn) {
  turn.rated = "";
  return press(turn.id, "regenerate");
}

function stop() {
  for (const turn of running()) press(turn.id, "stop");
}

// --- Composer -------------------------------------------------------------------------------------------------------

function setWords(text) {
  $("words").value = text;
  fitWords();
  drawPalette();
  drawState();
}

function fitWords() {
  const words = $("words");
  words.style.height = "auto";
  words.style.height = `${Math.min(words.scrollHeight, 240)}px`;
}

$("words").addEventListener("input", () => {
  fitWords();
  drawPalette();
  drawState();
});

$("words").addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (paletteKey(event)) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    submit();
  } else if (event.key === "ArrowUp" && !$("words").value && !state.editing) {
    const mine = [...state.turns.values()].filter((turn) => turn.question?.text && !turn.isPast && !turn.question.text.startsWith("/"));
    if (mine.length) {
      event.preventDefault();
      edit(mine[mine.length - 1].id);
    }
  }
});

addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (!$("palette").hidden) return hidePalette();
  if (state.recording) return endRecording(false);
  if (state.editing) return cancelEdit();
  if (document.body.classList.contains("side-open")) return showSide(false);
  if (isAnswering()) stop();
});

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
$("stop").addEventListener("click", stop);
$("new").addEventListener("click", newConversation);

// --- Commands -------------------------------------------------------------------------------------------------------

let chosen = 0;
function matching() {
  const typed = /^\/([a-z_-]*)$/.exec($("words").value);
  return typed && !state.editing ? state.status.commands.filter((one) => one.name.startsWith(typed[1])) : [];
}

function drawPalette() {
  const found = state.status ? matching() : [];
  chosen = Math.min(chosen, Math.max(found.length - 1, 0));
  const rows = found.map((one, at) => {
    const name = el("b", {}, `/${one.name}`, one.usage ? el("i", {}, ` ${one.usage}`) : "");
    const attributes = { role: "option", id: `command-${one.name}`, "aria-selected": String(at === chosen), onmousedown: (event) => event.preventDefault() };
    return el("li", { ...attributes, onclick: () => takeCommand(one) }, name, el("span", {}, one.summary));
  });
  $("palette").replaceChildren(...rows);
  $("palette").hidden = !found.length;
  $("palette").querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  if (found.length) $("words").setAttribute("aria-activedescendant", `command-${found[chosen].name}`);
  else $("words").removeAttribute("aria-activedescendant");
}

function hidePalette() {
  $("palette").hidden = true;
  $("words").removeAttribute("aria-activedescendant");
}

function takeCommand(one) {
  setWords(`/${one.name} `);
  hidePalette();
  $("words").focus();
  if (!one.usage) submit();
}

function paletteKey(event) {
  const found = matching();
  if ($("palette").hidden || !found.length) return false;
  const isWhole = `/${found[chosen].name}` === $("words").value && /^(\[|$)/.test(found[chosen].usage);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    chosen = (chosen + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
    drawPalette();
  } else if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey && !isWhole)) {
    takeCommand(found[chosen]);
  } else {
    return false;
  }
  event.preventDefault();
  return true;
}

// --- Files ----------------------------------------------------------------------------------------------------------

function addFiles(files) {
  for (const file of files) {
    if (state.files.length >= state.status.max_files) {
      toast(`A message takes up to ${state.status.max_files} files.`);
      break;
    }
    if (file.size > state.status.max_upload_bytes) {
      toast(`${file.name} is too big: up to ${size(state.status.max_upload_bytes)} can be sent.`);
      continue;
    }
    const url = file.type.startsWith("image/") ? URL.createObjectURL(file) : "";
    state.files.push({ file, url, node: null });
  }
  drawChips();
  drawState();
  $("words").focus();
}

function drawChips() {
  const chips = state.files.map((one) => {
    const face = one.url ? el("img", { src: one.url, alt: "" }) : icon(one.file.type.startsWith("audio/") ? "mic" : "file");
    const drop = button("close", `Remove ${one.file.name}`, () => {
      state.files = state.files.filter((other) => other !== one);
      drawChips();
      drawState();
      $("words").focus();
    });
    one.node = el("li", { class: "chip" }, face, el("span", { class: "chip-name" }, one.file.name), el("small", {}, size(one.file.size)), drop);
    return one.node;
  });
  $("chips").replaceChildren(...chips);
  $("chips").hidden = !chips.length;
}

$("attach").addEventListener("click", () => $("files").click());
$("files").addEventListener("change", () => {
  addFiles($("files").files);
  $("files").value = "";
});
$("words").addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files || [])];
  if (!files.length) return;
  event.preventDefault();
  addFiles(files.map(named));
});

// Pasted pictures all come as image.png.
function named(file) {
  if (file.name && file.name !== "image.png") return file;
  const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "");
  return new File([file], `pasted-${time}.${(file.type.split("/")[1] || "bin").replace(/\W.*/, "")}`, { type: file.type });
}

let depth = 0;
const hasFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
addEventListener("dragenter", (event) => {
  if (!hasFiles(event)) return;
  depth += 1;
  $("drop").hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!hasFiles(event)) return;
  depth = Math.max(0, depth - 1);
  $("drop").hidden = depth === 0;
});
addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
addEventListener("drop", (event) => {
  depth = 0;
  $("drop").hidden = true;
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  addFiles(event.dataTransfer.files);
});

// --- Voice notes ----------------------------------------------------------------------------------------------------

const VOICE_TYPES = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];

async function startRecording() {
  if (state.recording) return;
  if (!navigator.mediaDevices || !window.MediaRecorder) return toast("This browser cannot record here. Recording needs https or this machine.");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
  } catch {
    return toast("The browser did not let the page use the microphone. Allow it beside the address and try again.");
  }
  const mimeType = VOICE_TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
  const recording = { recorder, stream, chunks: [], began: performance.now(), isWanted: false };
  recorder.ondataavailable = (event) => event.data.size && recording.chunks.push(event.data);
  recorder.onstop = () => recorded(recording);
  state.recording = recording;
  recorder.start(250);
  $("recorder").hidden = false;
  $("line").hidden = true;
  $("rec-send").focus();
  say("Recording");
  meter(recording);
}

function meter(recording) {
  const audio = new AudioContext();
  const analyser = audio.createAnalyser();
  analyser.fftSize = 512;
  audio.createMediaStreamSource(recording.stream).connect(analyser);
  const samples = new Uint8Array(analyser.fftSize);
  const levels = [];
  let painted = 0;
  const paint = (now) => {
    if (state.recording !== recording) return void audio.close();
    requestAnimationFrame(paint);
    if (now - painted < 50) return;
    painted = now;
    analyser.getByteTimeDomainData(samples);
    levels.push(Math.sqrt(samples.reduce((sum, value) => sum + ((value - 128) / 128) ** 2, 0) / samples.length));
    $("rec-time").textContent = clock((performance.now() - recording.began) / 1000);
    paintLevels(levels.slice(-100));
  };
  requestAnimationFrame(paint);
}

function paintLevels(levels) {
  const canvas = $("rec-level");
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = getComputedStyle(canvas).color;
  levels.forEach((level, at) => {
    const height = Math.max(4, Math.min(1, level * 5) * canvas.height);
    context.beginPath();
    context.roundRect(canvas.width - (levels.length - at) * 6, (canvas.height - height) / 2, 3.5, height, 2);
    context.fill();
  });
}

function endRecording(isWanted) {
  const { recording } = state;
  if (!recording) return;
  recording.isWanted = isWanted;
  recording.seconds = (performance.now() - recording.began) / 1000;
  state.recording = null;
  recording.recorder.stop();
  for (const track of recording.stream.getTracks()) track.stop();
  $("recorder").hidden = true;
  $("line").hidden = false;
  $("words").focus();
}

function recorded({ recorder, chunks, isWanted, seconds }) {
  if (!isWanted) return say("The recording is discarded");
  const type = (recorder.mimeType || "audio/webm").split(";")[0];
  const blob = new Blob(chunks, { type });
  const name = `voice-note.${{ "audio/mp4": "m4a", "audio/ogg": "ogg" }[type] || "webm"}`;
  send({ text: $("words").value.trim(), files: state.files, voice: { blob, name, seconds } }).then((wasSent) => {
    if (!wasSent) return;
    state.files = [];
    setWords("");
    drawChips();
  });
}

$("mic").addEventListener("click", startRecording);
$("rec-send").addEventListener("click", () => endRecording(true));
$("rec-drop").addEventListener("click", () => endRecording(false));

// --- Looks ----------------------------------------------------------------------------------------------------------

const THEMES = ["automatic", "light", "dark"];
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").querySelector("span").textContent = `Theme: ${theme}`;
  localStorage.setItem("parley-theme", theme);
}
$("theme").addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]));

function showSide(isShown) {
  document.body.classList.toggle("side-open", isShown);
  $("menu").setAttribute("aria-expanded", String(isShown));
  $("scrim").hidden = !isShown;
  $("side").inert = NARROW.matches && !isShown;
  if (isShown) $("new").focus();
}
$("menu").addEventListener("click", () => showSide(!document.body.classList.contains("side-open")));
$("scrim").addEventListener("click", () => showSide(false));
NARROW.addEventListener("change", () => showSide(false));

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address after # names the conversation
  $("words").focus();
});

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => {
    const pressed = event.target.closest("button");
    if (pressed || event.target === dialog) dialog.close(pressed?.value || "no");
  });
}

// --- The empty page -------------------------------------------------------------------------------------------------

const MODALITIES = { chat: "Answers", transcribe: "Listens", speech: "Speaks", image: "Draws", embedding: "Compares" };
const IDEAS = ["Explain how tides work, in five sentences", "Write a haiku about a slow Monday", "Plan a quick dinner from eggs, rice and spinach"];

// Variables, models and commands among the words stand in code font, the words between them do not.
function withCode(text) {
  const pieces = text.split(/(`[^`]+`|\b[A-Z]+(?:_[A-Z]+)+\b|\b[a-z]+:[\w.-]+)/);
  return pieces.map((piece, index) => (index % 2 ? el("code", {}, piece.replaceAll("`", "")) : piece));
}

function drawEmpty() {
  const rows = state.status.models.map(({ modality, model, way }) => {
    const value = model ? el("span", {}, model) : el("span", {}, "off; ", ...withCode(way));
    return el("li", { class: model ? "on" : "off" }, el("b", {}, MODALITIES[modality] || modality), value);
  });
  $("models").replaceChildren(...rows);
  $("models").hidden = !rows.length;
  const ideas = IDEAS.map((text) => el("button", { type: "button", onclick: () => send({ text }) }, text));
  $("ideas").replaceChildren(...ideas);
}

// --- Start ----------------------------------------------------------------------------------------------------------

setTheme(THEMES.includes(localStorage.getItem("parley-theme")) ? localStorage.getItem("parley-theme") : "automatic");
addEventListener("hashchange", openConversation);
await attempt(async () => {
  state.status = await api("/api/status");
  drawEmpty();
  showSide(false);
  await loadConversations();
  await openConversation();
  drawState();
  if (!NARROW.matches) $("words").focus();
});
