"""Concepts: index, glossary and search know what the book defines.

A definition has a title, and what stands bold in it are the terms that it defines.
Both, and the names of theorems, become entries of the index; the search ranks those
first. `{definitions}` repeats every definition of the book, `{terms}` lists what they
define, `{theorems}` the theorems by name, each in the order of the alphabet.
"""

import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools"))
from gmlinks import book, is_stated  # noqa: E402


def title_of(node):
    """Return the title that the author gave to a theorem or a definition."""
    return node.get("title", "").strip().removeprefix("(").removesuffix(")")


def terms_of(node):
    """Return what a definition defines, in bold."""
    return list(dict.fromkeys(s.astext() for s in node.findall(nodes.strong)))


def is_definition(node):
    return node["realtype"] == "definition"


def in_words(text):
    """Whether a name can be sorted, searched and printed without its formulas."""
    return bool(text) and not set("$\\") & set(text)


class Indexed(SphinxTransform):
    """Enter definitions, their terms and named theorems into the index.

    Before Sphinx collects its entries, at 850.
    """

    default_priority = 800

    def apply(self, **kwargs):
        for node in list(self.document.findall(is_stated)):
            names = [title_of(node)]
            if is_definition(node):
                names += terms_of(node)
            unique = {name.lower(): name for name in reversed(names) if in_words(name)}
            entries = [
                ("single", name.replace(";", ","), node["ids"][0], "main", None)
                for name in unique.values()
            ]
            if entries:
                place = node.parent.index(node)
                node.parent.insert(place, addnodes.index(entries=entries))


class gathered(nodes.General, nodes.Element):
    """A place that is filled when all pages have been read."""


class Gathered(SphinxDirective):
    """Leave a place for a list that is made of all pages."""

    def run(self):
        docs = self.env.__dict__.setdefault("gm_gathered", set())
        docs.add(self.env.docname)
        return [gathered(kind=self.name)]


def copied(node, docname):
    """Return the content of a definition, to be read on another page."""
    content = [n.deepcopy() for n in node.children if not isinstance(n, nodes.title)]
    content = [
        child
        for part in content
        for child in (part.children if isinstance(part, nodes.section) else [part])
    ]
    for part in content:
        for inner in part.findall(nodes.Element):
            inner["ids"], inner["names"] = [], []
            if isinstance(inner, nodes.math_block):
                inner["label"] = inner["number"] = None
            if isinstance(inner, addnodes.pending_xref):
                inner["refdoc"] = docname
    return content


class Fill(SphinxPostTransform):
    """Fill the places before references are resolved, at 10."""

    default_priority = 1

    def run(self, **kwargs):
        places = list(self.document.findall(gathered))
        if not places:
            return
        docs = [doc for doc in book().chapters if doc in self.env.found_docs]
        docs.remove(self.env.docname)
        stated = [
            (doc, node)
            for doc in docs
            for node in self.env.get_doctree(doc).findall(is_stated)
            if title_of(node)
        ]
        for place in places:
            made = getattr(self, place["kind"])(stated)
            place.replace_self(made or nodes.paragraph("", "There are none yet."))

    def link(self, doc, node, words):
        uri = self.app.builder.get_relative_uri(self.env.docname, doc)
        uri += f"#{node['ids'][0]}"
        return nodes.reference("", words, internal=True, refuri=uri)

    def name(self, node):
        """Return "Definition 2.1", as the page of the definition has it."""
        return book().labels[node["label"]].name

    def definitions(self, stated):
        """Every definition with its words."""
        found = nodes.definition_list(classes=["gm-terms"])
        chosen = [pair for pair in stated if is_definition(pair[1])]
        for doc, node in sorted(chosen, key=lambda pair: title_of(pair[1]).lower()):
            words = nodes.term("", title_of(node), nodes.Text(", "))
            words += self.link(doc, node, self.name(node))
            body = nodes.definition("", *copied(node, self.env.docname))
            found += nodes.definition_list_item("", words, body)
        return [found] if found.children else []

    def terms(self, stated):
        """Each defined term with the definition that it comes from."""
        chosen = [
            (term, doc, node)
            for doc, node in stated
            if is_definition(node)
            for term in terms_of(node)
            if in_words(term)
        ]
        return self.listed(chosen)

    def theorems(self, stated):
        """The theorems that have a name."""
        chosen = [
            (title_of(node), doc, node)
            for doc, node in stated
            if not is_definition(node) and in_words(title_of(node))
        ]
        return self.listed(chosen)

    def listed(self, chosen):
        found = nodes.bullet_list(classes=["gm-listed"])
        for words, doc, node in sorted(chosen, key=lambda entry: entry[0].lower()):
            line = nodes.paragraph("", f"{words}, ")
            line += self.link(doc, node, self.name(node))
            found += nodes.list_item("", line)
        return [found] if found.children else []


def again(app, env):
    """Write the gathered lists anew when any page has been read."""
    docs = getattr(env, "gm_gathered", set()) & env.found_docs
    for doc in docs:
        # Formulas come in when Sphinx has already looked for them.
        env.get_domain("math").data["has_equations"][doc] = True
    return list(docs)


def merge(app, env, docnames, other):
    found = env.__dict__.setdefault("gm_gathered", set())
    found |= getattr(other, "gm_gathered", set())


def configure(app, config):
    """Let the search rank by book/scorer.js."""
    config.html_search_scorer = str(ROOT / "book" / "scorer.js")


def setup(app):
    app.connect("config-inited", configure)
    app.add_node(gathered)
    for name in ("definitions", "terms", "theorems"):
        app.add_directive(name, Gathered)
    app.add_transform(Indexed)
    app.add_post_transform(Fill)
    app.connect("env-updated", again)
    app.connect("env-merge-info", merge)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
