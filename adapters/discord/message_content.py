"""What Parley says where the Message Content intent is missing: to the operator's log, and to people."""

INTENT_REFUSED = (
    "Discord refused the Message Content intent. Turn it on at discord.com/developers, Bot, Privileged Gateway Intents. Until "
    "then Parley hears mentions, replies to it, commands and direct messages; it cannot follow threads without a mention or "
    "read what was said before. DISCORD_MESSAGE_CONTENT=0 silences this warning."
)
HISTORY_UNREADABLE = (
    "I may not read what people write here: the operator can turn on the Message Content intent "
    "at discord.com/developers and set DISCORD_MESSAGE_CONTENT=1."
)
REPLY_UNREADABLE = (
    "I can't read replies that don't mention me here. Leave the mention on when you reply, or let whoever runs me turn on the "
    "Message Content intent."
)
