"""Checks local times against Python's zoneinfo, which reads the same files.

usage: zone_crosscheck.py DRIVER

Every zone at random instants of three centuries, and around every change of its offset between
1901 and 2100 at the second before, at it, and a minute to either side.
"""

import datetime
import os
import random
import subprocess
import sys
import zoneinfo

driver = sys.argv[1]
seed = int(os.environ.get("DEMON_SEED", "20260329"))
print(f"seed {seed}", file=sys.stderr)
rng = random.Random(seed)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
FOLDER = "/usr/share/zoneinfo"
zoneinfo.reset_tzpath(to=[FOLDER])


def local(zone, seconds):
    return (EPOCH + datetime.timedelta(seconds=seconds)).astimezone(zone)


def offset(zone, seconds):
    return int(local(zone, seconds).utcoffset().total_seconds())


def edges(zone, first, last, step):
    """Where the offset changes, by halving."""
    found = []
    before = offset(zone, first)
    at = first
    while at < last:
        then = offset(zone, at + step)
        if then != before:
            low, high = at, at + step
            while high - low > 1:
                mid = (low + high) // 2
                if offset(zone, mid) == before:
                    low = mid
                else:
                    high = mid
            found.append(high)
            before = offset(zone, high)
            at = high
            continue
        at += step
    return found


def expected(zone, seconds):
    t = local(zone, seconds)
    east = int(t.utcoffset().total_seconds())
    whole = abs(east) // 60
    text = t.strftime("%H:%M:%S") + ("-" if east < 0 else "+")
    text = f"{t.year:04}-{t.month:02}-{t.day:02}T" + text
    return f"{east} {t.weekday()} {t.hour * 60 + t.minute} {text}{whole // 60:02}:{whole % 60:02}"


names = sorted(n for n in zoneinfo.available_timezones()
               if n not in ("localtime", "posixrules", "Factory") and not n.startswith("right/"))
if len(names) < 100:
    sys.exit(f"only {len(names)} time zones: is tzdata installed?")
asked = []
for name in names:
    zone = zoneinfo.ZoneInfo(name)
    asked += [(name, rng.randrange(-5_000_000_000, 6_000_000_000)) for _ in range(60)]
    if rng.random() < 0.15 or name in ("Europe/Oslo", "America/New_York", "Africa/Casablanca",
                                       "Australia/Lord_Howe", "America/Nuuk", "Asia/Gaza"):
        for edge in edges(zone, 1_400_000_000, 2_600_000_000, 20 * 86400):
            asked += [(name, edge + d) for d in (-60, -1, 0, 1, 60)]
text = "".join(f"{name} {seconds}\n" for name, seconds in asked)
run = subprocess.run([driver], input=text.encode(), stdout=subprocess.PIPE, check=True)
answers = run.stdout.decode().split("\n")[:-1]
assert len(answers) == len(asked), (len(answers), len(asked))
wrong = 0
for (name, seconds), got in zip(asked, answers):
    want = expected(zoneinfo.ZoneInfo(name), seconds)
    if got != want:
        wrong += 1
        if wrong <= 20:
            print(f"{name} at {seconds}: expected {want}, got {got}")
print(f"{len(asked)} instants of {len(names)} zones, {wrong} wrong")
sys.exit(1 if wrong else 0)
