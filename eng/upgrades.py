#!/usr/bin/env python3
"""Upgrades a daemon again and again while it carries a tunnel and a download, and says what became of everybody.

    eng/upgrades.py EXECUTABLE MINUTES

A private Tor network of real tors, the daemon in front of it, and through it, from the first minute to the last: a tunnel that echoes a
piece a second, and a download that is read slowly. Meanwhile `run --takeover` again and again, evenly over the time (20 times from ten
minutes on, 24 times in an hour), each under 50 requests a second, and a session that is asked for its exit before and behind it. Every
byte is compared. Ends with 1 when a request is refused or fails, a byte is wrong, a session changes its worker, or a process does not
end as it should. Nothing leaves loopback.
"""
import asyncio
import collections
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

EXECUTABLE, MINUTES = os.path.abspath(sys.argv[1]), float(sys.argv[2])
UPGRADES = max(2, min(20, int(MINUTES * 2)), int(MINUTES * 0.4))
REQUESTS_A_SECOND, LOAD_BEFORE, LOAD_BEHIND = 50, 2, 4
DOWNLOAD_RATE = 64 * 1024
TUNNEL_PIECE = 512
PATIENCE = 30
PAGE = 3000
MASK = (1 << 64) - 1


def pattern(offset, length):
    """The test network's sequence of bytes (TestPattern.cs): SplitMix64 by the counter."""
    words = []
    for index in range(offset // 8, (offset + length + 7) // 8):
        z = (index + 1) * 0x9E3779B97F4A7C15 & MASK
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        words.append(z ^ z >> 31)
    return struct.pack(f"<{len(words)}Q", *words)[offset % 8:offset % 8 + length]


EXPECTED_PAGE = pattern(0, PAGE)


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def run(*arguments):
    done = subprocess.run([EXECUTABLE, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180)
    if done.returncode != 0:
        raise RuntimeError(f"torbalancer {' '.join(arguments)} ended with {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


class Daemon:
    """One process of the daemon's, whose log is a file."""

    def __init__(self, directory, number, *arguments):
        self.log = f"{directory}/daemon-{number}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [EXECUTABLE, "run", *arguments, "--config", f"{directory}/torbalancer.conf"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT)

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    async def find(self, expression):
        """Waits for what it says."""
        deadline = time.monotonic() + 120
        while not (found := re.search(expression, self.text())):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no {expression!r} in the log of process {self.process.pid}:\n{self.text()[-4000:]}")
            await asyncio.sleep(0.05)
        return found

    async def end(self):
        """Its exit code."""
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        return self.process.poll()


class Clients:
    """What goes through the proxy."""

    def __init__(self, proxy, state):
        self.proxy, self.host = proxy, state["originName"]
        self.origin, self.echo = state["originPort"], state["echoPort"]
        self.served, self.failures, self.times = 0, collections.Counter(), []

    async def socks(self, port, user=b""):
        """A connection to the target by SOCKS5."""
        reader, writer = await asyncio.open_connection(*self.proxy)
        try:
            writer.write(b"\x05\x01" + (b"\x02" if user else b"\x00"))
            if await reader.readexactly(2) != (b"\x05\x02" if user else b"\x05\x00"):
                raise OSError("the method was refused")
            if user:
                writer.write(b"\x01" + bytes([len(user)]) + user + b"\x01x")
                if (await reader.readexactly(2))[1] != 0:
                    raise OSError("the user was refused")
            host = self.host.encode()
            writer.write(b"\x05\x01\x00\x03" + bytes([len(host)]) + host + struct.pack(">H", port))
            reply = await reader.readexactly(4)
            if reply[1] != 0:
                raise OSError(f"SOCKS reply {reply[1]}")
            length = {1: 4, 4: 16}.get(reply[3]) or (await reader.readexactly(1))[0]
            await reader.readexactly(length + 2)
            return reader, writer
        except BaseException:
            writer.close()
            raise

    async def get(self, path, user=b"", absolute=False):
        """The body of a page."""
        if absolute:
            reader, writer = await asyncio.open_connection(*self.proxy)
            path = f"http://{self.host}:{self.origin}{path}"
        else:
            reader, writer = await self.socks(self.origin, user)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.origin}\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise OSError(head.split(b"\r\n")[0].decode() or "no answer")
            return body
        finally:
            writer.close()

    async def request(self, number):
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                if await self.get(f"/bytes/{PAGE}", absolute=number % 2 == 1) != EXPECTED_PAGE:
                    raise OSError("wrong bytes")
            self.served += 1
            self.times.append(time.monotonic() - began)
        except (OSError, EOFError, TimeoutError) as failure:
            self.failures["refused" if isinstance(failure, ConnectionRefusedError) else "failed"] += 1
            say(f"request {number} after {time.monotonic() - began:.1f} s: {failure!r}")

    async def load(self, stop):
        """Each request has a connection of its own, and none waits for another."""
        running, begun, number = set(), time.monotonic(), 0
        while not stop.is_set():
            running.add(asyncio.create_task(self.request(number)))
            number += 1
            await asyncio.sleep(max(0, begun + number / REQUESTS_A_SECOND - time.monotonic()))
        await asyncio.gather(*running)

    async def tunnel(self, stop):
        """A piece a second there and back until told to stop; how many bytes."""
        reader, writer = await self.socks(self.echo)
        there, back, count = hashlib.sha256(), hashlib.sha256(), 0
        while not stop.is_set():
            piece = os.urandom(TUNNEL_PIECE)
            there.update(piece)
            writer.write(piece)
            async with asyncio.timeout(PATIENCE):
                back.update(await reader.readexactly(len(piece)))
            count += len(piece)
            await asyncio.sleep(1)
        writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            back.update(await reader.read())
        writer.close()
        if there.digest() != back.digest():
            raise RuntimeError("the tunnel's bytes are not those that went in")
        return count, there.hexdigest()

    async def download(self, length):
        """Read slowly and by hash."""
        reader, writer = await self.socks(self.origin)
        writer.write(f"GET /bytes/{length} HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(head.decode())
        hashed, count, began = hashlib.sha256(), 0, time.monotonic()
        while True:
            async with asyncio.timeout(PATIENCE):
                piece = await reader.read(8192)
            if not piece:
                break
            hashed.update(piece)
            count += len(piece)
            await asyncio.sleep(max(0, began + count / DOWNLOAD_RATE - time.monotonic()))
        writer.close()
        return count, hashed.hexdigest()


def hash_at_origin(state, length):
    """What the download must be, by asking the origin itself."""
    process = subprocess.run(
        ["curl", "--silent", "--fail", f"http://127.0.0.1:{state['originPort']}/bytes/{length}"], stdout=subprocess.PIPE, check=True)
    if len(process.stdout) != length:
        raise RuntimeError(f"the origin sent {len(process.stdout)} of {length} bytes")
    return hashlib.sha256(process.stdout).hexdigest()


def session_of(directory):
    """The worker of the only session, and how often it was used."""
    answer = json.loads(run("sessions", "--json", "--config", f"{directory}/torbalancer.conf"))
    (only,) = answer["sessions"]
    return only["worker"], only["uses"]


async def main(directory):
    network = f"{directory}/net"
    run("testnet", "up", "--directory", network)
    daemons = []
    try:
        state = json.loads(run("testnet", "status", "--directory", network, "--json"))["state"]
        length = int(DOWNLOAD_RATE * MINUTES * 60)
        expected = hash_at_origin(state, length)
        with open(state["confFile"], encoding="utf-8") as given, open(f"{directory}/torbalancer.conf", "w", encoding="utf-8") as conf:
            conf.write(given.read())
            conf.write(
                f"\n[Listener:main]\nAddress = 127.0.0.1:0\n[Admin]\nAddress = none\nSocket = unix:{directory}/admin.sock\n"
                f"[Tunnel]\nDrainTimeout = {int(MINUTES * 2) + 10}m\n")
        daemons.append(Daemon(directory, 0))
        address = (await daemons[0].find(r"Ready: .*http://127\.0\.0\.1:(\d+)"))[1]
        return await upgrade(directory, daemons, Clients(("127.0.0.1", int(address)), state), length, expected)
    finally:
        for daemon in daemons:
            if daemon.process.poll() is None:
                daemon.process.send_signal(signal.SIGTERM)
        for daemon in daemons:
            if daemon.process.poll() is None and await daemon.end() is None:
                daemon.process.kill()
        run("testnet", "down", "--directory", network)


async def upgrade(directory, daemons, clients, length, expected):
    began = time.monotonic()
    finish = asyncio.Event()
    tunnel = asyncio.create_task(clients.tunnel(finish))
    download = asyncio.create_task(clients.download(length))
    pauses, moved, problems = [], 0, []
    say(f"{UPGRADES} upgrades in {MINUTES:g} minutes; a download of {length} bytes, sha256 {expected}")
    for number in range(1, UPGRADES + 1):
        # The last one a little before the end, so that tunnel and download outlive it.
        due = began + MINUTES * 60 * number / (UPGRADES + 1)
        await asyncio.sleep(max(0, due - time.monotonic()))
        stop = asyncio.Event()
        load = asyncio.create_task(clients.load(stop))
        await asyncio.sleep(LOAD_BEFORE)
        exit_before = await clients.get("/exit", b"session-kept")
        worker_before, uses_before = session_of(directory)
        old, new = daemons[-1], Daemon(directory, number, "--takeover")
        daemons.append(new)
        await new.find(r" Ready: ")
        pauses.append(int((await old.find(rf"Process {new.process.pid} has taken over, (\d+) ms after"))[1]))
        exit_behind = await clients.get("/exit", b"session-kept")
        worker_behind, uses_behind = session_of(directory)
        if (worker_behind, uses_behind) != (worker_before, uses_before + 1):
            problems.append(f"upgrade {number}: the session went from {worker_before}, used {uses_before} times, to {worker_behind}, "
                            f"used {uses_behind} times")
        moved += exit_before != exit_behind
        await asyncio.sleep(LOAD_BEHIND)
        stop.set()
        await load
        for name, task in (("tunnel", tunnel), ("download", download)):
            if task.done():
                await task
                problems.append(f"the {name} had ended before upgrade {number}")
        if old is not daemons[0] and (code := await old.end()) != 0:
            problems.append(f"process {number - 1} of the daemon, which carries nothing any more, ended with {code}")
        say(f"upgrade {number}: {pauses[-1]} ms; {clients.served} requests served so far, {sum(clients.failures.values())} not")

    count, got = await download
    if (count, got) != (length, expected):
        problems.append(f"the download: {count} of {length} bytes, sha256 {got}")
    lived = time.monotonic() - began
    finish.set()
    echoed, hashed = await tunnel
    # The first process carried both, and nothing else: it leaves with them.
    if (code := await daemons[0].end()) != 0:
        problems.append(f"the first process of the daemon ended with {code}")
    daemons[-1].process.send_signal(signal.SIGTERM)
    if (code := await daemons[-1].end()) != 0:
        problems.append(f"the last process of the daemon ended with {code}")
    for number, daemon in enumerate(daemons):
        problems += [f"process {number} logged: {line}" for line in daemon.text().splitlines() if re.search(r"\b(ERROR|FATAL)\b", line)]

    times = sorted(clients.times)
    refused, failed = clients.failures["refused"], clients.failures["failed"]
    say(f"{UPGRADES} upgrades: {clients.served} requests served, {refused} refused, {failed} failed")
    say(f"median {statistics.median(times) * 1000:.0f} ms, 99th percentile {times[len(times) * 99 // 100] * 1000:.0f} ms, longest "
        f"{times[-1] * 1000:.0f} ms; nobody was accepted for {min(pauses)} to {max(pauses)} ms, median {statistics.median(pauses):.0f} ms")
    say(f"tunnel: {lived / 60:.1f} minutes, {echoed} bytes there and back, sha256 {hashed} of both")
    say(f"download: {lived / 60:.1f} minutes, {count} bytes, sha256 {got} as the origin's")
    say(f"session: the same worker before and behind each upgrade; another exit behind {moved} of them")
    for problem in problems:
        say(f"WRONG: {problem}")
    return 1 if problems or clients.failures else 0


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    place = tempfile.mkdtemp(prefix="tbu")
    code = 1
    try:
        code = asyncio.run(main(place))
    finally:
        if code == 0:
            shutil.rmtree(place)
        else:
            say(f"logs are left in {place}")
    sys.exit(code)
