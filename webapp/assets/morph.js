/**
 * Makes `old` like `fresh` and touches only what differs, so that focus, scroll position, selected text and a button
 * that is being pressed stay. Elements with an id are told apart by it; others, by their place among their siblings.
 * An element with `data-kept` stays as it is: a script has made more of it than the server knows.
 */
export function morph(old, fresh) {
  if (old.isEqualNode(fresh) || old.dataset?.kept !== undefined) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  copyAttributes(old, fresh);
  const wanted = [...fresh.childNodes];
  const ids = new Set(wanted.map((node) => node.id));
  for (const child of [...old.children]) if (child.id && !ids.has(child.id)) child.remove();
  let place = old.firstChild;
  for (const node of wanted) {
    while (place && !place.id && !alike(place, node)) place = removed(place);
    const known = alike(place, node) ? place : node.id && [...old.children].find((child) => alike(child, node));
    if (!known) old.insertBefore(node, place);
    else if (known === place) place = place.nextSibling;
    else old.insertBefore(known, place);
    if (known) morph(known, node);
  }
  while (place) place = removed(place);
}

/** Takes a node away; returns the one after it. */
function removed(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function alike(old, fresh) {
  return old?.nodeName === fresh.nodeName && old.id === fresh.id;
}

function copyAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}
