"""Linux's seccomp: calls that the kernel refuses this process from now on. Source: Linux, userspace-api/seccomp_filter.

The network, other programs, other processes, and changing files; threads and reading stay. The numbers are the kernel's own, which
never change.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass

NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
OTHER_ABI = 0x40000000
"""Set in numbers of x86's x32 calls, which would go around the list."""
CLONE_THREAD = 0x10000
CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
NEW = (*range(424, 428), 434, 438, 452)
"""On every machine: pidfd_send_signal, io_uring_*, pidfd_open, pidfd_getfd, fchmodat2."""
UNKNOWN = (435, 437)
"""clone3 and openat2, whose arguments cannot be looked at: libraries take the older calls where these do not exist."""


@dataclass(frozen=True)
class _Machine:
    """The numbers of calls on one kind of processor."""

    architecture: int
    refused: tuple[int, ...]
    clone: int
    kill: tuple[int, int]
    """kill and tgkill, whose first argument is a process."""
    prlimit: int
    opens: tuple[tuple[int, int], ...]
    """Calls that open a file, and which of their arguments says for what."""


MACHINES = {
    "x86_64": _Machine(
        0xC000003E,
        (
            *(
                41,
                42,
                43,
                44,
                46,
                49,
                50,
                53,
                288,
                307,
            ),  # socket connect accept sendto sendmsg bind listen socketpair accept4 sendmmsg
            *(
                57,
                58,
                59,
                322,
                101,
                141,
                200,
                310,
                311,
                312,
            ),  # fork vfork execve execveat ptrace setpriority tkill process_vm_* kcmp
            *(
                76,
                77,
                82,
                83,
                84,
                85,
                86,
                87,
                88,
                90,
                91,
                92,
                93,
                94,
                133,
            ),  # truncate rename mkdir rmdir creat link unlink chmod chown mknod
            *(258, 259, 260, 263, 264, 265, 266, 268, 316, 304),  # their *at forms, open_by_handle_at
            *(
                155,
                161,
                165,
                166,
                167,
                169,
                170,
                172,
                173,
                272,
                308,
            ),  # pivot_root chroot mount swapon reboot iopl unshare setns
            *(
                164,
                175,
                176,
                227,
                246,
                313,
                248,
                249,
                250,
                298,
                321,
                323,
            ),  # clocks, modules, kexec, keys, perf, bpf, userfaultfd
        ),
        clone=56,
        kill=(62, 234),
        prlimit=302,
        opens=((2, 1), (257, 2)),
    ),
    "aarch64": _Machine(
        0xC00000B7,
        (
            *(
                198,
                199,
                200,
                201,
                202,
                203,
                206,
                211,
                242,
                269,
            ),  # socket socketpair bind listen accept connect sendto sendmsg …
            *(221, 281, 117, 130, 140, 270, 271, 272),  # execve execveat ptrace tkill setpriority process_vm_* kcmp
            *(
                33,
                34,
                35,
                36,
                37,
                38,
                45,
                46,
                52,
                53,
                54,
                55,
                265,
                276,
            ),  # mknodat mkdirat unlinkat … truncate fchmod fchown renameat2
            *(39, 40, 41, 51, 97, 142, 161, 224, 268),  # umount mount pivot_root chroot unshare reboot swapon setns
            *(
                104,
                105,
                106,
                112,
                170,
                217,
                218,
                219,
                241,
                273,
                280,
                282,
            ),  # modules, kexec, clocks, keys, perf, bpf, userfaultfd
        ),
        clone=220,
        kill=(129, 131),
        prlimit=261,
        opens=((56, 2),),
    ),
}
"""By `platform.machine()`."""


def hold() -> None:
    """For this thread and those that it starts. Raises OSError where the kernel or the processor is not known to hold it."""
    if (machine := MACHINES.get(platform.machine())) is None or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, "no list of calls for this processor")
    code = b"".join(_program(machine))
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_ulong]
    if libc.prctl(NO_NEW_PRIVS, 1, None, 0, 0) or libc.prctl(SET_SECCOMP, FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def _program(machine: _Machine) -> list[bytes]:
    """Instructions of the kernel's filter. Every test of a call loads its number anew, so that their order does not matter."""
    refuse, unknown = REFUSE | errno.EPERM, REFUSE | errno.ENOSYS
    code = [_do(LOAD, ARCHITECTURE), _do(EQUAL, machine.architecture, 1, 0), _do(RETURN, KILL), _do(LOAD, NUMBER)]
    code += [_do(AT_LEAST, OTHER_ABI, 0, 1), _do(RETURN, refuse)]
    for number in (*machine.refused, *NEW):
        code += [_do(EQUAL, number, 0, 1), _do(RETURN, refuse)]
    for number in UNKNOWN:
        code += [_do(EQUAL, number, 0, 1), _do(RETURN, unknown)]
    code += _when(machine.clone, 0, [_do(ANY_BIT, CLONE_THREAD, 1, 0), _do(RETURN, refuse)])
    for number in machine.kill:
        code += _when(number, 0, [_do(EQUAL, os.getpid(), 1, 0), _do(RETURN, refuse)])
    own = [_do(EQUAL, 0, 2, 0), _do(EQUAL, os.getpid(), 1, 0), _do(RETURN, refuse)]
    code += _when(machine.prlimit, 0, own)
    for number, argument in machine.opens:
        code += _when(number, argument, [_do(ANY_BIT, CHANGING, 0, 1), _do(RETURN, REFUSE | errno.EACCES)])
    return [*code, _do(RETURN, ALLOW)]


def _when(number: int, argument: int, then: list[bytes]) -> list[bytes]:
    """Tests of the lower half of an argument of one call."""
    body = [_do(LOAD, ARGUMENTS + 8 * argument), *then, _do(LOAD, NUMBER)]
    return [_do(EQUAL, number, 0, len(body)), *body]


def _do(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value & 0xFFFFFFFF)
