"""What takes a text and is not measured, each with the reason. A new function is measured unless one of these fits it."""

from __future__ import annotations

from collections.abc import Mapping

OPERATOR = "it reads what the operator wrote, or what Parley says itself"
READER = "it runs only in a reader's process, which has a deadline, a limit of processor time and a fair queue"
ECHO = "it answers in tests"
PORT = "a protocol: there is nothing to run"
FIELDS = "it looks at a few fields, however much stands beside them"
PARTS = "it looks once at each of the parts, whatever they hold"
TERMINAL = "one person's own terminal, which nobody else waits for"
SHORT = "the platform or an earlier check bounds what it is given"
PARSED_LAST = "what it calls is measured by its own name"

MODULES: Mapping[str, str] = {
    "bot.app": OPERATOR,
    "bot.cli": OPERATOR,
    "bot.config": OPERATOR,
    "bot.database": OPERATOR,
    "bot.host": OPERATOR,
    "bot.models_chosen": OPERATOR,
    "bot.readiness": OPERATOR,
    "bot.ports": PORT,
    "bot.providers.echo": ECHO,
    "bot.providers.local.chosen": OPERATOR,
    "bot.providers.local.sources": OPERATOR,
    "bot.providers.local.weights": OPERATOR,
    "bot.providers.local.worker": OPERATOR,
    "bot.providers.openai.prices": OPERATOR,
    "bot.store.sqlite_driver": OPERATOR,
    "bot.store.tenants": OPERATOR,
    "bot.media.archives": READER,
    "bot.media.audio": READER,
    "bot.media.containers": READER,
    "bot.media.documents": READER,
    "bot.media.images": READER,
    "bot.media.jail": READER,
    "bot.media.office": READER,
    "bot.media.pdfs": READER,
    "bot.media.reader": READER,
    "bot.media.video": READER,
    "adapters.console.parse": TERMINAL,
    "adapters.discord.client": OPERATOR,
    "adapters.discord.invite": OPERATOR,
    "adapters.discord.slash": OPERATOR,
    "adapters.slack.check": OPERATOR,
    "adapters.slack.install": OPERATOR,
    "adapters.slack.limiter": OPERATOR,
    "adapters.slack.manifest": OPERATOR,
    "adapters.slack.tokens": OPERATOR,
}
"""Whole modules, and those within them."""
ARGUMENTS: Mapping[str, str] = {
    **dict.fromkeys(
        ("name", "names", "model", "method", "topic", "kind", "secret", "code", "commands", "specs"), OPERATOR
    ),
    **dict.fromkeys(("turn_id", "message_id", "channel", "workspace", "custom_id", "id_", "author_id", "team"), SHORT),
    **dict.fromkeys(("home", "bot", "handle", "conversation", "command", "event", "url", "mime_type", "person"), SHORT),
    **dict.fromkeys(("voice", "language", "effort", "host", "token", "path"), SHORT),
    **dict.fromkeys(("usage", "status", "level", "shape", "way"), OPERATOR),
}
"""Names of arguments: a function that takes no other text is not measured."""
FUNCTIONS: Mapping[str, str] = {
    "bot.engine.commands.registry.command": OPERATOR,
    "bot.engine.personas.personas": OPERATOR,
    "bot.engine.results.restored": PARSED_LAST,
    "bot.engine.runtime.Runtime.adapter_for": FIELDS,
    "bot.engine.tools.status_of": FIELDS,
    "bot.errors.from_json": FIELDS,
    "bot.media.sniff.sniff": READER,
    "bot.media.wire.name_of": OPERATOR,
    "bot.media.wire.send": "it runs on a thread of its own",
    "bot.policy.actions.actions_for": FIELDS,
    "bot.policy.addressing.addresses_bot": FIELDS,
    "bot.policy.addressing.answered_at": FIELDS,
    "bot.policy.addressing.follows": FIELDS,
    "bot.policy.changes.is_announced": FIELDS,
    "bot.policy.permissions.forgettable_author": FIELDS,
    "bot.policy.permissions.is_editable": FIELDS,
    "bot.policy.permissions.may_change": FIELDS,
    "bot.policy.permissions.may_press": FIELDS,
    "bot.policy.settings.merge_settings": FIELDS,
    "bot.policy.visibility.SearchScope.includes": FIELDS,
    "bot.policy.visibility.concerns_one_person": FIELDS,
    "bot.policy.visibility.is_in_context": FIELDS,
    "bot.policy.visibility.is_private_answer": FIELDS,
    "bot.policy.visibility.searchable_from": FIELDS,
    "bot.providers.local.speak.pico_voice": SHORT,
    "bot.providers.openai.audio.known_voice": OPERATOR,
    "bot.providers.openai.client.cut": FIELDS,
    "bot.providers.openai.profiles.chat_profile": OPERATOR,
    "bot.providers.openai.settings.fitting": OPERATOR,
    "bot.providers.openai.settings.learn": OPERATOR,
    "bot.providers.openai.wire.aside": PARTS,
    "bot.redaction.Secrets.learn": OPERATOR,
    "bot.redaction.forms": OPERATOR,
    "bot.store.columns.Bounded.process_bind_param": PARSED_LAST,
    "bot.store.columns.Words.process_bind_param": PARSED_LAST,
    "bot.store.messages.parts_of": PARTS,
    "bot.store.messages.quoted_in": FIELDS,
    "bot.store.messages.words_of": FIELDS,
    "bot.store.prepared": OPERATOR,
    "adapters.console.chat.attached_paths": TERMINAL,
    "adapters.console.chat.completer": OPERATOR,
    "adapters.console.chat.interruptible": OPERATOR,
    "adapters.console.ref.ConsoleRef.from_ref": FIELDS,
    "adapters.console.screen.DrawnScreen.complain": TERMINAL,
    "adapters.console.screen.DrawnScreen.remark": TERMINAL,
    "adapters.console.screen.Screen.complain": TERMINAL,
    "adapters.console.screen.Screen.remark": TERMINAL,
    "adapters.console.screen.answer_text": FIELDS,
    "adapters.console.screen.is_partial": FIELDS,
    "adapters.console.screen.notices": FIELDS,
    "adapters.console.screen.to_renderable": TERMINAL,
    "adapters.discord.entities.moment": SHORT,
    "adapters.discord.entities.name_of": FIELDS,
    "adapters.discord.forms.ask_form": SHORT,
    "adapters.discord.history.gaps": "ids of ours, at most as many as conversations that were active lately",
    "adapters.discord.limiter.RateLimiter.observe": SHORT,
    "adapters.discord.listen.Listener.hear": FIELDS,
    "adapters.discord.parse_interactions.asker": PARSED_LAST,
    "adapters.discord.parse_interactions.is_member": FIELDS,
    "adapters.discord.parse_interactions.may_fetch": FIELDS,
    "adapters.discord.parse_interactions.may_read_history": FIELDS,
    "adapters.discord.parse_interactions.place_of": FIELDS,
    "adapters.discord.parse_interactions.ref_of": FIELDS,
    "adapters.discord.parse_parts.MessageLocation.address": SHORT,
    "adapters.discord.parse_parts.attachment": FIELDS,
    "adapters.discord.parse_parts.is_ours": FIELDS,
    "adapters.discord.parse_parts.media_url": OPERATOR,
    "adapters.discord.parse_parts.replied_to": FIELDS,
    "adapters.discord.post.nonce_of": SHORT,
    "adapters.discord.ref.DiscordFileRef.from_ref": FIELDS,
    "adapters.discord.ref.DiscordRef.from_ref": FIELDS,
    "adapters.discord.reply.plan.Plan.on_edited": FIELDS,
    "adapters.discord.reply.plan.Plan.on_files_refused": SHORT,
    "adapters.discord.reply.plan.Plan.on_gone": FIELDS,
    "adapters.discord.reply.replies.receipt_of": FIELDS,
    "adapters.discord.servers.server_from_gateway": OPERATOR,
    "adapters.discord.servers.server_from_rest": "once for each of a server's channels, of which there are 500",
    "adapters.playground.files.page_response": OPERATOR,
    "adapters.playground.ref.PlaygroundRef.from_ref": FIELDS,
    "adapters.playground.render.draw_part": FIELDS,
    "adapters.playground.reply.answer_id": SHORT,
    "adapters.shared.refs.from_ref": FIELDS,
    "adapters.shared.refs.to_ref": FIELDS,
    "adapters.shared.tasks.TaskSet.spawn": OPERATOR,
    "adapters.shared.short_lived.ShortLived.open": SHORT,
    "adapters.shared.short_lived.ShortLived.seal": SHORT,
    "adapters.slack.errors.refusal": FIELDS,
    "adapters.slack.forms.Forms.lend": SHORT,
    "adapters.slack.forms.Forms.open": SHORT,
    "adapters.slack.forms.Forms.seal": SHORT,
    "adapters.slack.forms.Forms.seal_target": SHORT,
    "adapters.slack.home.edit_view": SHORT,
    "adapters.slack.home.settings_view": SHORT,
    "adapters.slack.hosts.is_public": SHORT,
    "adapters.slack.parse_interactions.fingerprint": SHORT,
    "adapters.slack.signed.may_be_signed": SHORT,
    "adapters.slack.rights.person_of": SHORT,
    "adapters.slack.parse_parts.kind_of": FIELDS,
    "adapters.slack.parse_parts.person_id": SHORT,
    "adapters.slack.ref.SlackFileRef.from_ref": FIELDS,
    "adapters.slack.ref.SlackRef.from_ref": FIELDS,
    "adapters.slack.reply.final.buttons_of": FIELDS,
    "adapters.slack.reply.plan.Plan.on_done": SHORT,
    "adapters.slack.target.is_ts": SHORT,
}
"""Functions by name."""


def reason_for(name: str, arguments: list[str]) -> str:
    """Why this function is not measured; empty when it has to be. arguments: the names of those that hold text."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    parts = name.split(".")
    modules = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    found = next((MODULES[one] for one in modules if one in MODULES), "")
    return found or (ARGUMENTS[arguments[0]] if set(arguments) <= set(ARGUMENTS) else "")
