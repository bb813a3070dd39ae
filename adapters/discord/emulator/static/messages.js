// Owns how one message looks: author, text, files, voice, embeds, components, reactions.
"use strict";
const el = (tag, props = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key === "html") node.innerHTML = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node && key !== "list") node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

const Messages = (() => {
  const colours = ["#5661d9", "#24804a", "#b3591b", "#a83279", "#1f7a8c", "#8a5a00", "#6b4fbb"];
  const colour = (id) => colours[Number(BigInt(id) % 7n)];
  const face = (person, small) => el("span", { className: "face" + (small ? " small" : ""), style: `background:${person.bot ? "#5661d9" : colour(person.id)}`, ariaHidden: "true" }, person.bot ? "✦" : [...person.name][0]);
  const size = (bytes) => (bytes < 1024 ? bytes + " B" : bytes < 1048576 ? (bytes / 1024).toFixed(1) + " KB" : (bytes / 1048576).toFixed(1) + " MB");
  const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
  const text = (content, names, edited) => {
    const body = el("div", { className: "body", html: Markdown.render(content, names) });
    if (edited) (body.lastElementChild && body.lastElementChild.tagName === "P" ? body.lastElementChild : body).append(el("span", { className: "hint", title: new Date(edited).toLocaleString() }, " (edited)"));
    return body;
  };

  function voice(file) {
    const points = [...atob(file.waveform || "AA==")].map((c) => c.charCodeAt(0));
    const bars = 48, svgNS = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(svgNS, "svg");
    svg.setAttribute("viewBox", `0 0 ${bars * 4} 32`);
    const rects = Array.from({ length: bars }, (_, i) => {
      const from = Math.floor((i * points.length) / bars), to = Math.max(from + 1, Math.floor(((i + 1) * points.length) / bars));
      const height = 3 + (Math.max(...points.slice(from, to)) / 255) * 27, rect = document.createElementNS(svgNS, "rect");
      for (const [k, v] of Object.entries({ x: i * 4, y: 16 - height / 2, width: 2.6, height, rx: 1.3 })) rect.setAttribute(k, v);
      svg.append(rect);
      return rect;
    });
    const audio = new Audio(), out = el("output", {}, clock(file.duration_secs));
    audio.preload = "none"; audio.src = file.url;
    const button = el("button", { type: "button", ariaLabel: "Play voice message", onclick: () => (audio.paused ? audio.play() : audio.pause()) }, "▶");
    const draw = () => {
      const part = audio.currentTime / (file.duration_secs || 1);
      rects.forEach((rect, i) => rect.classList.toggle("on", i / bars < part));
      out.value = clock(audio.paused && !audio.currentTime ? file.duration_secs : audio.currentTime);
      button.textContent = audio.paused ? "▶" : "❚❚"; button.ariaLabel = audio.paused ? "Play voice message" : "Pause";
    };
    for (const name of ["play", "pause", "timeupdate", "ended"]) audio.addEventListener(name, draw);
    svg.addEventListener("click", (e) => { audio.currentTime = (e.offsetX / svg.clientWidth) * file.duration_secs; });
    return el("div", { className: "voice" }, button, svg, out);
  }

  function attachment(file, isVoice) {
    const kind = file.content_type || "";
    if (isVoice) return voice(file);
    if (kind.startsWith("image/")) return el("a", { href: file.url, target: "_blank" }, el("img", { src: file.url, alt: file.description || file.filename, loading: "lazy", width: file.width || 0 || undefined, style: file.width ? `aspect-ratio:${file.width}/${file.height}` : "" }));
    const link = el("div", { className: "file" }, el("span", { ariaHidden: "true" }, kind.startsWith("audio/") ? "♪" : "▤"), el("span", {}, el("a", { href: file.url, target: "_blank" }, file.filename), el("small", {}, size(file.size))));
    if (kind.startsWith("audio/")) link.append(el("audio", { src: file.url, controls: true, preload: "none" }));
    if (kind.startsWith("video/")) return el("video", { src: file.url, controls: true, preload: "metadata" });
    return link;
  }

  function embed(body, names) {
    const box = el("div", { className: "embed", style: body.color != null ? `border-left-color:#${body.color.toString(16).padStart(6, "0")}` : "" });
    if (body.author) box.append(el("small", {}, body.author.name));
    if (body.title) box.append(el("b", {}, body.title));
    if (body.description) box.append(text(body.description, names));
    if (body.fields && body.fields.length) box.append(el("dl", {}, ...body.fields.map((f) => el("div", {}, el("dt", {}, f.name), el("dd", { html: Markdown.render(f.value, names) })))));
    if (body.image) box.append(el("img", { src: body.image.url, alt: "" }));
    if (body.footer) box.append(el("footer", {}, body.footer.text));
    return box;
  }

  const emoji = (one) => (one && !one.id ? one.name + " " : "");
  function component(one, message, names, deeds) {
    const inside = (list) => (list || []).map((child) => component(child, message, names, deeds));
    switch (one.type) {
      case 1: return el("div", { className: "row" }, ...inside(one.components));
      case 2: return one.url
        ? el("button", { type: "button", onclick: () => open(one.url, "_blank", "noopener") }, emoji(one.emoji) + (one.label || "") + " ↗")
        : el("button", { type: "button", className: "s" + one.style, disabled: !!one.disabled, onclick: () => deeds.click(message, one.custom_id), ...(one.label ? {} : { ariaLabel: (one.emoji || {}).name || "Button" }) }, glyph((one.emoji || {}).name), one.label || "");
      case 3: return el("select", { ariaLabel: one.placeholder || "Choose", multiple: (one.max_values || 1) > 1, disabled: !!one.disabled, onchange: (e) => deeds.select(message, one.custom_id, [...e.target.selectedOptions].map((o) => o.value)) },
        el("option", { value: "", disabled: true, selected: !one.options.some((o) => o.default) }, one.placeholder || "Choose…"), ...one.options.map((o) => el("option", { value: o.value, selected: !!o.default }, emoji(o.emoji) + o.label)));
      case 9: return el("div", { className: "section" }, el("div", {}, ...inside(one.components)), component(one.accessory, message, names, deeds));
      case 10: return text(one.content, names);
      case 11: return el("img", { src: one.media.url, alt: one.description || "" });
      case 12: return el("div", { className: "gallery" }, ...one.items.map((item) => el("img", { src: item.media.url, alt: item.description || "" })));
      case 13: return el("div", { className: "files" }, attachment({ ...one.file, filename: one.name || "file", size: one.size || 0 }));
      case 14: return el("hr", { style: one.divider === false ? "border-color:transparent" : "" });
      case 17: return el("div", { className: "container", style: one.accent_color != null ? `border-left-color:#${one.accent_color.toString(16).padStart(6, "0")}` : "" }, ...inside(one.components));
      default: return el("p", { className: "hint" }, `(component ${one.type})`);
    }
  }

  function content(message, names, deeds) {
    const parts = [];
    if (message.flags & 128) parts.push(el("p", { className: "body loading" }, el("span", { className: "sys" }, message.author.username + " is thinking… ")));
    if (message.content) parts.push(text(message.content, names, message.edited_timestamp));
    for (const shot of message.message_snapshots || []) parts.push(el("div", { className: "quote" }, el("small", { className: "hint" }, "↪ Forwarded"), ...content({ ...shot.message, id: message.id, author: message.author }, names, deeds)));
    const files = message.flags & 32768 ? [] : message.attachments;
    if (files.length) parts.push(el("div", { className: "files" }, ...files.map((file) => attachment(file, message.flags & 8192))));
    if (message.sticker_items) parts.push(el("div", { className: "files" }, ...message.sticker_items.map((s) => el("img", { src: s.format_type === 4 ? `/cdn/media/stickers/${s.id}.gif` : `/cdn/stickers/${s.id}.png`, alt: s.name + " sticker", width: 120 }))));
    parts.push(...message.embeds.map((one) => embed(one, names)), ...message.components.map((one) => component(one, message, names, deeds)));
    if (!message.content && message.edited_timestamp && !(message.flags & 128)) parts.push(el("span", { className: "hint" }, "(edited)"));
    return parts;
  }

  const SYSTEM = { 18: "began a thread:", 21: "— the thread begins here —" };
  function render(message, context) {
    const { names, deeds, me, first } = context;
    const person = { id: message.author.id, name: names.user(message.author.id), bot: !!message.author.bot };
    const pinged = message.mentions.some((user) => user.id === me);
    const node = el("article", { className: ["msg", first && "first", pinged && "pinged", message.ephemeral && "ephemeral"].filter(Boolean).join(" "), id: "m" + message.id, ariaLabel: `${person.name}: ${message.content.slice(0, 80)}` });
    const above = message.command ? `${message.command.user} used /${message.command.name}` : null;
    const target = message.referenced_message;
    if (above) node.append(el("div", { className: "above" }, el("span", {}, above)));
    else if (target) node.append(el("div", { className: "above" }, el("b", {}, names.user(target.author.id)), el("span", {}, Markdown.plain(target.content || "an attachment", names).slice(0, 140))));
    else if (target === null) node.append(el("div", { className: "above" }, el("i", {}, "The message was deleted")));
    const shown = first || above || target !== undefined;
    node.append(shown ? face(person) : el("span"));
    const box = el("div");
    if (shown) box.append(el("div", {}, el("span", { className: "who" }, person.name), person.bot ? el("span", { className: "app" }, "APP") : null, el("time", { dateTime: message.timestamp }, new Date(message.timestamp).toLocaleTimeString([], { timeStyle: "short" }))));
    if (SYSTEM[message.type]) box.append(el("p", { className: "body sys" }, SYSTEM[message.type] + " ", message.type === 18 ? el("button", { className: "link", type: "button", onclick: () => deeds.go(message.message_reference.channel_id) }, message.content) : ""));
    else box.append(...content(message, names, deeds));
    box.append(...(message.reactions || []).map((r) => el("button", { type: "button", className: "react", onclick: () => deeds.react(message, r.emoji.name) }, glyph(r.emoji.name), " " + r.count)));
    if (message.thread) box.append(el("button", { type: "button", className: "threadlink", onclick: () => deeds.go(message.thread.id) }, `≡ ${message.thread.name} · ${message.thread.message_count} messages ›`));
    if (message.ephemeral) box.append(el("p", { className: "hint" }, "Only you can see this · ", el("button", { type: "button", onclick: () => deeds.remove(message) }, "Dismiss")));
    node.append(box, el("div", { className: "tools" }, tool("↩", "Reply", () => deeds.reply(message)), tool(thumb(), "React with a thumb", () => deeds.react(message, "👍")), tool("⋯", "More", (e) => deeds.menu(message, e))));
    return node;
  }
  // Drawn, for machines without a font of emoji.
  const glyph = (name) => (name === "👍" || name === "👎" ? thumb(name === "👎") : name ? name + " " : "");
  const thumb = (down) => el("span", { className: down ? "down" : "", html: '<svg viewBox="0 0 24 24" width="17" height="17" aria-hidden="true"><path fill="none" stroke="currentColor" stroke-width="1.8" stroke-linejoin="round" d="M7 10v10H3V10h4Zm0 1 4-8c2 0 3 1.500 2.500 3.500L13 9h6.500a1.800 1.800 0 0 1 1.700 2.300l-2 7.200A2 2 0 0 1 17.300 20H7"/></svg>' });
  const tool = (sign, label, act) => el("button", { type: "button", className: "icon", ariaLabel: label, title: label, onclick: act }, sign);
  return { render, face };
})();
