import { enhanceSearch } from "./search.js";
import { keepUpToDate } from "./live.js";
import { enhanceUploads } from "./upload.js";
import { showLocalTimes } from "./times.js";

showLocalTimes(document);
document.querySelectorAll("form[role='search']").forEach(enhanceSearch);
document.querySelectorAll("[data-live-url]").forEach(keepUpToDate);
document.querySelectorAll("[data-upload]").forEach(enhanceUploads);
