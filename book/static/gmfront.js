/* The map of lectures: who is pointed at shows what it needs. */
"use strict";

for (const kind of ["pointerover", "focusin", "pointerout", "focusout"]) {
  document.addEventListener(kind, (event) => {
    const link = event.target.closest?.(".gm-map a");
    if (!link) return;
    const shown = kind.endsWith("over") || kind === "focusin";
    const needs = link.dataset.needs.split(" ");
    for (const other of link.closest(".gm-map").querySelectorAll("a")) {
      const name = other.dataset.lecture;
      other.classList.toggle("gm-on", shown && needs.includes(name));
      other.classList.toggle("gm-off", shown && other !== link && !needs.includes(name));
    }
  });
}
