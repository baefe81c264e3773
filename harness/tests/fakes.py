"""A Python that misbehaves: fakes.py WORKER HOME [python options] SCRIPT. HOME's name says how.

It is the Python that runs it, under another prefix, until it runs the worker; that is WORKER with a flaw.
"""
import os
import sys
import zlib

WORKER, HOME = sys.argv[1:3]
MODE = os.path.basename(HOME)
ARGUMENTS = [argument for argument in sys.argv[3:] if argument not in ("-S", "-s", "-B", "-E", "-I")]


def flawed(worker):
    """The worker's names, one of them with the flaw."""
    load_case, load, u32, facts = (worker[name] for name in ("load_case", "load", "u32", "facts"))
    is_chosen = lambda b: zlib.crc32(b) % 40 == 0
    broken = []

    def on_chosen(flaw):
        def answer(b, *rest):
            if is_chosen(b):
                flaw()
            return load_case(b, *rest)
        worker["load_case"] = answer

    def crash():
        os.kill(os.getpid(), 11)

    def spin():
        while True:
            pass

    def hog():
        hoard = []
        while True:
            hoard.append(bytearray(1 << 24))

    if MODE == "crasher":
        on_chosen(crash)
    elif MODE == "hanger":
        on_chosen(spin)
    elif MODE == "hog":
        def answer(b, *rest):
            if is_chosen(b):
                try:
                    hog()
                except MemoryError:
                    os.write(2, b"MemoryError\n")
                    os._exit(1)
            return load_case(b, *rest)
        worker["load_case"] = answer
    elif MODE == "garbler":
        on_chosen(lambda: broken.append(1))
        worker["u32"] = lambda n: b"\xff\xff\xff\x7f" if broken else u32(n)
    elif MODE == "chatterer":
        def answer(*arguments):
            print("I am asked", arguments)
            os.write(1, b"and asked again\n" * 100)
            return load_case(*arguments)
        worker["load_case"] = answer
    elif MODE == "swapper":
        def swapped(fields):
            answers = list(load(fields))
            return iter(answers[1:] + answers[:1])
        worker["load"] = swapped
    elif MODE == "slow":
        until = 1.0
        while sum(os.times()[:2]) < until:
            pass
    elif MODE == "liar":
        # There is a run as soon as it was found.
        lie = os.path.exists(os.path.join(os.path.dirname(HOME), "runs"))
        worker["facts"] = lambda *rest: facts(*rest).replace(b'"build": "', b'"build": "not ') if lie else facts(*rest)
    elif MODE == "wrong":
        marshal = worker["marshal"]
        wrong = lambda value, version: marshal.dumps(value, version).replace(b"i\x01", b"i\x02")
        worker["load_case"] = lambda b, *rest: load_case(b, *rest[:3], marshal.loads, wrong)


sys.base_prefix = HOME
if ARGUMENTS[0] == "-c":
    exec(ARGUMENTS[1], {"__name__": "__main__"})
elif ARGUMENTS[0].endswith("worker.py"):
    # As for a script that Python runs: the worker imports what lies beside it.
    sys.path.insert(0, os.path.dirname(WORKER))
    names = {"__name__": "worker"}
    with open(WORKER) as file:
        exec(compile(file.read(), WORKER, "exec"), names)
    flawed(names)
    names["main"]()
    os._exit(0)
else:
    sys.argv = ARGUMENTS
    with open(ARGUMENTS[0]) as file:
        exec(compile(file.read(), ARGUMENTS[0], "exec"), {"__name__": "__main__"})
