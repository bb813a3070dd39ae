// The server's HTTP API: every call that the page makes. Each throws an Error whose message is for the person.

import { newId } from "./dom.js";

const UNREACHABLE = "Parley cannot be reached. Is it still running?";

async function call(path, options = {}) {
  const headers = { Accept: "application/json", ...(options.json ? { "Content-Type": "application/json" } : {}) };
  let response;
  try {
    response = await fetch(path, { ...options, headers, body: options.json ? JSON.stringify(options.json) : options.body });
  } catch {
    throw new Error(UNREACHABLE);
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

const messagePath = (channel, id) => `/api/conversations/${channel}/messages/${id}`;

export const getStatus = () => call("/api/status");
export const getConversations = () => call("/api/conversations");
export const getEntries = (channel) => call(`/api/conversations/${channel}`);
export const deleteConversation = (channel) => call(`/api/conversations/${channel}?id=${newId()}`, { method: "DELETE" });
export const deleteMessage = (channel, id) => call(`${messagePath(channel, id)}?id=${newId()}`, { method: "DELETE" });
export const openEvents = (channel) => new EventSource(`/api/events?conversation=${channel}`);

// Gives whether the message could still be changed.
export async function editMessage(channel, id, text) {
  const { outcome } = await call(messagePath(channel, id), { method: "PATCH", json: { id: newId(), text } });
  return outcome !== "ignored";
}

// Gives whether the button still meant something.
export async function pressButton(channel, id, action, value = "") {
  const json = { id: newId(), action, value };
  const { outcome } = await call(`${messagePath(channel, id)}/press`, { method: "POST", json });
  return outcome !== "ignored";
}

// Posts a message. files: [{file}]; voice: {blob, name, seconds} or null; onShare hears how much of it is sent, from 0 to 1.
export function postMessage(channel, { id, text, files, voice }, onShare) {
  const form = new FormData();
  form.append("conversation", channel);
  form.append("id", id);
  form.append("text", text);
  if (voice) form.append("duration_s", String(voice.seconds));
  for (const { file } of files) form.append("file", file, file.name);
  if (voice) form.append("voice", voice.blob, voice.name);
  return upload("/api/messages", form, onShare);
}

// XMLHttpRequest, for fetch does not tell how much is sent.
function upload(path, form, onShare) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => onShare(event.lengthComputable ? event.loaded / event.total : 0);
    request.onload = () => (request.status < 300 ? resolve() : reject(new Error(trouble(request.status, request.responseText))));
    request.onerror = () => reject(new Error(UNREACHABLE));
    request.send(form);
  });
}
