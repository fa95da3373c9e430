import "@github/auto-complete-element";

/** The lists of suggested labels close when somebody goes on elsewhere, which the element itself does not see to. */
export function enhanceBoxes(part) {
  for (const box of part.querySelectorAll("auto-complete")) {
    // The focus stays in the box, from where it would go to `main`, which takes it.
    box.querySelector("ul").addEventListener("mousedown", (event) => event.preventDefault());
    box.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget && !box.contains(relatedTarget)) box.open = false;
    });
    part.addEventListener("submit", () => (box.open = false));
    document.addEventListener("pointerdown", ({ target }) => {
      if (!box.contains(target)) box.open = false;
    });
  }
}
