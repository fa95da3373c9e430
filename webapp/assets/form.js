import { announce } from "./announce.js";

const TROUBLE = "That did not work. Please try again in a minute.";

/**
 * Sends a form as its button would, and gives the element with the id `wanted` of the page that comes back; null, once
 * that was said, if there is none.
 */
export async function send(form, submitter, wanted) {
  const body = new URLSearchParams(new FormData(form));
  if (submitter?.name) body.append(submitter.name, submitter.value);
  if (submitter) submitter.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById(wanted);
    if (!found) trouble(form, page.querySelector(".error-page h1 + p")?.textContent ?? TROUBLE);
    else form.querySelector("[data-trouble]")?.remove();
    return found;
  } catch (error) {
    console.warn("The form could not be sent:", error);
    trouble(form, TROUBLE);
    return null;
  } finally {
    if (submitter) submitter.disabled = false;
  }
}

function trouble(form, sentence) {
  const place = form.querySelector("[data-trouble]") ?? document.createElement("p");
  place.dataset.trouble = "";
  place.className = "form-error";
  place.textContent = sentence;
  form.append(place);
  announce(sentence);
}
