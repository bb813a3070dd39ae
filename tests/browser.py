"""The browser of this machine, for tests that look at a page as a person does."""

from __future__ import annotations

import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""The names of Chromium; `.ci/run` looks for the same."""
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
"""The path of the browser, or None where there is none."""
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
"""The mark of a test that opens a page."""
