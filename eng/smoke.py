#!/usr/bin/env python3
"""Runs a released executable once through what trimming or compiling ahead of time could break.

    eng/smoke.py [EMULATOR [ARGUMENT...]] EXECUTABLE

Exit codes, and each engine as a daemon of its own: clients of each protocol, bytes enough to be spliced, the admin API, fetches
(decompression, TLS), the log as text and as JSON, a second daemon on the same address, SIGTERM. Everything is on unix sockets in a
temporary directory, the worker is a stub in this process: nothing leaves it. Ends with 1 and the daemon's log at the first surprise.
"""
import gzip
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMMAND = sys.argv[1:]
PATIENCE = 60
BULK = 4 << 20
PAGE = gzip.compress(b"hello from the stub", mtime=0)


def expect(held, what):
    if not held:
        raise AssertionError(what)


def run(*arguments):
    done = subprocess.run([*COMMAND, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout, done.stderr


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(path)
    return client


def exactly(client, count):
    data = b""
    while len(data) < count:
        piece = client.recv(count - len(data))
        expect(piece, f"an end after {data!r}, where {count} bytes were due")
        data += piece
    return data


class Worker(threading.Thread):
    """SOCKS5 with and without a password. A GET is answered with a page, anything else comes back as it is."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            with client, client.makefile("rb") as reader:
                if 2 in reader.read(reader.read(2)[1]):
                    client.sendall(b"\x05\x02")
                    reader.read(reader.read(2)[1])
                    reader.read(reader.read(1)[0])
                    client.sendall(b"\x01\x00")
                else:
                    client.sendall(b"\x05\x00")
                kind = reader.read(4)[3]
                reader.read({1: 4, 4: 16}.get(kind) or reader.read(1)[0])
                reader.read(2)
                client.sendall(b"\x05\x00\x00\x01" + bytes(6))
                data = reader.read1(65536)
                if data.startswith(b"GET "):
                    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: {len(PAGE)}\r\n\r\n"
                    client.sendall(head.encode() + PAGE)
                    return
                while data:
                    client.sendall(data)
                    data = reader.read1(65536)
        except (OSError, IndexError):
            pass  # The daemon's end of it.


class AdminConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("torbalancer", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = connect(self.path)


class Daemon:
    def __init__(self, directory, engine, log_format):
        self.proxy, self.admin = f"{directory}/{engine}.sock", f"{directory}/{engine}-admin.sock"
        self.conf, self.log, self.format = f"{directory}/{engine}.conf", f"{directory}/{engine}.log", log_format
        with open(self.conf, "w", encoding="ascii") as conf:
            conf.write(f"[Listener:main]\nAddress = unix:{self.proxy}\n[Admin]\nAddress = none\nSocket = unix:{self.admin}\n"
                       f"[Engine]\nTransport = {engine}\n[Health]\nEnabled = no\n[Log]\nFormat = {log_format}\n"
                       f"[Worker:stub]\nSocksPort = unix:{directory}/worker.sock\n")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "run", "--config", self.conf], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def text(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read()

    def wait(self):
        deadline = time.monotonic() + PATIENCE
        while not (os.path.exists(self.proxy) and os.path.exists(self.admin)):
            expect(self.process.poll() is None and time.monotonic() < deadline, "the daemon does not listen")
            time.sleep(0.01)

    def ask(self, method, path, body=None):
        connection = AdminConnection(self.admin)
        connection.request(
            method, path, None if body is None else json.dumps(body), {} if body is None else {"Content-Type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
        expect(answer.status < 300, f"{method} {path}: {answer.status} {data!r}")
        return json.loads(data) if data else None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


def socks5(path):
    client = connect(path)
    client.sendall(b"\x05\x01\x00")
    expect(exactly(client, 2) == b"\x05\x00", "SOCKS5: no method")
    client.sendall(b"\x05\x01\x00\x03\x0cexample.test\x00\x50")
    expect(exactly(client, 10)[:2] == b"\x05\x00", "SOCKS5: refused")
    return client


def socks4(path):
    client = connect(path)
    client.sendall(b"\x04\x01\x00\x50\x00\x00\x00\x01\x00example.test\x00")
    expect(exactly(client, 8)[:2] == b"\x00\x5a", "SOCKS4a: refused")
    return client


def http_connect(path):
    client = connect(path)
    client.sendall(b"CONNECT example.test:80 HTTP/1.1\r\nHost: example.test:80\r\n\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        head += exactly(client, 1)
    expect(re.match(rb"HTTP/1\.[01] 200 ", head), f"CONNECT: {head!r}")
    return client


def echo(client):
    """Enough bytes both ways at once to be spliced."""
    data = os.urandom(BULK)
    with client:
        sender = threading.Thread(target=client.sendall, args=(data,), daemon=True)
        sender.start()
        expect(exactly(client, len(data)) == data, "the tunnel changed what went through it")
        sender.join()


def absolute_form(path):
    with connect(path) as client:
        client.sendall(b"GET http://example.test/ HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    expect(answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(PAGE), f"GET: {answer!r}")


def daemon(directory, engine, log_format):
    subject = Daemon(directory, engine, log_format)
    try:
        subject.wait()
        for opened in (socks5, socks4, http_connect):
            echo(opened(subject.proxy))
        absolute_form(subject.proxy)

        with socks5(subject.proxy):
            expect(subject.ask("GET", "/api/v1/connections"), "no connection is shown")
        expect(isinstance(subject.ask("GET", "/api/v1/health"), dict), "health is no object")
        expect("stub" in json.dumps(subject.ask("GET", "/api/v1/workers")), "the worker is not shown")
        subject.ask("GET", "/api/v1/sessions")
        page = subject.ask("POST", "/api/v1/fetch", {"url": "http://example.test/"})
        expect(page["success"] and page["body"] == "hello from the stub", f"fetch: {page}")
        broken = subject.ask("POST", "/api/v1/fetch", {"url": "https://example.test/", "timeout": PATIENCE})
        expect(broken["error"]["cause"] == "target_protocol", f"fetch without TLS on the other side: {broken}")
        subject.ask("POST", "/api/v1/workers/stub/drain")
        subject.ask("POST", "/api/v1/workers/stub/enable")

        answers = {
            "status": "stub", "status --json": "available_workers", "connections": "", "sessions": "", "words workers": "stub",
            "drain stub": "drains", "enable stub": "enabled", "top --interval 200ms": "stub",
        }
        for command, expected in answers.items():
            code, output, error = run(*command.split(), "--admin", f"unix:{subject.admin}")
            expect(code == 0 and expected in output, f"{command}: {code} {output!r} {error!r}")

        code, _, error = run("run", "--config", subject.conf)
        expect(code == 1 and error, f"a second daemon on the same address ended with {code}")
        expect(subject.stop() == 0, f"SIGTERM ended it with {subject.process.returncode}")
        text = subject.text()
        expect("Stopped" in text and "example.test" not in text, "the log lacks the end, or has a target's name")
        if log_format == "json":
            events = [json.loads(line)["event"] for line in text.splitlines()]
            expect(events.count("access") >= 4 and "access_request" in events, f"events: {events}")
        else:
            expect(len(re.findall(r"protocol=\S*socks", text)) >= 3, "the access log lacks lines")
    except Exception:
        subject.process.kill()
        subject.process.wait()
        sys.stderr.write(subject.text()[-8000:])
        raise


def commands(directory):
    code, version, _ = run("--version")
    expect(code == 0 and re.match(r"\d+\.\d+\.\d+", version), f"--version: {code} {version!r}")
    code, output, error = run("check", "--config", f"{ROOT}/torbalancer.conf")
    expect(code == 0 and "ok" in output, f"check: {code} {output} {error}")
    wrong = f"{directory}/wrong.conf"
    with open(wrong, "w", encoding="ascii") as conf:
        conf.write("[Listener:main]\nAddress = nowhere\n")
    for command in ("check", "run"):
        code, _, error = run(command, "--config", wrong)
        expect(code == 1 and "wrong.conf" in error, f"{command} with a wrong configuration: {code} {error!r}")
    code, _, error = run("run", "--nonsense")
    expect(code == 2 and error, f"a wrong command line: {code}")
    code, _, error = run("init", "--wireguard", "--endpoint", "192.0.2.1", "--output", f"{directory}/links")
    expect(code == 0 and os.listdir(f"{directory}/links"), f"init: {code} {error}")
    code, output, _ = run("env")
    expect(code == 0 and "proxy" in output, f"env: {code} {output!r}")
    code, output, error = run("init", "--worker", "192.0.2.1", "--gateway", "192.0.2.2", "--control", "--output", f"{directory}/hosts")
    expect(code == 0 and os.path.exists(f"{directory}/hosts/worker-01/torrc"), f"init: {code} {error}")
    code, _, error = run("status", "--admin", f"unix:{directory}/nobody.sock")
    expect(code == 3 and "no such socket" in error, f"status of nobody: {code} {error!r}")
    code, output, error = run("doctor", "--json", "--config", wrong)
    expect(code == 1 and any(one["check"] == "configuration" for one in json.loads(output)["findings"]), f"doctor: {code} {output} {error}")


def main():
    with tempfile.TemporaryDirectory() as directory:
        Worker(f"{directory}/worker.sock").start()
        try:
            commands(directory)
            daemon(directory, "linux", "text")
            daemon(directory, "sockets", "json")
        except (AssertionError, OSError, subprocess.TimeoutExpired, ValueError, KeyError) as failure:
            sys.exit(f"eng/smoke.py: {COMMAND[-1]}: {failure!r}")
    print(f"eng/smoke.py: {os.path.basename(COMMAND[-1])} does what it should")


main()
