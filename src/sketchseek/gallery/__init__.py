"""Keep what is known about photos, and find them."""

from sketchseek.gallery.errors import GalleryBusyError, GalleryDamagedError, GalleryError
from sketchseek.gallery.gallery import Gallery
from sketchseek.gallery.hits import Hit, Hits
from sketchseek.gallery.query import Query
from sketchseek.gallery.stats import Stats

__all__ = ["Gallery", "GalleryBusyError", "GalleryDamagedError", "GalleryError", "Hit", "Hits", "Query", "Stats"]
