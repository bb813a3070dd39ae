"""The environment of the processes that Parley starts: what a program needs to run, and none of our secrets."""

from __future__ import annotations

import os
from collections.abc import Collection

KEPT = frozenset(
    {
        *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
        *("PYTHONHOME", "PYTHONPATH", "OMP_NUM_THREADS"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "TEMP", "TMP", "USERPROFILE"),
    }
)
"""Variables that every program gets. The others are none of its business, and some are secrets."""
DOWNLOADING = frozenset(
    {
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NETRC"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"),
    }
)
"""Those that a program needs besides that downloads something, as the operator has set up this machine for it."""


def child_environment(more: Collection[str] = (), prefix: str = "", **given: str) -> dict[str, str]:
    """The environment for a process that is started.

    more: names of further variables that it gets, such as DOWNLOADING. prefix: of names that it gets, too, such as its own
    settings'. given: variables with other values than ours.
    """
    wanted = KEPT.union(more)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in wanted or (prefix and name.upper().startswith(prefix))
    }
    return kept | given
