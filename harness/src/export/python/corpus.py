"""Reads the cases, and compares answers with those that were recorded."""

import io
import json
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


def cases():
    with io.open(os.path.join(HERE, "cases.jsonl"), encoding="ascii") as file:
        return [json.loads(line) for line in file]


def recorded(case, release):
    """What the interpreter of this release answered; None if it was not asked."""
    for answer in case["answers"]:
        if any(one["release"] == release for one in answer["by"]):
            return answer
    return None


def releases():
    return sorted({one["release"] for case in cases() for answer in case["answers"] for one in answer["by"]})


def masked(pair):
    """The message of a SystemError begins with a file and a line, which differ from build to build."""
    name, message = pair
    return [name, re.sub(r"^.*?\.c:\d+: ", "", message) if name == "SystemError" else message]


def differences(expected, got):
    """Where an answer differs from the recorded one; what it does not say is not compared."""
    if got["outcome"] != expected["outcome"]:
        return ["%s instead of %s" % (got["outcome"], expected["outcome"])]
    found = []
    if got["outcome"] == "rejected":
        if got.get("exception") and masked(got["exception"]) != expected["exception"]:
            found.append("%s instead of %s" % (got["exception"], expected["exception"]))
        return found
    for key in ("consumed", "value", "canon"):
        if key in got and key in expected and got[key] != expected[key]:
            found.append("%s: %s instead of %s" % (key, json.dumps(got[key]), json.dumps(expected[key])))
    for version, (mine, recorded) in enumerate(zip(got.get("dumps", []), expected["dumps"])):
        if mine is None or not ("bytes" in recorded or "raises" in recorded):
            continue
        if "raises" in mine:
            mine = {"raises": masked(mine["raises"])}
        if mine != recorded:
            found.append("dump %d: %s instead of %s" % (version, json.dumps(mine), json.dumps(recorded)))
    return found
