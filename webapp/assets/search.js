import "@github/auto-complete-element";

/** A chosen suggestion is searched for at once, and the list closes when the focus moves on. */
export function enhanceSearch(form) {
  const suggestions = form.querySelector("auto-complete");
  form.addEventListener("combobox-commit", () => form.requestSubmit());
  // The element itself leaves its list open when Tab moves the focus away.
  suggestions.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !suggestions.contains(relatedTarget)) suggestions.open = false;
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (!suggestions.contains(target)) suggestions.open = false;
  });
}
