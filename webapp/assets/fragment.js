/**
 * The elements of a rendered piece of page. Throws a FragmentError, a TypeError when offline, or what `signal` aborts
 * with.
 */
export async function fetchFragment(url, signal = null) {
  const response = await fetch(url, { headers: { Accept: "text/html" }, signal });
  if (!response.ok) throw new FragmentError(url, response.status);
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  return [...template.content.children];
}

export class FragmentError extends Error {
  constructor(url, status) {
    super(`${url} answered ${status}`);
    this.status = status;
  }
}

/** `url` with the ids of photos as its `id` parameters. */
export function withIds(url, ids) {
  const asked = new URL(url, location.href);
  for (const id of ids) asked.searchParams.append("id", id);
  return asked;
}
