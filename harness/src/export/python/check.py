"""Compares a program in any language with the recorded answers: `python3 check.py RELEASE COMMAND...`

The program reads lines {"release": "3.12.1", "stream": "4e"} from its standard input and writes one line for each:
{"outcome": "rejected"}, or {"outcome": "accepted"} with as many of "value", "canon", "consumed" and "dumps" as it likes;
"exception": [class, message] and an element {"raises": [class, message]} of "dumps" are compared where they are given.
Exit status: 0 if it agrees in all cases, 1 if not.
"""

import json
import subprocess
import sys

import corpus


def main(release, command):
    asked = [(case, corpus.recorded(case, release)) for case in corpus.cases()]
    # Where an interpreter crashes there is nothing to agree with.
    asked = [(case, answer) for case, answer in asked if answer and answer["outcome"] != "undefined"]
    if not asked:
        sys.exit("there is no answer of %s; there are %s" % (release, ", ".join(corpus.releases())))
    lines = [json.dumps({"release": release, "stream": case["stream"]}) for case, _ in asked]
    done = subprocess.run(command, input="\n".join(lines) + "\n", stdout=subprocess.PIPE, universal_newlines=True)
    answers = done.stdout.splitlines()
    if done.returncode or len(answers) != len(asked):
        sys.exit("the program ended with status %d after %d of %d answers" % (done.returncode, len(answers), len(asked)))
    wrong = 0
    for (case, expected), line in zip(asked, answers):
        found = corpus.differences(expected, json.loads(line))
        wrong += bool(found)
        if found:
            print("%s (%s): %s" % (case["name"], case["what"], "; ".join(found)))
    print("%s: %d cases, %d wrong" % (release, len(asked), wrong))
    return int(wrong > 0)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
