"""What can go wrong with a gallery, in sentences."""

from sketchseek.errors import SketchseekError


class GalleryError(SketchseekError):
    """A gallery cannot do what was asked; the sentence names the way out."""


class NoGalleryError(GalleryError):
    """There is no gallery in this folder, or one that a crash stopped before it held anything."""


class GalleryDamagedError(GalleryError):
    """The database itself cannot be read: ``Gallery.rebuild`` saves what is left."""


class GalleryBusyError(GalleryError):
    """Another process is writing to the gallery."""
