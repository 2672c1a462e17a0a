"""Every error that `sphereface` raises on purpose.

    SpherefaceError                 exit 1   the work failed
    ├── InputError                  exit 2   the user can mend it: what, where, what to do
    │   ├── ConfigError                      a key, its type or its range
    │   ├── DataError                        a list, an image, a pair, a packed file
    │   ├── CheckpointError                  unreadable, truncated, or of another network
    │   └── UnsupportedError                 right in itself, but not on this device or in this format
    ├── StorageError                exit 1   the disk is full or not writable
    ├── TransferError               exit 1   an object store cannot be reached, refuses, or lacks a file
    └── DivergedError               exit 1   NaN or Inf in training; a retry would meet it again

`reason` is the machine word that reaches `launcher status`; `retry` says whether another attempt can help.
"""

from __future__ import annotations


class SpherefaceError(Exception):
    exit_code = 1
    reason = "StageFailed"
    retry = True


class InputError(SpherefaceError):
    exit_code = 2
    reason = "ConfigurationError"
    retry = False


class ConfigError(InputError):
    pass


class DataError(InputError):
    pass


class CheckpointError(InputError):
    pass


class UnsupportedError(InputError):
    pass


class StorageError(SpherefaceError):
    reason = "StorageFull"
    retry = False


class TransferError(SpherefaceError):
    pass


class DivergedError(SpherefaceError):
    reason = "Diverged"
    retry = False
