"""The reader that is tested: three functions, to be written for yours. As they stand, they ask the `marshal` of the Python
that runs them."""

import io
import marshal
import sys

from plain import TooDeep, plain

# Whether the classes and messages of exceptions are compared, too.
MESSAGES = True

# Strings of one character are interned before anything is read, as they were when the answers were recorded.
KEEP = [] if sys.version_info[0] == 2 else [sys.intern(chr(i)) for i in range(256)]


def release():
    """Which of the recorded interpreters the reader is compared with."""
    suffix = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(sys.version_info[3], "")
    return "%d.%d.%d" % tuple(sys.version_info[:3]) + (suffix + str(sys.version_info[4]) if suffix else "")


def load(stream):
    """The first object of a stream: a dict with "value" (plain JSON) or "canon", and "consumed"; what is left out is not
    compared. Any exception is a refusal."""
    answer = {}
    value = marshal.loads(stream)
    try:
        answer["value"] = plain(value)
    except TooDeep:
        pass
    if sys.version_info[0] > 2:
        file = io.BytesIO(stream)
        marshal.load(file)
        answer["consumed"] = file.tell()
    return answer


def dump(stream, version):
    """What the reader writes of the value in this version of the format, as bytes; NotImplemented if it does not write."""
    # The form of these calls decides which objects have other owners, which dumps show: nothing else may hold the value.
    keep = marshal.loads(stream)  # noqa: F841
    return marshal.dumps(*(marshal.loads(stream), version))
