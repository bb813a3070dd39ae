// The files that go with the next message: picked, pasted or dropped, each shown as a chip.

import { drawState, focusWords } from "./composer.js";
import { $, button, el, icon, size, toast } from "./dom.js";
import { session } from "./session.js";

let files = []; // {file, url, node}: url shows a picture, node is the chip

export const chosen = () => files;

// Lets go of files that were sent.
export function take(sent) {
  files = files.filter((one) => !sent.includes(one));
  draw();
}

function add(added) {
  for (const file of added) {
    if (files.length >= session.status.max_files) {
      toast(`A message takes up to ${session.status.max_files} files.`);
      break;
    }
    if (file.size > session.status.max_upload_bytes) {
      toast(`${file.name} is too big: up to ${size(session.status.max_upload_bytes)} can be sent.`);
      continue;
    }
    const url = file.type.startsWith("image/") ? URL.createObjectURL(file) : "";
    files = [...files, { file, url, node: null }];
  }
  draw();
  focusWords();
}

function draw() {
  $("chips").replaceChildren(...files.map(chip));
  $("chips").hidden = !files.length;
  drawState();
}

function chip(one) {
  const face = one.url ? el("img", { src: one.url, alt: "" }) : icon(one.file.type.startsWith("audio/") ? "mic" : "file");
  const drop = button("close", `Remove ${one.file.name}`, () => {
    take([one]);
    focusWords();
  });
  one.node = el("li", { class: "chip" }, face, el("span", { class: "chip-name" }, one.file.name), el("small", {}, size(one.file.size)), drop);
  return one.node;
}

// How much of the message is sent, from 0 to 1.
export function drawShare(sent, share) {
  for (const { node } of sent) node?.style.setProperty("--sent", `${Math.round(share * 100)}%`);
}

// Pasted pictures all come as image.png.
function named(file) {
  if (file.name && file.name !== "image.png") return file;
  const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "");
  return new File([file], `pasted-${time}.${(file.type.split("/")[1] || "bin").replace(/\W.*/, "")}`, { type: file.type });
}

export function startFiles() {
  $("attach").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", () => {
    add($("files").files);
    $("files").value = "";
  });
  $("words").addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files || [])];
    if (!pasted.length) return;
    event.preventDefault();
    add(pasted.map(named));
  });
  startDropping();
}

function startDropping() {
  let depth = 0; // of the elements that the file was dragged into
  const hasFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  const enter = (step) => (event) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth + step);
    $("drop").hidden = depth === 0;
  };
  addEventListener("dragenter", enter(1));
  addEventListener("dragleave", enter(-1));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    depth = 0;
    $("drop").hidden = true;
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    add(event.dataTransfer.files);
  });
}
