# -*- coding: utf-8 -*-
"""Says hello, in a way that every Python from 2.7 on understands."""
import sys

LIMITS = (0, -1, 2 ** 40, 2.5, -0.0, 1e400, 3j, None, True, Ellipsis, b"\x00\xff", u"caf\xe9", u"\U0001f40d", (), ((1, 2), 3))


class Greeter(object):
    greeting = u"hello"

    def __init__(self, name, *rest, **options):
        self.name = name
        self.rest = rest
        self.loud = options.get("loud", False)

    def greet(self):
        def decorate(text):
            return text.upper() + u"!" if self.loud else text

        words = [word for word in (self.greeting, self.name) if word not in {u"", u"nobody"}]
        return decorate(u", ".join(words))


def greet(name=u"world"):
    try:
        with open(name) as lines:
            for i, line in enumerate(lines):
                if i > 10:
                    break
                yield line[1:-1]
    except (IOError, OSError) as error:
        yield Greeter(name, loud=True).greet() or str(error)
    finally:
        sys.stdout.flush()


if __name__ == "__main__":
    print(list(greet()))
