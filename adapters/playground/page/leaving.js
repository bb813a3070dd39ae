// Logging out, where the page has a password.

import { $, confirmed } from "./dom.js";
import { session } from "./session.js";

const WARNING = "Log out? Your conversations are kept for this browser alone: once logged out, nobody can open them again.";

export function startLeaving() {
  $("logout").hidden = !session.status.can_log_out;
  $("logout").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await confirmed(WARNING, { yes: "Log out", no: "Stay" })) event.target.submit();
  });
}
