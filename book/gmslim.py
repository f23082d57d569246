"""Code in fewer bytes, in the same colours.

Pygments wraps every word and bracket of code in an element of its own; two thirds of a
lecture's HTML are those. An element whose colour is that of its surroundings is left
out, in both modes; neighbours of one colour share an element. Signatures of the library
lose the elements that only keep each word from being broken: a rule of the style
sheet does that.
"""

import re
from functools import lru_cache

from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES, Token

BLOCK = re.compile(r'(<div class="highlight"><pre>)(.*?)(</pre>)', re.S)
WORD = re.compile(r'<span class="(\w+)">([^<]*)</span>')
NESTED = re.compile(r'<span class="pre">([^<]*)</span>')
# Of a signature: what no rule of the style sheets names.
PLAIN = re.compile(
    r'<span class="(?:[npw]|sig-paren|sig-return-typehint)">([^<]*)</span>'
)
# Of its two classes the style sheets ask for the first.
NAME = re.compile(r'(<span class="sig-(?:pre)?name) desc(?:class)?name"')
SIGNATURE = re.compile(r'<dt class="sig .*?</dt>', re.S)
ENTRY = re.compile(r'<li class="toc-h.*?</a>', re.S)
# A word by itself: it has no space to break at.
ALONE = re.compile(
    r'(<code class="literal">)<span class="pre">([^<]*)</span>(?=</code>)'
)
LITERAL = re.compile(r'<code class="(?:code )?docutils literal notranslate">')


@lru_cache
def looks(styles):
    """Return {class: look in each of the styles}; that of Text has no class."""
    return {
        name: tuple(
            tuple(sorted(get_style_by_name(style).style_for_token(token).items()))
            for style in styles
        )
        for token, name in STANDARD_TYPES.items()
        if token is not Token
    }


def recoloured(code, kinds):
    """Return coloured code with an element for each run of a colour, not each word."""
    plain = kinds[""]
    parts, last = [], None  # (look, class, text) of what is not yet written

    def write():
        if last is not None:
            look, name, text = last
            parts.append(
                text if look == plain else f'<span class="{name}">{text}</span>'
            )

    end = 0
    for match in WORD.finditer(code):
        between, name = code[end : match.start()], match[1]
        look = kinds.get(name, name)
        joined = last and look == last[0] and not between.strip()
        if joined:
            last = look, last[1], last[2] + between + match[2]
            end = match.end()
            continue
        write()
        parts.append(between)
        last, end = (look, name, match[2]), match.end()
    write()
    return "".join(parts) + code[end:]


def slim(page, styles):
    """Return a page whose code and signatures take fewer bytes and look the same.

    But for the brackets of a signature, which are no larger than its words.

    `styles` are the names of the colours of code, those of the light mode and of the
    dark.
    """
    kinds = looks(styles)
    page = BLOCK.sub(lambda m: m[1] + recoloured(m[2], kinds) + m[3], page)

    def bare(match):
        return PLAIN.sub(r"\1", NESTED.sub(r"\1", match[0]))

    page = SIGNATURE.sub(lambda m: NAME.sub(r'\1"', bare(m)), page)
    page = ENTRY.sub(lambda m: LITERAL.sub("<code>", bare(m)), page)
    return ALONE.sub(r"\1\2", LITERAL.sub('<code class="literal">', page))
