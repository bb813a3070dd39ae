// The page's beginning. Each other file is one subject:
//
//   turns.js          what the conversation holds, and the phases of a turn
//   events.js         what the server tells, into turns; api.js: every call to it
//   thread.js         turns as they are drawn; parts.js, tools.js: what stands in and under them
//   composer.js       the message box; palette.js, files.js, recorder.js: its commands, files and voice notes
//   conversations.js  the list at the side; looks.js: theme and frame; welcome.js: the empty page; scroll.js; leaving.js: logging out
//   dom.js            small things to build from; session.js: what all go by

import { getStatus } from "./api.js";
import { drawState, focusWords, startComposer } from "./composer.js";
import { startConversations } from "./conversations.js";
import { attempt, NARROW } from "./dom.js";
import { startFiles } from "./files.js";
import { startLeaving } from "./leaving.js";
import { startLooks } from "./looks.js";
import { startRecorder } from "./recorder.js";
import { startScrolling } from "./scroll.js";
import { session } from "./session.js";
import { startThread } from "./thread.js";
import { drawWelcome } from "./welcome.js";

startLooks();
startThread();
startScrolling();
startComposer();
startFiles();
startRecorder();
await attempt(async () => {
  session.status = await getStatus();
  startLeaving();
  drawWelcome();
  await startConversations();
  drawState();
  if (!NARROW.matches) focusWords();
});
