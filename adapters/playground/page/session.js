// What all of the page goes by: what the server said of itself, and the conversation that is open.

export const session = {
  status: null, // {handle, can_log_out, models, commands, max_upload_bytes, max_files}
  channel: "", // the id of the open conversation
};

// The command that a text spells, as the server reads it: a slash, a known name, and the rest.
export function commandIn(text) {
  const name = /^\/([a-z][a-z_-]*)(?:\s|$)/.exec(text.trim())?.[1];
  return session.status.commands.find((one) => one.name === name);
}

export const beginsAnew = (text) => Boolean(text && commandIn(text)?.begins_anew);
