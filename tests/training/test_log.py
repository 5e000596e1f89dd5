from pathlib import Path

from sketchseek.training.curves import draw_curves
from sketchseek.training.log import Meter, append, cut, read_log


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    assert read_log(log) == []
    append(log, 2, 0, {"loss": 0.1 + 0.2, "a,b": 1.0})
    append(log, 4, 1, {"loss": 1e-30})
    assert read_log(log) == [(2, 0, "loss", 0.1 + 0.2), (2, 0, "a,b", 1.0), (4, 1, "loss", 1e-30)]
    assert log.read_text().splitlines()[0] == "step,epoch,name,value"


def test_a_torn_line_is_not_read_and_cut_goes_back_to_a_step(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    for step in (1, 2, 3):
        append(log, step, 0, {"loss": float(step)})
    with log.open("a") as stream:
        stream.write("4,0,lo")
    assert [line[0] for line in read_log(log)] == [1, 2, 3]
    cut(log, 2)
    assert log.read_text() == "step,epoch,name,value\n1,0,loss,1.0\n2,0,loss,2.0\n"
    cut(tmp_path / "new.csv", 0)
    assert (tmp_path / "new.csv").read_text() == "step,epoch,name,value\n"


def test_cut_repairs_a_header_torn_by_a_kill(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("step,epo")
    cut(log, 5)
    append(log, 6, 0, {"loss": 1.0})
    assert read_log(log) == [(6, 0, "loss", 1.0)]


def test_means_over_the_steps_since_the_last_line() -> None:
    meter = Meter()
    for value in (1.0, 2.0, 6.0):
        meter.add({"loss": value})
    assert meter.means() == {"loss": 3.0}
    meter.add({"loss": 5.0, "late": 1.0})
    assert meter.means() == {"loss": 5.0, "late": 1.0}


def test_curves_are_a_picture(tmp_path: Path) -> None:
    log, picture = tmp_path / "log.csv", tmp_path / "curves.png"
    draw_curves(log, picture, "nothing yet")
    assert not picture.exists()
    append(log, 1, 0, {"loss": 1.0, "loss:triplet": 0.5, "images/s": 3.0})
    draw_curves(log, picture, "losses")
    narrow = picture.read_bytes()
    append(log, 2, 0, {"val:map@all": 0.5})
    draw_curves(log, picture, "losses and validation")
    assert narrow.startswith(b"\x89PNG")
    assert int.from_bytes(picture.read_bytes()[16:20]) == 2 * int.from_bytes(narrow[16:20])
