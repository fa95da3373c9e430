// One file to the API, in a few tries if need be: a failed network and a busy server are waited for, since the
// same file sent twice is one photo.

const ATTEMPTS = 4;
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 60_000;
const BUSY = new Set([429, 502, 503, 504]);

/** The server said no, and would say so again. The message is a sentence for people. */
export class Refused extends Error {}

/** The server could not be reached, or stayed busy. Trying again later may help. */
export class Unreachable extends Error {}

/**
 * Sends `file` to `url`, and gives the API's answer.
 * @param {(sent: number) => void} onProgress how much was sent, 0 to 1.
 * @param {(seconds: number) => void} onWait the server is given this much time before the next try.
 * @throws {Refused | Unreachable | DOMException} the last, named AbortError, once `signal` is aborted.
 */
export async function send(file, url, { signal, onProgress, onWait }) {
  for (let attempt = 1; ; attempt++) {
    const answer = await post(file, url, signal, onProgress);
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    const mayPass = answer.status === 0 || BUSY.has(answer.status);
    if (!mayPass) throw new Refused(sentence(answer));
    if (attempt === ATTEMPTS) throw new Unreachable(sentence(answer));
    const wait = Math.min(answer.retryAfter ?? FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT);
    onWait(Math.ceil(wait / 1_000));
    await sleep(wait, signal);
  }
}

function post(file, url, signal, onProgress) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const form = new FormData();
    form.append("photo", file);
    // Unlike fetch, XMLHttpRequest tells how much of the body has been sent.
    const request = new XMLHttpRequest();
    onProgress(0);
    const abort = () => request.abort();
    signal.addEventListener("abort", abort);
    request.upload.addEventListener("progress", ({ loaded, total }) =>
      onProgress(total ? loaded / total : 0),
    );
    request.addEventListener("abort", () => reject(signal.reason));
    request.addEventListener("loadend", () => {
      signal.removeEventListener("abort", abort);
      resolve({
        status: request.status,
        body: json(request.responseText),
        retryAfter: milliseconds(request.getResponseHeader("Retry-After")),
      });
    });
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json, application/problem+json");
    request.send(form);
  });
}

function sentence({ status, body }) {
  if (status === 0) return "The connection failed before the photo was sent.";
  if (BUSY.has(status)) return "The server is busy just now.";
  return body?.detail || body?.title || `The server answered with an error (${status}).`;
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A Retry-After header, seconds or a date, in milliseconds; null without one. */
function milliseconds(header) {
  if (!header) return null;
  const wait = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(wait) ? null : Math.max(wait, 0);
}

function sleep(duration, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, duration);
    signal.addEventListener("abort", abort);
    function done() {
      signal.removeEventListener("abort", abort);
      resolve();
    }
    function abort() {
      clearTimeout(timer);
      reject(signal.reason);
    }
  });
}
