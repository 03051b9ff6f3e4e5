"""Checks numbers, order of keys and escapes against the rules, written here a second time.

usage: json_crosscheck.py DRIVER DATA

ECMA-262 Number::toString says: as few digits as read back as the same double, of those the
nearest. Python's repr promises the same digits; for powers of two and a sample of the others the
promise itself is checked with exact fractions.
"""

import json
import os
import random
import struct
import subprocess
import sys
from fractions import Fraction

driver, data = sys.argv[1:]
seed = int(os.environ.get("DEMON_SEED", "20260102"))
rng = random.Random(seed)
failures = 0
checked = 0


def expect(what, got, want):
    global failures, checked
    checked += 1
    if got != want:
        failures += 1
        if failures <= 20:
            print(f"{what}\n  expected {want!r}\n  got      {got!r}")


def ask(mode, lines):
    text = "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")
    run = subprocess.run([driver, mode], input=text, stdout=subprocess.PIPE, check=True)
    answers = run.stdout.decode("utf-8").split("\n")[:-1]
    if len(answers) != len(lines):
        sys.exit(f"{mode}: {len(lines)} lines, {len(answers)} answers")
    return answers


def digits_of(v):
    """(digits, n) with v = 0.digits * 10^n, by repr."""
    mantissa, _, exponent = repr(v).lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    text = whole + fraction
    n = len(whole) + int(exponent or 0)
    stripped = text.lstrip("0")
    n -= len(text) - len(stripped)
    return stripped.rstrip("0"), n


def shortest(v):
    """The same from the definition, with exact arithmetic."""
    exact = Fraction(v)
    n = 0
    while exact >= Fraction(10) ** n:
        n += 1
    while exact < Fraction(10) ** (n - 1):
        n -= 1
    for k in range(1, 18):
        unit = Fraction(10) ** (n - k)
        floor = exact // unit
        fits = [s for s in (floor, floor + 1) if s and float_of(s * unit) == v]
        if fits:
            s = min(fits, key=lambda s: (abs(s * unit - exact), s % 2))
            text = str(s)
            return text.rstrip("0"), n + len(text) - k
    raise AssertionError(v)


def float_of(fraction):
    try:
        return fraction.numerator / fraction.denominator  # rounds correctly
    except OverflowError:
        return float("inf")


def layout(digits, n):
    k = len(digits)
    if k <= n <= 21:
        return digits + "0" * (n - k)
    if 0 < n <= 21:
        return digits[:n] + "." + digits[n:]
    if -6 < n <= 0:
        return "0." + "0" * -n + digits
    e = n - 1
    sign = "+" if e > 0 else "-"
    return digits[0] + ("." + digits[1:] if k > 1 else "") + "e" + sign + str(abs(e))


def number(v):
    if v == 0:
        return "0"
    return ("-" if v < 0 else "") + layout(*digits_of(abs(v)))


def bits(v):
    return struct.pack(">d", v).hex()


def double(n):
    return struct.unpack(">d", struct.pack(">Q", n))[0]


def finite(v):
    return v == v and abs(v) != float("inf")


def neighbours(v):
    n = int(bits(v), 16)
    return [double(n - 1), v, double(n + 1)] if n else [v]


def check_numbers():
    two = [2.0**e for e in range(-1074, 1024)]
    ten = [float(f"1e{e}") for e in range(-323, 309)]
    values = [w for v in two + ten for w in neighbours(v)]
    values += [double(n) for n in range(1, 2000)]
    values += [double(rng.getrandbits(52)) for _ in range(2000)]
    values += [double(rng.getrandbits(64)) for _ in range(20000)]
    values += [rng.randrange(10**15) / 10 ** rng.randrange(16) for _ in range(10000)]
    values += [round(rng.uniform(-1000, 1000), rng.randrange(8)) for _ in range(10000)]
    values += [float(rng.randrange(2**53, 2**80)) for _ in range(3000)]
    values += [0.0, -0.0, 9007199254740991.0, 9007199254740992.0, 9007199254740994.0, 1e21,
               999999999999999900000.0, 1e-6, 1e-7, 1.7976931348623157e308, 2.2250738585072014e-308,
               2.225073858507201e-308, 5e-324, 0.1 + 0.2, 1 / 3, 123456789012345680.0]
    values = [v for v in values if finite(v)]
    values += [-v for v in values[:500]]
    for v, got in zip(values, ask("numbers", [bits(v) for v in values])):
        expect(f"number {bits(v)}", got, number(v))
    for v in two + rng.sample([abs(v) for v in values if v], 1000):
        expect(f"digits of {bits(v)}", layout(*shortest(v)), number(v))


def literal():
    """A decimal near a double or near the middle of two, or anything."""
    kind = rng.randrange(4)
    if kind == 0:
        return f"{rng.randrange(1, 10**rng.randrange(1, 30))}e{rng.randrange(-340, 300)}"
    if kind == 1:
        return f"{rng.randrange(10**6)}.{rng.randrange(10**12):012d}"
    v = abs(double(rng.getrandbits(63) % (0x7FE << 52)))
    middle = (Fraction(v) + Fraction(double(int(bits(v), 16) + 1))) / 2
    shift = 1200
    text = str(middle * 10**shift // 1)
    return text + rng.choice(["", "0", "1"]) + f"e-{shift + (0 if kind == 2 else 1)}"


def check_literals():
    """Literals become the nearest double; an exact middle has up to 767 digits."""
    literals = [literal() for _ in range(4000)]
    literals += ["1" + "0" * 400 + "e-400", "0." + "0" * 400 + "1e401", "1e-400", "-1e-400",
                 "1" + "0" * 900 + "1e-900", "0.1e-1000000000000", "-0.0", "0e999999999999",
                 "1.7976931348623158e308"]
    literals += ["9007199254740993" + "0" * 900 + rest + "e-900" for rest in ("", "1", "01")]
    literals = [text for text in literals if finite(float(text))]
    for text, got in zip(literals, ask("canonical", literals)):
        expect(f"literal {text}", got, number(float(text)))


def check_integers():
    """An integer literal is refused unless it is exact or the canonical form of its double."""
    integers = [2**e + d for e in range(40, 100) for d in (-1, 0, 1, 2)]
    integers += [rng.randrange(2**rng.randrange(50, 1000)) for _ in range(3000)]
    integers += [int(float(n)) for n in integers]
    integers += [int(number(float(n))) for n in integers if n < 10**21]
    integers += [10**e for e in range(309)]
    for n, got in zip(integers, ask("canonical", [str(n) for n in integers])):
        v = float(n)
        if int(v) == n or number(v) == str(n):
            expect(f"integer {n}", got, number(v))
        else:
            expect(f"integer {n}", got[:1] + got[-20:], "!write it as a string")


LETTERS = ["a", "b", "A", "0", "", "_", "\x01", "\x1f", "\x7f", "\b", "\t", "\n", "\f", "\r", '"',
           "\\", "/", "é", "\u2028", "\ud7ff", "\ue000", "\ufb33", "\uffff", "\U00010000",
           "\U0001f600", "\U0010ffff"]


def text():
    return "".join(rng.choice(LETTERS) for _ in range(rng.randrange(6)))


def tree(depth):
    kind = rng.randrange(8 if depth else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.randrange(-(2**53), 2**53)
    if kind == 2:
        return round(rng.uniform(-1e6, 1e6), rng.randrange(10))
    if kind < 6:
        return text()
    if kind == 6:
        return [tree(depth - 1) for _ in range(rng.randrange(5))]
    return {text(): tree(depth - 1) for _ in range(rng.randrange(25))}


def canonical(value):
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return number(float(value))
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(canonical(key) + ":" + canonical(value[key]) for key in keys) + "}"


def check_trees():
    trees = [tree(4) for _ in range(3000)] + [{text(): 1, text(): 2} for _ in range(2000)]
    for ascii_only in (True, False):
        lines = [json.dumps(t, ensure_ascii=ascii_only) for t in trees]
        answers = ask("canonical", lines)
        for t, line, got in zip(trees, lines, answers):
            expect(line, got, canonical(t))
        mixed = lines + answers
        for line, again, yes in zip(mixed, ask("canonical", mixed), ask("check", mixed)):
            expect(line, yes, "yes" if again == line and line.startswith("{") else "no")


def check_vectors():
    """DATA/*.json: what is read; beside each, NAME.canonical: what must be written."""
    names = sorted(name for name in os.listdir(data) if name.endswith(".json"))
    if not names:
        sys.exit(f"no vectors in {data}")
    for name in names:
        with open(os.path.join(data, name), encoding="utf-8") as f:
            value = f.read()
        with open(os.path.join(data, name[:-5] + ".canonical"), encoding="utf-8") as f:
            want = f.read().rstrip("\n")
        expect(name, ask("canonical", [value.replace("\n", " ")])[0], want)
        expect(name + " in Python", canonical(json.loads(value)), want)


check_vectors()
check_numbers()
check_literals()
check_integers()
check_trees()
print(f"seed {seed}: {checked} checked, {failures} failed")
sys.exit(1 if failures or not checked else 0)
