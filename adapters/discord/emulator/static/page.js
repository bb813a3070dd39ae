// Owns the page: the state, the news stream, the composer with commands, forms, menus and the voice recorder.
"use strict";
const $ = (id) => document.getElementById(id);
const state = { me: null, bot: null, people: {}, roles: {}, places: {}, guilds: [], directs: [], channel: null, messages: [], commands: [], unread: {}, typing: {} };
let command = null, replyTo = null, editing = null, dropped = [], stream = null, waiting = {}, recorder = null;
const met = new Set();

const names = {
  user: (id) => (state.people[id] || { name: "someone" }).name,
  role: (id) => state.roles[id] || "role",
  channel: (id) => (state.places[id] || { name: "channel" }).name,
};

// -- the server -------------------------------------------------------------------------------------------------
const ask = async (path) => { const answer = await fetch(path + (path.includes("?") ? "&" : "?") + "as=" + (state.me ? state.me.id : localStorage.as || "")); if (!answer.ok) throw new Error(await answer.text()); return answer.json(); };
async function act(deed, what = {}, files = {}) {
  const form = new FormData();
  form.append("what", JSON.stringify({ do: deed, as: state.me.id, channel: state.channel, ...what }));
  for (const [field, list] of Object.entries(files)) for (const file of list) form.append(field, file, file.name || "file");
  const answer = await fetch("/emulator/act", { method: "POST", body: form, headers: { "X-Emulator": "page" } });
  const body = answer.ok ? await answer.json() : { error: await answer.text() };
  if (body.error) { toast(body.error); return null; }
  if (body.interaction) watch(body);
  return body;
}
function toast(text) { $("toast").textContent = text; $("toast").hidden = false; clearTimeout(toast.timer); toast.timer = setTimeout(() => ($("toast").hidden = true), 5000); }
// The answer's news may be here before the call that made the interaction has returned.
function watch(made) { if (met.has(made.interaction)) return; waiting[made.interaction] = setTimeout(() => { delete waiting[made.interaction]; toast("The application did not respond"); }, 3200); }

async function load() {
  let body;
  try { body = await ask("/emulator/state"); } catch { delete localStorage.as; body = await ask("/emulator/state"); }
  Object.assign(state, { me: body.me, bot: body.bot, guilds: body.guilds, directs: body.directs, roles: body.roles });
  state.people = Object.fromEntries(body.people.map((p) => [p.id, p]));
  state.places = Object.fromEntries([...body.guilds.flatMap((g) => g.channels), ...body.directs].map((c) => [c.id, c]));
  $("state").textContent = body.connected ? "bot online" : "bot offline"; $("state").className = body.connected ? "on" : "";
  drawPlaces();
  $("who").replaceChildren(...body.people.filter((p) => !p.bot).map((p) => el("option", { value: p.id, selected: p.id === state.me.id }, p.name)));
  $("myface").replaceWith(Object.assign(Messages.face(state.me, true), { id: "myface" }));
  drawPeople();
}

function listen() {
  if (stream) stream.close();
  stream = new EventSource("/emulator/events?as=" + state.me.id);
  let dropped = false;
  stream.onerror = () => { dropped = true; $("state").textContent = "emulator gone"; $("state").className = ""; };
  stream.onopen = async () => { if (dropped) { dropped = false; await load(); await go(state.channel); } };
  stream.onmessage = (event) => hear(JSON.parse(event.data));
}

function hear(news) {
  if (news.type === "message") heard(news.message);
  else if (news.type === "gone") { if (news.channel === state.channel) { state.messages = state.messages.filter((m) => !news.ids.includes(m.id)); drawMessages(); } }
  else if (news.type === "typing") { if (news.channel === state.channel) { state.typing[news.user] = Date.now() + 10000; drawTyping(); } }
  else if (news.type === "places") load();
  else if (news.type === "interaction") answered(news);
}

function heard(message) {
  delete state.typing[message.author.id]; drawTyping();
  if (message.channel_id !== state.channel) {
    if (!document.querySelector(`[data-place="${message.channel_id}"]`)) return load();
    if (message.author.id !== state.me.id && !message.edited_timestamp) { state.unread[message.channel_id] = (state.unread[message.channel_id] || 0) + 1; drawPlaces(); }
    return;
  }
  const at = state.messages.findIndex((m) => m.id === message.id);
  if (at < 0) { state.messages.push(message); drawMessages(); return; }
  state.messages[at] = message;
  const old = $("m" + message.id), low = nearEnd();
  if (old) old.replaceWith(drawn(at)); else drawMessages();
  if (low) toEnd();
}

function answered(news) {
  met.add(news.interaction); clearTimeout(waiting[news.interaction]); delete waiting[news.interaction];
  if (news.modal && !answered.shown?.has(news.interaction)) { (answered.shown ||= new Set()).add(news.interaction); openModal(news); }
  if (news.answer === 8) offer(news.choices);
}

// -- places -----------------------------------------------------------------------------------------------------
const SIGNS = { 0: "#", 5: "#", 11: "≡", 12: "◈", 15: "▤", 1: "@", 3: "@" };
const titleOf = (c) => c.name || c.people.filter((id) => id !== state.me.id).map(names.user).join(", ");
function placeButton(c) {
  const n = state.unread[c.id];
  return el("button", { type: "button", className: "place" + (c.parent ? " thread" : "") + (n ? " unread" : ""), "data-place": c.id, ...(c.id === state.channel ? { "aria-current": "page" } : {}), onclick: () => go(c.id) },
    el("span", { className: "sign", ariaHidden: "true" }, SIGNS[c.kind] || "#"), el("span", {}, titleOf(c)), n ? el("span", { className: "dot", ariaLabel: n + " new" }, String(n)) : null);
}
function drawPlaces() {
  const nodes = [];
  for (const guild of state.guilds) {
    nodes.push(el("h2", {}, guild.name));
    for (const c of guild.channels.filter((c) => !c.parent)) nodes.push(placeButton(c), ...guild.channels.filter((t) => t.parent === c.id && !t.archived).map(placeButton));
  }
  nodes.push(el("h2", {}, "Direct messages"), ...state.directs.map(placeButton));
  $("places").replaceChildren(...nodes);
  $("guild").textContent = state.guilds.length ? state.guilds[0].name : "Direct messages";
}
function drawPeople() {
  const place = state.places[state.channel], guild = place && state.guilds.find((g) => g.id === place.guild);
  const ids = guild ? guild.members : place ? place.people : [];
  $("people").replaceChildren(el("h2", {}, `Members — ${ids.length}`), ...ids.map((id) => state.people[id]).filter(Boolean).map((p) => el("div", {}, Messages.face(p, true), el("span", {}, p.name), p.bot ? el("span", { className: "app" }, "APP") : null)));
}
async function go(id) {
  if (!id || !state.places[id]) id = (state.guilds[0] ? state.guilds[0].channels.find((c) => c.kind === 0) : state.directs[0]).id;
  const body = await ask("/emulator/channels/" + id);
  state.channel = id; state.messages = body.messages; state.commands = body.commands; delete state.unread[id]; state.typing = {};
  history.replaceState(null, "", "#" + id); forget();
  const c = state.places[id] = { ...state.places[id], ...body.channel };
  $("title").textContent = `${SIGNS[c.kind] || "#"} ${titleOf(c)}`; $("topic").textContent = c.topic || ""; document.title = titleOf(c) + " · Discord, emulated";
  $("text").placeholder = c.kind === 15 ? "New post: a title, then its text in further lines" : `Message ${SIGNS[c.kind] === "@" ? "@" : "#"}${titleOf(c)}`;
  $("side").classList.remove("open"); $("burger").ariaExpanded = "false";
  drawPlaces(); drawPeople(); drawMessages(true); drawTyping();
}

// -- messages ---------------------------------------------------------------------------------------------------
const nearEnd = () => $("log").scrollHeight - $("log").scrollTop - $("log").clientHeight < 120;
const toEnd = () => { $("log").scrollTop = $("log").scrollHeight; };
function drawn(index) {
  const message = state.messages[index], before = state.messages[index - 1];
  const first = !before || before.author.id !== message.author.id || new Date(message.timestamp) - new Date(before.timestamp) > 420000 || before.ephemeral !== message.ephemeral || before.type === 18;
  return Messages.render(message, { names, deeds, me: state.me.id, first });
}
function drawMessages(jump) {
  const low = jump || nearEnd(), place = state.places[state.channel];
  if (place.kind === 15) return drawForum(place);
  const nodes = []; let day = "";
  state.messages.forEach((message, index) => {
    const on = new Date(message.timestamp).toLocaleDateString([], { dateStyle: "long" });
    if (on !== day) nodes.push(el("div", { className: "day" }, (day = on)));
    nodes.push(drawn(index));
  });
  if (!nodes.length) nodes.push(el("div", { className: "day" }, "Nothing here yet. Mention the bot, or type / for its commands."));
  $("log").replaceChildren(...nodes);
  if (low) { toEnd(); requestAnimationFrame(toEnd); }
}
function drawForum(place) {
  const guild = state.guilds.find((g) => g.id === place.guild), posts = guild.channels.filter((c) => c.parent === place.id).reverse();
  const tagNames = Object.fromEntries(place.tags.map((t) => [t.id, t.name]));
  $("log").replaceChildren(el("div", { className: "posts" }, ...posts.map((c) => el("button", { type: "button", onclick: () => go(c.id) }, ...c.applied.map((t) => el("span", { className: "tag" }, tagNames[t])), el("b", {}, c.name), el("span", { className: "hint" }, `${c.count} replies`))), posts.length ? null : el("p", { className: "hint" }, "No posts yet.")));
}
function drawTyping() {
  const now = Date.now(), who = Object.keys(state.typing).filter((id) => state.typing[id] > now).map(names.user);
  $("typing").textContent = who.length ? `${who.join(", ")} ${who.length > 1 ? "are" : "is"} typing…` : "";
  clearTimeout(drawTyping.timer); if (who.length) drawTyping.timer = setTimeout(drawTyping, 1000);
}
const deeds = {
  click: (message, custom_id) => act("click", { message: message.id, custom_id }),
  select: (message, custom_id, values) => act("select", { message: message.id, custom_id, values }),
  react: (message, emoji) => act("react", { message: message.id, emoji }),
  go,
  async remove(message) { await act("delete", { message: message.id }); if (message.ephemeral) { state.messages = state.messages.filter((m) => m !== message); drawMessages(); } },
  reply(message) { forget(); replyTo = message; context("Replying to " + names.user(message.author.id)); },
  edit(message) { forget(); editing = message; context("Editing your message"); $("text").value = unmentioned(message.content); grow(); },
  menu(message, event) {
    const mine = message.author.id === state.me.id, box = event.currentTarget.getBoundingClientRect(), item = (label, run, bad) => el("button", { type: "button", role: "menuitem", className: bad ? "bad" : "", onclick: () => { closeMenu(); run(); } }, label);
    const apps = state.commands.filter((c) => c.type === 3);
    $("menu").replaceChildren(item("Reply", () => deeds.reply(message)), mine ? item("Edit", () => deeds.edit(message)) : "", message.thread || state.places[state.channel].parent || !state.places[state.channel].guild ? "" : item("Create thread", () => newThread(message)), item("Copy text", () => navigator.clipboard.writeText(message.content)),
      apps.length ? el("small", {}, "Apps") : "", ...apps.map((c) => item(c.name, () => act("menu", { message: message.id, name: c.name }))), mine ? item("Delete", () => deeds.remove(message), true) : "");
    $("menu").hidden = false;
    $("menu").style.left = Math.min(box.left, innerWidth - $("menu").offsetWidth - 12) + "px";
    $("menu").style.top = Math.min(box.bottom + 4, innerHeight - $("menu").offsetHeight - 12) + "px";
    $("menu").firstChild.focus(); deeds.menu.back = event.currentTarget;
  },
};
function closeMenu() { if (!$("menu").hidden) { $("menu").hidden = true; deeds.menu.back && deeds.menu.back.focus(); } }
async function newThread(message) { const name = prompt("Name of the thread", message.content.slice(0, 60) || "Thread"); if (!name) return; const made = await act("thread", { message: message.id, name }); if (made) { await load(); go(made.channel); } }

// -- the composer -----------------------------------------------------------------------------------------------
function context(label) { $("contextText").textContent = label; $("context").hidden = false; $("text").focus(); }
function forget() { replyTo = editing = command = null; dropped = []; $("context").hidden = $("dropped").hidden = $("options").hidden = $("commands").hidden = true; $("options").replaceChildren(); $("files").value = ""; }
function grow() { const t = $("text"); t.style.height = "auto"; t.style.height = t.scrollHeight + "px"; }
function drop(list) {
  dropped.push(...list);
  $("dropped").replaceChildren(...dropped.map((file, i) => el("span", { className: "tag" }, file.name + " ", el("button", { type: "button", className: "link", ariaLabel: "Remove " + file.name, onclick: () => { dropped.splice(i, 1); drop([]); } }, "✕"))),
    dropped.length === 1 && dropped[0].type.startsWith("audio/") ? el("button", { type: "button", className: "link", onclick: async () => { const [file] = dropped; forget(); sendVoice(file); } }, "send as a voice message") : "");
  $("dropped").hidden = !dropped.length; $("text").focus();
}
function flat() {
  const all = [];
  const into = (name, c) => { const subs = (c.options || []).filter((o) => o.type < 3); if (subs.length) subs.forEach((s) => into(`${name} ${s.name}`, s)); else all.push({ name, description: c.description, options: c.options || [] }); };
  state.commands.filter((c) => c.type === 1).forEach((c) => into(c.name, c));
  return all;
}
function suggest() {
  const typed = $("text").value;
  if (!typed.startsWith("/") || typed.includes("\n") || command) { $("commands").hidden = true; return; }
  const found = flat().filter((c) => c.name.startsWith(typed.slice(1).trimStart())).slice(0, 25);
  $("commands").replaceChildren(...found.map((c, i) => el("button", { type: "button", role: "option", ariaSelected: String(!i), onclick: () => choose(c) }, el("b", {}, "/" + c.name), el("small", {}, c.description))));
  $("commands").hidden = !found.length;
}
function move(step) {
  const all = [...$("commands").children], at = all.findIndex((b) => b.ariaSelected === "true"), next = (at + step + all.length) % all.length;
  all.forEach((b, i) => { b.ariaSelected = String(i === next); }); all[next].scrollIntoView({ block: "nearest" });
}
function choose(c) {
  command = c; $("commands").hidden = true; $("text").value = ""; $("text").placeholder = "Enter sends the command";
  $("options").replaceChildren(el("b", {}, "/" + c.name), ...c.options.map(field), el("button", { type: "button", className: "link", onclick: () => { forget(); go(state.channel); } }, "cancel"));
  $("options").hidden = false; const first = $("options").querySelector("input, select"); (first || $("text")).focus();
}
function field(o) {
  let input;
  const label = o.name + (o.required ? " *" : "");
  const picks = (pairs) => el("select", {}, el("option", { value: "" }, "—"), ...pairs.map(([value, name]) => el("option", { value }, name)));
  if (o.choices) input = picks(o.choices.map((c) => [JSON.stringify(c.value), c.name]));
  else if (o.type === 5) input = picks([["true", "yes"], ["false", "no"]]);
  else if (o.type === 6 || o.type === 9) input = picks(Object.values(state.people).map((p) => [JSON.stringify(p.id), p.name]));
  else if (o.type === 7) input = picks(Object.values(state.places).filter((c) => c.guild).map((c) => [JSON.stringify(c.id), "#" + c.name]));
  else if (o.type === 8) input = picks(Object.entries(state.roles).map(([id, name]) => [JSON.stringify(id), name]));
  else if (o.type === 11) input = el("input", { type: "file" });
  else input = el("input", { type: o.type === 3 ? "text" : "number", maxLength: o.max_length || 6000, ...(o.type === 10 ? { step: "any" } : {}) });
  input.dataset.option = o.name; input.dataset.kind = o.type; input.title = o.description;
  if (o.autocomplete) {
    const list = el("datalist", { id: "list-" + o.name }); input.setAttribute("list", list.id); input.dataset.auto = "1";
    input.addEventListener("input", () => { clearTimeout(field.timer); field.timer = setTimeout(() => complete(input, o), 150); });
    input.addEventListener("focus", () => complete(input, o));
    return el("label", {}, label, input, list);
  }
  return el("label", { title: o.description }, label, input);
}
async function complete(input, o) { complete.list = $("list-" + o.name); await act("complete", { name: command.name, focused: o.name, value: o.type === 3 ? input.value : Number(input.value) || 0, options: filled(o.name)[0] }); }
function offer(choices) { if (complete.list) complete.list.replaceChildren(...choices.map((c) => el("option", { value: c.value }, c.name))); }
function filled(without) {
  const options = {}, files = {};
  for (const input of $("options").querySelectorAll("[data-option]")) {
    const { option, kind } = input.dataset;
    if (option === without) continue;
    if (input.type === "file") { if (input.files.length) files[option] = [input.files[0]]; }
    else if (input.value !== "") options[option] = input.tagName === "SELECT" ? JSON.parse(input.value) : kind === "3" ? input.value : Number(input.value);
  }
  return [options, files];
}
async function send(event) {
  event.preventDefault();
  const content = $("text").value, place = state.places[state.channel];
  if (command) {
    const [options, files] = filled();
    if (await act("slash", { name: command.name, options }, files)) { forget(); $("text").placeholder = "Message #" + titleOf(place); $("text").focus(); }
    return;
  }
  if (editing) { if (content.trim()) await act("edit", { message: editing.id, content: mentions(content) }); }
  else if (place.kind === 15) { const [name, ...rest] = content.split("\n"); if (!name) return; const made = await act("forum", { name: name.slice(0, 100), content: mentions(rest.join("\n") || name), tags: place.tags.length ? [place.tags[0].id] : [] }, { files: dropped }); if (made) { await load(); go(made.channel); } }
  else if (content.trim() || dropped.length) { if (!(await act("post", { content: mentions(content), reply_to: replyTo && replyTo.id }, { files: dropped }))) return; }
  $("text").value = ""; forget(); grow(); toEnd(); $("text").focus();
}
// A typed @Name becomes a mention, as in Discord's own client.
function mentions(text) {
  for (const p of Object.values(state.people).sort((a, b) => b.name.length - a.name.length)) text = text.replace(new RegExp("@" + p.name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") + "(?!\\w)", "gi"), `<@${p.id}>`);
  return text;
}
// A mention as one types it, for people whose name leads back to them.
function unmentioned(text) { return text.replace(/<@!?(\d+)>/g, (mark, id) => (state.people[id] ? "@" + state.people[id].name : mark)); }

// -- forms ------------------------------------------------------------------------------------------------------
function openModal(news) {
  const modal = news.modal, inputs = {};
  const entry = (c) => {
    if (c.type === 4) return el(c.style === 2 ? "textarea" : "input", { value: c.value || "", placeholder: c.placeholder || "", required: c.required !== false, maxLength: c.max_length || 4000, minLength: c.min_length || 0, rows: 4 });
    if (c.type === 3) return el("select", { multiple: (c.max_values || 1) > 1 }, ...c.options.map((o) => el("option", { value: o.value, selected: !!o.default }, o.label)));
    if (c.type === 19) return el("input", { type: "file", multiple: (c.max_values || 1) > 1, required: c.required !== false });
    if (c.type === 23) return el("input", { type: "checkbox", checked: !!c.default });
    if (c.type === 21 || c.type === 22) return el("div", {}, ...c.options.map((o) => el("label", {}, el("input", { type: c.type === 21 ? "radio" : "checkbox", name: c.custom_id, value: o.value, checked: !!o.default }), " " + o.label)));
    const pairs = c.type === 5 ? Object.values(state.people).map((p) => [p.id, p.name]) : c.type === 8 ? Object.values(state.places).filter((p) => p.guild).map((p) => [p.id, p.name]) : Object.entries(state.roles);
    return el("select", {}, ...pairs.map(([value, name]) => el("option", { value }, name)));
  };
  const shown = (c, label, description) => { const node = entry(c); inputs[c.custom_id] = [c, node]; node.id = "in-" + c.custom_id; return [el("label", { htmlFor: node.id }, label || c.label || ""), description ? el("p", {}, description) : "", node]; };
  const body = modal.components.flatMap((c) => c.type === 18 ? shown(c.component, c.label, c.description) : c.type === 10 ? [el("p", { html: Markdown.render(c.content, names) })] : c.components.flatMap((child) => shown(child)));
  const form = el("form", { method: "dialog" }, el("h2", { id: "modalTitle" }, modal.title), ...body, el("div", { className: "end" }, el("button", { type: "button", className: "plain", onclick: () => $("modal").close() }, "Cancel"), el("button", { className: "go" }, "Submit")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = {}, files = {};
    for (const [id, [c, node]] of Object.entries(inputs)) {
      if (c.type === 19) files[id] = [...node.files];
      else if (c.type === 23) values[id] = node.checked;
      else if (c.type === 21) values[id] = (node.querySelector(":checked") || {}).value || null;
      else if (c.type === 22) values[id] = [...node.querySelectorAll(":checked")].map((o) => o.value);
      else values[id] = node.tagName === "SELECT" ? [...node.selectedOptions].map((o) => o.value) : node.value;
    }
    if (await act("modal", { interaction: news.interaction, channel: news.channel, values }, files)) $("modal").close();
  });
  $("modal").replaceChildren(form); $("modal").showModal();
}

// -- the recorder -----------------------------------------------------------------------------------------------
async function record() {
  if (recorder) { recorder.stop(); return; }
  let source;
  try { source = await navigator.mediaDevices.getUserMedia({ audio: true }); } catch { toast("No microphone here; attach an audio file instead"); return; }
  const kind = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus"].find((k) => MediaRecorder.isTypeSupported(k)), parts = [];
  recorder = new MediaRecorder(source, { mimeType: kind });
  recorder.ondataavailable = (e) => parts.push(e.data);
  recorder.onstop = () => { source.getTracks().forEach((t) => t.stop()); recorder = null; $("record").classList.remove("on"); $("record").ariaPressed = "false"; sendVoice(new Blob(parts, { type: kind })); };
  recorder.start(); $("record").classList.add("on"); $("record").ariaPressed = "true"; toast("Recording; press the button again to send");
}
async function sendVoice(blob) {
  try {
    const sound = await new AudioContext({ sampleRate: 48000 }).decodeAudioData(await blob.arrayBuffer()), data = sound.getChannelData(0);
    const count = Math.max(1, Math.min(256, Math.round(sound.duration * 10))), per = Math.floor(data.length / count), points = [];
    for (let i = 0; i < count; i++) { let sum = 0; for (let j = i * per; j < (i + 1) * per; j += 8) sum += data[j] * data[j]; points.push(Math.min(255, Math.round(Math.sqrt(sum / (per / 8)) * 900))); }
    await act("voice", { duration: sound.duration, waveform: btoa(String.fromCharCode(...points)) }, { files: [new File([blob], "voice-message.ogg", { type: "audio/ogg" })] });
  } catch { toast("This sound cannot be decoded here"); }
}

// -- wiring -----------------------------------------------------------------------------------------------------
$("composer").addEventListener("submit", send);
$("options").addEventListener("keydown", (e) => { if (e.key === "Enter") send(e); });
$("text").addEventListener("input", () => { grow(); suggest(); if ($("text").value && Date.now() - (grow.told || 0) > 8000) { grow.told = Date.now(); act("typing"); } });
$("text").addEventListener("keydown", (e) => {
  const open = !$("commands").hidden;
  if (open && (e.key === "ArrowDown" || e.key === "ArrowUp")) { e.preventDefault(); move(e.key === "ArrowDown" ? 1 : -1); }
  else if (open && (e.key === "Enter" || e.key === "Tab")) { e.preventDefault(); $("commands").querySelector("[aria-selected=true]").click(); }
  else if (e.key === "Enter" && !e.shiftKey) { if (state.places[state.channel].kind !== 15 || e.ctrlKey) send(e); }
  else if (e.key === "ArrowUp" && !$("text").value) { const mine = state.messages.filter((m) => m.author.id === state.me.id && m.content).pop(); if (mine) { e.preventDefault(); deeds.edit(mine); } }
});
addEventListener("keydown", (e) => { if (e.key === "Escape") { if (!$("menu").hidden) closeMenu(); else if (command || replyTo || editing || dropped.length) { if (editing) $("text").value = ""; forget(); $("text").focus(); } else $("commands").hidden = true; } });
$("menu").addEventListener("keydown", (e) => { if (e.key === "ArrowDown" || e.key === "ArrowUp") { e.preventDefault(); const all = [...$("menu").querySelectorAll("button")], at = all.indexOf(document.activeElement); all[(at + (e.key === "ArrowDown" ? 1 : -1) + all.length) % all.length].focus(); } });
addEventListener("click", (e) => { if (!$("menu").contains(e.target) && !e.target.closest(".tools")) closeMenu(); const s = e.target.closest(".spoiler"); if (s) s.classList.toggle("open"); });
$("contextOff").addEventListener("click", () => { if (editing) $("text").value = ""; forget(); });
$("attach").addEventListener("click", () => $("files").click());
$("files").addEventListener("change", (e) => drop([...e.target.files]));
$("record").addEventListener("click", record);
$("burger").addEventListener("click", () => { $("burger").ariaExpanded = String($("side").classList.toggle("open")); });
$("who").addEventListener("change", async (e) => { localStorage.as = e.target.value; state.me = state.people[e.target.value]; await load(); listen(); go(state.channel); });
addEventListener("dragover", (e) => { e.preventDefault(); document.body.classList.add("drop"); });
addEventListener("dragleave", (e) => { if (!e.relatedTarget) document.body.classList.remove("drop"); });
addEventListener("drop", (e) => { e.preventDefault(); document.body.classList.remove("drop"); drop([...e.dataTransfer.files]); });
addEventListener("paste", (e) => { if (e.clipboardData.files.length) drop([...e.clipboardData.files]); });
setInterval(() => { if (document.visibilityState === "visible") ask("/emulator/state").then((b) => { $("state").textContent = b.connected ? "bot online" : "bot offline"; $("state").className = b.connected ? "on" : ""; }).catch(() => {}); }, 4000);
load().then(() => { listen(); return go(location.hash.slice(1)); });
