// The page of the emulator: asks for the state after each change, shows it, and sends what a person does.
const $ = (id) => document.getElementById(id);
const esc = (text) => String(text ?? "").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const here = { user: "", channel: "", thread: "", tab: "messages" };
let state = null;
let busy = false;
let again = false;
let editing = ""; // the message that the composer changes instead of writing a new one
let asked = false; // a question was just written: its thread opens with the first sign of an answer

for (const [name, value] of new URLSearchParams(location.hash.slice(1))) if (name in here) here[name] = value;

// ---- talking to the emulator

async function send(what) {
  const answer = await fetch("/emulator/act", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Emulator": "page" },
    body: JSON.stringify({ user: here.user, channel: here.channel, ...what }),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) toast(told.problem || "That did not work.");
  else if (told.note) toast(told.note);
}

async function upload(place, text, files, clip) {
  const form = new FormData();
  const fields = { user: here.user, channel: here.channel, text, thread: place === "thread" ? here.thread : "" };
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  if (clip) form.append("clip", "1");
  for (const file of files) form.append("file", file, file.name);
  await fetch("/emulator/upload", { method: "POST", headers: { "X-Emulator": "page" }, body: form });
}

async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const query = new URLSearchParams({ user: here.user, channel: here.channel, thread: here.thread });
    state = await (await fetch(`/emulator/state?${query}`)).json();
    here.user = state.me;
    here.channel = state.channel.id;
    show();
    openAnswered();
  } finally {
    busy = false;
    if (again) { again = false; refresh(); }
  }
}

function openAnswered() {
  const last = asked && state.messages.findLast((message) => message.mine);
  if (!last || !(last.replies || last.status)) return;
  asked = false;
  go({ thread: last.ts });
}

function listen() {
  const changes = new EventSource("/emulator/changes");
  changes.onmessage = refresh;
  changes.onerror = () => { $("link").className = "dot"; };
}

function go(where) {
  Object.assign(here, where);
  history.replaceState(null, "", `#${new URLSearchParams(here)}`);
  refresh();
}

// ---- showing

function show() {
  document.title = `${state.channel.label} · ${state.team}`;
  $("team").textContent = state.team;
  $("link").className = state.connected ? "dot on" : "dot";
  $("link").title = $("link").ariaLabel = `${state.app}: ${state.connected ? "connected" : "not connected"} (${state.mode})`;
  keep($("me"), state.people.map((p) => `<option value="${p.id}" ${p.id === state.me ? "selected" : ""}>${esc(p.name)}</option>`).join(""));
  showRooms();
  const agent = state.channel.agent;
  $("title").textContent = (agent || state.channel.kind.includes("im") ? "" : "# ") + state.channel.label;
  $("topic").textContent = state.channel.topic || `${state.channel.members} members`;
  showTabs(agent);
  const atHome = agent && here.tab === "home";
  $("home").hidden = !atHome;
  $("messages").hidden = $("compose-main-form").hidden = $("prompts").hidden = atHome;
  if (atHome) keep($("home"), state.home ? `<div class="body" data-view="${state.home.id}">${state.home.html}</div>` : "<p>The app has published nothing here yet.</p>");
  else list($("messages"), state.messages);
  showPrompts();
  showThread();
  showModal();
}

function showRooms() {
  const row = (room, mark) => `<li><button type="button" data-room="${room.id}" ${room.id === here.channel && here.tab === "messages" ? 'aria-current="page"' : ""}><span aria-hidden="true">${mark}</span>${esc(room.label)}</button></li>`;
  const pick = (test, mark) => state.channels.filter(test).map((room) => row(room, mark(room))).join("");
  keep($("rooms"), pick((r) => r.kind === "public" || r.kind === "private", (r) => (r.kind === "private" ? '<i class="i lock"></i>' : "#")));
  keep($("dms"), pick((r) => !r.agent && (r.kind === "im" || r.kind === "mpim"), () => "●"));
  const global = state.shortcuts.filter((s) => s.kind === "global").map((s) => `<li><button type="button" data-shortcut="${esc(s.id)}"><span aria-hidden="true">›</span>${esc(s.name)}</button></li>`);
  keep($("apps"), pick((r) => r.agent, () => "✦") + global.join(""));
}

function showTabs(agent) {
  const tab = (name, label) => `<button type="button" role="tab" data-tab="${name}" aria-selected="${here.tab === name}">${label}</button>`;
  keep($("tabs"), agent ? tab("messages", "Messages") + tab("home", "Home") : "");
}

function showPrompts() {
  const pinned = state.prompts;
  const chips = pinned ? pinned.prompts.map((p) => `<button type="button" data-prompt="${esc(p.message)}">${esc(p.title)}</button>`).join("") : "";
  keep($("prompts"), chips && `${pinned.title ? `<h3>${esc(pinned.title)}</h3>` : ""}${chips}`);
}

function showThread() {
  const thread = state.thread;
  $("thread").hidden = !thread;
  if (!thread) return;
  $("thread-title").textContent = thread.title || "";
  list($("replies"), thread.messages);
  const line = thread.status ? `<span class="text thinking">${esc(state.app)} ${esc(thread.status)}</span>` : "<span class='text'></span>";
  $("status").hidden = !thread.status && !thread.can_stop;
  keep($("status"), line + (thread.can_stop ? '<button type="button" class="plain" data-stop><i class="i stop"></i> Stop</button>' : ""));
}

function showModal() {
  const dialog = $("modal");
  if (!state.modal) { if (dialog.open) dialog.close(); return; }
  const { id, hash, title, html, submit, close } = state.modal;
  const send = submit ? `<button type="submit" class="primary">${esc(submit)}</button>` : "";
  keep(dialog, `<form method="dialog" data-view="${id}" data-hash="${hash}"><header><h2>${esc(title)}</h2></header><div class="body">${html}</div><footer><button type="button" class="plain" data-dismiss>${esc(close)}</button>${send}</footer></form>`);
  if (!dialog.open) dialog.showModal();
}

// Replaces an element's inside only when it differs, so that focus and players survive.
function keep(element, html) {
  if (element.shown !== html) { element.innerHTML = html; element.shown = html; }
}

function list(container, messages) {
  const low = container.scrollHeight - container.scrollTop - container.clientHeight < 80;
  const moved = container.place !== here.channel + here.thread;
  container.place = here.channel + here.thread;
  const old = new Map([...container.children].map((item) => [item.dataset.ts, item]));
  messages.forEach((message, index) => {
    const key = JSON.stringify(message);
    let item = old.get(message.ts);
    if (!item || item.key !== key) {
      const fresh = draw(message, container.id === "replies");
      fresh.key = key;
      if (item && samePlayers(item, fresh)) swapPlayers(item, fresh);
      item ? item.replaceWith(fresh) : null;
      item = fresh;
    }
    old.delete(message.ts);
    if (container.children[index] !== item) container.insertBefore(item, container.children[index] || null);
  });
  for (const item of old.values()) item.remove();
  if (low || moved) container.scrollTop = container.scrollHeight;
}

const players = (item) => [...item.querySelectorAll("audio, video")];
const samePlayers = (a, b) => players(a).length > 0 && players(a).map((p) => p.src).join() === players(b).map((p) => p.src).join();
function swapPlayers(from, to) {
  const held = players(from);
  players(to).forEach((player, index) => player.replaceWith(held[index]));
}

function draw(message, inThread) {
  const item = document.createElement("li");
  item.className = ["message", message.ephemeral && "ephemeral", message.streaming && "streaming"].filter(Boolean).join(" ");
  item.dataset.ts = message.ts;
  const hue = [...message.user].reduce((sum, c) => sum + c.charCodeAt(0) * 7, 0) % 360;
  const marks = (message.is_bot ? '<span class="badge">APP</span>' : "") + (message.edited ? "<small>(edited)</small>" : "");
  const replies = !inThread && message.replies ? `<button type="button" class="more" data-open="${message.ts}">${message.replies} ${message.replies === 1 ? "reply" : "replies"}</button>` : "";
  const status = !inThread && message.status ? `<div class="note thinking">${esc(state.app)} ${esc(message.status)}</div>` : "";
  item.innerHTML = `
    <div class="avatar ${message.is_bot ? "bot" : ""}" style="background:hsl(${hue} 45% 45%)" aria-hidden="true">${message.is_bot ? "✦" : esc(message.name[0])}</div>
    <div><div class="head"><b>${esc(message.name)}</b>${marks}<time>${message.time}</time></div>
    <div class="body">${message.html}</div>${drawFiles(message.files)}${drawReactions(message)}${replies}${status}</div>
    ${tools(message, inThread)}`;
  return item;
}

function drawFiles(files) {
  return files.length ? `<div class="files">${files.map(drawFile).join("")}</div>` : "";
}

function drawFile(file) {
  const size = file.size > 1e6 ? `${(file.size / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(file.size / 1e3))} kB`;
  const name = `<b>${esc(file.title)}</b>`;
  if (file.kind === "gone") return '<span class="note">This file was deleted.</span>';
  if (file.kind === "image") return `<a href="${file.url}" target="_blank"><img src="${file.url}" alt="${esc(file.alt)}"></a>`;
  if (file.kind === "audio") return `<div class="card sound">${name}<audio controls preload="metadata" src="${file.url}"></audio>${file.transcript ? `<small>${esc(file.transcript)}</small>` : ""}</div>`;
  if (file.kind === "video") return `<video controls preload="metadata" src="${file.url}" aria-label="${esc(file.title)}"></video>`;
  const card = `<i class="i file"></i><span>${name}<small>${esc(file.type)} · ${size}</small></span>`;
  if (file.text) return `<details class="card"><summary>${name} <small>${size}</small></summary><div class="body"><pre>${esc(file.text)}</pre></div></details>`;
  return `<a class="card" href="${file.url}" download="${esc(file.name)}">${card}</a>`;
}

function drawReactions(message) {
  if (!message.reactions.length) return "";
  const one = (r) => `<button type="button" class="${r.mine ? "mine" : ""}" data-react="${esc(r.name)}" aria-pressed="${r.mine}">${r.emoji} ${r.count}</button>`;
  return `<div class="reactions">${message.reactions.map(one).join("")}</div>`;
}

function tools(message, inThread) {
  if (message.ephemeral) return "";
  const tool = (name, label, icon) => `<button type="button" data-tool="${name}" aria-label="${label}" title="${label}"><i class="i ${icon}"></i></button>`;
  return `<div class="tools">${tool("up", "React with thumbs up", "up")}${inThread ? "" : tool("thread", "Reply in thread", "reply")}${tool("more", "More actions", "more")}</div>`;
}

function toast(text) {
  $("toast").textContent = text;
  $("toast").className = "on";
  setTimeout(() => { $("toast").className = ""; }, 3500);
}

// ---- acting

function messageOf(target) {
  const item = target.closest(".message");
  const all = item ? [...state.messages, ...(state.thread?.messages || [])] : [];
  return all.find((message) => message.ts === item.dataset.ts);
}

function act(target, value) {
  const view = target.closest("[data-view]")?.dataset.view;
  send({ do: "click", action: target.dataset.action, value, view, ts: messageOf(target)?.ts });
}

function edit(message, place) {
  const box = $(`compose-${place}`);
  editing = message.ts;
  box.value = message.source;
  box.form.querySelector(".grow").textContent = "Editing: Enter saves, Escape leaves it";
  box.focus();
}

function openMenu(target, message) {
  const rows = [];
  const row = (label, run) => rows.push([label, run]);
  if (message.mine) {
    row("Edit message", () => edit(message, target.closest("#replies") ? "thread" : "main"));
    row("Delete message", () => send({ do: "delete", ts: message.ts }));
  }
  for (const name of ["heart", "eyes", "tada"]) row(`React with :${name}:`, () => send({ do: "react", ts: message.ts, name }));
  for (const each of state.shortcuts.filter((s) => s.kind === "message")) row(`✦ ${each.name}`, () => send({ do: "shortcut", callback_id: each.id, ts: message.ts }));
  const menu = $("menu");
  menu.replaceChildren(...rows.map(([label, run]) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: label, onclick: () => { closeMenu(); run(); } });
    button.setAttribute("role", "menuitem");
    return button;
  }));
  menu.hidden = false;
  const box = target.getBoundingClientRect();
  menu.style.left = `${Math.min(box.left, innerWidth - menu.offsetWidth - 8)}px`;
  menu.style.top = `${Math.min(box.bottom + 4, innerHeight - menu.offsetHeight - 8)}px`;
  menu.firstChild?.focus();
}

function closeMenu() { $("menu").hidden = true; }

document.addEventListener("click", (event) => {
  const target = event.target.closest("button, [data-room]");
  if (!event.target.closest("#menu")) closeMenu();
  if (!target) return;
  const { room, tab, open, react, tool, action, value, shortcut } = target.dataset;
  if (room) {
    go({ channel: room, thread: "", tab: "messages" });
    send({ do: "look", channel: room });
  } else if (tab) {
    go({ tab, thread: tab === "home" ? "" : here.thread });
    if (tab === "home") send({ do: "home" });
  } else if (open) go({ thread: open });
  else if (react) send({ do: "react", ts: messageOf(target).ts, name: react });
  else if (tool === "up") send({ do: "react", ts: messageOf(target).ts, name: "+1" });
  else if (tool === "thread") { const m = messageOf(target); go({ thread: m.thread_ts || m.ts }); $("compose-thread").focus(); }
  else if (tool === "more") openMenu(target, messageOf(target));
  else if (target.id === "close-thread") go({ thread: "" });
  else if (shortcut) send({ do: "shortcut", callback_id: shortcut });
  else if ("stop" in target.dataset) send({ do: "stop", thread: here.thread });
  else if ("prompt" in target.dataset) send({ do: "post", text: target.dataset.prompt }).then(() => { asked = true; refresh(); });
  else if ("dismiss" in target.dataset) send({ do: "dismiss", view: state.modal.id });
  else if (action && target.classList.contains("act")) act(target, value);
});

document.addEventListener("change", (event) => {
  const target = event.target;
  if (target.id === "me") go({ user: target.value, channel: "", thread: "" });
  else if (target.matches("select.act") && !target.closest("dialog")) act(target, target.multiple ? [...target.selectedOptions].map((o) => o.value) : target.value);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (!$("menu").hidden) closeMenu();
  else if (here.thread && !state.modal) go({ thread: "" });
});

$("modal").addEventListener("cancel", (event) => { event.preventDefault(); send({ do: "dismiss", view: state.modal.id }); });
$("modal").addEventListener("submit", (event) => {
  event.preventDefault();
  const values = {};
  for (const field of event.target.querySelectorAll(".act[data-action]")) {
    if (field.tagName === "BUTTON") continue;
    values[field.dataset.action] = field.multiple ? [...field.selectedOptions].map((o) => o.value) : field.value || null;
  }
  send({ do: "submit", view: state.modal.id, values });
});

// ---- writing

function composer(form) {
  const place = form.dataset.place;
  form.innerHTML = `<textarea id="compose-${place}" rows="1" aria-label="Message" placeholder="${place === "thread" ? "Reply…" : "Message, @name, #channel or /command"}"></textarea>
    <div class="row"><button type="button" class="ghost" data-do="attach" aria-label="Attach files" title="Attach files"><i class="i plus"></i></button>
    <button type="button" class="ghost" data-do="record" aria-label="Record a voice clip" title="Record a voice clip"><i class="i mic"></i></button>
    <span class="grow" aria-live="polite"></span><button type="submit" class="primary" aria-label="Send">Send</button></div>
    <input type="file" multiple hidden data-pick="file"><input type="file" accept="audio/*,video/*" hidden data-pick="clip">`;
  const box = form.querySelector("textarea");
  const note = form.querySelector(".grow");
  const [any, clip] = form.querySelectorAll("input");
  let files = [];
  const say = () => { note.textContent = files.map((file) => file.name).join(", "); };
  const submit = async () => {
    const text = box.value.trim();
    if (!text && !files.length) return;
    box.value = "";
    const held = files;
    const changed = editing;
    files = [];
    editing = "";
    say();
    if (changed) { await send({ do: "edit", ts: changed, text }); return; }
    if (held.length) await upload(place, text, held, false);
    else await send({ do: "post", text, thread: place === "thread" ? here.thread : undefined });
    asked = place === "main" && !text.startsWith("/");
    refresh();
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && editing) { editing = box.value = ""; say(); event.stopPropagation(); }
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
  });
  box.addEventListener("input", () => {
    const typed = box.value.split(" ")[0];
    if (typed.startsWith("/")) note.textContent = state.commands.filter((name) => name.startsWith(typed)).join("  ");
    else say();
  });
  box.addEventListener("paste", (event) => { files.push(...event.clipboardData.files); say(); });
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => { event.preventDefault(); files.push(...event.dataTransfer.files); say(); });
  any.addEventListener("change", () => { files.push(...any.files); any.value = ""; say(); box.focus(); });
  clip.addEventListener("change", () => { upload(place, box.value, [clip.files[0]], true); clip.value = ""; });
  form.querySelector('[data-do="attach"]').addEventListener("click", () => any.click());
  recorder(form.querySelector('[data-do="record"]'), note, place, clip);
}

// Records with the microphone; without one, an audio file can be chosen as the clip.
function recorder(button, note, place, fallback) {
  let recording = null;
  button.addEventListener("click", async () => {
    if (recording) { recording.stop(); return; }
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const pieces = [];
      recording = new MediaRecorder(stream);
      recording.ondataavailable = (event) => pieces.push(event.data);
      recording.onstop = async () => {
        stream.getTracks().forEach((track) => track.stop());
        const type = recording.mimeType.split(";")[0];
        recording = null;
        note.textContent = "";
        note.classList.remove("recording");
        await upload(place, "", [new File(pieces, `audio_message.${type.split("/")[1]}`, { type })], true);
      };
      recording.start();
      note.textContent = "Recording… press the microphone again to send";
      note.classList.add("recording");
    } catch {
      fallback.click();
    }
  });
}

document.querySelectorAll(".compose").forEach(composer);
listen();
refresh();
