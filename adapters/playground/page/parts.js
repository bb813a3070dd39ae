// Pictures, sound and files, as they stand beside the words of a question or an answer.

import { $, el, icon, size } from "./dom.js";
import { stayAtBottom } from "./scroll.js";

export function drawPart(part, isMine) {
  switch (part.type) {
    case "image":
      return drawPicture(part);
    case "audio":
      return drawAudio(part, isMine);
    case "unread": {
      const words = [el("span", {}, part.name || "File"), el("small", {}, "· could not be read")];
      return el("span", { class: "file unread", title: part.why }, icon("file"), ...words);
    }
  }
  const link = el("a", { class: "file", href: part.url || null, download: part.name || "" }, icon("file"));
  link.append(el("span", {}, part.name || "File"), el("small", {}, part.size_bytes ? size(part.size_bytes) : ""));
  return link;
}

function drawPicture(part) {
  const picture = el("img", { src: part.url, alt: part.alt || part.name || "Picture", loading: "lazy", onload: stayAtBottom });
  const attributes = { type: "button", class: "picture", "aria-label": `Enlarge: ${picture.alt}`, onclick: () => enlarge(picture) };
  return el("button", attributes, picture);
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

// What is being sent, before the server has it. files: [{file, url}]; voice: {blob} or null.
export function previews(files, voice) {
  const shown = files.map(({ file, url }) =>
    file.type.startsWith("image/") && url
      ? { type: "image", url, alt: file.name, name: file.name }
      : { type: "file", name: file.name, size_bytes: file.size },
  );
  if (voice) shown.push({ type: "audio", url: URL.createObjectURL(voice.blob), name: "Voice note", transcript: "" });
  return shown;
}
