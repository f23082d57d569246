"""Pages are light and still: bytes and jumps are judged, the clock is not.

`python tools/paint.py` reports how soon a throttled phone shows them.
"""

import base64
import re
import types
from pathlib import Path

import gmicons
import gmpage
import gmpictures
import gmslim
import paint
import pytest
from browser import Visit
from bs4 import BeautifulSoup
from test_pages import still
from test_site import CHAPTERS, HTML, PAGES

MOST = 400_000  # bytes of HTML, without pictures and what live figures compute with
# Two pixels by one, as PNG.
DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR4nGNgYAAAAAMAAbitOmMAAAAA"
    "SUVORK5CYII="
)
STYLES = "a11y-high-contrast-light", "a11y-high-contrast-dark"


def too_heavy(page):
    """Return what is wrong with the weight of a page, in words, or nothing."""
    weight = paint.weight(page)
    return f"{weight} bytes of HTML, more than {MOST}" if weight > MOST else ""


def restless(page):
    """Return the pictures of a page that may make it jump, or hold it up."""
    asked = ("width", "height", "loading", "decoding")
    return [
        str(image)[:100]
        for image in BeautifulSoup(page, "html.parser").select("img")
        if not all(image.get(name) for name in asked)
        or image["src"].startswith("data:")
    ]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_light_and_its_pictures_have_their_sizes(page):
    text = (HTML / page).read_text("utf8")
    assert not too_heavy(text)
    drawings = "\n".join(re.findall(r'<img[^>]*\.svg"[^>]*>', text))
    assert not [tag for tag in restless(text) if tag[:100] not in drawings]
    assert "fontawesome.js" not in text
    assert not re.search(r'class="(fas|fa-solid)\b', text)


@pytest.mark.parametrize("page", CHAPTERS)
def test_notebooks_keep_their_pictures(page):
    """Those to download as well; the site's pictures are what the notebook holds."""
    given = (HTML / "_sources" / page).with_suffix(".ipynb").read_text("utf8")
    stored = set(re.findall(r'src=\\"(data:image/webp;base64,[^\\]+)', given))
    assert stored
    text = (HTML / page).read_text("utf8")
    names = {Path(source).stem for source in paint.PICTURE.findall(text)}
    for source in stored:
        data = base64.b64decode(source.partition(",")[2])
        assert any(
            (HTML / "_pictures" / f"{name}.webp").read_bytes() == data
            for name in names
            if (HTML / "_pictures" / f"{name}.webp").exists()
            and (HTML / "_pictures" / f"{name}.webp").stat().st_size == len(data)
        )


def test_what_live_figures_compute_with_is_not_counted():
    json = '<script type="application/json">{"w":"' + "A" * MOST + '"}</script>'
    page = f'<figure class="gm-live" data-kind="x">{json}</figure>'
    assert not too_heavy(page)
    assert too_heavy(page.replace("gm-live", "other"))
    assert too_heavy("é" * (MOST // 2 + 1))


def test_a_picture_becomes_a_file_once(tmp_path):
    tag = f'<img src="data:image/png;base64,{DOT}" alt="A dot.">'
    page = f"<main>{tag}{tag}<script>'{tag}'</script></main>"
    made = gmpictures.filed(page, "chapters/x", tmp_path)
    (file,) = (tmp_path / "_pictures").iterdir()
    assert file.read_bytes() == base64.b64decode(DOT)
    assert made.count(f'src="../_pictures/{file.name}"') == 2
    assert made.count('loading="lazy" decoding="async" width="2" height="1"') == 2
    assert f"<script>'{tag}'</script>" in made, "a script's text is not touched"
    assert not restless(re.sub(r"<script.*?</script>", "", made))
    # the faults that the gate above is for
    assert restless(tag)
    assert restless(made.replace(' width="2"', ""))
    assert restless(made.replace(' loading="lazy"', ""))


def test_sizes_that_an_author_gave_stay(tmp_path):
    given = 'width="20" height="10" loading="eager"'
    tag = f'<img src="data:image/png;base64,{DOT}" {given}>'
    made = gmpictures.filed(tag, "x", tmp_path)
    assert f'{given} decoding="async">' in made


def test_a_picture_that_comes_after_its_page_gets_its_sizes(tmp_path):
    tag = '<img src="_images/late.png">'
    page = tmp_path / "x.html"
    page.write_text(gmpictures.filed(tag, "x", tmp_path))
    assert restless(page.read_text())
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "late.png").write_bytes(base64.b64decode(DOT))
    gmpictures.sized(tmp_path, ["x"])
    assert not restless(page.read_text())


def test_what_moves_has_a_note_for_print(tmp_path):
    slider = '<figure class="gm-slider"><img><input data-labels="a|b"></figure>'
    made = gmpictures.filed(slider, "x", tmp_path)
    assert "The first of 2 pictures (a): they move on the site." in made
    live = '<figure class="gm-live" data-kind="x"><p></p></figure>'
    assert "A still picture" in gmpictures.filed(live, "x", tmp_path)


def test_slim_code_reads_and_looks_the_same():
    code = (
        '<div class="highlight"><pre><span></span><span class="n">x</span>'
        '<span class="w"> </span><span class="o">=</span> <span class="o">-</span>'
        '<span class="s2">&quot;a&quot;</span>\n<span class="c1"># no</span></pre>'
    )
    made = gmslim.slim(code, STYLES)
    text = BeautifulSoup(code, "html.parser").text
    assert BeautifulSoup(made, "html.parser").text == text
    assert '<span class="n">' not in made, "the colour of what is around it"
    assert '<span class="o">= -&quot;a&quot;</span>' in made, "one colour, one element"
    assert '<span class="c1"># no</span>' in made
    assert len(made) < len(code)


def test_an_icon_is_drawn_in_the_page_and_an_unknown_one_is_refused():
    script = '<script defer src="x/fontawesome.js?d"></script>\n'
    page = f'{script}<i class="fas fa-rocket"></i>'
    made = gmicons.inlined(page, gmicons.theme_icons())
    assert made.startswith('<svg class="svg-inline--fa fa-rocket" aria-hidden="true"')
    assert 'viewBox="0 0 512 512"><path' in made
    renamed = gmicons.inlined(
        '<i class="fas fa-pencil-alt"></i>', gmicons.theme_icons()
    )
    assert "<path" in renamed
    with pytest.raises(ValueError, match="no icon nowhere"):
        gmicons.inlined('<i class="fas fa-nowhere"></i>', gmicons.theme_icons())


def test_a_head_has_one_viewport_and_no_script_that_holds_it_up(tmp_path):
    view = '<meta name="viewport" content="width=device-width" />\n'
    scripts = (
        '<script src="a/documentation_options.js?v"></script>'
        '<script src="a/x.js"></script><script src="searchindex.js"></script>'
    )
    modes = zip(("pygments_light_style", "pygments_dark_style"), STYLES, strict=True)
    config = types.SimpleNamespace(html_theme_options=dict(modes))
    made = gmpage.finish(f"{view}{view}{scripts}", "x", tmp_path, config)
    assert made.count("viewport") == 1
    assert '<script defer src="a/x.js">' in made
    assert '<script src="a/documentation_options.js?v">' in made
    assert "searchindex" not in made
    made = gmpage.finish(f"{view}{scripts}", "search", tmp_path, config)
    assert "searchindex" in made


# ------------------------------------------------------------------- with a browser


# Where the reader looks: what moves above the view is not seen to move.
LATE = """async () => {
  const frame = () => new Promise(go => requestAnimationFrame(() => setTimeout(go)));
  scrollTo({top: 0, behavior: 'instant'});
  await frame();
  await frame();
  const p = document.createElement('p');
  p.style.height = '90px';
  document.querySelector('h1').before(p);
}"""


@pytest.mark.parametrize("page", CHAPTERS[:2])
def test_a_page_never_jumps_on_a_large_screen(browser, server, page):
    """On a small one each page is read in test_pages.py."""
    with Visit(browser, server, page, 1280, still) as visit:
        assert not paint.shifts(visit.page)


def test_a_jump_and_a_table_that_is_too_wide_are_seen(browser, server):
    with Visit(browser, server, "chapters/notation.html", 390, still) as visit:
        assert not paint.shifts(visit.page)
        visit.page.evaluate(LATE)
        visit.page.wait_for_function("window.gmShifts.length > 0")
        visit.unfold()
        with visit.on_paper():
            assert not visit.wider_than_paper()
            visit.page.evaluate(
                "document.querySelector('main p').style.width = '900px'"
            )
            assert visit.wider_than_paper()


def test_pictures_come_from_a_folder_too(browser):
    """Opened as files, without a server."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    tab = context.new_page()
    tab.set_default_timeout(0)
    tab.goto((HTML / "chapters" / "latent_variables.html").as_uri())
    tab.wait_for_selector("html[data-fitted]")
    tab.evaluate(paint.READ)
    empty = "[...document.images].filter(i => i.checkVisibility() && !i.naturalWidth)"
    assert tab.evaluate(f"{empty}.map(i => i.outerHTML)") == []
    slider = tab.locator(".gm-slider input[type=range]").first
    assert slider.is_visible()  # a key beside a folded one turns to the next page
    slider.focus()
    tab.keyboard.press("ArrowRight")
    shown = tab.locator(".gm-slider").first.locator("img:visible")
    shown.evaluate("async image => { await image.decode(); }")
    assert shown.evaluate("image => image.naturalWidth") > 1
    context.close()
