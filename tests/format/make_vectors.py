#!/usr/bin/env python3
"""Writes tests/data/format/vectors.json: events, signed heads and canonical JSON, made from
docs/format.md by verify.py. The C code never writes this file; a test holds it to it."""
import base64
import hashlib
import json
import os
import struct
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import verify as v

A, B = "00112233445566778899aabbccddeeff", "f0e1d2c3b4a5968778695a4b3c2d1e0f"
E1, E2, E3 = "0123456789abcdef", "fedcba9876543210", "00000000000000ff"
RUN = {"subject": "demon.ritual.v1.default.nightly.r-1.events", "tenantId": "default",
       "ritualId": "nightly", "runId": "r-1", "runOrigin": A}
events, last = [], {}


def add(name, origin, epoch, stream, type_, ts, clock, payload, group=None, **more):
    key = (origin, epoch, stream)
    sequence = last.get(key, (0,))[0] + 1
    line = {"format": 1, "origin": origin, "epoch": epoch, "stream": stream, "sequence": sequence,
            "group": group or [sequence, 1], "type": type_, "ts": ts, "clock": clock,
            "previousHash": last.get(key, (0, "00" * 32))[1], "hash": "00" * 32,
            "payload": {"event": type_, "ts": ts, **payload}, **more}
    ev = v.from_line(v.canonical(line))
    v.check_event(ev)
    head = v.header(ev)
    line["hash"] = v.event_hash(ev["previous"], head).hex()
    last[key] = (sequence, line["hash"])
    events.append({"name": name, "line": line, "header": head.hex(),
                   "headerBase64": base64.b64encode(head).decode(),
                   "msgId": f"{origin}.{epoch}.{stream}.{sequence}.{line['hash'][:16]}"})
    return {"origin": origin, "epoch": epoch, "stream": stream, "sequence": sequence, "hash": line["hash"]}


def main():
    run = {"tenantId": "default", "ritualId": "nightly", "runId": "r-1"}
    first = add("the first event of a chain", A, E1, "ritual", "test.noted:v1", "2026-01-02T03:04:05.000Z",
                [1767323045000, 0], {**run, "text": "first"}, **RUN)
    add("the first of a group of two", A, E1, "ritual", "test.noted:v1", "2026-01-02T03:04:06.007Z",
        [1767323046007, 0], {**run, "n": 1.5}, group=[2, 2], **RUN)
    end = add("the second of a group of two, about a gate", A, E1, "ritual", "test.gated:v1",
              "2026-01-02T03:04:06.007Z", [1767323046007, 1], {**run, "gateId": "prod", "\u20ac": "\u00e9\n"},
              group=[2, 2], gateId="prod", **RUN)
    add("an administrative event", A, E1, "node", "test.node:v1", "2026-01-02T03:04:07.000Z", [1767323047000, 65535],
        {}, subject=f"demon.node.v1.{A}.events")
    add("a graph event with a dot in an id, and a cause", A, E1, "graph", "test.graph:v1", "2026-01-02T03:04:08.000Z",
        [1767323048000, 0], {"tenantId": "default"}, causes=[first],
        subject="demon.graph.v1.default.p%2E1.main.commit", tenantId="default", projectId="p.1", namespace="main", graphId="kb")
    add("a new epoch continues the old one", A, E2, "ritual", "test.noted:v1", "2026-01-02T03:04:09.000Z",
        [1767323049000, 0], run, continues=end, **RUN)
    add("another node, with two causes, a term and unknown fields", B, E3, "ritual", "test.noted:v1",
        "2026-01-02T03:04:10.999Z", [1767323050999, 0], run, causes=sorted([first, end], key=lambda r: v.ref_bytes(r)),
        term=2, extra=[[128, "00ff"], [255, "01"]], **RUN)
    add("about a ritual and none of its runs", B, E3, "ritual", "test.noted:v1", "2026-01-02T03:04:11.000Z",
        [1767323051000, 0], {"tenantId": "default", "ritualId": "nightly"},
        subject="demon.ritual.v1.default.nightly.events", tenantId="default", ritualId="nightly")

    # well-hashed, but no chain: what a careless or hostile writer could make
    good = len(events)
    C = "c0" * 16
    for clocks in ([5, 5], [5, 4]):
        last.clear()
        for counter in clocks:
            add("a clock that does not ascend", C, E1, "ritual", "test.noted:v1", "2026-01-02T03:04:05.000Z",
                [1767323045000, counter], run, **RUN)
    last.clear()
    C = "c1" * 16
    last[(C, E1, "ritual")] = (0, "11" * 32)
    add("a first event that names one before it", C, E1, "ritual", "test.noted:v1", "2026-01-02T03:04:05.000Z",
        [1767323045000, 5], run, **RUN)
    refused = [{"name": events[i]["name"], "lines": [e["line"] for e in events[i:j]]}
               for i, j in ((good, good + 2), (good + 2, good + 4), (good + 4, good + 5))]
    del events[good:]

    seed = hashlib.sha256(b"demon test key").digest()
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    head = {"origin": A, "epoch": E1, "stream": "ritual", "sequence": end["sequence"], "hash": end["hash"]}
    signed = (b"demon.head\0" + bytes.fromhex(A) + bytes.fromhex(E1) + struct.pack(">Q", end["sequence"]) +
              bytes.fromhex(end["hash"]) + b"ritual")
    heads = [{**head, "publicKey": public.hex(), "signature": key.sign(signed).hex(),
              "keyId": hashlib.sha256(public).digest()[:8].hex(), "seed": seed.hex()}]
    texts = ['{"b":1,"a":[1.0,1e0,-0,100000000000000000000,1e21,1e-7]}', '{"\\u20ac":1,"\\r":2,"\\ud83d\\ude00":3,"\\ufb33":4}',
             '[0.1,5e-324,1.7976931348623157e308,9007199254740992,4.5,2e-3]', '"\\u0001\\u001f\\u007f\\/\\b\\"\\\\"']
    canon = [{"in": t, "out": v.canonical(v.parse(t))} for t in texts]
    path = os.path.join(os.path.dirname(__file__), "../data/format/vectors.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"canonical": canon, "events": events, "heads": heads, "refused": refused}, f, indent=1, ensure_ascii=True)
        f.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
