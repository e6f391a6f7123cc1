#!/usr/bin/env python3
"""Measures for how long nobody is accepted while one daemon takes over from another, on a busy machine.

    eng/takeover-gap.py EXECUTABLE [EXECUTABLE]... [--takeovers 10] [--busy 6] [--sessions 0]

For each executable a daemon in front of a SOCKS5 server of this script's own, which answers at once. Then in alternation: 50 clients a
second come to one of them while `run --takeover` replaces it, with so many busy loops beside it. What is measured is what clients see: the
time from their connection to the first byte of an answer, and the longest time in which nobody got one. The clients have a higher priority
than everything else where that is allowed, so that they measure the daemon and not themselves. Nothing leaves loopback.
"""
import argparse
import asyncio
import os
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

REQUESTS_A_SECOND, BEFORE, BEHIND = 50, 1, 2


async def serve(reader, writer):
    """A worker: connects nowhere, and says that it has."""
    try:
        methods = await reader.readexactly((await reader.readexactly(2))[1])
        writer.write(b"\x05\x02" if 2 in methods else b"\x05\x00")
        if 2 in methods:
            await reader.readexactly((await reader.readexactly(2))[1])
            await reader.readexactly((await reader.readexactly(1))[0])
            writer.write(b"\x01\x00")
        kind = (await reader.readexactly(4))[3]
        await reader.readexactly({1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0])
        await reader.readexactly(2)
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
        while piece := await reader.read(4096):
            writer.write(piece)
    except (OSError, EOFError):
        pass
    finally:
        writer.close()


class Subject:
    """An executable, its running daemon, and what its takeovers took."""

    def __init__(self, executable, directory, worker):
        self.executable, self.directory, self.number = os.path.abspath(executable), directory, 0
        self.waits, self.silences, self.said, self.requests, self.failed = [], [], [], 0, 0
        os.mkdir(directory)
        with open(f"{directory}/torbalancer.conf", "w", encoding="utf-8") as conf:
            conf.write(
                f"[Listener:main]\nAddress = 127.0.0.1:0\n[Admin]\nAddress = none\nSocket = unix:{directory}/admin.sock\n"
                f"[Worker:w1]\nAddress = 127.0.0.1\nSocksPort = {worker}\n[Health]\nCanary = canary.example:80\n"
                "[Log]\nAccess = no\n[Tunnel]\nDrainTimeout = 5s\n")
        self.process = None
        self.address = None

    def log(self, number):
        return f"{self.directory}/daemon-{number}.log"

    def start(self, *arguments):
        self.number += 1
        with open(self.log(self.number), "wb") as log:
            return subprocess.Popen(
                [self.executable, "run", *arguments, "--config", f"{self.directory}/torbalancer.conf"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, preexec_fn=lambda: os.setpriority(os.PRIO_PROCESS, 0, 0))

    async def find(self, number, expression, process):
        deadline = time.monotonic() + 180
        while True:
            with open(self.log(number), encoding="utf-8", errors="replace") as log:
                text = log.read()
            if found := re.search(expression, text):
                return found
            if time.monotonic() > deadline or (process is not None and process.poll() is not None):
                raise RuntimeError(f"no {expression!r} in {self.log(number)}:\n{text[-4000:]}")
            await asyncio.sleep(0.05)

    async def begin(self, sessions):
        self.process = self.start()
        self.address = int((await self.find(1, r"Ready: .*http://127\.0\.0\.1:(\d+)", self.process))[1])
        for number in range(sessions):
            await self.request([], b"session-s%d-rotate-9" % number)

    async def request(self, answered, user=b""):
        """Appends when it connected and when it was answered first."""
        writer = None
        try:
            async with asyncio.timeout(60):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.address)
                connected = time.monotonic()
                writer.write(b"\x05\x01" + (b"\x02" if user else b"\x00"))
                await reader.readexactly(2)
                answered.append((connected, time.monotonic()))
                if user:
                    writer.write(b"\x01" + bytes([len(user)]) + user + b"\x01x")
                    await reader.readexactly(2)
                writer.write(b"\x05\x01\x00\x03\x09a.example" + struct.pack(">H", 80))
                if (await reader.readexactly(10))[1] != 0:
                    raise OSError("refused")
                writer.write(b"ping")
                if await reader.readexactly(4) != b"ping":
                    raise OSError("wrong bytes")
            self.requests += 1
        except (OSError, EOFError, TimeoutError) as failure:
            self.failed += 1
            print(f"a request failed: {failure!r}", flush=True)
        finally:
            if writer is not None:
                writer.close()

    async def load(self, stop, answered):
        running, begun, number = set(), time.monotonic(), 0
        while not stop.is_set():
            running.add(asyncio.create_task(self.request(answered)))
            number += 1
            await asyncio.sleep(max(0, begun + number / REQUESTS_A_SECOND - time.monotonic()))
        await asyncio.gather(*running)

    async def take_over(self):
        stop, answered = asyncio.Event(), []
        load = asyncio.create_task(self.load(stop, answered))
        await asyncio.sleep(BEFORE)
        old, number = self.process, self.number
        began = time.monotonic()
        self.process = self.start("--takeover")
        await self.find(self.number, r" Ready: ", self.process)
        took = time.monotonic() - began
        self.said.append(int((await self.find(number, r"has taken over, (\d+) ms after", None))[1]))
        await asyncio.sleep(BEHIND)
        stop.set()
        await load
        if await asyncio.to_thread(old.wait, 60) != 0:
            raise RuntimeError(f"process {old.pid} ended with {old.returncode}")
        times = sorted(at for _, at in answered)
        self.waits.append(max(at - connected for connected, at in answered) * 1000)
        self.silences.append(max(b - a for a, b in zip(times, times[1:])) * 1000)
        print(f"{self.executable}: {took:.1f} s to be ready; longest wait {self.waits[-1]:.0f} ms, nobody answered for "
              f"{self.silences[-1]:.0f} ms, nobody accepted for {self.said[-1]} ms by its log", flush=True)


async def main(options, directory):
    worker = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    port = worker.sockets[0].getsockname()[1]
    subjects = [Subject(one, f"{directory}/{index}", port) for index, one in enumerate(options.executables)]
    busy = []
    try:
        for subject in subjects:
            await subject.begin(options.sessions)
        for _ in range(options.busy):
            busy.append(subprocess.Popen(
                ["sh", "-c", "while :; do :; done"], preexec_fn=lambda: os.setpriority(os.PRIO_PROCESS, 0, 0)))
        for _ in range(options.takeovers):
            for subject in subjects:
                await subject.take_over()
    finally:
        for one in busy:
            one.kill()
        for subject in subjects:
            if subject.process is not None and subject.process.poll() is None:
                subject.process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(subject.process.wait, 30)

    for subject in subjects:
        print(f"\n{subject.executable}: {options.takeovers} takeovers, {subject.requests} requests served, {subject.failed} failed")
        for what, values in (
                ("longest wait for an answer", subject.waits), ("nobody answered", subject.silences),
                ("nobody accepted, by the log", subject.said)):
            print(f"  {what}: median {statistics.median(values):.0f} ms, longest {max(values):.0f} ms")
    for subject in subjects[1:]:
        ratio = statistics.median(subject.silences) / statistics.median(subjects[0].silences)
        print(f"\nnobody answered, ratio of the medians of {subject.executable} to the first: {ratio:.3f}")
    return 1 if any(subject.failed for subject in subjects) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("executables", nargs="+")
    parser.add_argument("--takeovers", type=int, default=10)
    parser.add_argument("--busy", type=int, default=6)
    parser.add_argument("--sessions", type=int, default=0)
    try:
        os.nice(-10)
    except PermissionError:
        print("no higher priority is allowed here: what follows is measured by clients that wait for the processor themselves")
    place = tempfile.mkdtemp(prefix="tbg")
    try:
        code = asyncio.run(main(parser.parse_args(), place))
    finally:
        shutil.rmtree(place)
    sys.exit(code)
