/** A file on its way, as the person sees it: one row of the list, made from the page's row template. */
export class UploadRow {
  constructor(template, file, { onCancel, onRetry }) {
    this.file = file;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.statusText = this.part("status");
    this.progress = this.part("progress");
    this.link = this.part("link");
    this.cancelButton = this.part("cancel");
    this.retryButton = this.part("retry");
    this.part("name").textContent = file.name;
    this.progress.setAttribute("aria-label", `Sending ${file.name}`);
    this.cancelButton.setAttribute("aria-label", `Cancel ${file.name}`);
    this.retryButton.setAttribute("aria-label", `Try ${file.name} again`);
    this.cancelButton.addEventListener("click", onCancel);
    this.retryButton.addEventListener("click", onRetry);
    this.waiting();
  }

  part(name) {
    return this.element.querySelector(`[data-part="${name}"]`);
  }

  waiting() {
    this.show("waiting", "Waiting", { cancel: true });
  }

  sending(sent) {
    this.progress.value = sent;
    const sentence = sent < 1 ? `${Math.floor(sent * 100)} %` : "Checking";
    this.show("sending", sentence, { cancel: true, progress: true });
  }

  pausing(seconds) {
    this.show("waiting", `Trying again in ${seconds} s`, { cancel: true });
  }

  refused(sentence) {
    this.show("refused", sentence);
  }

  unreachable(sentence) {
    this.show("refused", sentence, { retry: true });
  }

  duplicate(url) {
    this.link.href = url;
    this.show("duplicate", "Already among your photos.", { link: true });
  }

  show(state, sentence, { cancel = false, retry = false, progress = false, link = false } = {}) {
    const hadFocus = this.element.contains(document.activeElement);
    this.element.dataset.state = state;
    this.statusText.textContent = sentence;
    this.progress.hidden = !progress;
    this.link.hidden = !link;
    this.cancelButton.hidden = !cancel;
    this.retryButton.hidden = !retry;
    if (hadFocus) this.element.querySelector("a:not([hidden]), button:not([hidden])")?.focus();
  }
}
