"""The errors of PiCloud: class = code, HTTP status and public message.

The docstring of a class is its public message. Services raise these, one middleware
(`http/edge/middleware.py`) turns them into the JSON error shape; no other code builds error JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class PicloudError(Exception):
    """Something went wrong inside PiCloud."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, message: str | None = None, /, **details: object) -> None:
        """Create an error.

        Args:
            message: public text; the class docstring's first line when None. It must not hold
                database text, file paths, addresses or stack traces.
            details: JSON-able facts for the `details` member of the error shape.
        """
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.details = details
        super().__init__(self.message)


class ServiceError(Exception):
    """An error of a service, thrown in the calling script; the message has no function name."""


class PlatformError(ServiceError):
    """A service error about the platform: the text is for members of the app, never for other callers."""


class BadRequest(PicloudError):
    """The request cannot be understood."""

    code, status = "request_invalid", 400


class Unauthenticated(PicloudError):
    """Log in, or send a valid bearer token."""

    code, status = "unauthenticated", 401
    headers = {"WWW-Authenticate": "Bearer"}


class Forbidden(PicloudError):
    """Permission denied."""

    code, status = "forbidden", 403


class NotFound(PicloudError):
    """Not found."""

    code, status = "not_found", 404

    def __init__(self, what: str = "resource", name: object = None, **details: object) -> None:
        """Create a 404 for a missing object.

        Args:
            what: kind of the object, for example "script".
            name: its id or name as the caller gave it, or None.
            details: further facts.
        """
        text = f"{what} {str(name)!r} not found" if name is not None else f"{what} not found"
        super().__init__(text, **details)


class UnknownHost(PicloudError):
    """No app has claimed this host."""

    code, status = "not_found", 404

    def __init__(self, host: str) -> None:
        """Create a 404 for a host. Args: host: the host of the request."""
        super().__init__(
            f"no app has claimed the host {host[:255]!r}; to claim it for an app: "
            "picloud domains add HOST --app APP",
            host=host[:255],
        )


class SetupOver(PicloudError):
    """This setup link is not valid: it was used, it is older than an hour, or the instance has its owner."""

    code, status = "setup_over", 410


class MethodNotAllowed(PicloudError):
    """This path exists, but not with this method."""

    code, status = "method_not_allowed", 405

    def __init__(self, allowed: list[str]) -> None:
        """Create a 405. Args: allowed: the methods of the path."""
        super().__init__(allowed=sorted(allowed))
        self.headers = {"Allow": ", ".join(sorted(allowed))}  # type: ignore[misc]  # per error, shadows the class's


class Conflict(PicloudError):
    """Someone else changed this, or the name is taken."""

    code, status = "conflict", 409


class Outdated(Conflict):
    """Someone else changed this in the meantime; read it again."""


class PreconditionFailed(PicloudError):
    """This is no longer what the If-Match header names; read it again."""

    code, status = "precondition_failed", 412


class RequestTimeout(PicloudError):
    """The request body did not arrive in time."""

    code, status = "request_timeout", 408
    headers = {"Connection": "close"}


class BodyTooLarge(PicloudError):
    """The request body is too large."""

    code, status = "body_too_large", 413


class TargetTooLong(PicloudError):
    """The request's target is too long."""

    code, status = "target_too_long", 414


class HeadTooLarge(PicloudError):
    """The head of the request is too large."""

    code, status = "head_too_large", 431


class UnknownEncoding(PicloudError):
    """The body's Content-Encoding is none of gzip and deflate."""

    code, status = "unknown_encoding", 415
    headers = {"Accept-Encoding": "gzip, deflate"}


class UnknownContentType(PicloudError):
    """The body's Content-Type is not application/json."""

    code, status = "unknown_content_type", 415


class ExpectationFailed(PicloudError):
    """An Expect header can ask for 100-continue and nothing else."""

    code, status = "expectation_failed", 417


class RangeUnsatisfiable(PicloudError):
    """The requested range starts after the end of the file."""

    code, status = "range_unsatisfiable", 416

    def __init__(self, size: int) -> None:
        """Create a 416. Args: size: bytes of the file."""
        super().__init__(size=size)
        self.headers = {"Content-Range": f"bytes */{size}"}  # type: ignore[misc]  # per error, shadows the class's


class FileUnreadable(PicloudError):
    """The file cannot be read as it was stored."""

    code, status = "file_unreadable", 500


class Invalid(PicloudError):
    """A field of the request is not valid."""

    code, status = "invalid", 422


class ScriptInvalid(PicloudError):
    """The script does not parse."""

    code, status = "script_invalid", 422


class QuotaExceeded(PicloudError):
    """The quota of the app is exceeded."""

    code, status = "quota_exceeded", 507


class Throttled(PicloudError):
    """Too many attempts; wait and try again."""

    code, status = "throttled", 429

    def __init__(self, seconds: int, message: str | None = None) -> None:
        """Create a 429. Args: seconds: time to wait. message: public text."""
        super().__init__(message, retry_after=seconds)
        self.headers = {"Retry-After": str(seconds)}  # type: ignore[misc]  # per error, shadows the class's


class TooManyStreams(PicloudError):
    """The app has as many event streams open as this worker allows; close one, or try again later."""

    code, status = "too_many_streams", 429
    headers = {"Retry-After": "5"}


class Overloaded(PicloudError):
    """All execution slots are in use; try again in a second."""

    code, status = "overloaded", 503
    headers = {"Retry-After": "1"}


class Unavailable(PicloudError):
    """The database is not reachable right now; try again."""

    code, status = "unavailable", 503
    headers = {"Retry-After": "1"}


class StorageFull(Unavailable):
    """The storage of the server is full; delete data, or ask the operator for space."""

    code, status = "storage_full", 507
    headers = {}


class NotReady(PicloudError):
    """This process cannot serve yet."""

    code, status = "not_ready", 503
    headers = {"Retry-After": "1"}
