"""One test for each case: `python -m pytest`, or `python -m unittest`."""

import binascii
import re
import unittest

import corpus
import reader


def exception(error):
    return [type(error).__name__, str(error)]


def answer(stream, expected):
    """What the reader says of a stream."""
    try:
        got = dict(reader.load(stream), outcome="accepted")
    except Exception as error:
        return {"outcome": "rejected", "exception": exception(error) if reader.MESSAGES else None}
    if expected["outcome"] == "accepted":
        got["dumps"] = [dump(stream, version, recorded) for version, recorded in enumerate(expected["dumps"])]
    return got


def dump(stream, version, recorded):
    if "undefined" in recorded or "slow" in recorded:
        return None
    try:
        data = reader.dump(stream, version)
    except Exception as error:
        return {"raises": exception(error)} if reader.MESSAGES else None
    return None if data is NotImplemented else {"bytes": binascii.hexlify(data).decode("ascii")}


class Corpus(unittest.TestCase):
    def test_the_release_is_recorded(self):
        self.assertIn(reader.release(), corpus.releases())


def add(case):
    def test(self):
        expected = corpus.recorded(case, reader.release())
        if expected is None:
            self.skipTest("not asked of %s" % reader.release())
        if expected["outcome"] == "undefined":
            self.skipTest("undefined there: %s" % expected["cause"])
        got = answer(binascii.unhexlify(case["stream"]), expected)
        found = corpus.differences(expected, got)
        self.assertFalse(found, "%s (%s): %s" % (case["name"], case["what"], "; ".join(found)))

    setattr(Corpus, "test_" + re.sub("[^a-z0-9]+", "_", case["name"]), test)


for one in corpus.cases():
    add(one)

if __name__ == "__main__":
    unittest.main()
