"""Sentences around a class name whose text embeddings are averaged: DP-CLIP's ensemble, in wording of our own."""

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
#: 63, as many as the paper's code averages; each begins with "this is", as there.
TEMPLATES = tuple("this is " + place.format(picture=picture) for picture in _PICTURES for place in _PLACES)
#: the one sentence of the paper's figure, in our words
SINGLE = ("this is a {} in the image",)
