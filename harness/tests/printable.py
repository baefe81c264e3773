"""Prints the ranges of characters beyond ASCII that the interpreter takes for printable."""
import sys


def main():
    if sys.version_info < (3,):
        return
    first = None
    for code in range(0x80, sys.maxunicode + 2):
        printable = code <= sys.maxunicode and chr(code).isprintable()
        if printable and first is None:
            first = code
        if not printable and first is not None:
            print(first, code - 1)
            first = None


main()
