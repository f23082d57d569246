"""A server in a thread that plays the mirrors, and whatever can be wrong with them."""

import gzip
import http.server
import threading
from contextlib import contextmanager

from fake_archives import CONTENT, GOOD, others


class Handler(http.server.BaseHTTPRequestHandler):
    """/HOW/MNIST/raw/FILE answers in the way HOW says."""

    def do_GET(self):
        _, how, *_, file = self.path.split("/")
        self.server.asked.append(self.path)
        body, length = GOOD[file], None
        if how == "403":
            return self.send_error(403)
        if how == "silent":
            self.server.stop.wait()
            return None
        if how == "html":
            body = b"<!doctype html><title>Please log in</title>"
        if how == "damaged":
            body = body[:-1] + bytes([body[-1] ^ 1])
        if how == "wrong":  # whole, and as long, but other data
            body = gzip.compress(others(CONTENT[file[:-3]]))
        if how == "longer":
            body = gzip.compress(CONTENT[file[:-3]] + b"more")
        if how == "shorter":
            body = gzip.compress(CONTENT[file[:-3]][:-1])
        if how == "truncated":  # the connection breaks half-way
            body, length = body[: len(body) // 2], len(body)
        if how == "short":  # the file itself is cut
            body = body[: len(body) // 2]
        if how == "endless":
            body = body + b"more"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, *_):
        pass


class Stalling(Handler):
    """Half of the body, then nothing, with the connection open."""

    def do_GET(self):
        self.server.asked.append(self.path)
        body = GOOD[self.path.split("/")[-1]]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        self.server.stop.wait()


@contextmanager
def serving():
    """Yield a function that starts a server; all are shut down at the end."""
    servers = []

    def start(handler=Handler):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.asked, server.stop = [], threading.Event()
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        server.address = f"http://127.0.0.1:{server.server_port}"
        servers.append(server)
        return server

    try:
        yield start
    finally:
        for server in servers:
            server.stop.set()
            server.shutdown()
            server.server_close()
