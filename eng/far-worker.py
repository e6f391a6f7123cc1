#!/usr/bin/env python3
"""What connections that stand ready ([Connect] PreConnect) save with a worker that is some milliseconds away.

    sudo python3 eng/far-worker.py artifacts/torbalancer-0.1.0-linux-x64 [DELAY_MS [COUNT [GAP_MS]]]

Two network namespaces, joined by two tun interfaces; this script carries the packets between them and holds each for
DELAY_MS (10). A stub SOCKS worker stands in one namespace, the daemon and a client in the other. The client makes COUNT (60)
connections, one after the other, with GAP_MS (30) between them, in three alternating rounds. Printed is the time from its
connect to the daemon until the daemon's SOCKS reply. Needs root, python3 and ip(8).
"""
import collections
import ctypes
import fcntl
import os
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

CLONE_NEWNET, TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x40000000, 0x400454CA, 0x0001, 0x1000
NEAR, FAR = f"tbnear{os.getpid()}", f"tbfar{os.getpid()}"
NEAR_ADDRESS, FAR_ADDRESS, WORKER_PORT = "10.99.0.1", "10.99.0.2", 9050
LIBC = ctypes.CDLL(None, use_errno=True)

WORKER = """
import asyncio
async def serve(reader, writer):
    try:
        methods = await reader.readexactly((await reader.readexactly(2))[1])
        if 2 in methods:
            await reader.readexactly((await reader.readexactly(2))[1])
            await reader.readexactly((await reader.readexactly(1))[0])
            writer.write(b"\\x01\\x00")
        else:
            writer.write(b"\\x05\\x00")
        kind = (await reader.readexactly(4))[3]
        await reader.readexactly((4 if kind == 1 else (await reader.readexactly(1))[0]) + 2)
        writer.write(b"\\x05\\x00\\x00\\x01" + bytes(6))
        while await reader.read(65536):
            pass
    except asyncio.IncompleteReadError:
        pass
    finally:
        writer.close()
async def main():
    async with await asyncio.start_server(serve, "%s", %d) as server:
        await server.serve_forever()
asyncio.run(main())
""" % (FAR_ADDRESS, WORKER_PORT)

CLIENT = """
import socket, sys, time
port, count, gap = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000
for _ in range(count):
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"\\x05\\x01\\x00")
        assert client.recv(2) == b"\\x05\\x00"
        client.sendall(b"\\x05\\x01\\x00\\x03\\x0bexample.com\\x00\\x50")
        reply = client.recv(10)
        assert reply[1] == 0, reply
        print((time.perf_counter() - begun) * 1000)
    time.sleep(gap)
"""


def tun(namespace):
    """A tun interface in a namespace, by way of entering it."""
    with open(f"/run/netns/{namespace}") as entry:
        if LIBC.setns(entry.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
    return device


def carry(one, other, delay, stop):
    """Takes packets of each interface to the other, late."""
    queues = {one: collections.deque(), other: collections.deque()}
    poll = select.epoll()
    for device in queues:
        poll.register(device, select.EPOLLIN)
    while not stop.is_set():
        now = time.monotonic()
        for sink, queue in queues.items():
            while queue and queue[0][0] <= now:
                os.write(sink, queue.popleft()[1])
        due = min((queue[0][0] for queue in queues.values() if queue), default=now + 0.2)
        for source, _ in poll.poll(max(0.0, min(due - time.monotonic(), 0.2))):
            while True:
                try:
                    packet = os.read(source, 65536)
                except BlockingIOError:
                    break
                queues[other if source == one else one].append((time.monotonic() + delay, packet))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    daemon = os.path.abspath(sys.argv[1])
    delay, count, gap = (float(value) for value in (sys.argv[2:] + ["10", "60", "30"][len(sys.argv) - 2:])[:3])
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    variants = [(engine, ready) for engine in ("linux", "sockets") for ready in (0, 8)]
    started, stop = [], threading.Event()
    with tempfile.TemporaryDirectory() as directory:
        try:
            for namespace in (NEAR, FAR):
                subprocess.run(["ip", "netns", "add", namespace], check=True)
            devices = [tun(NEAR), tun(FAR)]
            LIBC.setns(home, CLONE_NEWNET)
            for namespace, address in ((NEAR, NEAR_ADDRESS), (FAR, FAR_ADDRESS)):
                for words in ("link set lo up", f"addr add {address}/24 dev tun0", "link set tun0 up"):
                    subprocess.run(["ip", "-n", namespace, *words.split()], check=True)
            threading.Thread(target=carry, args=(*devices, delay / 1000, stop), daemon=True).start()
            started.append(subprocess.Popen(["ip", "netns", "exec", FAR, sys.executable, "-c", WORKER]))
            ports = {}
            for index, (engine, ready) in enumerate(variants):
                ports[engine, ready] = 21080 + index
                path = os.path.join(directory, f"{index}.conf")
                with open(path, "w") as conf:
                    conf.write(f"[Listener:main]\nAddress = 127.0.0.1:{21080 + index}\n[Worker:far]\nAddress = {FAR_ADDRESS}\n"
                               f"SocksPort = {WORKER_PORT}\n[Connect]\nPreConnect = {ready}\n[Engine]\nTransport = {engine}\n"
                               "[Health]\nEnabled = no\n[Admin]\nAddress = none\nSocket = none\n")
                started.append(subprocess.Popen(["ip", "netns", "exec", NEAR, daemon, "run", "--config", path],
                                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            time.sleep(3)
            times = {variant: [] for variant in variants}
            for turn in range(3):
                for variant in variants if turn % 2 == 0 else reversed(variants):
                    command = ["ip", "netns", "exec", NEAR, sys.executable, "-c", CLIENT, str(ports[variant]), str(int(count)), str(gap)]
                    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                    times[variant] += [float(value) for value in printed.split()]
            for (engine, ready), values in times.items():
                tenth = statistics.quantiles(values, n=10)
                print(f"{engine:8} PreConnect = {ready}: median {statistics.median(values):.2f} ms, p90 {tenth[8]:.2f} ms, n = {len(values)}")
        finally:
            stop.set()
            for process in started:
                process.terminate()
            for process in started:
                process.wait()
            for namespace in (NEAR, FAR):
                subprocess.run(["ip", "netns", "del", namespace], check=False)


if __name__ == "__main__":
    main()
