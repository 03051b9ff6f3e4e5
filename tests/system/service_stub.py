"""Services that rituals call in tests, on loopback: a pet store, and a few that misbehave."""

import base64
import http.server
import json
import os
import re
import threading

PET = {"id": 1, "name": "Rex", "status": "available"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, value, headers=()):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, text in headers:
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def basic_auth(self, user, password):
        want = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        if self.headers.get("Authorization") == want:
            self.answer(200, {"authenticated": True, "user": user})
        else:
            self.answer(401, {"authenticated": False}, [("WWW-Authenticate", 'Basic realm="stub"')])

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/v2/pet/findByStatus":
            self.answer(200, [PET, {**PET, "id": 2}])
        elif match := re.fullmatch(r"/v2/pet/(\d+)", path):
            self.answer(200, {**PET, "id": int(match.group(1))})
        elif match := re.fullmatch(r"/basic-auth/([^/]+)/([^/]+)", path):
            self.basic_auth(*match.groups())
        elif match := re.fullmatch(r"/flaky/([^/]+)/(\d+)", path):
            self.flaky(match.group(1), int(match.group(2)))
        elif match := re.fullmatch(r"/hangs/([^/]+)/(\d+)", path):
            self.hangs(match.group(1), int(match.group(2)))
        elif path == "/whoami":
            self.whoami()
        else:
            self.answer(404, {"code": 1, "message": "not found"})

    do_POST = do_PUT = do_GET

    def ask(self, key):
        """The number of times that this was asked for."""
        with self.server.lock:
            self.server.asked[key] = self.server.asked.get(key, 0) + 1
            return self.server.asked[key]

    def hangs(self, key, times):
        """Says nothing so many times for a key, until the other side has gone, then answers."""
        n = self.ask(key)
        if n <= times:
            self.connection.recv(1)
            self.close_connection = True
        else:
            self.answer(200, {"try": n})

    def flaky(self, key, failures):
        """Fails so many times for a key, then answers."""
        n = self.ask(key)
        if n <= failures:
            self.answer(503, {"try": n}, [("Retry-After", "0")])
        else:
            self.answer(200, {"try": n})

    def whoami(self):
        """Takes the bearers that a file names, one a line, and tells them what they said."""
        with open(self.server.tokens, encoding="utf-8") as f:
            tokens = f.read().splitlines()
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        taken = scheme == "Bearer" and token in tokens and self.server.takes(token)
        self.answer(200 if taken else 401, {"taken": taken, "token": token})


class Stub:
    """The server, from `with` to its end; .url is where it answers."""

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.lock = threading.Lock()
        self.server.asked = {}
        self.server.tokens = os.devnull
        self.server.takes = lambda token: True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
