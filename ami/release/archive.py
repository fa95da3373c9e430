"""The tarball: its manifest, its checksums, and bytes that depend on nothing but what is in it."""

import json
from collections.abc import Mapping, Sequence
from hashlib import file_digest
from io import BufferedReader, BytesIO
from pathlib import Path
from tarfile import GNU_FORMAT, TarFile, TarInfo
from tempfile import TemporaryDirectory

from ami.release.source import Source, mode

Contents = Mapping[str, Path | bytes]
"""The files of a release by their paths in it: where they are on this machine, or what is in them."""


def write(source: Source, roles: Sequence[str], contents: Contents, folder: Path) -> Path:
    """Write a release and, beside it, its checksum; return its path. What was there before stays until it is whole."""
    files = {path: {"sha256": _sha256(contents[path]), "bytes": _size(contents[path])} for path in sorted(contents)}
    manifest = {"version": source.version, "commit": source.commit, "roles": roles, "files": files}
    described = (json.dumps(manifest, indent=2) + "\n").encode()
    sums = {path: file["sha256"] for path, file in files.items()} | {"manifest.json": _sha256(described)}
    summed = "".join(f"{sums[path]}  {path}\n" for path in sorted(sums)).encode()
    whole = {**contents, "manifest.json": described, "SHA256SUMS": summed}

    name = f"photofleet-{source.version}"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix="unfinished-") as unfinished:
        tar, checksum = Path(unfinished, f"{name}.tar"), Path(unfinished, f"{name}.tar.sha256")
        with TarFile.open(tar, "w", format=GNU_FORMAT) as archive:
            for path in sorted(whole):
                _add(archive, f"{name}/{path}", whole[path], source.time)
        checksum.write_text(f"{_sha256(tar)}  {tar.name}\n", encoding="ascii")
        # Better for a moment a release without a checksum, which is seen to be unfinished, than one with another's.
        (folder / checksum.name).unlink(missing_ok=True)
        tar.replace(folder / tar.name)
        checksum.replace(folder / checksum.name)
    return folder / tar.name


def _add(archive: TarFile, name: str, content: Path | bytes, time: int) -> None:
    # All that is not set here, such as an owner, is the same in every TarInfo.
    member = TarInfo(name)
    member.size, member.mtime = _size(content), time
    member.mode = mode(content) if isinstance(content, Path) else 0o644
    with _open(content) as file:
        archive.addfile(member, file)


def _sha256(content: Path | bytes) -> str:
    with _open(content) as file:
        return file_digest(file, "sha256").hexdigest()


def _size(content: Path | bytes) -> int:
    return content.stat().st_size if isinstance(content, Path) else len(content)


def _open(content: Path | bytes) -> BufferedReader | BytesIO:
    return content.open("rb") if isinstance(content, Path) else BytesIO(content)
