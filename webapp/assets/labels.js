// Labels of a photo are corrected without leaving its page: what its forms answer is the page anew, of which only the
// labels are taken.

import { announce } from "./announce.js";
import { morph } from "./morph.js";
import { enhanceBoxes } from "./label-box.js";
import { send } from "./form.js";

export function enhanceLabels(section) {
  enhanceBoxes(section);
  section.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { target: form, submitter } = event;
    const row = form.closest("li")?.id;
    const fresh = await send(form, submitter, section.id);
    if (!fresh) return;
    morph(section, fresh);
    if (fresh.querySelector("[role='alert']")) return;
    form.reset();
    announce(submitter?.dataset.said ?? "Added.");
    if (row) focusNear(section, row);
  });
}

/** The focus stays with the label that was corrected, wherever it stands now. */
function focusNear(section, row) {
  const label = row.replace(/^(label|removed)-/, "");
  const place = ["label", "removed"].map((list) => document.getElementById(`${list}-${label}`)).find(Boolean);
  (place ?? section).querySelector("button, input[type='text']")?.focus();
}
