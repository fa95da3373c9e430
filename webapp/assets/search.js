import "@github/auto-complete-element";

/** A chosen suggestion is searched for at once, unless it is to be gone on with; the list closes with the focus. */
export function enhanceSearch(form) {
  const suggestions = form.querySelector("auto-complete");
  const box = form.elements.q;
  form.addEventListener("combobox-commit", () => {
    if (box.value.endsWith(":")) box.focus();
    else form.requestSubmit();
  });
  // The element itself leaves its list open when Tab moves the focus away.
  suggestions.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !suggestions.contains(relatedTarget)) suggestions.open = false;
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (!suggestions.contains(target)) suggestions.open = false;
  });
}
