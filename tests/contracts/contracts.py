"""The event contracts as python3-jsonschema sees them, with the rules that it leaves open."""

import glob
import json
import os
import re

import jsonschema

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "schema", "contracts")
ENVELOPE = "result-envelope.json"

TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[+-](\d\d):(\d\d))",
                  re.ASCII)

formats = jsonschema.FormatChecker(formats=())


@formats.checks("date-time")
def is_time(value):
    """What docs/format.md takes for RFC 3339: upper case, no leap seconds, at most ns."""
    if not isinstance(value, str):
        return True
    found = TIME.fullmatch(value)
    if not found:
        return False
    year, month, day, hour, minute, second, *offset = (int(x or 0) for x in found.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return (1 <= month <= 12 and 1 <= day <= days[month - 1] and hour < 24 and minute < 60
            and second < 60 and offset[0] < 24 and offset[1] < 60)


def pattern(validator, wanted, instance, schema):
    """As in ECMAScript: in Python $ also stands before a line end at the end."""
    assert wanted.startswith("^") and wanted.endswith("$"), wanted
    if validator.is_type(instance, "string") and not re.fullmatch(wanted[1:-1], instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {wanted!r}")


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": pattern})


def load():
    """{file name: schema}; there are some."""
    schemas = {}
    for path in glob.glob(os.path.join(FOLDER, "*.json")):
        with open(path, encoding="utf-8") as f:
            schemas[os.path.basename(path)] = json.load(f)
    if not schemas:
        raise SystemExit(f"no contracts in {FOLDER}")
    return schemas


def validator(schema):
    return Validator(schema, format_checker=formats)


def by_event(schemas):
    """{event type: validator}."""
    return {schema["properties"]["event"]["const"]: validator(schema)
            for file, schema in schemas.items() if file != ENVELOPE}
