// Selecting photos of a gallery and correcting a label on all of them, without leaving the page. The boxes to select
// them appear by the style sheet alone.

import { announce, count } from "./announce.js";
import { fetchFragment, withIds } from "./fragment.js";
import { enhanceBoxes } from "./label-box.js";
import { morph } from "./morph.js";
import { send } from "./form.js";

const IDS_PER_REQUEST = 50;

export function enhanceSelection(bar) {
  const area = bar.parentElement;
  const form = bar.querySelector("form");
  const place = bar.querySelector("[data-part='outcome']");
  const said = bar.querySelector("[data-part='count']");
  const picked = () => [...area.querySelectorAll(".pick input:checked")];

  function show() {
    const photos = picked().length;
    said.textContent = photos === 0 ? "Choose photos, then name a label." : `${count(photos, "photo")} selected`;
    for (const button of form.querySelectorAll("button")) button.disabled = photos === 0;
  }

  async function correct(event) {
    event.preventDefault();
    const { target, submitter } = event;
    const ids = new FormData(target).getAll("photo");
    const outcome = await send(target, submitter, "selection-outcome");
    if (!outcome) return;
    place.replaceChildren(...outcome.childNodes);
    announce(place.querySelector("p").textContent);
    if (place.querySelector(".selection-problem")) return;
    form.querySelector("input[name='label']").value = "";
    await refresh(area, ids);
  }

  enhanceBoxes(form);
  area.addEventListener("change", show);
  area.addEventListener("keydown", ({ key, target }) => {
    const selecting = area.querySelector(".select-switch input");
    if (key !== "Escape" || target.type === "text" || !selecting.checked) return;
    selecting.checked = false;
    selecting.focus();
  });
  bar.addEventListener("submit", correct);
  show();
}

/** Cards say what their photos show. */
async function refresh(area, ids) {
  const url = area.querySelector("[data-live-url]").dataset.liveUrl;
  for (let start = 0; start < ids.length; start += IDS_PER_REQUEST) {
    const cards = await fetchFragment(withIds(url, ids.slice(start, start + IDS_PER_REQUEST)));
    for (const card of cards) {
      const old = document.getElementById(card.id);
      if (old) morph(old, card);
    }
  }
}
