"""One line a check: `ok NAME` or `no NAME: why`; the lab reads them."""

import sys


def check(name, run):
    try:
        run()
        print("ok", name, flush=True)
    except Exception as error:  # whatever a client throws is what the line tells
        print(f"no {name}: {type(error).__name__}: {error}".replace("\n", " ")[:400], flush=True)


def same(got, wanted):
    if got != wanted:
        raise AssertionError(f"{got!r} is not {wanted!r}")


def holds(text, words):
    if words not in (text or ""):
        raise AssertionError(f"{words!r} is not in {text!r}")


def raises(kind, run, status=None):
    try:
        run()
    except kind as error:
        if status is not None:
            same(getattr(error, "status_code", None), status)
        return error
    raise AssertionError("nothing was raised")


BASE, KEY = sys.argv[1:3]
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HELLO = "I read 5 characters."
CALLS = 'call weather {"city":"Paris"}\ncall time {"zone":"UTC"}'
