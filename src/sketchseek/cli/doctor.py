"""``sketchseek doctor``: what is installed, which models are here, and whether each part works on this machine."""

import os
import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from sketchseek import __version__
from sketchseek.cli.output import print_json
from sketchseek.errors import SketchseekError
from sketchseek.installation import extra_command, install_command
from sketchseek.parallel import usable_cores

CORE = (
    "numpy",
    "pillow",
    "pi-heif",
    "onnxruntime",
    "faiss-cpu",
    "filelock",
    "tokenizers",
    "huggingface-hub",
    "resvg-py",
    "click",
    "rich",
    "jinja2",
    "platformdirs",
    "fastapi",
    "uvicorn",
    "python-multipart",
    "prometheus-client",
    "threadpoolctl",
)
DEVICES = ("gpu", "directml", "openvino", "silicon")  # builds of onnxruntime for other devices
EXTRAS = {
    "clip": ("onnx",),
    "train": ("torch", "transformers", "safetensors", "onnx", "matplotlib"),
    "raw": ("rawpy",),
    "watch": ("watchfiles",),
    "milvus": ("pymilvus",),
    "ray": ("ray",),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
}


@dataclass(frozen=True)
class Check:
    """The outcome of one check: ``detail`` says what was found or, if it failed, what to do."""

    name: str
    ok: bool
    detail: str


def installed(distribution: str) -> str | None:
    """The installed version, read from its metadata: nothing is imported.

    onnxruntime is built for several devices, each as a distribution of its own.
    """
    if distribution == "onnxruntime":
        builds = (_version(name) for name in ("onnxruntime", *(f"onnxruntime-{device}" for device in DEVICES)))
        return next((found for found in builds if found), None)
    return _version(distribution)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def check_pictures() -> Check:
    """Draw strokes and resize them for a model: numpy, Pillow and our own code together."""
    try:
        from sketchseek.pictures import CLIP_SKETCHES, fit, sketch_from_strokes

        drawn = fit(sketch_from_strokes([[[0, 100], [0, 100]]]), CLIP_SKETCHES)
    except (ImportError, OSError) as error:
        return Check("pictures", False, f"{error}; install sketchseek again")
    inked = float((drawn < 128).mean())
    return Check("pictures", 0 < inked < 0.5, f"a drawn line covers {inked:.1%} of its picture")


def check_inference() -> Check:
    """Import onnxruntime and name its execution providers, best first."""
    try:
        import onnxruntime
    except (ImportError, OSError) as error:
        return Check(
            "onnxruntime", False, f"{error}; install it again: {install_command('--force-reinstall', 'onnxruntime')}"
        )
    names = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    return Check("onnxruntime", "CPU" in names, "providers " + ", ".join(names))


def check_index() -> Check:
    """Search a tiny FAISS index for a known neighbour."""
    try:
        import faiss
        import numpy as np

        index = faiss.IndexFlatIP(4)
        index.add(np.eye(4, dtype=np.float32))
        _, nearest = index.search(np.eye(4, dtype=np.float32)[2:3], 1)
    except (ImportError, OSError) as error:
        return Check("faiss", False, f"{error}; install it again: {install_command('--force-reinstall', 'faiss-cpu')}")
    return Check(
        "faiss", int(nearest[0, 0]) == 2, f"finds the nearest of 4 vectors, {faiss.omp_get_max_threads()} threads"
    )


def check_search_model() -> Check:
    """Open the default model on the execution provider that searching would use, and try all its graphs."""
    try:
        from sketchseek.engine import DEFAULT, find_model, load

        folder = find_model(DEFAULT)
        if folder is None:
            return Check("search model", False, f"the model {DEFAULT} is missing; install sketchseek again")
        encoder = load(folder)
        encoder.verify()
    except (ImportError, OSError) as error:
        return Check("search model", False, f"{error}; install sketchseek again")
    except SketchseekError as error:
        return Check("search model", False, str(error))
    return Check("search model", True, f"{DEFAULT} computes its golden vectors on {encoder.provider}")


def devices() -> dict[str, str]:
    """What each ``--device`` does here: "works", or why it does not; {} if onnxruntime cannot be imported."""
    try:
        from sketchseek.engine import DEFAULT, find_model, load
        from sketchseek.engine.sessions import DEVICES, available_providers, pick_provider

        folder, available = find_model(DEFAULT), available_providers()
    except (ImportError, OSError):
        return {}
    found = {}
    for device, (provider, _) in DEVICES.items():
        try:
            if folder is not None and provider in available and provider != "CPU":
                load(folder, provider=provider).verify()
            else:
                pick_provider(device)
            found[device] = "works"
        except SketchseekError as error:
            found[device] = str(error).removeprefix(f"--device {device}").lstrip(": ")
    return found


def check_models() -> tuple[Check, list[str]]:
    """List the models on this machine; returns their names too."""
    try:
        from sketchseek.engine import list_models
        from sketchseek.hub.catalog import list_backbones

        here = [*list_models(), *(backbone.name for backbone in list_backbones() if backbone.here)]
    except ImportError as error:
        return Check("models", False, f"{error}; install sketchseek again"), []
    except SketchseekError as error:
        return Check("models", False, str(error)), []
    return Check("models", True, f"{len(here)} on this machine"), here


def formats() -> dict[str, bool]:
    """Which formats can be opened; empty if the import fails, which ``check_pictures`` reports."""
    try:
        from sketchseek.pictures import supported_formats
    except (ImportError, OSError):
        return {}
    return supported_formats()


def report() -> dict[str, Any]:
    """The whole report of ``doctor`` as plain data."""
    packages = {name: installed(name) for name in CORE}
    missing = [name for name, found in packages.items() if found is None]
    models, here = check_models()
    checks = [
        Check(
            "packages",
            not missing,
            f"missing: {', '.join(missing)}; run: {install_command(*missing)}" if missing else "all installed",
        ),
        check_pictures(),
        check_inference(),
        check_index(),
        check_search_model(),
        models,
    ]
    return {
        "ok": all(check.ok for check in checks),
        "sketchseek": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "executable": sys.executable,
        "threads": usable_cores(),
        "packages": packages,
        "extras": {extra: {name: installed(name) for name in names} for extra, names in EXTRAS.items()},
        "devices": devices(),
        "formats": formats(),
        "models": here,
        "offline": os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"},
        "checks": [asdict(check) for check in checks],
    }


def describe(found: dict[str, Any]) -> None:
    """Print the report for people, one fact per line."""
    click.echo(
        f"sketchseek {found['sketchseek']}, Python {found['python']}, {found['platform']}, {found['threads']} threads"
    )
    for check in found["checks"]:
        mark = click.style("ok  ", fg="green") if check["ok"] else click.style("FAIL", fg="red")
        click.echo(f"{mark}  {check['name']}: {check['detail']}")
    for extra, packages in found["extras"].items():
        absent = [name for name, there in packages.items() if there is None]
        state = f"not installed ({', '.join(absent)}): {extra_command(extra)}" if absent else "installed"
        click.echo(f"      extra {extra}: {state}")
    for device, state in found["devices"].items():
        click.echo(f"      --device {device}: {state}")
    unsupported = [name for name, opens in found["formats"].items() if not opens]
    click.echo(f"      opens {', '.join(name for name, opens in found['formats'].items() if opens)}")
    if unsupported:
        click.echo(f"      cannot open {', '.join(unsupported)}")
    click.echo(f"      models here: {', '.join(found['models']) or 'none; see sketchseek models'}")
    if found["offline"]:
        click.echo("      HF_HUB_OFFLINE is set: nothing will be downloaded")


@click.command(short_help="Show what is installed and whether it works.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show what is installed, which models are here, and whether each part works on this machine.

    The exit code is 1 if anything that searching needs does not work.
    """
    found = report()
    if as_json:
        print_json(found)
    else:
        describe(found)
    context.exit(0 if found["ok"] else 1)
