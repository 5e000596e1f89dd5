from pathlib import Path

from sketchseek.gallery.failures import causes

BROKEN = "is damaged or cut short, or of an unusual kind"


def test_what_differs_from_file_to_file_does_not_count() -> None:
    found = causes(
        [
            (Path("/b.png"), f"{BROKEN} (cannot identify image file <a at 0x7f (b)>)"),
            (Path("/a.png"), "30000 x 30,000 pixels are over the limit of 200 million; set MAX=900 if you trust it"),
            (Path("/c.png"), f"{BROKEN} (unknown marker)"),
            (Path("/d.png"), "20000 x 20,000 pixels are over the limit of 200 million; set MAX=400 if you trust it"),
            (Path("/e.png"), BROKEN),
            (Path("/f\n.png"), "is empty"),
        ]
    )
    assert [(cause.count, str(cause.path)) for cause in found] == [(3, "/b.png"), (2, "/a.png"), (1, "/f\n.png")]
    assert str(found[2]) == "/f\\n.png: is empty"
    assert str(found[0]) == f"3 files, such as /b.png: {BROKEN} (cannot identify image file <a at 0x7f (b)>)"


def test_every_file_can_be_listed() -> None:
    failures = [(Path("/b.png"), "is empty"), (Path("/a.png"), "is empty")]
    assert [str(cause) for cause in causes(failures, every_file=True)] == ["/b.png: is empty", "/a.png: is empty"]
    assert causes([]) == []
