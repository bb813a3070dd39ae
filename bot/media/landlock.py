"""Linux's Landlock: from now on this process reads programs and libraries, and no other file.

Source: Linux, Documentation/userspace-api/landlock.
"""

from __future__ import annotations

import ctypes
import mimetypes
import os
import struct
import sys
import sysconfig
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG = 1
PATH_BENEATH = 1
NO_NEW_PRIVS = 38
READ_FILE, READ_DIR = 1 << 2, 1 << 3
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many rights over files a version knows; from the fifth on, sixteen."""
ROOT = Path(__file__).resolve().parents[2]
OURS = ("bot", "adapters")
SYSTEM = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share", "/nix/store"),
    *("/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/urandom", "/sys/devices/system/cpu", "/proc/cpuinfo"),
)


def hold() -> None:
    """Raises OSError where the kernel has no Landlock."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = _call(libc, CREATE_RULESET, None, 0, VERSION_FLAG)
    files = (1 << FILE_RIGHTS.get(version, 16)) - 1
    network, scopes = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = _call(libc, CREATE_RULESET, struct.pack("<QQQ", files, network, scopes)[:size], size, 0)
    try:
        for path, rights in _readable().items():
            _allow(libc, rules, path, rights)
        libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
        if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        _call(libc, RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _readable() -> dict[str, int]:
    """Paths and rights. The folder of the project is only listed: beside the modules a `.env` may lie there."""
    listed: dict[str, int] = {path: READ_DIR for path in (str(ROOT), *sys.path) if path}
    modules = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    modules += [path for path in sys.path if path.rstrip("/").endswith(("site-packages", "dist-packages"))]
    whole = [
        *SYSTEM,
        *map(str, mimetypes.knownfiles),
        sys.prefix,
        sys.base_prefix,
        *modules,
        *(str(ROOT / one) for one in OURS),
    ]
    return listed | {path: READ_FILE | READ_DIR for path in whole if path and path != "/"}


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not on this system
        return
    try:
        rights &= ~0 if os.path.isdir(path) else READ_FILE
        if rights:
            _call(libc, ADD_RULE, rules, PATH_BENEATH, struct.pack("<Qi", rights, beneath), 0)
    finally:
        os.close(beneath)


def _call(libc: ctypes.CDLL, number: int, *args: object) -> int:
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in args]
    result: int = libc.syscall(ctypes.c_long(number), *wide)
    if result < 0:
        raise OSError(ctypes.get_errno(), "landlock")
    return result
