"""What connects the pages: previews of what a link leads to, and back-links.

- `_static/previews/PAGE.js` holds, for each labelled equation, theorem, definition,
  exercise and work of a page, its HTML as the page shows it. gmlinks.js loads such a
  file when a link to the page is pointed at or reached, and typesets the mathematics.
  It is a script, because a page that was opened as a file may load nothing else.
- Under a theorem, definition or equation that other sections cite stand the places.
- The bar at the top of a page says where it is, and leads to notation and glossary.
"""

import json
import re
import sys
from collections import defaultdict
from functools import lru_cache
from html import escape
from pathlib import Path

import yaml
from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.addnodes import pending_xref

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools"))
from labels import Book  # noqa: E402

# What a preview shows, and what it leaves out.
SHOWN = "div.math[id], div.proof[id], div.exercise[id], div.citation[id]"
LEFT_OUT = (
    ".headerlink, .gm-used, .cell, details, .sd-card, button, script, img, .gm-live"
)
EMBEDDED = re.compile(r'"data:image/[^"]+"')
REFERENCES = {("math", "eq"), ("prf", "ref"), ("std", "ref"), ("std", "numref")}
MOST = 8  # places that are listed


# ---- previews ----


def preview(tag):
    """Return what a preview shows of an element: no links, no ids, no code."""
    for part in tag.select(LEFT_OUT):
        part.decompose()
    for part in [tag, *tag.find_all(True)]:
        part.attrs = {k: v for k, v in part.attrs.items() if k == "class"}
        if part.name == "a":
            part.name, part.attrs = "span", {}
    return str(tag)


def previews(body):
    """Return {id: HTML} of all in a page's body that has a preview."""
    soup = BeautifulSoup(EMBEDDED.sub('""', body), "html.parser")
    # Equations stand within theorems: the inner ones are copied before the outer.
    found = {tag["id"]: str(tag) for tag in soup.select(SHOWN)}
    parts = {k: BeautifulSoup(v, "html.parser").contents[0] for k, v in found.items()}
    return {name: preview(tag) for name, tag in parts.items()}


def write_previews(app, name, template, context, doctree):
    """Write the previews of a page beside the site's scripts."""
    if app.builder.format != "html" or doctree is None:
        return
    place = Path(app.outdir, "_static", "previews", f"{name}.js")
    place.parent.mkdir(parents=True, exist_ok=True)
    found = json.dumps(previews(context.get("body", "")), ensure_ascii=False)
    place.write_text(f"gmPreviews[{json.dumps(name)}] = {found};\n", "utf8")


# ---- who cites what ----


def is_stated(node):
    """Whether a node is a theorem, a definition or of their kind, with a label."""
    return isinstance(node, nodes.Element) and bool(
        node.get("realtype") and node.get("label")
    )


def is_section(node):
    """Whether a node is a section with a heading; those of theorems have none."""
    heads = isinstance(node, nodes.section) and node.children[:1]
    return bool(heads) and isinstance(heads[0], nodes.title)


def section_of(node):
    """Return the id of the section that a node stands in, "" if in none."""
    while node is not None and not is_section(node):
        node = node.parent
    return node["ids"][0] if node is not None else ""


def before(node):
    """Return the theorem that a proof follows, or None."""
    siblings = node.parent.children[: node.parent.index(node)]
    return next((n for n in reversed(siblings) if is_stated(n)), None)


def place_of(node):
    """Return (anchor, kind, words) of the place where a reference stands.

    The kind is "label" (a theorem or exercise: words are its label), "proof" (of the
    theorem with that label) or "section" (words are its title).
    """
    at = node
    while at is not None:
        if is_stated(at) or "exercise" in at.get("classes", ()):
            if at.get("label"):
                return at["ids"][0], "label", at["label"]
        elif type(at).__name__ == "proof_node" and (stated := before(at)):
            return stated["ids"][0], "proof", stated["label"]
        elif is_section(at):
            return at["ids"][0], "section", at.children[0].astext()
        at = at.parent
    return "", "section", ""


def collect(app, doctree):
    """Note what a page cites, and where."""
    env = app.env
    found = []
    for node in doctree.findall(pending_xref):
        if (node.get("refdomain"), node.get("reftype")) in REFERENCES:
            found.append((node["reftarget"], section_of(node), *place_of(node)))
    uses(env)[env.docname] = list(dict.fromkeys(found))


def uses(env):
    """Return {page: what it cites} of the pages that have been read."""
    if not hasattr(env, "gm_uses"):
        env.gm_uses = {}
    return env.gm_uses


def purge(app, env, docname):
    uses(env).pop(docname, None)


def merge(app, env, docnames, other):
    uses(env).update({doc: uses(other)[doc] for doc in docnames if doc in uses(other)})


def citing(env):
    """Return {label: its places}, each (page, section, anchor, kind, words)."""
    found = defaultdict(list)
    for doc in [doc for doc in book().chapters if doc in uses(env)]:
        for target, *place in uses(env)[doc]:
            found[target].append((doc, *place))
    return found


@lru_cache(None)
def book():
    """Return the labels of the book, once for a build."""
    return Book()


def changed(app, env):
    """Return the pages to be written anew because others cite them differently."""
    book.cache_clear()
    then, now = getattr(env, "gm_cited", {}), defaultdict(list)
    for label, found in citing(env).items():
        if label in book().labels:
            now[book().labels[label].doc].append((label, found))
    env.gm_cited = dict(now)
    return [doc for doc in now.keys() | then.keys() if now.get(doc) != then.get(doc)]


def words_of(place, docname):
    """Return what a place is called on a page."""
    doc, _, _, kind, words = place
    if kind == "section":
        title = book().titles.get(doc, doc).split(":")[0]
        return words if doc == docname else f"{title}: {words}" if words else title
    name = book().labels[words].name if words in book().labels else words
    return f"proof of {name}" if kind == "proof" else name


def used_in(found, docname, href):
    """Return the list of places as HTML, "" where there are none."""
    links = {}
    for place in found:
        uri = href(place[0])
        links.setdefault(f"{uri}#{place[2]}".rstrip("#"), words_of(place, docname))
    if not links:
        return ""
    shown = list(links.items())[:MOST]
    more = f" and {len(links) - MOST} more" if len(links) > MOST else ""
    words = " · ".join(f'<a href="{k}">{escape(v)}</a>' for k, v in shown)
    number = f"{len(links)} place{'s' * (len(links) > 1)}"
    return (
        f'<details class="gm-used"><summary>Used in {number}</summary>'
        f"{words}{more}</details>"
    )


def back_links(app, doctree, docname):
    """Put under what other sections cite where they do."""
    if app.builder.format != "html":
        return
    cited = citing(app.env)

    def href(doc):
        return app.builder.get_relative_uri(docname, doc)

    targets = [n for n in doctree.findall(nodes.math_block) if n.get("label")]
    targets += list(doctree.findall(is_stated))
    for node in targets:
        here = docname, section_of(node)
        found = [p for p in cited[node["label"]] if p[:2] != here]
        if html := used_in(found, docname, href):
            listed = nodes.raw("", html, format="html")
            if isinstance(node, nodes.math_block):
                node.parent.insert(node.parent.index(node) + 1, listed)
            else:
                node.append(listed)


# ---- where one is ----


@lru_cache(None)
def parts():
    """Return {page: the caption of its part}."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    return {c["file"]: p["caption"] for p in toc["parts"] for c in p["chapters"]}


def bar(app, name, template, context, doctree):
    """Tell the templates which part a page belongs to, and what is for reference."""
    context["gm_part"] = parts().get(name)
    # Pages that Sphinx makes name themselves too late.
    own = {"genindex": "Index", "search": "Search", "404": "Not found"}
    context["gm_title"] = context.get("title") or own.get(name, "Index")
    wanted = ("Notation", "chapters/notation"), ("Glossary", "chapters/glossary")
    found = [(words, doc) for words, doc in wanted if doc in app.env.found_docs]
    context["gm_reference"] = [*found, ("Index", "genindex")]


def setup(app):
    app.connect("doctree-read", collect)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", changed)
    app.connect("doctree-resolved", back_links)
    app.connect("html-page-context", bar)
    app.connect("html-page-context", write_previews, priority=970)
    app.add_css_file("gmlinks.css")
    app.add_js_file("gmlinks.js")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
