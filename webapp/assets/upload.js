// On top of the plain form: files that are chosen, or dropped anywhere on the page, are sent one by one through
// the API, each with its own progress and its own outcome, and their cards go to the front of the gallery.

import { announce, count } from "./announce.js";
import { acceptDrops } from "./drop.js";
import { fetchFragment, withIds } from "./fragment.js";
import { PHOTOS_ADDED } from "./live.js";
import { Refused, Unreachable, send } from "./send.js";
import { UploadRow } from "./upload-row.js";

const AT_ONCE = 3;

export function enhanceUploads(section) {
  const input = section.querySelector("input[type=file]");
  const panel = section.querySelector("[data-part=panel]");
  const list = section.querySelector("[data-part=list]");
  const summary = section.querySelector("[data-part=summary]");
  const endButton = section.querySelector("[data-part=end]");
  const template = section.querySelector("template");
  const { apiUrl, cardsUrl, maxBytes, maxSize } = section.dataset;

  const waiting = [];
  const underWay = new Map();
  let added = 0;

  function add(files) {
    if (files.length === 0) return;
    if (isIdle()) added = 0;
    for (const file of files) {
      const row = new UploadRow(template, file, { onCancel: () => cancel(row), onRetry: () => enqueue(row) });
      list.append(row.element);
      const problem = localProblem(file);
      if (problem) row.refused(problem);
      else waiting.push(row);
    }
    panel.hidden = false;
    proceed();
    panel.scrollIntoView({ block: "nearest" });
  }

  function localProblem(file) {
    if (file.size > Number(maxBytes)) return `Too large: a photo may have ${maxSize} at most.`;
    if (file.size === 0) return "The file is empty.";
    return null;
  }

  function enqueue(row) {
    row.waiting();
    waiting.push(row);
    proceed();
  }

  function proceed() {
    while (underWay.size < AT_ONCE && waiting.length > 0) upload(waiting.shift());
    showSummary();
    if (isIdle()) announce(summary.textContent);
  }

  async function upload(row) {
    const controller = new AbortController();
    underWay.set(row, controller);
    try {
      const answer = await send(row.file, apiUrl, {
        signal: controller.signal,
        onProgress: (sent) => row.sending(sent),
        onWait: (seconds) => row.pausing(seconds),
      });
      if (answer.duplicate) row.duplicate(answer.url);
      else {
        added += 1;
        await showCard(answer.id);
        remove(row);
      }
    } catch (error) {
      if (error.name === "AbortError") remove(row);
      else if (error instanceof Refused) row.refused(error.message);
      else if (error instanceof Unreachable) row.unreachable(error.message);
      else {
        console.error(error);
        row.unreachable("Something went wrong on the way.");
      }
    } finally {
      underWay.delete(row);
      proceed();
    }
  }

  function cancel(row) {
    if (underWay.has(row)) underWay.get(row).abort();
    else {
      waiting.splice(waiting.indexOf(row), 1);
      remove(row);
      proceed();
    }
  }

  function remove(row) {
    const hadFocus = row.element.contains(document.activeElement);
    row.element.remove();
    if (hadFocus) endButton.focus();
  }

  /** Cancels what is on its way, or closes the list when nothing is. */
  function end() {
    if (isIdle()) {
      list.replaceChildren();
      panel.hidden = true;
      input.focus();
    } else {
      [...waiting, ...underWay.keys()].forEach(cancel);
    }
  }

  function isIdle() {
    return waiting.length === 0 && underWay.size === 0;
  }

  function showSummary() {
    const refused = list.querySelectorAll("[data-state=refused]").length;
    const known = list.querySelectorAll("[data-state=duplicate]").length;
    const done = added + refused + known;
    if (isIdle()) {
      const outcome = [];
      if (added > 0) outcome.push(`${count(added, "photo")} uploaded`);
      if (known > 0) outcome.push(`${known} already here`);
      if (refused > 0) outcome.push(`${refused} not uploaded`);
      endButton.textContent = "Close";
      summary.textContent = outcome.join(", ") || "Nothing was uploaded";
    } else {
      const total = done + waiting.length + underWay.size;
      endButton.textContent = "Cancel all";
      summary.textContent = `Uploading ${count(total, "photo")}, ${done} done`;
    }
  }

  async function showCard(id) {
    const gallery = document.querySelector("[data-gallery]");
    if (!gallery) return;
    // A card that cannot be had now is there when the page is next loaded; the photo itself is safe.
    const cards = await fetchFragment(withIds(cardsUrl, [id])).catch(() => []);
    gallery.prepend(...cards.filter((card) => !document.getElementById(card.id)));
    document.querySelectorAll("[data-empty]").forEach((element) => element.removeAttribute("data-empty"));
    gallery.dispatchEvent(new Event(PHOTOS_ADDED, { bubbles: true }));
  }

  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
  endButton.addEventListener("click", end);
  acceptDrops(section, add);
  for (const link of document.querySelectorAll("[data-choose-photos]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      input.click();
    });
  }
  addEventListener("beforeunload", (event) => {
    if (!isIdle()) event.preventDefault();
  });
}
