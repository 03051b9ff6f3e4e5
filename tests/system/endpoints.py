"""Endpoints of notifications for tests: an HTTP server and a mail server that may misbehave."""

import base64
import hashlib
import hmac
import http.server
import socketserver
import ssl
import threading
import time


class Hook:
    """An HTTP server that notes what it is sent. `behave(number, request)` says how to answer: a status,
    (status, fields), or a callable that gets the handler and writes the answer itself."""

    def __init__(self, case, behave=lambda number, request: 200, port=0):
        self.requests = []
        self.lock = threading.Lock()
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = {"path": self.path, "headers": self.headers, "body": body,
                           "key": self.headers["Idempotency-Key"], "time": time.monotonic()}
                with hook.lock:
                    hook.requests.append(request)
                    number = len(hook.requests)
                answer = behave(number, request)
                self.close_connection = True
                if callable(answer):
                    answer(self)
                    return
                status, fields = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *args):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

            def handle_error(self, *args):
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        case.addCleanup(self.close)

    def close(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def keys(self):
        with self.lock:
            return [r["key"] for r in self.requests]

    def count(self):
        with self.lock:
            return len(self.requests)


def signature_of(request, secret):
    """What a receiver computes, as the Standard Webhooks specification says."""
    head = f"{request['headers']['Webhook-Id']}.{request['headers']['Webhook-Timestamp']}."
    mac = hmac.new(secret.encode(), head.encode() + request["body"], hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


class MailSink:
    """An SMTP server that keeps mails. `behave(number, to)` may return an answer such as "451 later", or
    "close" to go away in the middle; None: the mail is taken."""

    def __init__(self, case, behave=lambda number, to: None, certificate=None, user=None):
        self.mails = []
        self.attempts = 0
        self.lock = threading.Lock()
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def finish(self):
                super().finish()
                self.connection.close()

            def say(self, text):
                self.wfile.write(text.encode() + b"\r\n")
                self.wfile.flush()

            def start_tls(self):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*certificate)
                self.connection = context.wrap_socket(self.connection, server_side=True)
                self.rfile = self.connection.makefile("rb")
                self.wfile = self.connection.makefile("wb")
                self.secure = True

            def greet(self):
                self.say("250-sink")
                if certificate and not self.secure:
                    self.say("250-STARTTLS")
                if user and self.secure:
                    self.say("250-AUTH PLAIN")
                self.say("250 8BITMIME")

            def take(self, sender, to):
                self.say("354 go on")
                lines = []
                for line in self.rfile:
                    if line == b".\r\n":
                        break
                    lines.append(line[1:] if line.startswith(b".") else line)
                with sink.lock:
                    sink.attempts += 1
                    number = sink.attempts
                answer = behave(number, to)
                if answer == "close":
                    return False
                if not answer:
                    with sink.lock:
                        sink.mails.append({"from": sender, "to": to, "data": b"".join(lines),
                                           "secure": self.secure, "user": self.user})
                self.say(answer or "250 taken")
                return True

            def handle(self):
                self.secure = False
                self.user = None
                sender = to = None
                self.say("220 sink")
                for line in self.rfile:
                    verb = line[:4].upper()
                    if verb in (b"EHLO", b"HELO"):
                        self.greet()
                    elif verb == b"STAR":
                        self.say("220 go on")
                        self.start_tls()
                        return self.handle_rest()
                    elif not self.command(verb, line):
                        return None
                return None

            def handle_rest(self):
                for line in self.rfile:
                    verb = line[:4].upper()
                    if verb in (b"EHLO", b"HELO"):
                        self.greet()
                    elif not self.command(verb, line):
                        return

            def command(self, verb, line):
                if verb == b"AUTH":
                    word = line.split()[2] if len(line.split()) > 2 else b""
                    if not word:
                        self.say("334 ")
                        word = self.rfile.readline().strip()
                    self.user = base64.b64decode(word).decode().split("\0")[1:]
                    self.say("235 good" if self.user == list(user or ()) else "535 no")
                elif verb == b"MAIL":
                    self.sender = line.split(b"<")[1].split(b">")[0].decode()
                    self.say("250 ok")
                elif verb == b"RCPT":
                    self.to = line.split(b"<")[1].split(b">")[0].decode()
                    self.say("250 ok")
                elif verb == b"DATA":
                    return self.take(self.sender, self.to)
                elif verb == b"QUIT":
                    self.say("221 bye")
                    return False
                else:
                    self.say("250 ok")
                return True

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *args):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        case.addCleanup(self.close)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def count(self):
        with self.lock:
            return len(self.mails)
