"""How heavy the pages of the site are, and how soon a phone shows them.

    python tools/paint.py [--weights] [PAGE ...]

Bytes of HTML without live figures' weights, bytes of the pictures, and, on a throttled
phone (390 x 844, the CPU four times slower, 1.6 Mbit/s, 150 ms a round trip, files
compressed as hosts do it): the seconds to the first paint, to the largest paint, to the
first screen with its formulas, and how far the contents jump (cumulative layout shift).
It reports and judges nothing: the clock of a busy machine is no judge. The bytes and
the jumps are judged by tests/test_light.py.
"""

import argparse
import base64
import gzip
import re
import sys
from pathlib import Path

from notebooks import ROOT
from serve import Site, base, serve

HTML = ROOT / "_build" / "html"
PHONE = {"width": 390, "height": 844}
SLOWER, DOWN, UP, DELAY = 4, 1.6e6 / 8, 750e3 / 8, 150  # times, bytes/s, bytes/s, ms
WEIGHTS = re.compile(
    r'(<figure class="gm-live".*?<script type="application/json">).*?(</script>)', re.S
)
PICTURE = re.compile(r'<img\b[^>]*\bsrc="([^"]+)"')
COMPRESSED = (".html", ".css", ".js", ".svg")

# Entries are kept from the start; sources name what moved. The table of contents beside
# the page opens where the reader is: that is no jump.
WATCH = """() => {
  window.gmShifts = [];
  window.gmPaints = {};
  new PerformanceObserver(list => {
    for (const e of list.getEntries()) {
      const nodes = e.sources.map(s => s.node).filter(n => n).map(
        n => n.nodeType === 1 ? n : n.parentElement).filter(n => n);
      const beside = n => n.closest('.bd-sidebar-secondary');
      if (nodes.length && nodes.every(beside)) continue;
      window.gmShifts.push({value: e.value, what: nodes.map(n =>
        n.tagName + '.' + n.className + ' ' + n.textContent.trim().slice(0, 40))});
    }
  }).observe({type: 'layout-shift', buffered: true});
  new PerformanceObserver(list => {
    for (const e of list.getEntries()) window.gmPaints.largest = e.startTime;
  }).observe({type: 'largest-contentful-paint', buffered: true});
  new MutationObserver(() => {
    if (!document.querySelector('.gm-set')) return;
    window.gmPaints.formulas ??= performance.now();
  }).observe(document, {subtree: true, attributes: true, attributeFilter: ['class']});
}"""

IN_FONT = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync('html > body { visibility: hidden !important }');
  document.adoptedStyleSheets = [sheet];
  document.addEventListener('DOMContentLoaded', async () => {
    await Promise.all([...document.fonts].map(font => font.load().catch(() => 0)));
    requestAnimationFrame(() => setTimeout(() => {
      document.adoptedStyleSheets = [];
    }));
  });
}"""

# The reader goes through the page, a screen at a time; pictures come as they do.
READ = """async () => {
  const frame = () => new Promise(go => requestAnimationFrame(() => setTimeout(go)));
  for (let y = 0; y < document.body.scrollHeight; y += innerHeight * .8) {
    scrollTo({top: y, behavior: 'instant'});
    await frame();
    const near = [...document.images].filter(i => {
      const r = i.getBoundingClientRect();
      // what is folded has a place, but its picture never comes
      return i.checkVisibility() && r.bottom > 0 && r.top < innerHeight;
    });
    await Promise.all(near.map(i => i.decode().catch(() => 0)));
    await frame();
  }
}"""


def weight(page):
    """Return the bytes of a page's HTML, without what live figures compute with."""
    return len(WEIGHTS.sub(r"\1\2", page).encode())


def pictures(path):
    """Return the bytes of the pictures of a page, each counted once."""
    sources = set(PICTURE.findall(path.read_text("utf8")))
    files = [path.parent / source.partition("?")[0] for source in sources]
    return sum(file.stat().st_size for file in files if file.is_file())


class Compressing(Site):
    """The site as a host sends it: texts are compressed, and may be kept."""

    def do_GET(self):
        file = Path(self.translate_path(self.path.partition("?")[0]))
        if file.suffix not in COMPRESSED or not file.is_file():
            return super().do_GET()
        body = gzip.compress(file.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None


def watch(context, folder=None):
    """Let the pages of a context note their shifts.

    With the `folder` of a site its text font comes with the style sheet, and nothing is
    shown before: what remains are the shifts that are no font's.
    """
    context.add_init_script(f"({WATCH})()")
    if folder is None:
        return
    context.add_init_script(f"({IN_FONT})()")
    static = folder / "_static"

    def font(match):
        data = base64.b64encode((static / match[1]).read_bytes()).decode()
        return f'url("data:font/woff2;base64,{data}")'

    sheet = (static / "gmbook.css").read_text("utf8")
    sheet = re.sub(r'url\("(fonts/[^"]+)"\)', font, sheet)
    answer = {"body": sheet, "content_type": "text/css"}
    context.route("**/gmbook.css*", lambda route: route.fulfill(**answer))


def shifts(page):
    """Return what moved while a page came in and was read to its end, as sentences."""
    page.wait_for_selector("html[data-fitted]")
    page.evaluate(READ)
    return [
        f"{shift['value']:.4f}: {'; '.join(shift['what'])}"
        for shift in page.evaluate("window.gmShifts")
        if shift["value"]
    ]


def on_a_phone(browser, server, name):
    """Return {what: seconds or number} of a page on a throttled phone."""
    context = browser.new_context(viewport=PHONE, device_scale_factor=2, is_mobile=True)
    watch(context)
    page = context.new_page()
    page.set_default_timeout(0)
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    speeds = {"downloadThroughput": DOWN, "uploadThroughput": UP, "latency": DELAY}
    wire.send("Network.emulateNetworkConditions", {"offline": False, **speeds})
    wire.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(f"http://127.0.0.1:{server.server_port}{base()}{name}")
    page.wait_for_selector("html[data-fitted]")
    first = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    seen = page.evaluate("window.gmPaints")
    ready = page.evaluate("performance.now()")
    moved = page.evaluate("window.gmShifts.reduce((a, s) => a + s.value, 0)")
    context.close()
    return {
        "first": first / 1000,
        "largest": seen.get("largest", 0) / 1000,
        "formulas": seen.get("formulas", 0) / 1000,
        "whole": ready / 1000,
        "shift": moved,
    }


def measure(names, folder):
    """Print a line for each page."""
    from playwright.sync_api import sync_playwright

    sys.path.append(str(ROOT / "tests"))
    from browser import launch

    with serve(folder, prefix=base(), kind=Compressing) as server:
        with sync_playwright() as playwright:
            browser = launch(playwright)
            print(f"{'seconds to':32}  first largest formulas whole   shift")
            for name in names:
                m = on_a_phone(browser, server, name)
                print(
                    f"{name:32} {m['first']:6.2f} {m['largest']:7.2f}"
                    f" {m['formulas']:8.2f} {m['whole']:5.1f} {m['shift']:7.3f}",
                    flush=True,
                )
            browser.close()
        server.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="*", help="chapters/gan.html; by default all")
    parser.add_argument("--weights", action="store_true", help="count bytes, no more")
    parser.add_argument("--site", type=Path, default=HTML, help="the built site")
    asked = parser.parse_args()
    names = asked.pages or sorted(
        path.relative_to(asked.site).as_posix()
        for path in asked.site.rglob("*.html")
        if not path.relative_to(asked.site).parts[0].startswith("_")
    )
    print(f"{'kB':32}   html pictures")
    for name in names:
        path = asked.site / name
        html = weight(path.read_text("utf8"))
        print(f"{name:32} {html / 1000:6.0f} {pictures(path) / 1000:8.0f}")
    if not asked.weights:
        measure([name for name in names if name != "404.html"], asked.site)


if __name__ == "__main__":
    main()
