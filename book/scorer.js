/* Search: what is defined first, then headings, then the rest. Sphinx's own search calls
   this; its results are [page, title, anchor, description, score, file]. */
"use strict";

/* The entry of the index that a result stands for; results of headings and of the text
   have none. */
function entryOf([doc, title, anchor, description]) {
  if (!anchor || description || title.includes(" > ")) return null;
  const { docnames, titles, indexentries } = Search._index;
  const file = docnames.indexOf(doc);
  if (titles[file] !== title) return null;
  const words = document.getElementById("search-input")?.value ?? "";
  const query = new URLSearchParams(location.search).get("q") ?? words;
  const names = Object.keys(indexentries).filter((name) =>
    indexentries[name].some(([at, id]) => at === file && `#${id}` === anchor),
  );
  return names.find((name) => name.includes(query.toLowerCase().trim())) ?? names[0];
}

var Scorer = {
  score: (result) => {
    const entry = entryOf(result);
    if (!entry) return result[4];
    result[1] += ` > ${entry}`;
    return 2 * result[4];
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 100,
  partialTitle: 20,
  term: 5,
  partialTerm: 2,
};
