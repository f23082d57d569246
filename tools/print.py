"""Write the book, or one lecture, as a PDF: what the site shows, whole, on paper.

    python tools/print.py              _build/print/book.pdf
    python tools/print.py gan          _build/print/gan.pdf

A browser prints each page of the site by its style sheet for print
(book/static/gmprint.css): folds and solutions are open, code is wrapped, of what moves
there is the first picture.
The book then has a cover, contents with page numbers, and links that lead within it.
"""

import argparse
import html
import re
import sys
import time

import pdf
import yaml
from notebooks import ROOT, chosen
from paint import HTML
from serve import base, serve

OUT = ROOT / "_build" / "print"
LEFT_OUT = {"about/changelog"}  # of the site, not of the book
LINK = re.compile(r'<a\b[^>]*\bhref="([^"#]*)#([^"]+)"')
HEADING = re.compile(
    r'<section[^>]* id="([^"]+)">\s*(?:<span[^>]*></span>\s*)*<h2>(.*?)</h2>', re.S
)
TITLE = re.compile(r"<h1>(.*?)</h1>", re.S)
TAG = re.compile(r'<a class="headerlink".*?</a>|<[^>]+>', re.S)

# What the browser does when a reader prints, and then waits for what that asked for.
READY = """async ids => {
  dispatchEvent(new Event('beforeprint'));
  await Promise.all([...document.images].map(i => i.decode().catch(() => 0)));
  await document.fonts.ready;
  // A place is a destination in the PDF if a link of the same page leads to it.
  const links = document.createElement('div');
  links.hidden = true;
  for (const id of ids) {
    const link = document.createElement('a');
    link.href = '#' + id;
    links.append(link);
  }
  document.body.append(links);
}"""
NUMBERED = """@page {{ @bottom-center {{ content: counter(page);
  font: 8.5pt "Course Sans", sans-serif; color: #333; }}
  @top-right {{ content: "{title}"; font: 8.5pt "Course Sans", sans-serif;
  color: #555; }} }}
html {{ counter-reset: page {before}; }}"""

COVER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="{up}_static/gmbook.css">
<style>
@page {{ size: A4; margin: 25mm 22mm; }}
body {{ font: 11pt/1.45 "Course Sans", sans-serif; color: #000; }}
.cover {{ height: 235mm; display: flex; flex-direction: column; break-after: page; }}
.cover h1 {{ font-size: 34pt; line-height: 1.15; margin: 45mm 0 4mm; }}
.cover img {{ max-width: 100%; max-height: 95mm; margin: 12mm 0; object-fit: contain;
  object-position: left; image-rendering: auto; }}
.cover footer {{ margin-top: auto; color: #333; }}
h2 {{ font-size: 20pt; }}
h3 {{ font-size: 11pt; color: #333; margin: 5mm 0 1mm; break-after: avoid; }}
ol {{ list-style: none; margin: 0; padding: 0; }}
li > a {{ display: flex; gap: 2mm; color: #000; text-decoration: none; }}
li > a::after {{ content: attr(data-page); margin-left: auto; }}
li {{ break-inside: avoid; }}
.page {{ font-weight: 600; margin-top: 1.5mm; break-after: avoid; }}
.section {{ padding-left: 6mm; font-size: 9.5pt; }}
</style>
<section class="cover"><h1>{title}</h1><p>{author}</p>{picture}
<footer><p>Made on {date} from the pages of the site. Text and figures: CC BY 4.0; code:
BSD 3-clause.{address}</p></footer></section>
<h2>Contents</h2>{contents}</html>"""


def words(markup):
    """Return HTML as plain words; formulas as they are written."""
    return " ".join(html.unescape(TAG.sub("", markup)).split())


def parts():
    """Return [(caption, [names])] of the book's pages in its order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    found = [("", [toc["root"]])]
    for part in toc["parts"]:
        names = [chapter["file"] for chapter in part["chapters"]]
        found.append((part["caption"], [n for n in names if n not in LEFT_OUT]))
    return found


def wanted(names, site):
    """Return {name: ids that pages lead to} of the pages of the site."""
    ids = {name: set() for name in names}
    for name in names:
        text = (site / f"{name}.html").read_text("utf8")
        for target, anchor in LINK.findall(text):
            goal = (site / name).parent / target if target else site / f"{name}.html"
            goal = goal.resolve().relative_to(site.resolve()).with_suffix("")
            if goal.as_posix() in ids:
                ids[goal.as_posix()].add(html.unescape(anchor))
        ids[name] |= {anchor for anchor, _ in HEADING.findall(text)}
    return ids


class Press:
    """A browser that prints pages of the site."""

    def __init__(self, browser, server, site):
        self.browser, self.site = browser, site
        self.root = f"http://127.0.0.1:{server.server_port}{base()}"

    def page(self, name, ids, before=0):
        """Return the PDF of a page of the site; its first page is `before` + 1."""
        page = self.browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(0)
        page.goto(f"{self.root}{name}.html")
        page.wait_for_selector("html[data-fitted]")
        page.emulate_media(media="print", color_scheme="light")
        title = words(TITLE.search((self.site / f"{name}.html").read_text("utf8"))[1])
        style = NUMBERED.format(title=title.replace('"', "'"), before=before)
        page.add_style_tag(content=style)
        page.evaluate(READY, sorted(ids))
        made = page.pdf(prefer_css_page_size=True, tagged=True, outline=True)
        page.close()
        return made

    def text(self, markup):
        """Return the PDF of a page that is not of the site."""
        page = self.browser.new_page()
        page.set_default_timeout(0)
        page.goto(f"{self.root}404.html")  # its place, so that files are found
        page.set_content(markup, wait_until="load")
        page.evaluate("document.fonts.ready")
        made = page.pdf(prefer_css_page_size=True, tagged=True)
        page.close()
        return made


def contents(found, places, root):
    """Return the list of the book's pages and sections, with their numbers."""
    lines = []
    for caption, names in found:
        lines.append(f"<h3>{html.escape(caption)}</h3>" if caption else "")
        lines.append("<ol>")
        for name in names:
            title, sections, numbers = places[name]
            rows = [("page", f"{name}.html", title, numbers[None])]
            rows += [
                ("section", f"{name}.html#{anchor}", text, numbers[anchor])
                for anchor, text in sections
                if anchor in numbers
            ]
            lines += [
                f'<li class="{kind}"><a href="{root}{link}" data-page="{number}">'
                f"{html.escape(text)}</a></li>"
                for kind, link, text, number in rows
            ]
        lines.append("</ol>")
    return "\n".join(lines)


def cover(found, places, press, config):
    """Return the first pages of the book as HTML."""
    from address import is_placeholder
    from gmseen import of_the_book

    first = of_the_book(ROOT)
    card = f"_pictures/card-{first[0].replace('/', '-')}.png" if first else ""
    picture = f'<img src="{press.root}{card}" alt="">' if card else ""
    url = config["html"]["baseurl"]
    return COVER.format(
        title=html.escape(config["title"]),
        author=html.escape(config["author"]),
        picture=picture,
        date=time.strftime("%Y-%m-%d"),
        address="" if is_placeholder(url) else f" The site: {url}",
        contents=contents(found, places, press.root),
        up=press.root,
    )


def book(press, found, config):
    """Return the whole book as a PDF."""
    names = [name for _, part in found for name in part]
    ids = wanted(names, press.site)
    made, places, before = {}, {}, 0
    for name in names:
        start = time.monotonic()
        made[name] = document = pdf.Document(press.page(name, ids[name], before))
        text = (press.site / f"{name}.html").read_text("utf8")
        title = words(TITLE.search(text)[1])
        sections = [(a, words(t)) for a, t in HEADING.findall(text)]
        numbers = {a: before + place.page + 1 for a, place in document.places.items()}
        places[name] = title, sections, {None: before + 1} | numbers
        before += document.length
        took = time.monotonic() - start
        print(f"{name:32} {document.length:4} pages {took:5.0f} s", flush=True)
    front = pdf.Document(press.text(cover(found, places, press, config)))
    titles = {name: places[name][0] for name in names}
    return pdf.bound(front, made, titles, press.root, config["title"])


def write(names, site=HTML, out=OUT):
    """Print lectures, or with no names the book; return the files."""
    from playwright.sync_api import sync_playwright

    for folder in ("tests", "book"):
        sys.path.append(str(ROOT / folder))
    from browser import launch

    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    out.mkdir(parents=True, exist_ok=True)
    files = []
    with serve(site, prefix=base()) as server, sync_playwright() as playwright:
        browser = launch(playwright)
        press = Press(browser, server, site)
        for name in names:
            page = f"chapters/{name}"
            document = pdf.Document(press.page(page, wanted([page], site)[page]))
            files.append(out / f"{name}.pdf")
            files[-1].write_bytes(pdf.alone(document, page, press.root))
        if not names:
            files.append(out / "book.pdf")
            files[-1].write_bytes(book(press, parts(), config))
        browser.close()
        server.shutdown()
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chapter", nargs="*", help="by default the whole book")
    asked = parser.parse_args()
    if not (HTML / "index.html").exists():
        sys.exit("print: there is no site yet: run `make book` first")
    start = time.monotonic()
    for path in write([*chosen(parser, asked.chapter)] if asked.chapter else []):
        length = pdf.Document(path.read_bytes()).length
        took = time.monotonic() - start
        size = path.stat().st_size / 1e6
        where = path.relative_to(ROOT)
        print(f"print: {length} pages, {size:.1f} MB, in {took:.0f} s: {where}")


if __name__ == "__main__":
    main()
