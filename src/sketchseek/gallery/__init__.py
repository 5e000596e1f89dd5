"""Keep what is known about photos, and find them."""

from sketchseek.gallery.errors import GalleryBusyError, GalleryDamagedError, GalleryError
from sketchseek.gallery.gallery import Gallery, Stats
from sketchseek.gallery.hits import Hit, Hits
from sketchseek.gallery.query import Query

__all__ = ["Gallery", "GalleryBusyError", "GalleryDamagedError", "GalleryError", "Hit", "Hits", "Query", "Stats"]
