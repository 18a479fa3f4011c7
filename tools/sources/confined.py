"""Opens files below one root and nothing else: no link out, no device, no archive bomb. Knows no format."""

from __future__ import annotations

import errno
import gzip
import mmap
import os
import stat
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

MAX_FILES = 2_000
MAX_UNPACKED = 256 * 2**20
MAX_RATIO = 100
RATIO_FROM = 8 * 2**20  # a small file may well be one line, repeated; below this size the ratio says nothing
CHUNK = 2**20
HOLES_FROM = 2**30  # a sparse file reads as zeros, as many as it likes
MAX_HOLES = 1_000  # times what it takes on the disk: a file system that packs comes nowhere near
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Refused(Exception):
    """A file that is not read, and why, in words."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Tells whether a file is still the one that was read."""

    path: str
    device: int
    inode: int
    size: int
    modified_ns: int


class Root:
    """A folder whose links are resolved once; every file is opened component by component below it."""

    def __init__(self, path: str | Path):
        self.path = Path(os.path.realpath(path))

    def names(self, under: str = "") -> list[str]:
        """Names of what lies directly in `under` ("" is the root itself), sorted; hidden ones and excess left out."""
        folder = self._resolved(under) if under else self.path
        try:
            with os.scandir(folder) as entries:
                found = [entry.name for entry in entries if not entry.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise Refused(f"{folder}: {error.strerror}") from None
        return sorted(found)[:MAX_FILES]

    def is_folder(self, name: str) -> bool:
        try:
            return self._resolved(name).is_dir()
        except Refused:
            return False

    def is_there(self, name: str) -> bool:
        return os.path.lexists(self.path / name)

    def open(self, name: str) -> int:
        """A descriptor of a regular file below the root. Raises Refused."""
        relative = self._resolved(name).relative_to(self.path)
        parts, folders = relative.parts, [os.open(self.path, FOLDER)]
        try:
            for part in parts[:-1]:
                folders.append(os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=folders[-1]))
            # O_NONBLOCK: opening a FIFO must not wait for a writer.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(parts[-1], flags, dir_fd=folders[-1])
        except OSError as error:
            why = "a link was put in its way" if error.errno == errno.ELOOP else error.strerror
            raise Refused(f"{name}: {why}") from None
        finally:
            for folder in folders:
                os.close(folder)
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            os.close(descriptor)
            raise Refused(f"{name}: not a regular file (a pipe, socket or device)")
        if seen.st_size > HOLES_FROM and seen.st_blocks * 512 < seen.st_size // MAX_HOLES:
            os.close(descriptor)
            raise Refused(f"{name}: {seen.st_size / 2**30:,.0f} GB that are nearly all holes; not read")
        return descriptor

    def _resolved(self, name: str) -> Path:
        if "\x00" in name:
            raise Refused(f"{name!r}: a NUL character in the name")
        real = Path(os.path.realpath(self.path / name))
        if real != self.path and self.path not in real.parents:
            raise Refused(f"{name}: leads out of {self.path}")
        return real

    def fingerprint(self, name: str) -> Fingerprint:
        descriptor = self.open(name)
        try:
            seen = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        return Fingerprint(str(self.path / name), seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)

    def content(self, name: str) -> mmap.mmap | bytes:
        """The bytes of a file, unpacked where its name ends in .gz or .zst. Raises Refused."""
        descriptor = self.open(name)
        with os.fdopen(descriptor, "rb") as file:
            if not name.endswith((".gz", ".zst")):
                return _mapped(file)
            with tempfile.TemporaryFile() as unpacked:
                _unpack(file, name, cast(BinaryIO, unpacked))
                unpacked.flush()
                return _mapped(cast(BinaryIO, unpacked))

    def text(self, name: str, limit: int) -> str:
        """A whole small file as text; what is not UTF-8 is replaced. Raises Refused beyond `limit` bytes."""
        content = self.content(name)
        if len(content) > limit:
            raise Refused(f"{name}: {len(content):,} bytes, more than the {limit:,} that are read")
        return content[:].decode("utf-8-sig", "replace")


def _mapped(file: BinaryIO) -> mmap.mmap | bytes:
    """The file as memory that the kernel may drop; an empty file cannot be mapped."""
    size = os.fstat(file.fileno()).st_size
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""


def _unpack(packed: BinaryIO, name: str, target: BinaryIO) -> None:
    size, written = os.fstat(packed.fileno()).st_size, 0
    try:
        for chunk in _chunks(packed, name):
            written += len(chunk)
            if written > MAX_UNPACKED or (written > RATIO_FROM and written > MAX_RATIO * size):
                raise Refused(
                    f"{name}: unpacks to more than {MAX_UNPACKED // 2**20} MB or {MAX_RATIO} times its size; not read"
                )
            target.write(chunk)
    except (zlib.error, zstandard.ZstdError, EOFError, gzip.BadGzipFile) as error:
        raise Refused(f"{name}: damaged archive ({error})") from None


def _chunks(packed: BinaryIO, name: str) -> Iterator[bytes]:
    if name.endswith(".gz"):
        with gzip.GzipFile(fileobj=packed) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
        return
    # A frame may ask for a window as large as it likes; 128 MB is what the zstd tool grants too.
    reader = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(packed, read_across_frames=True)
    while chunk := reader.read(CHUNK):
        yield chunk
