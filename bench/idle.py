"""What a running Parley uses while nothing happens, and how long it takes to be ready.

    python -m bench.idle [--seconds 20]

`parley all` runs as a process of its own, on SQLite, with models that need no loading.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

MODELS = {f"{kind}_MODEL": "echo:echo" for kind in ("CHAT", "TRANSCRIBE", "SPEECH", "IMAGE", "EMBEDDING")}


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_s(pid: int) -> float:
    """Seconds of processor time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """What it holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main(seconds: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        port = free_port()
        environment = {**os.environ, **MODELS, "PARLEY_HOME": home, "PORT": str(port)}
        began = time.perf_counter()
        process = subprocess.Popen((sys.executable, "-m", "bot", "all"), env=environment, stdout=subprocess.DEVNULL)
        try:
            while True:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).close()
                    break
                time.sleep(0.02)
            print(f"ready after {time.perf_counter() - began:.2f} s")
            time.sleep(3)
            before, at = cpu_s(process.pid), time.perf_counter()
            time.sleep(seconds)
            used = (cpu_s(process.pid) - before) / (time.perf_counter() - at)
            print(f"idle: {100 * used:.2f} % of a core, {memory_mb(process.pid):.0f} MB")
        finally:
            stopped = time.perf_counter()
            process.terminate()
            process.wait(10)
            print(f"stopped after {time.perf_counter() - stopped:.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    main(parser.parse_args().seconds)
