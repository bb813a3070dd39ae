"""A deterministic server of OpenAI's API on loopback: `async with OpenAIEmulator() as server`, or `python -m` this package."""

from __future__ import annotations

from tests.emulators.openai import spec
from tests.emulators.openai.script import Answer, Call, Fault, Refused
from tests.emulators.openai.server import KEY, Logged, OpenAIEmulator, Upload

__all__ = ["KEY", "Answer", "Call", "Fault", "Logged", "OpenAIEmulator", "Refused", "Upload", "spec"]
