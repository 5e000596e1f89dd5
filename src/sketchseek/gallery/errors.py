"""The errors of galleries."""

from sketchseek.errors import SketchseekError


class GalleryError(SketchseekError):
    """A gallery cannot do something; the message says what to do instead."""


class NoGalleryError(GalleryError):
    """There is no gallery here, or only an empty file that an interrupted run left."""


class GalleryDamagedError(GalleryError):
    """The database cannot be read; ``Gallery.rebuild`` saves what is left."""


class GalleryOutdatedError(GalleryError):
    """The gallery has an earlier format, and this process may not write the new one."""


class GalleryBusyError(GalleryError):
    """Another process is writing to the gallery."""
