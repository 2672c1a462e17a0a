"""What goes wrong between us and an API server, as one sentence each: what, where, and what to do. Pure."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from launcher.errors import ApiError, BackendError, Unreachable

_MAX_TEXT = 600
_CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""TLS' words for a connection that ended in the middle, also of its handshake: nothing is wrong with its set-up."""


def answered(status: int, body: bytes, *, server: str, origin: str, token: str = "", now: float = 0.0) -> ApiError:
    """For an answer other than success. `token` (header Authorization) is looked at only for the time of its end."""
    told = _status_object(body)
    message, reason = _one_line(str(told.get("message") or "")), str(told.get("reason") or "")
    if status == 401:
        return ApiError(_not_accepted(server, origin, _expired_since(token, now)), status, "Unauthorized")
    if not told:
        said = _one_line(body.decode(errors="replace"))[:200]
        return ApiError(
            f"{server} ({origin}) answered {status} and not as a Kubernetes API server does: "
            f"'{said}'; is it the address of the cluster, or of a proxy before it?",
            status,
            reason,
        )
    return ApiError(_sentence(status, message, told), status, reason)


def unreachable(error: BaseException, *, server: str, origin: str, proxy: str = "") -> BackendError:
    """For a call that got no answer."""
    where = f"{server} ({origin})"
    certificate = _find(error, ssl.SSLCertVerificationError)
    if isinstance(certificate, ssl.SSLCertVerificationError):
        return BackendError(_not_trusted(where, certificate))
    other = _find(error, ssl.SSLError)
    if other is not None and not isinstance(other, _CUT):
        return BackendError(
            f"the cluster at {where} cannot be spoken to over TLS: {_one_line(str(other))}; "
            "is the address right (https or http), and is the client certificate its own?"
        )
    through = f" through the proxy {proxy}" if proxy else ""
    return Unreachable(
        f"the cluster at {where} cannot be reached{through}: {_why(error)}; is it running, and is this machine "
        "connected to it (network, VPN)? Use --context for another cluster, --backend local for this machine"
    )


def _sentence(status: int, message: str, told: Mapping[str, Any]) -> str:
    details = told.get("details") or {}
    if status == 403:
        return f"{message}; {_way_out_of_403(message)}"
    if status == 404 and details.get("kind") == "namespaces":
        name = details.get("name", "")
        return f"the namespace '{name}' does not exist; create it (kubectl create namespace {name}) or name another one"
    if "failed calling webhook" in message:
        return (
            f"an admission webhook of the cluster does not answer, so that it takes no object of this kind: {message}; "
            "tell whoever runs the cluster, and try again"
        )
    if status == 429:
        return f"the cluster has too much to do and took nothing more: {message or 'too many requests'}; try again"
    if status >= 500:
        return f"the cluster could not carry it out ({status}): {message}; try again"
    return message or f"the cluster refused it ({status} {told.get('reason', '')})"


def _way_out_of_403(message: str) -> str:
    if "exceeded quota" in message or "failed quota" in message:
        return "wait until others have ended, ask for less, or ask for a larger quota"
    if "being terminated" in message:
        return "the namespace is being removed: use another one"
    if "violates PodSecurity" in message or "denied the request" in message:
        return "the cluster's own rules forbid such an object"
    return "ask for the right, or use another account; 'launcher doctor' lists what is missing"


def _not_accepted(server: str, origin: str, expired: datetime | None) -> str:
    if expired is not None:
        return (
            f"the token of {origin} expired at {expired:%Y-%m-%d %H:%M:%S} UTC, and {server} does not accept it; "
            "log in again"
        )
    return (
        f"{server} does not accept the credentials of {origin} (401 Unauthorized): the token or certificate is not "
        "valid, or has expired; log in again"
    )


def _not_trusted(where: str, error: ssl.SSLCertVerificationError) -> str:
    why = error.verify_message or str(error)
    if error.verify_code in (62, 64):  # host name or address is not in the certificate
        return (
            f"the certificate of the cluster at {where} is for another name: {why}; use a name that is in it, "
            "or set tls-server-name in the kubeconfig"
        )
    if error.verify_code in (9, 10):
        return f"the certificate of the cluster at {where} is not valid now: {why}; is this machine's clock right?"
    return (
        f"the certificate of the cluster at {where} is not signed by the authority that we trust: {why}; "
        "is the kubeconfig (certificate-authority-data) of this cluster?"
    )


def _why(error: BaseException) -> str:
    for kind, words in (
        (ConnectionRefusedError, "connection refused"),
        (ConnectionResetError, "the connection was cut"),
        (BrokenPipeError, "the connection was cut"),
        *((kind, "the connection was cut") for kind in _CUT),
    ):
        if _find(error, kind):
            return words
    names = {type(part).__name__ for part in _chain(error)}
    if "NameResolutionError" in names:
        return "its name is not known to DNS"
    if "ConnectTimeoutError" in names or "ReadTimeoutError" in names or _find(error, TimeoutError):
        return "no answer in time"
    if names & {"RemoteDisconnected", "ProtocolError", "IncompleteRead"}:
        return "the connection was cut"
    system = next((part for part in _chain(error) if isinstance(part, OSError) and part.strerror), None)
    return system.strerror if system and system.strerror else _one_line(str(error))


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and everything that it came from (urllib3 keeps some in `reason` or among its arguments)."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        part = waiting.pop()
        if isinstance(part, BaseException) and all(part is not known for known in found):
            found.append(part)
            waiting += [part.__cause__, part.__context__, getattr(part, "reason", None), *part.args]
    return found


def _find(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    return next((part for part in _chain(error) if isinstance(part, kind)), None)


def _status_object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) and value.get("kind") == "Status" else {}


def _expired_since(token: str, now: float) -> datetime | None:
    """When a token that says so itself (a JWT) ended; None where it has not, or does not say."""
    parts = token.removeprefix("Bearer ").split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        end = float(claims["exp"])
    except (ValueError, KeyError, TypeError):
        return None
    return datetime.fromtimestamp(end, UTC) if end < now else None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_MAX_TEXT]
