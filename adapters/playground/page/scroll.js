// Keeps the newest words in sight while the person is at the bottom, and leaves them alone while they read further up.

import { $, CALM } from "./dom.js";

const NEAR = 80; // pixels from the bottom that still count as being there
let follows = true;

export function stayAtBottom() {
  if (follows) $("scroll").scrollTo({ top: $("scroll").scrollHeight, behavior: "instant" });
}

export function toBottom() {
  follows = true;
  stayAtBottom();
}

export function startScrolling() {
  $("scroll").addEventListener("scroll", () => {
    const { scrollTop, scrollHeight, clientHeight } = $("scroll");
    follows = scrollHeight - scrollTop - clientHeight < NEAR;
    $("jump").hidden = follows;
  });
  $("jump").addEventListener("click", () =>
    $("scroll").scrollTo({ top: $("scroll").scrollHeight, behavior: CALM.matches ? "instant" : "smooth" }),
  );
  new ResizeObserver(stayAtBottom).observe($("thread"));
}
