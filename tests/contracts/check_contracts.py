"""Checks the contracts, and the validator in C against python3-jsonschema.

usage: check_contracts.py DRIVER EVENTS

EVENTS holds one good event of each type, and in bad/ some that must be refused. Both validators
must agree on these and on random changes of the good ones; where the C code names a place, the
other must have found something wrong there too. DEMON_SEED chooses the changes.
"""

import copy
import glob
import json
import os
import random
import re
import subprocess
import sys
import tempfile

import check_sink
import contracts

CHANGED = 160  # variants of each good event

driver, folder = sys.argv[1:]
seed = int(os.environ.get("DEMON_SEED", "20260301"))
print(f"DEMON_SEED={seed}")
rng = random.Random(seed)
failures = []
schemas = contracts.load()
known = contracts.by_event(schemas)


def expect(what, holds):
    if not holds:
        failures.append(what)


# what a contract looks like ------------------------------------------------------------------

def check_shape(file, where, schema):
    """Fields are described, and objects with fields say whether there may be others."""
    for key in ("if", "then", "else"):
        schema = {k: v for k, v in schema.items() if k != key}
    if "properties" in schema:
        expect(f"{file}: {where}: additionalProperties is not said",
               isinstance(schema.get("additionalProperties"), bool))
        for key in schema.get("required", ()):
            expect(f"{file}: {where}: required {key} is no property", key in schema["properties"])
    for key, field in schema.get("properties", {}).items():
        expect(f"{file}: {where}/{key}: no description", field.get("description"))
        check_shape(file, f"{where}/{key}", field)
    if "items" in schema:
        check_shape(file, where + "/*", schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        check_shape(file, where + "/*", schema["additionalProperties"])
    for key, definition in schema.get("$defs", {}).items():
        check_shape(file, f"#{key}", definition)


def check_schema(file, schema):
    contracts.Validator.check_schema(schema)
    expect(f"{file}: $schema", schema["$schema"] == "https://json-schema.org/draft/2020-12/schema")
    expect(f"{file}: $id", schema["$id"] == f"https://demon.example/contracts/{file}")
    expect(f"{file}: open at the top", schema["additionalProperties"] is False)
    expect(f"{file}: title and description", schema["title"] and schema["description"])
    check_shape(file, "", schema)
    if file == contracts.ENVELOPE:
        return
    expect(f"{file}: its title is not the event type",
           schema["title"] == schema["properties"]["event"]["const"])
    expect(f"{file}: event and ts are not required", {"event", "ts"} <= set(schema["required"]))
    inner = schema.get("$defs", {}).get("envelope")
    outer = schemas[contracts.ENVELOPE]
    expect(f"{file}: its envelope is not that of {contracts.ENVELOPE}",
           inner is None or all(inner.get(key) == outer.get(key) for key in
                                ("type", "properties", "required", "additionalProperties")))


# two validators ------------------------------------------------------------------------------

def ask(mode, values):
    lines = [json.dumps(v, ensure_ascii=False, separators=(",", ":")) for v in values]
    run = subprocess.run([driver, mode], input="".join(line + "\n" for line in lines).encode(),
                         stdout=subprocess.PIPE, check=True)
    answers = run.stdout.decode().split("\n")[:-1]
    if len(answers) != len(values):
        sys.exit(f"{len(values)} values, {len(answers)} answers")
    return list(zip(lines, answers))


def pointer(error):
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in error.absolute_path)


def compare(mode, values, validator_of):
    """Returns how many values hold and how many do not."""
    tally = {True: 0, False: 0}
    for value, (line, answer) in zip(values, ask(mode, values)):
        validator = validator_of(value)
        errors = list(validator.iter_errors(value)) if validator else None
        holds = errors == []
        tally[holds] += 1
        if holds != (answer == "ok"):
            failures.append(f"{line}\n  Python: {[e.message for e in errors or []][:2]}\n  C: {answer}")
            continue
        if not errors:
            continue
        place = re.search(r": at '([^']*)': ", answer)
        if place is None or not place.group(1).endswith("..."):
            at = place.group(1) if place else ""
            expect(f"{line}\n  Python: {[pointer(e) for e in errors]}\n  C: {answer}",
                   at in [pointer(e) for e in errors])
    return tally


def contract_of(value):
    kind = value.get("event") if isinstance(value, dict) else None
    return known.get(kind) if isinstance(kind, str) else None


# random changes ------------------------------------------------------------------------------

TEXTS = [
    "", "a", "a.b", "a:b", "a b", "ä", "🔑" * 64, "ß" * 65, "x" * 64, "x" * 65, "x" * 256,
    "ü" * 257, "0" * 64, "f" * 63, "F" * 64, "0" * 32, "0" * 64 + "\n", "r-9\n", "/a/b", "/a~1/~0",
    "/~2", "a/b", "/", "/ü/\n", "null", "1",
    "2026-02-28T23:59:59Z", "2026-02-29T00:00:00Z", "2024-02-29T00:00:00.1+00:00",
    "2026-12-31T23:59:60Z", "2026-01-01T24:00:00Z", "2026-01-01t00:00:00z", "2026-01-01T00:00:00",
    "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.1234567890Z",
    "2026-01-01T00:00:00-23:59", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00-00:00",
    "0000-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-01 00:00:00Z",
    "٢026-01-01T00:00:00Z", "2026-01-01T00:00:00Z\n", " 2026-01-01T00:00:00Z",
]
OTHERS = [None, True, False, 0, -1, 1, 2, 99, 100, 599, 600, 1.0, 2.0, 0.5, 1.5, -0.001, 1e300,
          2**52, -(2**52), [], {}, [None], ["a"], [{}], {"a": 1}, {"a": "b"}, {"a": {}}, {"a": 1.5}]
WORDS = sorted({word for schema in schemas.values()
                for word in re.findall(r'"([A-Za-z0-9_.:-]+)"', json.dumps(schema))})


def spots(value):
    """Every (collection, key) below value."""
    for key in list(value if isinstance(value, dict) else range(len(value))):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from spots(value[key])


def change_text(text):
    at = rng.randrange(len(text) + 1)
    return rng.choice([
        text[:at] + rng.choice("aZ0._-:/~ \nä🔑") + text[at:], text[:at] + text[at + 1:],
        text.upper(), text + "\n", text[:at] + text[at:][::-1], text * 2])


def other_value(value):
    if isinstance(value, str) and rng.random() < 0.5:
        return change_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and rng.random() < 0.5:
        return rng.choice([value + 1, value - 1, -value, value + 0.5, float(value), str(value)])
    return copy.deepcopy(rng.choice(rng.choice([TEXTS, OTHERS, WORDS])))


def change(value):
    collection, key = rng.choice(list(spots(value)))
    how = rng.random()
    if how < 0.6:
        collection[key] = other_value(collection[key])
    elif how < 0.75:
        del collection[key]
    elif isinstance(collection, list):
        collection.insert(key, copy.deepcopy(rng.choice([collection[key]] + OTHERS)))
    elif how < 0.9:
        name = change_text(key)
        collection[name] = collection.pop(key)
    else:
        collection[rng.choice(WORDS)] = copy.deepcopy(rng.choice(OTHERS + TEXTS))


def variants(value):
    for _ in range(CHANGED):
        variant = copy.deepcopy(value)
        for _ in range(rng.choice([1, 1, 1, 2, 4])):
            if variant:
                change(variant)
        yield variant


# the script that others use ------------------------------------------------------------------

def check_sink_script(good, bad):
    def status(lines):
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".jsonl") as f:
            f.write("".join(line + "\n" for line in lines))
            f.flush()
            return subprocess.run([sys.executable, "-B", check_sink.__file__, f.name],
                                  stdout=subprocess.DEVNULL).returncode
    lines = [json.dumps(event) for event in good]
    free = ['{"event":"test.noted:v1"}', '{"event":"app.x:v1","any":1}']
    expect("check_sink: good events", status(lines + free) == 0)
    expect("check_sink: nothing", status([]) == 1)
    expect("check_sink: only free events", status(free) == 1)
    expect("check_sink: an unknown type", status(lines + ['{"event":"tests:v1"}']) == 1)
    expect("check_sink: no JSON", status(lines + ["{"]) == 1)
    for event in bad:
        expect(f"check_sink: {event}", check_sink.check([json.dumps(event)])[1])


def read(paths):
    values = {}
    for path in sorted(paths):
        with open(path, encoding="utf-8") as f:
            values[os.path.basename(path)] = json.load(f)
    return values


def main():
    for file, schema in schemas.items():
        check_schema(file, schema)
    good = read(glob.glob(os.path.join(folder, "*.json")))
    bad = read(glob.glob(os.path.join(folder, "bad", "*.json")))
    expect("one good event of each type",
           sorted(e["event"] for e in good.values()) == sorted(known))
    for name, event in good.items():
        expect(f"{name} is not named after its type", event["event"] == name[:-5] + ":v1")

    tally = compare("events", list(good.values()), contract_of)
    expect(f"good events: {tally}", tally == {True: len(known), False: 0})
    tally = compare("events", list(bad.values()), contract_of)
    expect(f"bad events: {tally}", tally == {True: 0, False: len(bad)} and len(bad) >= len(known))

    changed = [v for event in good.values() for v in variants(event)]
    events = compare("events", changed + [None, [], "event", 1], contract_of)
    envelope = contracts.validator(schemas[contracts.ENVELOPE])
    steps = [good[name]["output"] for name in ("step.completed.json", "step.failed.json")]
    envelopes = compare("envelopes", steps + [v for step in steps for _ in range(4)
                                              for v in variants(step)], lambda value: envelope)
    for what, tally in (("events", events), ("envelopes", envelopes)):
        print(f"changed {what}: {tally[True]} hold, {tally[False]} do not")
        expect(f"{what}: one-sided changes", min(tally.values()) > 100)
    check_sink_script(good.values(), bad.values())

    print("\n".join(failures[:20]))
    print(f"{len(schemas)} contracts, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
