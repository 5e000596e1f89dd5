"""Sentences around a class name whose text embeddings are averaged: DP-CLIP's ensemble, in our own wording."""

_PICTURES = (
    "photo",
    "picture",
    "drawing",
    "sketch",
    "painting",
    "clear image",
    "simple image",
    "small image",
    "close view",
)
_PLACES = (
    "a {picture} of a {{}}",
    "a {picture} of the {{}}",
    "a {picture} of one {{}}",
    "the {picture} of a {{}}",
    "a {picture} showing a {{}}",
    "a {picture} with a {{}} in it",
    "a {picture} of a {{}} and little else",
)
#: 63, as in the released code, and beginning with "this is" as there.
TEMPLATES = tuple("this is " + place.format(picture=picture) for picture in _PICTURES for place in _PLACES)
#: The single sentence of the paper's figure, in our own wording.
SINGLE = ("this is a {} in the image",)
