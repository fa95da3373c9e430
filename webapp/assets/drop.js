/** Dropped files and folders of files go to `onFiles`; `section` has `data-dragging` while they hover. */
export function acceptDrops(section, onFiles) {
  // Moving over the page's elements enters and leaves each of them; only the last leave leaves the page.
  let depth = 0;

  function hover(change) {
    depth = Math.max(depth + change, 0);
    section.toggleAttribute("data-dragging", depth > 0);
  }

  function whenFiles(handle) {
    return (event) => event.dataTransfer?.types.includes("Files") && handle(event);
  }

  document.addEventListener(
    "dragenter",
    whenFiles(() => hover(+1)),
  );
  document.addEventListener(
    "dragleave",
    whenFiles(() => hover(-1)),
  );
  document.addEventListener(
    "dragover",
    whenFiles((event) => {
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
    }),
  );
  document.addEventListener(
    "drop",
    whenFiles(async (event) => {
      event.preventDefault();
      hover(-depth);
      onFiles(await droppedFiles(event.dataTransfer));
    }),
  );
}

async function droppedFiles({ items, files }) {
  // Both lists are emptied when the event ends, so they are read before anything is waited for.
  const entries = [...items].map((item) => item.webkitGetAsEntry());
  if (!entries.some((entry) => entry?.isDirectory)) return [...files];
  return (await Promise.all(entries.filter(Boolean).map(filesIn))).flat();
}

/** The file of an entry, or every file in its folders but the hidden ones. */
async function filesIn(entry) {
  if (entry.isFile) {
    if (entry.name.startsWith(".")) return [];
    return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const child of some) found.push(...(await filesIn(child)));
  }
}
