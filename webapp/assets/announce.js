const region = document.getElementById("announcements");

/** Says a sentence to people who use a screen reader, once what they are hearing has ended. */
export function announce(sentence) {
  region.textContent = sentence;
}

/** "1 photo", "3 photos". */
export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
