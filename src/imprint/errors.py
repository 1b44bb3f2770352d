"""Every deliberate failure, as one tree in six families by who can act.

    ImprintError
    ├── InvalidInputError        change the request
    │   ├── EmptySampleError, SampleTooLargeError, UnsupportedMediaError, DecodeError
    │   ├── ModalityMismatchError, InvalidLabelError, InvalidNameError, InvalidOptionError
    │   ├── VectorError ── EncoderMismatchError, EmptyClassError, OpposedSupportsError
    │   ├── NotFittedError, TooFewSupportsError, InvalidTableError
    │   ├── DivergedError, MemoryExhaustedError
    │   └── RequestError ── MalformedRequestError, InvalidRequestError, RequestTooLargeError,
    │       RequestMediaError, SlowRequestError, MethodNotAllowedError
    ├── NotFoundError            name something that exists
    │   └── CollectionNotFoundError, LabelNotFoundError, SupportNotFoundError, AnswerNotFoundError,
    │       EncoderNotFoundError, AddressNotFoundError
    ├── ConflictError            resolve the clash
    │   └── LabelConflictError, DuplicateSupportError, CollectionExistsError, NewerWorkspaceError,
    │       IdempotencyConflictError, RunChangedError
    ├── DeniedError              get permission
    │   ├── InvalidKeyError, MissingScopeError, QuotaExceededError, ReadOnlyError,
    │   │   UnsafeBindError
    │   └── MasterKeyMissingError, MasterKeyWrongError, UnsafeKeyFileError
    ├── BusyError                come back after retry_after_s
    │   ├── StorageFullError, WorkspaceLockedError, KeyServiceError, SequenceNotReachedError
    │   └── OverloadedError, RateLimitedError, TimedOutError, NotReadyError, PortInUseError
    └── CorruptError             repair or restore
        └── WorkspaceCorruptError, BlobMissingError, SealBrokenError, ModelHashError,
            BackupCorruptError, BundleCorruptError, CheckpointCorruptError

Messages say what happened, the offending number and what to do. They never hold sample content,
secrets, paths or another tenant's names. HTTP numbers live in serve/problems.py, exit codes in cli.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from imprint.types import Check


class ImprintError(Exception):
    """Anything Imprint refuses on purpose. `code` is stable; the message is for people."""

    code = "imprint_error"


# ---------------------------------------------------------------- InvalidInput: change the request


class InvalidInputError(ImprintError, ValueError):
    """The request itself is wrong. `checks` lists every check made of a refused source."""

    code = "invalid_input"

    def __init__(self, message: str, checks: tuple[Check, ...] = ()) -> None:
        super().__init__(message)
        self.checks = checks


class EmptySampleError(InvalidInputError):
    """There is nothing in the sample."""

    code = "empty_sample"


class SampleTooLargeError(InvalidInputError):
    """The sample is larger than the limit of its modality."""

    code = "sample_too_large"


class UnsupportedMediaError(InvalidInputError):
    """The bytes are of a kind this collection cannot read."""

    code = "unsupported_media"


class DecodeError(InvalidInputError):
    """The bytes claim a format but cannot be decoded as it."""

    code = "decode_failed"


class ModalityMismatchError(InvalidInputError):
    """A sample of one modality met a collection of another."""

    code = "modality_mismatch"


class InvalidLabelError(InvalidInputError):
    """A label is empty, too long or holds characters labels may not hold."""

    code = "invalid_label"


class InvalidNameError(InvalidInputError):
    """A collection, tenant or key name breaks the naming rule."""

    code = "invalid_name"


class InvalidOptionError(InvalidInputError):
    """A setting, policy field or argument has a value it may not have."""

    code = "invalid_option"


class VectorError(InvalidInputError):
    """Vectors are not finite, of the wrong width, or have no direction."""

    code = "invalid_vectors"


class EncoderMismatchError(VectorError):
    """Embeddings of two encoder versions met. They are never compared."""

    code = "encoder_mismatch"


class EmptyClassError(VectorError):
    """Some class has no support."""

    code = "empty_class"


class OpposedSupportsError(VectorError):
    """A class's supports cancel out and leave no direction."""

    code = "opposed_supports"


class NotFittedError(InvalidInputError, AttributeError):
    """A head or estimator was asked before it was fitted."""

    code = "not_fitted"


class TooFewSupportsError(InvalidInputError):
    """A class holds fewer samples than the protocol needs."""

    code = "too_few_supports"


class DivergedError(InvalidInputError):
    """The loss of a training run became NaN or infinite; its last good checkpoint is kept."""

    code = "training_diverged"


class MemoryExhaustedError(InvalidInputError):
    """A training step does not fit into memory; the message says which setting to lower."""

    code = "memory_exhausted"


class InvalidTableError(InvalidInputError):
    """A file of samples cannot be read as one: missing columns, wrong encoding."""

    code = "invalid_table"


class Fault(NamedTuple):
    """One thing wrong with a request: where (a JSON pointer), a stable code, what to do."""

    pointer: str
    code: str
    message: str


class RequestError(InvalidInputError):
    """An HTTP request is wrong before any verb ran. `faults` names each place."""

    code = "bad_request"

    def __init__(self, message: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class MalformedRequestError(RequestError):
    """The body cannot be read as what its Content-Type says."""

    code = "malformed_request"


class InvalidRequestError(RequestError):
    """A field, parameter or header is missing, unknown or out of range."""

    code = "invalid_request"


class RequestTooLargeError(RequestError):
    """The body is larger than this server takes."""

    code = "request_too_large"


class RequestMediaError(RequestError):
    """This call does not read bodies of that Content-Type."""

    code = "request_media"


class SlowRequestError(RequestError):
    """The body did not arrive in time."""

    code = "slow_request"


class MethodNotAllowedError(RequestError):
    """The address exists but not for this HTTP method."""

    code = "method_not_allowed"


# ---------------------------------------------------------------- NotFound


class NotFoundError(ImprintError, LookupError):
    """There is no such thing, or it is not yours: the two read the same."""

    code = "not_found"


class CollectionNotFoundError(NotFoundError):
    """No such collection."""

    code = "collection_not_found"


class LabelNotFoundError(NotFoundError):
    """No such class in this collection."""

    code = "label_not_found"


class SupportNotFoundError(NotFoundError):
    """No such support in this collection."""

    code = "support_not_found"


class AnswerNotFoundError(NotFoundError):
    """No such answer on record."""

    code = "answer_not_found"


class EncoderNotFoundError(NotFoundError):
    """No such encoder, or its weights cannot be had from any source."""

    code = "encoder_not_found"


class AddressNotFoundError(NotFoundError):
    """The server has no such address."""

    code = "address_not_found"


# ---------------------------------------------------------------- Conflict


class ConflictError(ImprintError):
    """The request clashes with what is already there."""

    code = "conflict"


class LabelConflictError(ConflictError):
    """The very same sample is already taught under another label."""

    code = "label_conflict"


class DuplicateSupportError(ConflictError):
    """The very same sample is already taught under this label, as support `support_id`."""

    code = "duplicate_support"

    def __init__(self, message: str, support_id: str) -> None:
        super().__init__(message)
        self.support_id = support_id


class CollectionExistsError(ConflictError):
    """A collection of that name exists with other settings."""

    code = "collection_exists"


class NewerWorkspaceError(ConflictError):
    """The workspace was written by a newer Imprint."""

    code = "newer_workspace"


class IdempotencyConflictError(ConflictError):
    """An idempotency key came back with another request."""

    code = "idempotency_conflict"


class RetentionOverError(ConflictError):
    """What is asked back was forgotten longer ago than the collection keeps it."""

    code = "retention_over"


class RunChangedError(ConflictError):
    """A training run exists already, or was started with other settings than it is resumed with."""

    code = "run_changed"


# ---------------------------------------------------------------- Denied


class DeniedError(ImprintError):
    """The caller may not do this."""

    code = "denied"


class InvalidKeyError(DeniedError):
    """No key, an unknown key, an expired or a revoked one: all read the same."""

    code = "invalid_key"


class MissingScopeError(DeniedError):
    """The key is valid but lacks the scope this call needs."""

    code = "missing_scope"


class ReadOnlyError(DeniedError):
    """The workspace or bundle can be read but not written."""

    code = "read_only"


class QuotaExceededError(DeniedError):
    """The tenant would hold more than its limit allows."""

    code = "quota_exceeded"


class UnsafeBindError(DeniedError):
    """Serving on a public address without TLS was not explicitly allowed."""

    code = "unsafe_bind"


class MasterKeyMissingError(DeniedError):
    """The workspace is encrypted and its master key was not given. Nothing was changed."""

    code = "master_key_missing"


class MasterKeyWrongError(DeniedError):
    """The master key given is not the one this workspace's keys were wrapped with."""

    code = "master_key_wrong"


class UnsafeKeyFileError(DeniedError):
    """Others than its owner may read or write the file of the master key."""

    code = "unsafe_key_file"


# ---------------------------------------------------------------- Busy


class BusyError(ImprintError):
    """Not now. Try again after `retry_after_s` seconds."""

    code = "busy"

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StorageFullError(BusyError):
    """The disk is full; nothing was written."""

    code = "storage_full"


class WorkspaceLockedError(BusyError):
    """Another process holds the workspace's write lock for too long."""

    code = "workspace_locked"


class KeyServiceError(BusyError):
    """The key service that holds the master key does not answer or refuses."""

    code = "key_service"


class SequenceNotReachedError(BusyError):
    """The read asked for a write this server has not seen."""

    code = "sequence_not_reached"


class OverloadedError(BusyError):
    """More requests are waiting than the server queues."""

    code = "overloaded"


class RateLimitedError(BusyError):
    """The tenant has asked more often than its limit allows."""

    code = "rate_limited"


class TimedOutError(BusyError):
    """The work took longer than a request may take; it may still have been done."""

    code = "timed_out"


class NotReadyError(BusyError):
    """The server is starting, or something it depends on does not answer."""

    code = "not_ready"


class PortInUseError(BusyError):
    """Another program listens on the address the server was given."""

    code = "port_in_use"


# ---------------------------------------------------------------- Corrupt


class CorruptError(ImprintError):
    """Stored bytes are not what was written. Repair or restore."""

    code = "corrupt"


class WorkspaceCorruptError(CorruptError):
    """The database has a damaged page or is not an Imprint workspace."""

    code = "workspace_corrupt"


class BlobMissingError(CorruptError):
    """The raw sample of a support is gone or damaged; its embedding still answers."""

    code = "blob_missing"


class SealBrokenError(CorruptError):
    """An encrypted value was changed, or stands where it was not stored."""

    code = "seal_broken"


class BackupCorruptError(CorruptError):
    """A backup is damaged, or the folder is none."""

    code = "backup_corrupt"


class ModelHashError(CorruptError):
    """A model file does not have the hash its card or catalogue states."""

    code = "model_hash"


class BundleCorruptError(CorruptError):
    """An exported bundle is damaged or not a bundle."""

    code = "bundle_corrupt"


class CheckpointCorruptError(CorruptError):
    """A training checkpoint or weights file is damaged or does not fit its network."""

    code = "checkpoint_corrupt"
