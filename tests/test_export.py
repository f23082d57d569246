"""Exported lectures: what becomes of each directive and role, and what is refused."""

import re

import export
import pytest
from labels import Book
from myst import Unreadable
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebooks import write
from plain import Page

URL = "https://github.com/someone/some-course"
TOC = """\
root: index
parts:
- caption: Lectures
  numbered: true
  chapters:
  - file: chapters/first
  - file: chapters/second
- caption: Reference
  chapters:
  - file: chapters/words
  - file: chapters/bibliography
"""
BIB = """\
@article{one2014, author = {Ada de One}, title = {T}, year = 2014}
@article{two2015, author = {B. Two and C. M{\\"u}ller}, title = {T}, year = 2015}
@article{all2016, author = {D. All and E. Ve and F. Ry}, title = {T}, year = 2016}
"""
FIRST = """\
# The first lecture

```{math}
:label: eq-a
a = 1
```

```{prf:theorem} First
:label: th-a

True.
```
"""
SECOND = """\
# The second lecture

```{math}
:label: eq-b
b = 2
```

(a-section)=
## A section

````{prf:lemma} Small
:label: le-b

```{math}
:label: eq-c
c = 3
```
````

````{prf:theorem} Large
:label: th-b

True.
````

```{exercise-start} Try
:label: ex-b
```
```{exercise-end}
```
"""


def notebook(*cells):
    return new_notebook(
        cells=[new_markdown_cell(c) if isinstance(c, str) else c for c in cells]
    )


@pytest.fixture
def root(tmp_path):
    """A book of two lectures and two pages."""
    (tmp_path / "chapters").mkdir()
    (tmp_path / "_toc.yml").write_text(TOC, "utf8")
    (tmp_path / "references.bib").write_text(BIB, "utf8")
    (tmp_path / "index.md").write_text("# Home", "utf8")
    for name in ("words", "bibliography"):
        (tmp_path / "chapters" / f"{name}.md").write_text(f"# All {name}", "utf8")
    write(notebook(FIRST), tmp_path / "chapters" / "first.ipynb")
    write(notebook(SECOND), tmp_path / "chapters" / "second.ipynb")
    return tmp_path


@pytest.fixture
def page(root):
    """The second lecture, as it is read elsewhere, beside the first."""
    return Page(Book(root), "chapters/second", beside={"chapters/first"})


@pytest.fixture
def online(root):
    """The same where the book has an address."""
    return Page(Book(root), "chapters/second", site="https://s.github.io/c/")


BLOCKS = {
    "```{math}\nx\n= y\n```": "$$\nx = y\n$$",
    "```{math}\n:label: eq-b\nx + y\n```": "$$\nx + y\n\\tag{2.1}\n$$",
    "```{math} x\n```": "$$\nx\n$$",
    "```{math}\na &= b \\\\\nc &= d\n```": (
        "$$\n\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned}\n$$"
    ),
    "```{math}\n\\begin{aligned}\na \\\\ b\n\\end{aligned}\n```": (
        "$$\n\\begin{aligned}\na \\\\ b\n\\end{aligned}\n$$"
    ),
    "1. One:\n\n   ```{math}\n   :label: eq-b\n   x\n   + y\n   ```\n\n2. Two": (
        "1. One:\n\n   $$x + y \\tag{2.1}$$\n\n2. Two"
    ),
    "````{prf:theorem} Of $x$\n:label: th-b\n\nLet $x\n+ y$.\n\n"
    "```{math}\n:label: eq-c\nx\n< y\n```\n````": (
        "> **Theorem 2.1 (Of $x$).** Let $x + y$.\n>\n> $$x < y \\tag{2.2}$$"
    ),
    "```{prf:lemma}\n:label: le-b\n\n1. One.\n2. Two.\n```": (
        "> **Lemma 2.1.**\n>\n> 1. One.\n> 2. Two."
    ),
    "```{prf:proof}\nClear.\n```": "*Proof.* Clear. □",
    "````{prf:proof}\nAs\n\n```{math}\nx\n```\n````": "*Proof.* As\n\n$$\nx\n$$\n\n□",
    "```{dropdown} Hint\nTry $x$, {prf:ref}`th-b`.\n```": (
        "<details><summary>Hint</summary>\n\nTry $x$, Theorem 2.1.\n\n</details>"
    ),
    "```{note}\n:class: dropdown\nN.\n```": (
        "<details><summary>Note</summary>\n\nN.\n\n</details>"
    ),
    ":::{note}\nMind.\n:::": "> **Note.** Mind.",
    "```{admonition} A *title*\nMind.\n```": "> **A *title*.** Mind.",
    "```{code-block} python\nx = 1  # {eq}`a`\n```": "```python\nx = 1  # {eq}`a`\n```",
    "```ipython3\n%env X\n```": "```python\n%env X\n```",
    "a term\n: its meaning\n  goes on": "- **a term**: its meaning\n  goes on",
    "(here)=\n% a comment\nText.": "Text.",
}


@pytest.mark.parametrize("source", BLOCKS)
def test_a_block_becomes_plain(source, page):
    assert page.text(source).strip() == BLOCKS[source]


ROLES = {  # without an address, and with one
    "{eq}`eq-b`": ("(2.1)", None),
    "{eq}`eq-a`": ("[(1.1)](first.ipynb)", "#equation-eq-a"),
    "{prf:ref}`th-b`": ("Theorem 2.1", None),
    "{prf:ref}`th-a`": ("[Theorem 1.1](first.ipynb)", "#th-a"),
    "{prf:ref}`it <th-b>`": ("it", None),
    "{ref}`a-section`": ("A section", None),
    "{ref}`above <a-section>`": ("above", None),
    "{ref}`ex-b`": ("Exercise 2.1 (Try)", None),
    "{numref}`ex-b`": ("Exercise 2.1", None),
    "{numref}`exercise %s <ex-b>`": ("exercise 2.1", None),
    "{doc}`first`": ("[The first lecture](first.ipynb)", ""),
    "{doc}`the\nfirst <first>`": ("[the first](first.ipynb)", ""),
    "[so](a-section)": ("so", None),
    "[so](th-a)": ("[so](first.ipynb)", "#th-a"),
    "[so](first.ipynb)": ("[so](first.ipynb)", ""),
    "[so](https://x.org)": ("[so](https://x.org)", None),
    "{term}`word`": ("word", None),
    "{math}`x`": ("$x$", None),
    "{py:func}`gmlib.game.fit`": ("`gmlib.game.fit`", None),
    "{py:func}`~gmlib.game.fit`": ("`fit`", None),
    "`{eq}`, $a<b$, \\$5 and `$x$`": ("`{eq}`, $a< b$, \\$5 and `$x$`", None),
}


@pytest.mark.parametrize("source", ROLES)
def test_a_role_becomes_words(source, page, online):
    words, anchor = ROLES[source]
    assert page.text(source) == words
    if anchor is not None:
        target = f"https://s.github.io/c/chapters/first.html{anchor}"
        words = words.replace("first.ipynb", target)
    assert online.text(source) == words


def test_works_are_named_by_author_and_year(page, online):
    text = "{cite:t}`one2014`, {cite:t}`two2015,all2016` and {cite:p}`one2014,two2015`."
    assert page.text(text) == (
        "de One (2014), Two and Müller (2015) and All et al. (2016) and"
        " (de One, 2014; Two and Müller, 2015)."
    )
    link = "https://s.github.io/c/chapters/bibliography.html#cite-one2014"
    assert online.text("{cite:t}`one2014`") == f"de One ([2014]({link}))"
    assert online.text("{cite:p}`one2014`") == f"([de One, 2014]({link}))"


REFUSED = {
    "```{unknown} X\nx\n```": "{unknown}",
    "- a\n\n  ```{figure} x.png\n  ```": "{figure}",
    "> ```{math}\n> x\n> ```": "{math}",
    ":::\nx\n:::": "colon fence",
    "a {sub}`2`": "{sub}",
    "{eq}`eq-nowhere`": "eq-nowhere",
    "{prf:ref}`nothing`": "nothing",
    "{doc}`nowhere`": "nowhere",
    "{cite:t}`nobody1999`": "nobody1999",
    "[a](nowhere)": "nowhere",
    "![a](picture.png)": "picture.png",
    "```{prf:theorem} X\nx\n```": "without a label",
    "```{math}\nx": "no end",
    "Hello {{ name }}.": "{{ name }}",
    "a [^1]": "[^1]",
    "$$x$$ (eq-x)": "(eq-x)",
    "\\begin{align}\nx\n\\end{align}": "\\begin{align}",
    "a [b]{.c}": "]{.c}",
    "{.fancy}\n## A": "{.fancy}",
    "{.second-reading}\n\nNo heading.": "No heading.",
    "{.second-reading}": "no heading",
}


@pytest.mark.parametrize("source", REFUSED)
def test_what_others_cannot_read_is_refused(source, page):
    with pytest.raises(Unreadable, match=re.escape(REFUSED[source])):
        page.parts(source)


def test_the_cell_and_the_text_are_named(root):
    path = root / "chapters" / "first.ipynb"
    code = new_code_cell('say("see {eq}`eq-a`")')
    shown = new_code_cell("", outputs=[new_output("display_data", {})])
    shown.outputs[0].data = {"text/markdown": "as {eq}`eq-z` says"}
    write(notebook(FIRST, "a {sub}`2`", code, shown), path)
    with pytest.raises(export.Refused) as refused:
        export.Exporter(root, URL)(path)
    cells = [line.split(":")[0] for line in str(refused.value).splitlines()]
    assert cells == [f"first.ipynb, cell {i}" for i in (1, 2, 3)]
    for words in ("{sub}`2`", "{eq}`eq-a`", "eq-z"):
        assert words in str(refused.value)


EXERCISES = """\
## Exercises

```{exercise-start} Try
:label: ex-b
```

*10 minutes · easy.* Do it.
"""
AFTER = """\
```{dropdown} Hint
Think.
```

```{exercise-end}
```

```{solution-start} ex-b
:class: dropdown
```

Thought.
"""
ENDED = "```{solution-end}\n```\n\n## Sources\n\nNone."
FOLD = "Open.\n\n{.second-reading}\n### The fine print\n\nRead twice.\n\n## Next\n\nOn."


def lecture(root, *cells, **how):
    path = root / "chapters" / "second.ipynb"
    write(notebook(SECOND.split("```{exercise")[0], *cells), path)
    return export.Exporter(root, how.pop("url", URL))(path, **how)


def test_exercises_and_solutions(root):
    starter, solution = new_code_cell("..."), new_code_cell("42", execution_count=3)
    cells = (EXERCISES, starter, AFTER, solution, ENDED)
    nb = lecture(root, *cells)
    texts = [cell.source for cell in nb.cells]
    at = texts.index("### Exercise 2.1 (Try)\n\n*10 minutes · easy.* Do it.")
    assert texts[at:] == [
        "### Exercise 2.1 (Try)\n\n*10 minutes · easy.* Do it.",
        "...",
        "<details><summary>Hint</summary>\n\nThink.\n\n</details>",
        "#### Solution to Exercise 2.1 (Try)",
        "Thought.",
        "42",
        "## Sources\n\nNone.",
    ]
    fold = nb.cells[at + 3]
    assert fold.metadata["jp-MarkdownHeadingCollapsed"]
    assert nb.metadata.colab["collapsed_sections"] == [fold.metadata["id"]]
    student = lecture(root, *cells, solutions=False, outputs=False)
    assert [c.source for c in student.cells] == texts[: at + 3] + texts[-1:]
    assert student.metadata.colab["collapsed_sections"] == []
    with pytest.raises(export.Refused, match="no end"):
        lecture(root, *cells[:-1])


def test_a_solution_does_not_swallow_what_has_no_heading(root):
    ended = "```{solution-end}\n```\n\nOne more thing."
    nb = lecture(root, EXERCISES, AFTER, ended)
    assert nb.cells[-1].source == "One more thing."
    assert nb.metadata.colab["collapsed_sections"] == []


def test_a_section_for_the_second_reading_is_folded(root):
    nb = lecture(root, FOLD)
    texts = [cell.source for cell in nb.cells[-4:]]
    assert texts == [
        "Open.",
        "### The fine print (for the second reading)",
        "Read twice.",
        "## Next\n\nOn.",
    ]
    fold = nb.cells[-3]
    assert fold.metadata["jp-MarkdownHeadingCollapsed"]
    assert nb.metadata.colab["collapsed_sections"] == [fold.metadata["id"]]


def test_code_that_only_draws_is_hidden_and_a_slider_says_what_it_needs(root):
    slider = '<figure class="gm-slider"><img src="data:,"><img src="data:,"></figure>'
    output = new_output("display_data", {"text/html": slider})
    output.data["application/vnd.gmlib.claim+json"] = {}
    cell = new_code_cell("x", outputs=[output], metadata={"tags": ["hide-input"]})
    nb = lecture(root, cell)
    made = nb.cells[-1]
    assert made.metadata.jupyter.source_hidden
    assert (made.metadata.cellView, made.metadata["_kg_hide-input"]) == ("form", True)
    assert set(made.outputs[0].data) == {"text/html"}
    assert "To move it, trust" in made.outputs[0].data["text/html"]
    assert made.outputs[0].data["text/html"].count("onload=") == 1
    assert lecture(root, cell, outputs=False).cells[-1].outputs == []


def test_a_lecture_says_where_it_lives(root):
    first = lecture(root).cells[0].source
    assert first.startswith("# The second lecture\n\nLecture 2 of [Deep Generative")
    assert "(https://someone.github.io/some-course/chapters/second.html)" in first
    assert (
        "(https://colab.research.google.com/github/someone/some-course/blob/notebooks/"
        "second.ipynb)" in first
    )
    first = lecture(root, url=export.address.PLACEHOLDER).cells[0].source
    assert first.startswith("# The second lecture\n\nLecture 2 of *Deep Generative")
    assert "](" not in first
    assert "invalid" not in first
