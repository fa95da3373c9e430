// Photos appear as soon as they are processed. An element that still waits carries `data-live="<photo id>"`;
// its container asks the server for fresh versions, slower and slower while nothing changes, not at all while
// nobody looks, and stops when nothing waits any more.
//
// A photo's renditions may be made anew, at other addresses, while a page is open. A photo whose picture cannot be
// loaded is therefore brought up to date in the same way.

import { announce, count } from "./announce.js";
import { fetchFragment, withIds } from "./fragment.js";
import { morph } from "./morph.js";

const FIRST_DELAY = 1_500;
const LONGEST_DELAY = 10_000;
const GROWTH = 1.4;
const IDS_PER_REQUEST = 50;

/** Dispatched on a container to say that photos which still wait were added to it. */
export const PHOTOS_ADDED = "photos-added";

export function keepUpToDate(container) {
  let delay = FIRST_DELAY;
  let timer = null;
  let asking = false;

  function schedule() {
    clearTimeout(timer);
    if (asking || document.hidden || waitingIds(container).length === 0) return;
    timer = setTimeout(poll, delay);
  }

  async function poll() {
    asking = true;
    try {
      const changed = await refresh(container);
      delay = changed ? FIRST_DELAY : Math.min(delay * GROWTH, LONGEST_DELAY);
    } catch (error) {
      console.warn("The page could not be brought up to date:", error);
      // Asking again mends a failed network or a busy server, never a request that the server calls wrong.
      if (error.status < 500 && error.status !== 429) return;
      delay = LONGEST_DELAY;
    } finally {
      asking = false;
    }
    schedule();
  }

  function restart() {
    delay = FIRST_DELAY;
    schedule();
  }

  document.addEventListener("visibilitychange", restart);
  container.addEventListener(PHOTOS_ADDED, restart);
  watchPictures(container, restart);
  restart();
}

/** Has photos asked for whose pictures cannot be loaded: once for each address, since some are gone for good. */
function watchPictures(container, onMissing) {
  const missed = new Set();

  function missing(picture) {
    const holder = picture.closest("[data-photo]");
    if (!holder || missed.has(picture.currentSrc)) return;
    missed.add(picture.currentSrc);
    if (!holder.dataset.live) {
      holder.dataset.live = holder.dataset.photo;
      holder.dataset.stale = ""; // it was ready before, which need not be said again
    }
    onMissing();
  }

  // These events do not bubble, but are captured on their way down.
  container.addEventListener("error", ({ target }) => target.matches("img") && missing(target), { capture: true });
  for (const picture of container.querySelectorAll("img")) {
    if (picture.complete && picture.naturalWidth === 0) missing(picture); // it failed before this script came
  }
}

function waitingIds(container, selector = "[data-live]") {
  const waiting = container.querySelectorAll(selector);
  return [...new Set(Array.from(waiting, (element) => element.dataset.live))];
}

/** Brings up to date what changed on the server; whether anything did. */
async function refresh(container) {
  const ids = waitingIds(container);
  const awaited = new Set(waitingIds(container, "[data-live]:not([data-stale])"));
  let changed = false;
  const finished = [];
  for (let start = 0; start < ids.length; start += IDS_PER_REQUEST) {
    const asked = ids.slice(start, start + IDS_PER_REQUEST);
    const answer = await fetchFragment(withIds(container.dataset.liveUrl, asked));
    forgetUnknown(container, asked, answer);
    for (const fresh of answer) changed = update(container, fresh) || changed;
    const stillWaiting = new Set(waitingIds(container));
    finished.push(...asked.filter((id) => awaited.has(id) && !stillWaiting.has(id)));
  }
  if (finished.length > 0) announce(outcome(container, finished));
  return changed;
}

/** What the server no longer knows, such as a photo that was deleted meanwhile, is not asked for again. */
function forgetUnknown(container, asked, answer) {
  const known = new Set(answer.map((element) => element.id));
  for (const element of container.querySelectorAll("[data-live]")) {
    if (asked.includes(element.dataset.live) && !known.has(element.id)) delete element.dataset.live;
  }
}

function update(container, fresh) {
  const old = document.getElementById(fresh.id);
  if (!old || !container.contains(old) || old.isEqualNode(fresh)) return false;
  morph(old, fresh); // so that a picture which is there stays, although its labels come now
  return true;
}

function outcome(container, ids) {
  const failed = ids.filter((id) => container.querySelector(`[data-failed="${CSS.escape(id)}"]`)).length;
  const ready = ids.length - failed;
  const sentences = [];
  if (ready > 0) sentences.push(`${count(ready, "photo")} ready.`);
  if (failed > 0) sentences.push(`${count(failed, "photo")} could not be processed.`);
  return sentences.join(" ");
}
