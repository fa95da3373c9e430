"""Finding photos by what is in them: the language of the search box, pages of results, suggestions, and likeness."""

from photofleet.catalog.search.language import Mistake, Place
from photofleet.catalog.search.meaning import Unknown
from photofleet.catalog.search.planning import TooSlowError
from photofleet.catalog.search.results import CursorError, Found, Order, Reason, search_photos
from photofleet.catalog.search.similar import similar_photos
from photofleet.catalog.search.suggestions import Suggestion, common_labels, suggest, suggest_labels

__all__ = [
    "CursorError",
    "Found",
    "Mistake",
    "Order",
    "Place",
    "Reason",
    "Suggestion",
    "TooSlowError",
    "Unknown",
    "common_labels",
    "search_photos",
    "similar_photos",
    "suggest",
    "suggest_labels",
]
