"""Executes code objects that Provost made itself. Only a script worker that was started with `--execute` imports this file.

What runs may crash, so it runs in a child, which executes a batch and tells each ending through a pipe. When a signal ends
the child, the code object that was running is executed once more, alone in a fresh child, and what happens there is its
ending; the rest of the batch goes on in another child. If it does not die alone, it is executed again with a limit of memory
and then after those that came before it, to tell what the signal came of.
"""

import fcntl
import gc
import marshal
import os
import resource
import signal
import struct
import sys
import types

try:
    import builtins
except ImportError:
    import __builtin__ as builtins

# How a code object can end, as in ../PROTOCOL.md.
RETURNED, RAISED, DIED, TIME, MEMORY, RECURSION, REFUSED, UNSETTLED = range(8)

# CPU time after which an exception is raised in the code; and after which the child is killed, if that did not end it.
SOFT_SECONDS, HARD_SECONDS = 0.012, 0.05
# Address space that the code may take beyond what the worker has.
MEMORY_BYTES = 96 << 20
# Frames above the worker's.
RECURSION_LIMIT = 120
# How much of what a dying child says is kept.
LAST_WORDS = 2048

# What looks at the world, changes it or waits for it. Of the rest, nothing does.
HARMFUL = set(
    "__import__ __lazy_import__ __debug__ apply breakpoint buffer compile copyright credits delattr eval exec execfile exit "
    "file help input intern license open print quit raw_input reload setattr vars _".split()
)
BUILTINS = dict((name, value) for name, value in vars(builtins).items() if name not in HARMFUL)
BUILTINS["print"] = lambda *values: None

RESOURCES = ((MemoryError, MEMORY), (getattr(builtins, "RecursionError", ()), RECURSION))


class OutOfTime(BaseException):
    """The code has run for SOFT_SECONDS."""


class Sink(object):
    """In the place of files, for what prints without calling anything."""

    def write(self, text):
        pass

    flush = close = write


def out_of_time(*_):
    raise OutOfTime


def ending(b):
    """The ending of one code object: a number and a text."""
    try:
        raise LookupError
    except LookupError:
        # Whoever executes it may handle an exception. What a frame keeps of that is None otherwise, and may be left anywhere.
        return ending_beside_another(b)


def ending_beside_another(b):
    try:
        code = marshal.loads(b)
    except Exception as e:
        return REFUSED, type(e).__name__
    if type(code) is not types.CodeType:
        return REFUSED, "no code object"
    scope = {"__builtins__": BUILTINS, "__name__": "case"}
    try:
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, HARD_SECONDS)
            signal.setitimer(signal.ITIMER_PROF, SOFT_SECONDS)
            result = eval(code, scope)
            # What was left behind is taken down while it counts as part of this case.
            del result, code
            scope.clear()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except OutOfTime:
        return TIME, ""
    except:  # 2.7 raises instances of any class
        kind, e = sys.exc_info()[:2]
        for kinds, number in RESOURCES:
            if isinstance(e, kinds):
                return number, ""
        if kind is RuntimeError and "recursion" in str(e):  # 2.7
            return RECURSION, ""
        return RAISED, kind.__name__
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return RETURNED, ""


def execute(cases, told, words, limited):
    """What a child does: each ending goes into the pipe `told`."""
    devnull = os.open(os.devnull, os.O_RDWR)
    for fd in 0, 1:
        os.dup2(devnull, fd)
    os.dup2(devnull if words is None else words, 2)
    sys.stdin = sys.stdout = sys.stderr = Sink()
    sys.displayhook = lambda value: None
    sys.excepthook = sys.unraisablehook = lambda *what: None
    sys.path[:] = sys.meta_path[:] = []
    if limited:
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = limited + MEMORY_BYTES
        if soft == resource.RLIM_INFINITY or wanted < soft:
            resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    sys.setrecursionlimit(RECURSION_LIMIT)
    signal.signal(signal.SIGPROF, out_of_time)
    for place, b in enumerate(cases):
        try:
            number, text = ending(b)
        except OutOfTime:  # the signal came while the code ended in another way
            number, text = TIME, ""
        except MemoryError:
            number, text = MEMORY, ""
        # What others left of their memory may be in the way: it is executed once more, first in another child.
        if place and (number == MEMORY or (number, text) == (REFUSED, "MemoryError")):
            return
        text = text.encode("utf-8", "replace")[:255] if not isinstance(text, bytes) else text[:255]
        os.write(told, struct.pack("BB", number, len(text)) + text)
        if number == MEMORY:
            return


def children(cases, taken, alone=False):
    """Executes cases in one child: yields each ending that it told, and at last how it ended itself, if not by itself."""
    source, told = os.pipe()
    words = os.pipe() if alone else (None, None)
    if alone:
        # A child that says more than fits is not to wait for somebody who reads.
        fcntl.fcntl(words[1], fcntl.F_SETFL, fcntl.fcntl(words[1], fcntl.F_GETFL) | os.O_NONBLOCK)
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(source)
            execute(cases, told, words[1], 0 if alone else taken)
            status = 0
        except MemoryError:  # none is left even to tell it
            status = MEMORY
        finally:
            os._exit(status)
    os.close(told)
    buffered = b""
    while True:
        data = os.read(source, 1 << 16)
        if not data:
            break
        buffered += data
        while len(buffered) >= 2 and len(buffered) >= 2 + ord(buffered[1:2]):
            end = 2 + ord(buffered[1:2])
            yield ord(buffered[:1]), buffered[2:end]
            buffered = buffered[end:]
    os.close(source)
    status = os.waitpid(child, 0)[1]
    said = b""
    if alone:
        os.close(words[1])
        said = os.read(words[0], LAST_WORDS)
        os.close(words[0])
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in (signal.SIGVTALRM, signal.SIGPROF, signal.SIGXCPU):
            yield TIME, b""
        elif number == signal.SIGKILL:
            yield MEMORY, b""
        else:
            yield DIED, SIGNALS.get(number, "signal %d" % number).encode("ascii") + b"\n" + said
    elif status:
        yield (MEMORY, b"") if os.WEXITSTATUS(status) == MEMORY else (UNSETTLED, b"exit")


# SIGABRT has another name, too.
NAMES = sorted((name for name in dir(signal) if name.startswith("SIG") and not name.startswith("SIG_")), reverse=True)
SIGNALS = dict((int(getattr(signal, name)), name) for name in NAMES)


def endings(cases, taken):
    """The ending of each case, in order; `taken` is the address space of this process in bytes, or 0."""
    if hasattr(gc, "freeze"):
        gc.freeze()
    next = 0
    while next < len(cases):
        first = next
        for number, text in children(cases[first:], taken):
            if number == DIED:
                number, text = again(cases[first : next + 1], taken, text)
            next += 1
            yield number, text


def again(cases, taken, died):
    """The ending of the last case, which ended a child that executed others before it. `died` is what that child said."""
    alone = list(children(cases[-1:], taken, True))[-1:]
    if alone and alone[0][0] in (DIED, TIME, MEMORY):
        return alone[0]
    # An interpreter that is out of memory does not survive everywhere.
    if dies(cases[-1:], taken):
        return MEMORY, b""
    name = died.split(b"\n")[0]
    before = 1
    while before < 2 * len(cases):
        if dies(cases[-1 - before :], taken):
            return UNSETTLED, name + (" after the %d before it" % min(before, len(cases) - 1)).encode("ascii")
        before *= 2
    return UNSETTLED, name


def dies(cases, taken):
    """Whether a signal ends a child with these cases at the last one."""
    endings = list(children(cases, taken))
    return len(endings) == len(cases) and endings[-1][0] == DIED
