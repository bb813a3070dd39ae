"""Benchmarks: README.md has the command beside each figure."""

UNRATED = {
    "questions_per_minute": 0,
    "waiting_questions": 0,
    "channel_questions_per_minute": 0,
    "workspace_questions_per_minute": 0,
    "paid_calls_per_minute": 0,
}
"""Variables that take the limits of a person, a channel and a workspace away: in a benchmark one person asks for a hundred."""
