"""age over streams: whoever has the public key can seal, and the identity alone opens."""

import os
from collections.abc import Callable, Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pyrage import DecryptError, EncryptError, IdentityError, RecipientError, decrypt_io, encrypt_io, x25519

from lk_site.backup import BackupDamaged, BackupRefused
from lk_site.encryption.keys import KeyInvalid, read_private

if TYPE_CHECKING:
    from typing_extensions import Buffer

IDENTITY_BEGINS = "AGE-SECRET-KEY-"


class Source(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Sink(Protocol):
    def write(self, data: bytes, /) -> int: ...


class Passing(BufferedIOBase):
    """A stream that keeps what went wrong in it: pyrage tells of an exception of ours as text alone."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.went_wrong: BaseException | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        return bytes(self.kept(self.stream.read, size))

    def write(self, data: "Buffer", /) -> int:
        """Write all of the data: pyrage counts on it."""
        self.kept(self.stream.write, data)
        return memoryview(data).nbytes

    def kept(self, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except BaseException as error:
            self.went_wrong = error
            raise


def seal(source: Source, sink: Sink, recipients: Sequence[str]) -> None:
    """Seal a stream to public keys. Raises BackupRefused for what is none, and whatever the streams raise."""
    keys = [recipient_of(text) for text in recipients]
    reading, writing = Passing(source), Passing(sink)
    try:
        encrypt_io(reading, writing, keys)
    except (EncryptError, OSError) as error:
        raise reading.went_wrong or writing.went_wrong or error from None


def unseal(source: Source, sink: Sink, identities: Sequence[x25519.Identity]) -> None:
    """Open a stream. Raises BackupRefused where it does not open, and whatever the streams raise.

    What was written until then is to be thrown away: a cut stream shows at its end.
    """
    reading, writing = Passing(source), Passing(sink)
    try:
        decrypt_io(reading, writing, identities)
    except (DecryptError, OSError) as error:
        if ours := reading.went_wrong or writing.went_wrong:
            raise ours from None
        if "No matching keys" in str(error):
            raise BackupRefused("The backup was sealed to another key: give the identity that belongs to it.") from None
        raise BackupDamaged("The backup is damaged: it does not open.") from None


def recipient_of(text: str) -> x25519.Recipient:
    """Return a public key, or raise BackupRefused."""
    try:
        return x25519.Recipient.from_str(text)
    except RecipientError:
        raise BackupRefused(f"{text[:20]} is no public key of age, which begins with age1.") from None


def identities_in(path: Path) -> list[x25519.Identity]:
    """Return the identities of a file as `age-keygen` writes it, of mode 0600; raises BackupRefused."""
    try:
        lines = [line.strip() for line in read_private(path).splitlines()]
    except KeyInvalid as error:
        raise BackupRefused(str(error).replace("key file", "identity file", 1)) from None
    try:
        found = [x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except IdentityError:
        found = []
    if not found:
        raise BackupRefused(f"The file {path} holds no identity of age, which begins with {IDENTITY_BEGINS}.")
    return found


def new_identity(path: Path) -> str:
    """Write a new identity into a new file of mode 0600, and return its public key; raises BackupRefused."""
    identity = x25519.Identity.generate()
    public = str(identity.to_public())
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"# public key: {public}\n{identity}\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise BackupRefused(f"{path} exists already, and nothing was written.") from None
    except OSError as error:
        raise BackupRefused(f"{path} cannot be written ({error.strerror}).") from None
    return public
