"""Holds every event in a file, a JSON text a line, against its contract.

usage: check_sink.py FILE

Events whose type begins with "app." or "test." have no contract and are only counted. Fails when
an event does not hold, when its type has no contract, and when there was nothing to look at.
"""

import collections
import json
import sys

import contracts

FREE = ("app.", "test.")
SHOWN = 20


def check(lines):
    """(how many of each type, what does not hold)."""
    known = contracts.by_event(contracts.load())
    counts = collections.Counter()
    problems = []
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except ValueError as e:
            problems.append(f"line {number}: {e}")
            continue
        kind = event.get("event") if isinstance(event, dict) else None
        if not isinstance(kind, str):
            problems.append(f"line {number}: not an event: {line[:200]!r}")
            continue
        counts[kind] += 1
        if kind.startswith(FREE):
            continue
        if kind not in known:
            problems.append(f"line {number}: no contract for {kind!r}")
            continue
        problems += [f"line {number}: {kind}: at '{''.join(f'/{p}' for p in e.absolute_path)}': "
                     f"{e.message[:300]}" for e in known[kind].iter_errors(event)]
    return counts, problems


def main(path):
    with open(path, encoding="utf-8") as f:
        counts, problems = check(f)
    for kind in sorted(counts):
        print(f"{counts[kind]:8} {kind}")
    print("\n".join(problems[:SHOWN]))
    held = sum(n for kind, n in counts.items() if not kind.startswith(FREE))
    print(f"{sum(counts.values())} events, {held} of them with a contract, {len(problems)} problems")
    return 0 if held and not problems else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
