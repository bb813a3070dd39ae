"""/usage: what a person's own questions used and cost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta

from bot.engine.commands.registry import CommandContext, command
from bot.errors import UsageError
from bot.store import Transaction, ledger
from bot.types import CommandOption, ReplyEvent, TextDelta


@command(
    "Show what your own questions used and cost.",
    "[DAYS]",
    (CommandOption("days", "How far back"),),
    is_private=True,
    is_free=True,
)
async def usage(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """The asker's own calls by model; unknown prices are shown as unknown, and calls that failed apart."""
    days = _days(context.text)
    async with context.runtime.store.read(context.turn.tenant_id) as tx:
        yield TextDelta(await usage_table(tx, context.turn.inbound.author.id, context.runtime.clock.now(), days))


async def usage_table(tx: Transaction, author_id: str, now: datetime, days: int) -> str:
    """What this person's calls of the last days used and cost, by model, as Markdown."""
    rows = await ledger.spent(tx, author_id, now - timedelta(days=days))
    if not rows:
        return f"You made no model calls in the last {days} days."
    lines = [
        f"Your last {days} days:",
        "",
        "| model | for | calls | tokens in | out | sound | cost |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_usage_row(row) for row in rows if row.calls]
    return "\n".join([*lines, "", _total(rows)])


def _total(rows: Sequence[ledger.Spent]) -> str:
    total, made = sum(row.cost_micro_usd for row in rows), sum(row.calls for row in rows)
    unknown, refused = sum(row.unpriced_calls for row in rows), sum(row.refused_calls for row in rows)
    said = f"Together {_dollars(total)}" if unknown < made or not made else "Together: unknown price"
    if 0 < unknown < made:
        said += f", and {_counted(unknown, 'call')} whose price is unknown"
    failed = f" {_counted(refused, 'further call')} failed and used nothing." if refused else ""
    return f"{said}.{failed}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _days(text: str) -> int:
    try:
        days = int(text.strip() or 30)
    except ValueError as error:
        raise UsageError("Write it like this: /usage, or /usage 7 for the last 7 days.") from error
    return min(max(days, 1), 3_650)


def _usage_row(row: ledger.Spent) -> str:
    cost = "unknown price" if row.unpriced_calls >= row.calls else _dollars(row.cost_micro_usd)
    sound = f"{row.audio_s:.0f} s" if row.audio_s else "–"
    return f"| {row.model} | {row.modality} | {row.calls} | {row.input_tokens:,} | {row.output_tokens:,} | {sound} | {cost} |"


def _dollars(micro_usd: int) -> str:
    return f"${micro_usd / 1_000_000:.4f}".rstrip("0").rstrip(".") if micro_usd else "$0"
