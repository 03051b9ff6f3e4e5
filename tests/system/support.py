"""Runs the programs as black boxes: what ships, from outside, in a folder of its own."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("DEMON_BUILD_DIR", os.path.join(SOURCE, "build/debug"))
DEMONCTL = os.path.join(BUILD, "demonctl")
DEMOND = os.path.join(BUILD, "demond")
ECHO = os.path.join(SOURCE, "examples/rituals/echo.yaml")


def wait_until(condition, what, limit=20):
    """Polls until condition() is true and returns what it returned; fails after limit seconds."""
    end = time.monotonic() + limit
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("gave up waiting: " + what)
        time.sleep(0.02)


def free_port():
    """A port of loopback that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Result:
    """How a program ended and what it wrote."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err

    @property
    def lines(self):
        """stdout as JSON, one document a line: fails on anything else."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def json(self):
        """stdout as exactly one JSON line."""
        lines = self.lines
        assert len(lines) == 1, self.out
        return lines[0]


class Case(unittest.TestCase):
    """A test with a folder and a clean environment; what it starts, it ends."""

    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="demon-test-")
        os.chmod(self.dir, 0o755)
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.db = self.path("node.db")
        self.env = {
            name: value
            for name, value in os.environ.items()
            if name == "DEMON_EVENT_SINK"
            or not name.startswith(("DEMON_", "NATS_", "APPROV", "WARDS_"))
            and name != "NO_COLOR"
        }
        self.env.update({"HOME": self.path("home"), "DEMON_DB": self.db, "TZ": "UTC"})
        os.mkdir(self.path("home"))

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, content):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def start(self, *argv, **options):
        """Starts a program; it is killed at the end of the test if it still runs."""
        env = dict(self.env, **options.pop("env", {}))
        process = subprocess.Popen(
            argv,
            env={name: value for name, value in env.items() if value is not None},
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=options.pop("stderr", subprocess.PIPE),
            cwd=options.pop("cwd", self.dir),
            text=True,
            errors="replace",
            **options,
        )

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    def run_program(self, *argv, status=0, input=None, timeout=120, **options):
        if input is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start(*argv, **options)
        out, err = process.communicate(input=input, timeout=timeout)
        if status is not None:
            self.assertEqual(process.returncode, status, f"{argv}\n{out}\n{err}")
        return Result(process.returncode, out, err)

    def ctl(self, *args, **options):
        """Runs demonctl; fails unless it ends with `status` (default 0; None: any)."""
        return self.run_program(DEMONCTL, *args, **options)

    def ritual(self, name, *states):
        """Writes a ritual; each state is (name, command, further arguments of exec)."""
        spec = {"id": name, "version": "1.0", "states": []}
        for i, (state, command, more) in enumerate(states):
            spec["states"].append(
                {
                    "name": state,
                    "type": "task",
                    "action": {
                        "functionRef": {
                            "refName": "exec",
                            "arguments": dict({"command": command}, **more),
                        }
                    },
                    "end": i + 1 == len(states),
                }
            )
        return self.write(name + ".yaml", json.dumps(spec))

    def sql(self, text, db=None):
        connection = sqlite3.connect(f"file:{db or self.db}?mode=ro", uri=True)
        try:
            return connection.execute(text).fetchall()
        finally:
            connection.close()


class Daemon:
    """A running demond."""

    def __init__(self, case, *args, program=DEMOND, **options):
        self.case = case
        self.log = case.path(f"demond-{time.monotonic_ns()}.log")
        self.err = None
        self.process = case.start(
            program, "--listen", "127.0.0.1:0", "--log-file", self.log, *args, **options
        )
        self.url = wait_until(self._find_url, "demond to listen")

    def _find_url(self):
        if self.process.poll() is not None:
            raise AssertionError("demond ended: " + self.process.communicate()[1])
        found = re.search(r'listening on (http://[^\s"]+)', self.text())
        return found and found.group(1)

    def text(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def lines(self):
        """What the log has by now: fails on anything but a JSON object a line."""
        return [json.loads(line) for line in self.text().splitlines()]

    def stop(self, sig=signal.SIGTERM, limit=10):
        """Ends it and returns its exit status and the seconds it took; err is what it wrote."""
        began = time.monotonic()
        self.process.send_signal(sig)
        self.err = self.process.communicate(timeout=limit)[1]
        return self.process.returncode, time.monotonic() - began


class Nats:
    """A NATS server with JetStream, on loopback and a port that it chose, its store in the folder."""

    def __init__(self, case, config=None):
        # Debian keeps servers where users do not look
        path = case.env.get("PATH", os.defpath) + ":/usr/sbin"
        program = shutil.which("nats-server", path=path)
        assert program, "there is no nats-server: run tools/setup nats"
        self.folder = case.path(f"nats-{time.monotonic_ns()}")
        os.mkdir(self.folder)
        self.process = case.start(
            program, "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", os.path.join(self.folder, "store"),
            "--ports_file_dir", self.folder, "-l", os.path.join(self.folder, "log"),
            *(("-c", case.write("nats.conf", config)) if config else ()),
        )
        self.url = wait_until(self._find_url, "the NATS server to listen")

    def _find_url(self):
        assert self.process.poll() is None, "the NATS server ended"
        path = os.path.join(self.folder, f"nats-server_{self.process.pid}.ports")
        try:
            with open(path, encoding="utf-8") as file:
                ports = json.load(file)
                return (ports.get("nats") or ports["tls"])[0]
        except (FileNotFoundError, ValueError):
            return None

    def info(self):
        """What the server says of itself to whom connects."""
        host, port = self.url.removeprefix("nats://").split(":")
        with socket.create_connection((host, int(port)), 10) as s, s.makefile() as lines:
            return json.loads(lines.readline().removeprefix("INFO "))

    def request(self, subject, payload):
        """The answer, a JSON document, to a request of somebody who knows nothing of Demon; None: nobody answers."""
        host, port = self.url.removeprefix("nats://").split(":")
        with socket.create_connection((host, int(port)), 10) as s, s.makefile("rb") as lines:
            s.sendall(
                b'CONNECT {"verbose":false,"no_responders":true,"headers":true}\r\nSUB _INBOX.x 1\r\n'
                + f"PUB {subject} _INBOX.x {len(payload)}\r\n".encode() + payload + b"\r\n"
            )
            while True:
                line = lines.readline()
                assert line and not line.startswith(b"-ERR"), line
                if line.startswith(b"MSG"):
                    return json.loads(lines.read(int(line.split()[-1])))
                if line.startswith(b"HMSG"):
                    return None

    def publish(self, subject, payload):
        """Publishes likewise; whether a stream took it."""
        return "seq" in (self.request(subject, payload) or {})

    def stop(self, sig=signal.SIGTERM, limit=20):
        self.process.send_signal(sig)
        self.process.communicate(timeout=limit)
        return self.process.returncode
