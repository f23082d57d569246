/* Search: what is defined first, then headings, then the rest. Sphinx's own search calls
   this; its results are [page, title, anchor, description, score, file]. */
"use strict";

/* What was asked for. */
function asked() {
  const typed = document.getElementById("search-input")?.value ?? "";
  const query = new URLSearchParams(location.search).get("q") ?? typed;
  return query.toLowerCase().trim();
}

/* The entry of the index that a result stands for; results of headings and of the text
   have none. */
function entryOf([doc, title, anchor, description]) {
  if (!anchor || description || title.includes(" > ")) return null;
  const { docnames, titles, indexentries } = Search._index;
  const file = docnames.indexOf(doc);
  if (titles[file] !== title) return null;
  const names = Object.keys(indexentries).filter((name) =>
    indexentries[name].some(([at, id]) => at === file && `#${id}` === anchor),
  );
  return names.find((name) => name.includes(asked())) ?? names[0];
}

var Scorer = {
  score: (result) => {
    const [, title, , description, score] = result;
    const entry = entryOf(result);
    if (entry) {
      result[1] += ` > ${entry}`;
      return 3 * score;
    }
    // Titles of theorems, which are entries as well.
    if (/ > \s*\(/.test(title)) return 0;
    return !description && title.toLowerCase().includes(asked()) ? 8 * score : score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
