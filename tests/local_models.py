"""What tests of local models need: whether runtimes and weights are here, and a home that has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.providers import local

OPTIONS = local.Options.model_validate({})
"""Those of an installation that sets nothing; its weights lie where `make run` and the step `weights` of the check put them."""


def absent() -> str:
    """What keeps local models from running here, or nothing."""
    if lacking := local.missing(OPTIONS):
        return f"local models: the runtimes are not installed: {lacking[0]}"
    names = [weights.name for weights in local.library(OPTIONS).wanted()]
    return f"local models: weights missing: {', '.join(names)}; run `parley models pull`" if names else ""


needs_local_models = [
    pytest.mark.local_models,
    pytest.mark.skipif(bool(absent()), reason=absent() or "the weights are there"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
"""The marks of a module whose tests run on real weights."""


def lend_weights(home: Path) -> None:
    """Let an empty home use the weights of this machine."""
    (home / "models").symlink_to(local.library(OPTIONS).folder, target_is_directory=True)
