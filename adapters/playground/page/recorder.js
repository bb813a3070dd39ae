// Voice notes: recorded by the microphone, with a level and a clock, and sent or discarded.

import { focusWords, sendVoice } from "./composer.js";
import { $, announce, clock, toast } from "./dom.js";

const TYPES = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];
const ENDINGS = { "audio/mp4": "m4a", "audio/ogg": "ogg" };
const CHUNK_MS = 250;
const PAINT_MS = 50;
const BARS = 100;

let recording = null;

export const isRecording = () => recording !== null;

async function startRecording() {
  if (recording) return;
  if (!navigator.mediaDevices || !window.MediaRecorder) {
    return toast("This browser cannot record here. Recording needs https, or a browser on Parley's own machine.");
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
  } catch {
    return toast("The browser did not allow the microphone. Allow it beside the page's address and try again.");
  }
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
  recording = { recorder, stream, chunks: [], began: performance.now(), isWanted: false };
  const mine = recording;
  recorder.ondataavailable = (event) => event.data.size && mine.chunks.push(event.data);
  recorder.onstop = () => finish(mine);
  recorder.start(CHUNK_MS);
  show(true);
  $("rec-send").focus();
  announce("Recording");
  meter(mine);
}

export function endRecording(isWanted) {
  if (!recording) return;
  const ended = recording;
  recording = null;
  Object.assign(ended, { isWanted, seconds: (performance.now() - ended.began) / 1000 });
  ended.recorder.stop();
  for (const track of ended.stream.getTracks()) track.stop();
  show(false);
  focusWords();
}

function show(isShown) {
  $("recorder").hidden = !isShown;
  $("line").hidden = isShown;
}

function finish({ recorder, chunks, isWanted, seconds }) {
  if (!isWanted) return announce("The recording is discarded");
  const type = (recorder.mimeType || "audio/webm").split(";")[0];
  return sendVoice({ blob: new Blob(chunks, { type }), name: `voice-note.${ENDINGS[type] || "webm"}`, seconds });
}

function meter(mine) {
  const audio = new AudioContext();
  const analyser = audio.createAnalyser();
  analyser.fftSize = 512;
  audio.createMediaStreamSource(mine.stream).connect(analyser);
  const samples = new Uint8Array(analyser.fftSize);
  const levels = [];
  let painted = 0;
  const paint = (now) => {
    if (recording !== mine) return void audio.close();
    requestAnimationFrame(paint);
    if (now - painted < PAINT_MS) return;
    painted = now;
    analyser.getByteTimeDomainData(samples);
    levels.push(Math.sqrt(samples.reduce((sum, value) => sum + ((value - 128) / 128) ** 2, 0) / samples.length));
    $("rec-time").textContent = clock((performance.now() - mine.began) / 1000);
    paintLevels(levels.slice(-BARS));
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

export function startRecorder() {
  $("mic").addEventListener("click", startRecording);
  $("rec-send").addEventListener("click", () => endRecording(true));
  $("rec-drop").addEventListener("click", () => endRecording(false));
}
