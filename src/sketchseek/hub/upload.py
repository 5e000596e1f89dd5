"""Upload files to a repository on the hub in one commit."""

from dataclasses import dataclass
from pathlib import Path

from sketchseek.errors import SketchseekError

__all__ = ["File", "Prepared", "upload"]


@dataclass(frozen=True)
class File:
    """A file of the repository: its name there, and its content or where it lies."""

    name: str
    content: bytes | Path

    @property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


@dataclass(frozen=True)
class Prepared:
    """What will be uploaded; ``card`` is the text of its README.md."""

    repository: str
    files: tuple[File, ...]
    card: str

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)


def upload(prepared: Prepared, *, private: bool) -> str:
    """The address of the commit; makes the repository if there is none."""
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    disable_progress_bars()
    additions = [CommitOperationAdd(file.name, file.content) for file in prepared.files]
    try:
        api = HfApi()
        api.create_repo(prepared.repository, private=private, exist_ok=True)
        found = api.create_commit(
            prepared.repository, additions, commit_message="Upload with sketchseek", repo_type="model"
        )
    except Exception as error:  # of the network, the account, or others of the library
        raise SketchseekError(f"{prepared.repository} {_problem(error)}") from None
    return found.commit_url


def _problem(error: Exception) -> str:
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.LocalTokenNotFoundError) or status == 401:
        return "cannot be written without an account: log in with hf auth login, or set HF_TOKEN"
    if status == 403:
        return "may not be written by this account: name a repository of your own, or a token that may write"
    reason = error.__cause__ or error
    lines = str(reason).strip().splitlines() or [type(reason).__name__]
    return f"cannot be uploaded ({lines[0]}): try again"
