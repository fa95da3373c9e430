// A part of the page that the server renders anew at `data-refresh-url`: fetched every few seconds, not while nobody
// looks. `data-stale` names the element that is shown when that fails.

import { announce } from "./announce.js";
import { fetchFragment } from "./fragment.js";
import { morph } from "./morph.js";

const INTERVAL = 5_000;
const AFTER_FAILURE = 10_000;
const PATIENCE = 20_000;

export function keepFresh(region) {
  const stale = document.getElementById(region.dataset.stale);
  let timer = null;
  let asking = false;
  let leaving = false;

  function schedule(delay) {
    clearTimeout(timer);
    if (!asking && !leaving && !document.hidden) timer = setTimeout(refresh, delay);
  }

  async function refresh() {
    asking = true;
    let delay = INTERVAL;
    try {
      const fresh = await fetchFragment(region.dataset.refreshUrl, AbortSignal.timeout(PATIENCE));
      if (leaving) return;
      if (update(region, fresh) || !stale.hidden) announce(summary(region));
      stale.hidden = true;
    } catch (error) {
      if (leaving) return;
      console.warn("The page could not be brought up to date:", error);
      delay = AFTER_FAILURE;
      if (stale.hidden) announce(stale.textContent.trim());
      stale.hidden = false;
    } finally {
      asking = false;
    }
    schedule(delay);
  }

  document.addEventListener("visibilitychange", () => schedule(0));
  // The page that a form's answer brings is newer, and its button is pressed once only.
  region.addEventListener("submit", ({ submitter }) => {
    leaving = true;
    clearTimeout(timer);
    submitter.disabled = true;
  });
  addEventListener("pageshow", () => {
    leaving = false;
    schedule(INTERVAL);
  });
}

/**
 * Brings it up to date, unless something in it is being pressed: what then moves away would miss its click.
 * Returns whether its heading says something else now.
 */
function update(region, elements) {
  if (region.querySelector(":active")) return false;
  const before = region.querySelector("h1").textContent;
  const fresh = region.cloneNode(false);
  fresh.append(...elements);
  morph(region, fresh);
  return region.querySelector("h1").textContent !== before;
}

/** The heading and the list below it, as one text. */
function summary(region) {
  const parts = region.querySelectorAll("[data-announce]");
  return Array.from(parts, (part) => part.textContent.trim()).join(". ");
}
