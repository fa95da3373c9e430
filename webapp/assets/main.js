import { enhanceLabels } from "./labels.js";
import { enhanceSearch } from "./search.js";
import { enhanceSelection } from "./selection.js";
import { keepUpToDate } from "./live.js";
import { keepFresh } from "./refresh.js";
import { enhanceUploads } from "./upload.js";
import { showLocalTimes } from "./times.js";

showLocalTimes(document);
document.querySelectorAll("form[role='search']").forEach(enhanceSearch);
document.querySelectorAll("[data-live-url]").forEach(keepUpToDate);
document.querySelectorAll("[data-refresh-url]").forEach(keepFresh);
document.querySelectorAll("[data-upload]").forEach(enhanceUploads);
document.querySelectorAll("[data-labels]").forEach(enhanceLabels);
document.querySelectorAll("[data-selection]").forEach(enhanceSelection);

// What is said once is not said again when the page is loaded anew.
if (document.querySelector("[data-said-once]")) history.replaceState(null, "", location.pathname);
