"""Serve _build/html as a web host would: under the site's path, with its 404 page."""

import http.server
import sys
import threading
import webbrowser
from functools import partial
from pathlib import Path
from urllib.parse import urlparse

import yaml
from notebooks import ROOT


def base(root=ROOT):
    """Return the path under which the site is published, with slashes around it."""
    config = yaml.safe_load((root / "_config.yml").read_text("utf8"))
    return urlparse(config["html"]["baseurl"]).path or "/"


class Site(http.server.SimpleHTTPRequestHandler):
    """Files of the site, at its published path and at the server's root."""

    prefix = "/"

    def translate_path(self, path):
        if path.startswith(self.prefix):
            path = "/" + path[len(self.prefix) :]
        return super().translate_path(path)

    def send_error(self, code, message=None, explain=None):
        page = Path(self.directory, "404.html")
        if code != 404 or not page.exists():
            return super().send_error(code, message, explain)
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


def serve(folder, port=0, prefix="/", kind=Site):
    """Start a server in the background; return it (its port: `.server_port`)."""
    handler = type("Here", (kind,), {"prefix": prefix})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", port), partial(handler, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    try:
        server = serve(ROOT / "_build" / "html", 8000, base())
    except OSError:
        server = serve(ROOT / "_build" / "html", 0, base())
    url = f"http://127.0.0.1:{server.server_port}{base()}"
    print(f"the book is at {url} (stop: Ctrl-C)")
    webbrowser.open(url)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
