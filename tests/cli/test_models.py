"""``sketchseek models``, as people type it, against a hub on the loopback."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants

from sketchseek.cli import main
from sketchseek.engine.convert.source import PICTURES
from sketchseek.engine.folder import read_record
from sketchseek.engine.get import get_model
from sketchseek.engine.weights import WeightFile
from tests.gallery.photos import fill
from tests.hub import published
from tests.hub.loopback import FIRST, TOKEN, Hub, serve, sha256

MODEL = "someone/a-model"  # a model folder
RUN = "someone/a-run"  # a run folder, which is kept as it is: the quickest to get
SECOND = "2" * 40


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP as a model folder."""
    place = tmp_path_factory.mktemp("published")
    published.clip(place / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKETCHSEEK_MODELS", str(place / "models"))
        return get_model(str(place / "tiny")).folder


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As training leaves it, as far as publishing reads it."""
    run = tmp_path_factory.mktemp("trained") / "run"
    run.mkdir()
    (run / "adapter.safetensors").write_bytes(os.urandom(2**20) * 24)
    (run / "state.safetensors").write_bytes(b"only for resuming")
    (run / "README.md").write_text("# clip-at, category, sketchy\n\n| mAP@all | 0.5 |\n")
    (run / "recipe.toml").write_text(
        'format = 1\nmethod = "clip-at"\ndata = "/home/me/data/Sketchy"\nbackbone = "openai/clip-vit-base-patch32"\n'
    )
    return run


@pytest.fixture
def hub(model_folder: Path, run_folder: Path) -> Iterator[Hub]:
    with serve() as hub:
        hub.add(MODEL, model_folder, licence="mit")
        hub.add(RUN, run_folder)
        yield hub


Done = tuple[int, str, str]  # exit code, stdout, stderr


class Command:
    """Runs ``sketchseek`` with a home of its own: in this process, or in one of its own where that matters."""

    def __init__(self, hub: Hub, home: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.home, self.models, self.capture = home, home / "models", capture
        kept = {key: value for key, value in os.environ.items() if not key.upper().startswith(("HF_", "HTTP", "NO_PR"))}
        gallery = {"SKETCHSEEK_GALLERY": str(home / "gallery"), "SKETCHSEEK_CACHE": str(home / "cache")}
        self.environment = kept | hub.environment(home) | gallery

    def __call__(self, *arguments: object) -> Done:
        with pytest.raises(SystemExit) as end:
            main([*map(str, arguments)])
        captured = self.capture.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, captured.out, captured.err

    def process(self, *arguments: object, **settings: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "sketchseek", *map(str, arguments)],
            env=self.environment | settings,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def left(self) -> set[str]:
        """What lies in the models folder, without records and locks."""
        return {path.name for path in self.models.glob("*") if path.name != "fetched"}


@pytest.fixture
def command(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    command = Command(hub, tmp_path, capsys)
    for name in ("SKETCHSEEK_MODELS", "SKETCHSEEK_GALLERY", "NO_PROXY"):
        monkeypatch.setenv(name, command.environment[name])
    known = {
        "ENDPOINT": hub.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url),
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_CACHE": str(tmp_path / "hf"),
    }
    for name, value in known.items():
        monkeypatch.setattr(constants, name, value)  # the library reads its variables once
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield command
    close_session()


def said(done: Done) -> str:
    """The one sentence of a command that failed."""
    code, out, err = done
    assert code == 1 and out == "" and len(err.splitlines()) == 1, done
    return err


def test_a_model_of_the_hub_is_got_listed_used_checked_and_removed(command: Command, hub: Hub) -> None:
    code, out, err = command("models", "get", MODEL)
    assert (code, out) == (0, "someone--a-model\n"), err
    assert "sketchseek index --model someone--a-model" in err
    folder = command.models / "someone--a-model"
    assert command.left() == {"someone--a-model"} and read_record(folder).name == "tiny"
    assert not (command.models / "fetched" / "someone%2Fa-model").exists()  # the download is gone

    hub.requested.clear()
    _, out, _ = command("models", "get", MODEL, "--json")
    assert json.loads(out) == {"name": folder.name, "folder": str(folder), "new": False, "run": False}
    assert hub.requested == []

    listed = {line["name"]: line for line in json.loads(command("models", "--json")[1])}
    assert listed["someone--a-model"]["here"] and not listed["clip"]["here"]
    plain = command("models")[1]
    assert "--model someone--a-model" in plain and "sketchseek models get clip-b16" in plain

    code, out, err = command("models", "check", "someone--a-model")
    assert code == 0 and "are as they were made" in out, err
    fill(command.home / "photos", 3)
    for name, added in ((MODEL, 3), ("someone--a-model", 0)):  # both are its name
        assert json.loads(command("index", command.home / "photos", "--model", name, "--json")[1])["added"] == added
    assert len(json.loads(command("search", "--text", "red", "--min-score", "-1", "--json")[1])) == 3

    assert command("models", "remove", MODEL, "--yes")[1] == "someone--a-model deleted\n"
    assert command.left() == set()
    assert "sketchseek models get someone/a-model" in said(command("search", "--text", "red"))


def test_a_damaged_model_does_not_pass_the_check(command: Command, model_folder: Path) -> None:
    folder = shutil.copytree(model_folder, command.models / "mine")
    content = bytearray((folder / "texts.safetensors").read_bytes())
    content[-1000] ^= 1
    (folder / "texts.safetensors").write_bytes(content)
    assert "texts.safetensors has changed" in said(command("models", "check", "mine"))
    assert "perhaps you mean mine" in said(command("models", "check", "mime"))


def test_the_check_compares_with_text_vectors(command: Command, model_folder: Path) -> None:
    import numpy as np

    from sketchseek.engine import load

    shutil.copytree(model_folder, command.models / "mine")
    names = ["cat", "dog"]
    vectors = load(model_folder).encode_texts([f"a {name}" for name in names])
    np.savez(command.home / "right.npz", names=names, vectors=vectors)
    np.savez(command.home / "wrong.npz", names=names, vectors=-vectors)
    code, out, err = command("models", "check", "mine", "--vectors", command.home / "right.npz")
    assert code == 0 and "2 text vectors equal the expected ones, lowest cosine 1.0000" in out, err
    code, _, err = command("models", "check", "mine", "--vectors", command.home / "wrong.npz")
    assert code == 1 and 'cosine -1.0000 of "a ' in err
    np.savez(command.home / "other.npz", names=names)
    assert "needs arrays names" in command("models", "check", "mine", "--vectors", command.home / "other.npz")[2]


def test_only_the_published_clip_is_compared_with_genuine_vectors(command: Command, model_folder: Path) -> None:
    config = Path(shutil.copytree(model_folder, command.models / "mine")) / "config.json"
    written = json.loads(config.read_text()) | {"backbone": "openai/clip-vit-base-patch32"}
    config.write_text(json.dumps(written | {"method": "splip"}))
    assert command("models", "check", "mine")[0] == 0
    config.write_text(json.dumps(written))
    assert "mine makes vectors of 16 numbers, the file has 512" in command("models", "check", "mine")[2]


def test_a_folder_is_taken_under_a_name(command: Command, run_folder: Path) -> None:
    code, out, err = command("models", "get", run_folder, "--name", "mine")
    assert (code, out) == (0, "mine\n"), err
    assert (command.models / "mine" / "recipe.toml").is_file()
    assert "cannot be the name of a model" in said(command("models", "get", run_folder, "--name", "../mine"))
    (command.models / "other").mkdir()
    assert "is not a model folder: use --name" in said(command("models", "get", run_folder, "--name", "other"))


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("default", "a model that ships"),
        ("clip", "openai/clip-vit-base-patch32"),
        ("clip-int8", "openai/clip-vit-base-patch32"),
        ("someone--a-run", "someone/a-run of the hub"),
    ],
)
def test_a_name_that_is_taken_for_another_model_is_refused(
    command: Command, run_folder: Path, name: str, owner: str
) -> None:
    assert f"{name} is the name of {owner}: use --name" in said(command("models", "get", run_folder, "--name", name))
    assert command.left() == set()


def test_a_name_stays_with_its_model(command: Command, model_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(model_folder, command.models / "mine")
    published.clip(tmp_path / "tiny")
    for arguments in ((tmp_path / "tiny", "--name", "mine"), ("clip", "--name", "mine"), (tmp_path, "--name", "mine")):
        error = said(command("models", "get", *arguments))
        assert "mine is here already, made from tiny with 16 bits: sketchseek models remove mine" in error


def test_what_is_here_goes_before_the_hub(
    command: Command, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.clip(tmp_path / "someone" / "a-run")
    monkeypatch.chdir(tmp_path)
    assert "is not a model folder, which searching requires" in said(command("index", tmp_path, "--model", RUN))
    assert command("models", "get", RUN)[1] == "a-run\n"
    assert hub.requested == []
    assert "no model ''" in said(command("models", "get", ""))


def test_a_model_that_is_not_here_is_not_checked(command: Command) -> None:
    assert "clip is not on this machine: sketchseek models get clip" in said(command("models", "check", "clip"))


def test_a_download_continues_after_a_kill(command: Command, hub: Hub, run_folder: Path) -> None:
    weights = (run_folder / "adapter.safetensors").read_bytes()
    hub.hold_after = 22 * 2**20
    process = subprocess.Popen(
        [sys.executable, "-m", "sketchseek", "models", "get", RUN], env=command.environment, stderr=subprocess.PIPE
    )
    part = command.models / "fetched" / "someone%2Fa-run" / FIRST[:12] / "adapter.safetensors.part"
    end = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size >= 10 * 2**20):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert command.left() == set()
    kept = part.stat().st_size
    hub.hold_after = None
    hub.go_on.set()
    code, _, err = command("models", "get", RUN)
    assert code == 0 and "sketchseek export" in err, err
    assert (command.models / "someone--a-run" / "adapter.safetensors").read_bytes() == weights
    assert hub.sent[-1] == ("adapter.safetensors", kept, len(weights) - kept)


def test_a_file_that_is_not_what_was_announced_is_refused_and_got_again(command: Command, hub: Hub) -> None:
    hub.announced["adapter.safetensors"] = "0" * 64
    words = "adapter.safetensors of someone/a-run is not what it was (SHA-256"
    assert words in said(command("models", "get", RUN)) and command.left() == set()
    hub.announced.clear()
    assert command("models", "get", RUN)[0] == 0


def test_a_name_without_a_hash_is_trusted_once_and_then_required(command: Command, hub: Hub) -> None:
    first = hub.repositories[RUN].files
    assert command("models", "get", RUN)[0] == 0
    repository, folder = hub.repositories[RUN], command.models / "someone--a-run"
    repository.commits[SECOND], repository.main = {**first, "recipe.toml": b"other"}, SECOND
    shutil.rmtree(folder)
    assert command("models", "get", RUN)[0] == 0  # the state of the first time
    assert (folder / "recipe.toml").read_bytes() == first["recipe.toml"]
    shutil.rmtree(folder)
    repository.commits[FIRST] = {**first, "recipe.toml": b"other"}
    assert "recipe.toml of someone/a-run is not what it was" in said(command("models", "get", RUN))
    assert command.left() == set()


@pytest.mark.parametrize(
    ("name", "refuse", "words"),
    [
        ("someone/nothing", None, "is not on the hub: check the spelling"),
        (f"{RUN}@nowhere", None, "no such revision"),
        ("klip", None, "perhaps you mean clip"),
        ("./no/such/folder", None, "no model './no/such/folder'"),
        (RUN, (403, "GatedRepo"), "requires that you accept its terms"),
        (RUN, (401, ""), "log in"),
        (RUN, (403, ""), "without permission (status 403)"),
        (RUN, (400, ""), "cannot be downloaded"),
    ],
)
def test_a_refusal_is_one_sentence_and_leaves_nothing(
    command: Command, hub: Hub, name: str, refuse: tuple[int, str] | None, words: str
) -> None:
    hub.repositories[RUN].refuse = refuse
    assert words in said(command("models", "get", name))
    assert command.left() == set()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "cannot be downloaded"),
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE prevents"),
        ({"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}, "the proxy of this network"),
        ({"SKETCHSEEK_MODELS": "/proc/nowhere"}, "set SKETCHSEEK_MODELS"),
    ],
)
def test_a_network_or_disk_that_fails_is_one_sentence(command: Command, settings: dict[str, str], words: str) -> None:
    assert words in said(command.process("models", "get", RUN, **settings))
    assert command.left() == set()


def test_a_full_disk_is_one_sentence(command: Command, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(command.home)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=10**6))
    assert "has 1 MB: free some space" in said(command("models", "get", RUN))
    assert hub.sent == []
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    assert "does not fit on the disk" in said(command("models", "get", RUN))
    monkeypatch.undo()
    assert command.left() == set()


WEIGHTS = "someone/weights"


def test_a_full_disk_during_the_conversion_leaves_nothing(
    command: Command, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.clip(command.home / "weights")
    hub.add(WEIGHTS, command.home / "weights")

    def full(weights: WeightFile, folder: Path) -> None:
        (folder / weights.name).write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(WeightFile, "write", full)
        assert "No space left on device" in said(command("models", "get", WEIGHTS))
    assert command.left() == set()
    assert not list(command.models.rglob(f"*{PICTURES}"))  # but the download is kept
    completed(command, hub)


KILLED = f"""
import os, signal
from sketchseek.cli import main
from sketchseek.engine.weights import WeightFile
def write(weights, folder):
    (folder / weights.name).write_bytes(b"half of it")
    os.kill(os.getpid(), signal.SIGKILL)
WeightFile.write = write
main(["models", "get", "{WEIGHTS}"])
"""


def test_a_kill_during_the_conversion_leaves_no_model(command: Command, hub: Hub) -> None:
    published.clip(command.home / "weights")
    hub.add(WEIGHTS, command.home / "weights")
    done = subprocess.run([sys.executable, "-c", KILLED], env=command.environment, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(command.models.rglob(f"*/{PICTURES}"))  # it was killed while it wrote
    assert command.left() == set()
    assert "is not on this machine" in said(command("search", "--text", "x", "--model", WEIGHTS))
    completed(command, hub)


def completed(command: Command, hub: Hub) -> None:
    """The same command makes the model of what was downloaded, and removes what was left."""
    hub.sent.clear()
    code, _, err = command("models", "get", WEIGHTS)
    assert code == 0, err
    assert hub.sent == [] and command.left() == {"someone--weights"}
    assert not (command.models / "fetched" / "someone%2Fweights").exists()
    assert command("models", "check", "someone--weights")[0] == 0


def test_repositories_of_something_else_are_refused_before_the_download(command: Command, hub: Hub) -> None:
    files = hub.repositories[MODEL].commits
    files[FIRST] = {"config.json": b"{}", "pytorch_model.bin": b"x"}
    assert "as pickles only" in said(command("models", "get", MODEL))
    files[FIRST] = {"config.json": b"{}", "model.gguf": b"x"}
    assert "no CLIP or SigLIP" in said(command("models", "get", MODEL))
    files[FIRST] = {"config.json": b"{}", "model.safetensors": b"x"}
    assert "has no tokenizer.json" in said(command("models", "get", MODEL))
    assert hub.sent == []


def test_another_architecture_is_refused(command: Command, hub: Hub) -> None:
    published.clip(command.home / "bert")
    written = json.loads((command.home / "bert" / "config.json").read_text())
    (command.home / "bert" / "config.json").write_text(json.dumps({**written, "model_type": "bert"}))
    hub.add("someone/bert", command.home / "bert")
    assert "describes a model of type 'bert'" in said(command("models", "get", "someone/bert"))
    assert command.left() == set()


def test_only_one_process_gets_a_model(command: Command) -> None:
    from filelock import FileLock

    (command.models / "fetched").mkdir(parents=True)
    with FileLock(command.models / "fetched" / "someone%2Fa-run.lock"):
        assert "another process is getting someone--a-run" in said(command("models", "get", RUN))


@pytest.mark.parametrize("verb", ["index", "search", "serve"])
def test_without_a_terminal_commands_name_the_command(command: Command, hub: Hub, verb: str) -> None:
    sentence = said(command(verb, "--model", "clip", *(["--text", "x"] if verb == "search" else [])))
    assert "sketchseek models get clip downloads it (605 MB); --yes does so here" in sentence
    assert hub.requested == []


def test_yes_gets_the_model_first(command: Command) -> None:
    fill(command.home / "photos", 2)
    code, out, err = command("index", command.home / "photos", "--model", MODEL, "--yes")
    assert code == 0 and out.startswith("2 added"), err
    assert command.left() == {"someone--a-model"}


def on_a_terminal(command: Command, answer: bytes, *arguments: str) -> tuple[int, str]:
    """(exit code, what the terminal showed) of a command that is answered once it asks."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sketchseek", *arguments],
        env=command.environment,
        stdin=slave,
        stderr=slave,
        stdout=slave,
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            block = os.read(master, 1000)
        except OSError:  # the process has ended
            break
        shown += block
        if not block:
            break
        if b"[Y/n]" in shown and answer:
            os.write(master, answer)
            answer = b""
    os.close(master)
    return process.wait(60), shown.decode()


def test_a_terminal_is_asked_before_a_large_download(command: Command, hub: Hub) -> None:
    hub.repositories[RUN].files["README.md"] = b" " * 50_000_000
    code, shown = on_a_terminal(command, b"n\n", "models", "get", RUN)
    assert code == 130 and "Download someone--a-run (75.2 MB)?" in shown
    assert command.left() == set() and hub.sent == []
    code, shown = on_a_terminal(command, b"y\n", "models", "get", RUN)
    assert code == 0 and command.left() == {"someone--a-run"}, shown


@pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # of the hub's library
def test_a_model_is_pushed_and_read_back(
    command: Command, hub: Hub, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in (("--dry-run",), ("--private", "--dry-run")):
        code, out, err = command("models", "push", model_folder, "me/mine", *arguments)
        assert code == 0 and "texts.safetensors" in out and "license: other" in out, err
    assert hub.requested == []
    assert "log in with hf auth login" in command("models", "push", model_folder, "me/mine")[2]
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    code, out, err = command("models", "push", model_folder, "me/mine", "--private")
    assert code == 0 and out.startswith(f"{hub.url}/me/mine/commit/"), err
    repository = hub.repositories["me/mine"]
    assert repository.private and "sketchseek models get me/mine" in repository.files["README.md"].decode()
    assert repository.files["README.md"].startswith(b"---\nlicense: ")
    code, _, err = command("models", "get", "me/mine")
    assert code == 0, err
    assert read_record(command.models / "me--mine").identity == read_record(model_folder).identity


@pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # of the hub's library
def test_a_run_is_pushed_without_the_paths_of_this_machine(
    command: Command, hub: Hub, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    code, _, err = command("models", "push", run_folder, "me/clip-at")
    assert code == 0, err
    files = hub.repositories["me/clip-at"].files
    assert files.keys() == {"README.md", "adapter.safetensors", "recipe.toml"}
    assert b'data = "Sketchy"' in files["recipe.toml"] and not any(b"/home/me" in body for body in files.values())
    card = files["README.md"].decode()
    assert "base_model: openai/clip-vit-base-patch32" in card and "license: mit" in card and "mAP@all" in card
    assert json.loads(command("models", "get", "me/clip-at", "--json")[1])["run"] is True
    back = (command.models / "me--clip-at" / "adapter.safetensors").read_bytes()
    assert sha256(back) == sha256((run_folder / "adapter.safetensors").read_bytes())


@pytest.mark.parametrize("repository", ["mine", "a/b/c", "me/mine@main"])
def test_a_repository_is_named_owner_and_name(command: Command, repository: str) -> None:
    assert "write OWNER/NAME" in said(command("models", "push", "default", repository))
