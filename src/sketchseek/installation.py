"""The command that adds packages to the environment that sketchseek runs in, however it was installed."""

import json
import os
import re
import shlex
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution, requires
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

_FOR_EXTRA = re.compile(r"\s*(?P<requirement>[^;]+?)\s*;\s*extra == ['\"](?P<extra>[^'\"]+)['\"]")


def extra_command(extra: str) -> str:
    """The command that installs what an extra of sketchseek adds, such as ``raw``."""
    return install_command(*(requirements(extra) or [f"sketchseek[{extra}]"]))


def requirements(extra: str) -> list[str]:
    """What an extra requires, as pip takes it; nothing if sketchseek is not installed as a package."""
    try:
        lines = requires("sketchseek") or []
    except PackageNotFoundError:
        return []
    found = [_FOR_EXTRA.fullmatch(line) for line in lines]
    return [each["requirement"] for each in found if each and each["extra"] == extra]


def install_command(*packages: str) -> str:
    """The command that installs these packages here, with the installer that this environment belongs to."""
    if name := _name_in_pipx():
        return _line("pipx", "inject", name, *packages)
    pins = _tested_versions()
    return _line(*_installer("install"), *packages, *(["--constraint", str(pins)] if pins else []))


def uninstall_command(package: str) -> str:
    """The command that removes a package here, with the same installer."""
    if name := _name_in_pipx():
        return _line("pipx", "runpip", name, "uninstall", "--yes", package)
    return _line(*_installer("uninstall"), package)


def _name_in_pipx() -> str | None:
    """What pipx calls this environment, if it made it."""
    prefix = Path(sys.prefix)
    return prefix.name if (prefix / "pipx_metadata.json").is_file() else None


def _installer(verb: str) -> list[str]:
    """The start of a command of uv or pip, with the options that it needs here."""
    # Environments of uv have no pip.
    uses_uv = (Path(sys.prefix) / "uv-receipt.toml").is_file() or find_spec("pip") is None
    start = ["uv", "pip", verb, "--python", sys.executable] if uses_uv else [sys.executable, "-m", "pip", verb]
    if verb == "uninstall" and not uses_uv:
        start.append("--yes")
    if _is_managed_by_the_system():  # sketchseek itself was installed there with this option
        start.append("--break-system-packages")
    return start


def _is_managed_by_the_system() -> bool:
    return sys.prefix == sys.base_prefix and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").is_file()


def _tested_versions() -> Path | None:
    """The versions that go with a checkout of the repository, if sketchseek was installed from one (PEP 610)."""
    try:
        origin = json.loads(distribution("sketchseek").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return None
    url = urlsplit(origin.get("url", ""))
    if url.scheme != "file" or "dir_info" not in origin:
        return None
    pins = Path(url2pathname(url.path) if os.name == "nt" else unquote(url.path)) / "constraints.txt"
    return pins if pins.is_file() else None


def _line(*words: str) -> str:
    """Words as one line for the shell of this system."""
    return " ".join(map(_quoted, words))


def _quoted_for_windows(word: str) -> str:
    return word if re.fullmatch(r"[\w:.\\/-]+", word) else f'"{word}"'


_quoted = _quoted_for_windows if os.name == "nt" else shlex.quote
