// Owns Discord's Markdown: text to safe HTML. Everything is escaped first; only the tags made here come out.
"use strict";
const Markdown = (() => {
  const escape = (text) => text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

  // Finished pieces wait here under a private character, so that no later rule looks inside them.
  function keeper() {
    const kept = [];
    return {
      keep: (html) => `\uE000${kept.push(html) - 1}\uE001`,
      isBlock: (line) => /^\uE000\d+\uE001$/.test(line) && kept[line.slice(1, -1)].startsWith("<pre"),
      restore(text) {
        for (let round = 0; round < 4 && text.includes("\uE000"); round++) text = text.replace(/\uE000(\d+)\uE001/g, (_, n) => kept[n]);
        return text;
      },
    };
  }

  const styles = { t: { timeStyle: "short" }, T: { timeStyle: "medium" }, d: { dateStyle: "short" }, D: { dateStyle: "long" },
    f: { dateStyle: "long", timeStyle: "short" }, F: { dateStyle: "full", timeStyle: "short" } };

  function moment(seconds, style) {
    const date = new Date(seconds * 1000);
    if (style !== "R") return date.toLocaleString([], styles[style] || styles.f);
    const away = (date - Date.now()) / 1000;
    const [unit, size] = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]].find(([, s]) => Math.abs(away) >= s) || ["second", 1];
    return new Intl.RelativeTimeFormat([], { numeric: "auto" }).format(Math.round(away / size), unit);
  }

  function inline(text, names, kept) {
    const at = (label) => kept.keep(`<span class="at">${escape(label)}</span>`);
    text = text.replace(/(`+)([\s\S]*?[^`])\1(?!`)/g, (_, __, code) => kept.keep(`<code>${escape(code)}</code>`));
    text = text.replace(/\\([*_~`|>#\\[\]-])/g, (_, c) => kept.keep(escape(c)));
    text = text.replace(/<@!?(\d+)>/g, (_, id) => at("@" + names.user(id)));
    text = text.replace(/<@&(\d+)>/g, (_, id) => at("@" + names.role(id)));
    text = text.replace(/<#(\d+)>/g, (_, id) => at("#" + names.channel(id)));
    text = text.replace(/<\/([^:>]+):\d+>/g, (_, name) => at("/" + name));
    text = text.replace(/<a?:(\w+):\d+>/g, (_, name) => kept.keep(`:${name}:`));
    text = text.replace(/<t:(-?\d+)(?::([tTdDfFR]))?>/g, (_, s, style) => at(moment(+s, style || "f")));
    text = text.replace(/@(everyone|here)\b/g, (all) => at(all));
    const link = (url, label) => kept.keep(`<a href="${escape(url)}" rel="noreferrer noopener" target="_blank">${label}</a>`);
    text = text.replace(/\[([^\]\n]+)\]\(<?(https?:\/\/[^\s)>]+)>?\)/g, (_, label, url) => link(url, escape(label)));
    text = text.replace(/<(https?:\/\/[^\s>]+)>|(https?:\/\/[^\s<]+[^\s<.,:;"')\]])/g, (_, a, b) => link(a || b, escape(a || b)));
    text = escape(text);
    return text
      .replace(/\|\|([\s\S]+?)\|\|/g, '<span class="spoiler" role="button" tabindex="0" aria-label="Spoiler">$1</span>')
      .replace(/\*\*\*([^*\n]+?)\*\*\*/g, "<b><i>$1</i></b>")
      .replace(/\*\*([\s\S]+?)\*\*/g, "<b>$1</b>")
      .replace(/__([\s\S]+?)__/g, "<u>$1</u>")
      .replace(/~~([\s\S]+?)~~/g, "<s>$1</s>")
      .replace(/(^|[^*\w])\*([^*\s](?:[^*\n]*[^*\s])?)\*(?!\*)/g, "$1<i>$2</i>")
      .replace(/(^|[^_\w])_([^_\s](?:[^_\n]*[^_\s])?)_(?![_\w])/g, "$1<i>$2</i>");
  }

  const kinds = [
    [/^(#{1,3}) +(.*)$/, (m) => ["h", m[2], m[1].length]],
    [/^-# +(.*)$/, (m) => ["small", m[1]]],
    [/^> ?(.*)$/, (m) => ["quote", m[1]]],
    [/^(\s*)[-*] +(.*)$/, (m) => ["ul", m[2], m[1].length]],
    [/^(\s*)(\d+)\. +(.*)$/, (m) => ["ol", m[3], +m[2]]],
  ];

  function lineKind(line, kept) {
    if (kept.isBlock(line)) return ["pre", line];
    for (const [pattern, make] of kinds) { const m = pattern.exec(line); if (m) return make(m); }
    return ["p", line];
  }

  function block([kind, lines, extra]) {
    if (kind === "h") return `<h${extra}>${lines[0]}</h${extra}>`;
    if (kind === "small") return `<small>${lines.join("<br>")}</small>`;
    if (kind === "quote") return `<blockquote>${lines.join("\n")}</blockquote>`;
    if (kind === "ul") return `<ul>${lines.map((l) => `<li>${l}</li>`).join("")}</ul>`;
    if (kind === "ol") return `<ol start="${extra}">${lines.map((l) => `<li>${l}</li>`).join("")}</ol>`;
    if (kind === "pre") return lines.join("");
    return `<p>${lines.join("\n").replace(/^\n+|\n+$/g, "")}</p>`;
  }

  function render(text, names) {
    const kept = keeper();
    text = text.replace(/[\uE000\uE001]/g, "");
    text = text.replace(/```(?:([\w+#.-]+)\n)?([\s\S]*?)```\n?/g, (_, lang, code) => {
      const mark = lang ? ` data-lang="${escape(lang)}"` : "";
      return `\n${kept.keep(`<pre${mark} tabindex="0"><code>${escape(code.replace(/^\n|\n$/g, ""))}</code></pre>`)}\n`;
    }).replace(/^\n(?=\uE000)/, "");
    const blocks = [];
    for (const line of text.split("\n")) {
      const [kind, content, extra] = lineKind(line, kept);
      const last = blocks[blocks.length - 1];
      const html = inline(content, names, kept);
      if (last && last[0] === kind && kind !== "h") last[1].push(html); else blocks.push([kind, [html], extra]);
    }
    return kept.restore(blocks.filter((b) => b[0] !== "p" || b[1].join("").trim()).map(block).join(""));
  }

  // One line without any formatting, for previews.
  const plain = (text, names) => text.replace(/<@!?(\d+)>/g, (_, id) => "@" + names.user(id)).replace(/<#(\d+)>/g, (_, id) => "#" + names.channel(id))
    .replace(/<t:(-?\d+)(?::([tTdDfFR]))?>/g, (_, s, style) => moment(+s, style || "f")).replace(/```\w*|[*_~`|]{1,3}/g, "").replace(/\s+/g, " ");

  return { render, plain, escape };
})();
