#!/usr/bin/env python3
"""Writes Proxy.Daemon/method-order.txt: the order in which the release lays out its methods.

    eng/method-order.py artifacts/torbalancer-VERSION-linux-x64

Runs that release (with its symbols, .dbg, beside it) under qemu-user, which says of each piece of code when it runs for the first time:
first a start and some idle seconds, then what eng/smoke.py does. A start then touches a few pages in a row instead of some of nearly
each; what it does not touch is not resident. Names that a later compilation does not know are passed over, so the file need not be made
anew with each change: eng/release.sh says how many names still hold. Needs qemu-user and binutils; takes a minute.
"""
import bisect
import os
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = f"{ROOT}/Proxy.Daemon/method-order.txt"
IDLE_SECONDS = 8
# Where qemu-user puts an executable that may be anywhere.
BASE = 0x4000000000
# What most starts have: ports and sockets, the admin API, health checks, here of a worker that is not there.
CONFIGURATION = """[Listener:port]
Address = 127.0.0.1:0
[Listener:socket]
Address = unix:{0}/proxy.sock
[Admin]
Address = 127.0.0.1:0
Socket = unix:{0}/admin.sock
[Worker:a]
Address = 127.0.0.1
SocksPort = 9
"""


def managed_section(executable):
    sections = subprocess.run(["readelf", "-SW", executable], check=True, capture_output=True, text=True).stdout
    found = re.search(r" __managedcode +\S+ +([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+)", sections)
    start, length = (int(number, 16) for number in found.groups())
    return start, start + length


def methods(executable):
    """Start, end and name of each method, by start."""
    first, last = managed_section(executable)
    listing = subprocess.run(["nm", "-nS", "--defined-only", executable + ".dbg"], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in listing.splitlines():
        parts = line.split(" ", 3)
        if len(parts) == 4 and parts[2] in "tT" and first <= int(parts[0], 16) < last:
            found.setdefault(int(parts[0], 16), (int(parts[1], 16), parts[3]))
    return [(start, start + length, name) for start, (length, name) in sorted(found.items())]


def executed(log, table, starts):
    """Names of the methods in a log of qemu-user, in the order of their first run."""
    names = {}
    with open(log, encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("0x"):
                address = int(line[:line.index(":")], 16) - BASE
                at = bisect.bisect_right(starts, address) - 1
                if at >= 0 and address < table[at][1]:
                    names.setdefault(table[at][2])
    return names


def main():
    executable = os.path.abspath(sys.argv[1])
    table = methods(executable)
    starts = [start for start, _, _ in table]
    order = {}
    with tempfile.TemporaryDirectory() as directory:
        def emulator(log):
            return ["qemu-x86_64", "-cpu", "max", "-d", "in_asm", "-D", f"{directory}/{log}"]

        with open(f"{directory}/start.conf", "w", encoding="ascii") as conf:
            conf.write(CONFIGURATION.format(directory))
        daemon = subprocess.Popen([*emulator("start"), executable, "run", "--config", conf.name], stdout=subprocess.DEVNULL)
        time.sleep(IDLE_SECONDS)
        daemon.terminate()
        if daemon.wait(60) != 0:
            sys.exit(f"eng/method-order.py: {executable} ended with {daemon.returncode}")
        order.update(executed(f"{directory}/start", table, starts))
        print(f"{len(order)} methods of a start")

        subprocess.run(["/usr/bin/python3", f"{ROOT}/eng/smoke.py", *emulator("smoke.%d"), executable], check=True)
        for log in sorted((name for name in os.listdir(directory) if name.startswith("smoke.")), key=lambda name: int(name[6:])):
            for name in executed(f"{directory}/{log}", table, starts):
                order.setdefault(name)

    with open(TARGET, "w", encoding="utf-8") as target:
        target.writelines(name + "\n" for name in order)
    print(f"{TARGET}: {len(order)} methods")


main()
