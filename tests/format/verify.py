#!/usr/bin/env python3
"""A second implementation of `verify`, written from docs/format.md alone.

    verify.py DATABASE        checks every chain, prints the digest; exit 7 on damage
    verify.py --lines FILE    the same for JSON lines as `demonctl export` writes them
    verify.py --vectors DIR   checks the golden vectors

It uses nothing of the project's code.
"""
import base64
import hashlib
import json
import math
import re
import sqlite3
import struct
import sys

STREAMS = ("ritual", "graph", "node")
ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
GRAPH_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
TYPE = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*:v[1-9][0-9]*\Z")
TS = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)\Z")
PROJECTIONS = {"runs": "tenant_id, run_id, run_origin",
               "steps": "tenant_id, run_id, run_origin, step_id",
               "definitions": "digest",
               "named_rituals": "tenant_id, ritual_id, clock, origin, hash",
               "registers": "kind, tenant, name, clock, origin, hash",
               "gates": "tenant_id, run_id, run_origin, gate_id, round",
               "votes": "tenant_id, run_id, run_origin, gate_id, round, clock, origin, hash",
               "ward_uses": "tenant, capability, unit, start",
               "graph_tags": "tenant_id, project_id, namespace, graph_id, tag, clock, origin, hash"}
COMMITS = ("SELECT g.tenant_id, g.project_id, g.namespace, g.graph_id, c.id FROM graph_commits c "
           "JOIN graph_graphs g ON g.graph = c.graph ORDER BY c.id")


class Damage(Exception):
    pass


def sha(data):
    return hashlib.sha256(data).digest()


# canonical JSON, RFC 8785 ----------------------------------------------------------------------

def number(value):
    if isinstance(value, bool):
        raise Damage("a boolean is no number")
    if isinstance(value, int):
        if int(float(value)) != value:
            raise Damage(f"{value} is not exact as a double")
        value = float(value)
    if not math.isfinite(value):
        raise Damage("not a finite number")
    if value == 0:
        return "0"
    sign, text = ("-", repr(-value)) if value < 0 else ("", repr(value))
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)            # digits before the decimal point
    point -= len(whole + fraction) - len((whole + fraction).lstrip("0"))
    digits = digits.rstrip("0")
    k = len(digits)
    if k <= point <= 21:
        return sign + digits + "0" * (point - k)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    exp = point - 1
    body = digits[0] + ("." + digits[1:] if k > 1 else "")
    return f"{sign}{body}e{'+' if exp > 0 else '-'}{abs(exp)}"


def string(text):
    out = []
    short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    for c in text:
        if c == "\0" or 0xD800 <= ord(c) <= 0xDFFF:
            raise Damage("a character that may not stand in JSON text")
        out.append(short.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 0x20 else c))
    return '"' + "".join(out) + '"'


def canonical(value):
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, str):
        return string(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    keys = sorted(value, key=lambda k: k.encode("utf-16-be"))
    return "{" + ",".join(string(k) + ":" + canonical(value[k]) for k in keys) + "}"


def no_duplicates(pairs):
    if len({k for k, _ in pairs}) != len(pairs):
        raise Damage("a key stands twice")
    return dict(pairs)


def parse(text):
    try:
        return json.loads(text, object_pairs_hook=no_duplicates)
    except ValueError as e:
        raise Damage(f"not JSON: {e}") from e


# header ----------------------------------------------------------------------------------------

def field(tag, value):
    return struct.pack(">BI", tag, len(value)) + value


def ref_bytes(ref):
    return (bytes.fromhex(ref["origin"]) + bytes.fromhex(ref["epoch"]) +
            struct.pack(">Q", ref["sequence"]) + bytes.fromhex(ref["hash"]) +
            ref["stream"].encode())


def split(extra):
    at, fields = 0, []
    while at < len(extra):
        if len(extra) - at < 5:
            raise Damage("extra fields are cut short")
        tag, n = struct.unpack_from(">BI", extra, at)
        value = extra[at + 5:at + 5 + n]
        if len(value) != n or n == 0:
            raise Damage("an extra field is cut short or empty")
        fields.append((tag, value))
        at += 5 + n
    return fields


def header(ev):
    fields = [(1, ev["origin"]), (2, ev["epoch"]), (3, ev["stream"].encode()),
              (4, struct.pack(">Q", ev["sequence"])), (5, struct.pack(">Q", ev["group"][0])),
              (6, struct.pack(">I", ev["group"][1])), (7, ev["subject"].encode()),
              (8, ev["type"].encode())]
    for tag, name in ((9, "tenant"), (10, "ritual"), (11, "run"), (12, "gate"), (13, "project"),
                      (14, "namespace"), (15, "graph")):
        if ev.get(name):
            fields.append((tag, ev[name].encode()))
    if ev.get("run_origin"):
        fields.append((16, ev["run_origin"]))
    fields += [(18, struct.pack(">Q", ev["ts"])), (19, struct.pack(">Q", ev["clock"])),
               (20, ev["payload_hash"])]
    for tag, _ in ev["extra"]:
        if tag < 128 and tag not in (17, 21, 22, 23):
            raise Damage(f"header field {tag} is not known")
    fields += ev["extra"]
    fields.sort(key=lambda f: (f[0], f[1]))
    for a, b in zip(fields, fields[1:]):
        if a == b or (a[0] == b[0] and a[0] != 21 and a[0] < 128):
            raise Damage(f"header field {a[0]} stands twice")
    if ev["extra"] != sorted(ev["extra"]):
        raise Damage("extra fields are out of order")
    return b"\x01" + b"".join(field(t, v) for t, v in fields)


def event_hash(previous, head):
    return sha(b"demon.event\0" + previous + head)


# one event -------------------------------------------------------------------------------------

def escape(token):
    return token.replace("%", "%25").replace(".", "%2E")


def subject(ev):
    if ev["stream"] == "node":
        return f"demon.node.v1.{ev['origin'].hex()}.events"
    names = ("tenant", "project", "namespace")
    if ev["stream"] == "ritual":
        names = ("tenant", "ritual", "run") if ev.get("run") else ("tenant", "ritual")
    last = "events" if ev["stream"] == "ritual" else "commit"
    return ".".join(["demon", ev["stream"], "v1", *(escape(ev[n] or "") for n in names), last])


def days(y, m, d):
    y -= m <= 2
    era, yoe = y // 400, y % 400
    return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + (153 * (m + (9 if m <= 2 else -3)) + 2) // 5 + d - 1 - 719468


def milliseconds(text):
    m = TS.match(text or "")
    if not m:
        raise Damage(f"'{text}' is not a time")
    y, mo, d, h, mi, s = map(int, m.groups()[:6])
    ms = int((m.group(7) or "0").ljust(3, "0")[:3])
    offset = 0 if m.group(8) == "Z" else (int(m.group(8)[1:3]) * 60 + int(m.group(8)[4:])) * (-1 if m.group(8)[0] == "-" else 1)
    return ((days(y, mo, d) * 24 + h) * 60 + mi - offset) * 60000 + s * 1000 + ms


def check_event(ev):
    if ev["stream"] not in STREAMS or len(ev["origin"]) != 16 or len(ev["epoch"]) != 8:
        raise Damage("the identity is none")
    if not TYPE.match(ev["type"]) or len(ev["type"]) > 96:
        raise Damage(f"'{ev['type']}' is not a type")
    wanted = {"ritual": ("tenant", "ritual"), "graph": ("tenant", "project", "namespace", "graph"),
              "node": ()}[ev["stream"]]
    for name in ("tenant", "ritual", "run", "gate", "project", "namespace", "graph"):
        rule = GRAPH_ID if name in ("project", "namespace", "graph") else ID
        if ev.get(name) and not rule.match(ev[name]) or name in wanted and not ev.get(name):
            raise Damage(f"{name} id '{ev.get(name)}'")
    if ev["stream"] != "ritual" and ev.get("run") or bool(ev.get("run")) != bool(ev.get("run_origin")):
        raise Damage("run origin")
    if ev.get("gate") and not ev.get("run"):
        raise Damage("a gate of no run")
    if ev["subject"] != subject(ev):
        raise Damage("the subject does not agree with the ids")
    first, count = ev["group"]
    if not (1 <= count <= 4096 and 1 <= first <= ev["sequence"] < first + count):
        raise Damage("the event does not lie in its group")
    if not 0 <= ev["ts"] < 1 << 47:
        raise Damage("ts")
    if ev["payload"] is None:
        return
    if len(ev["payload"].encode()) > 512 * 1024:
        raise Damage("the payload is too large")
    payload = parse(ev["payload"])
    if not isinstance(payload, dict) or canonical(payload) != ev["payload"]:
        raise Damage("the payload is not canonical")
    if payload.get("event") != ev["type"] or milliseconds(payload.get("ts")) != ev["ts"]:
        raise Damage("event or ts of the payload differ from the header")
    for member, name in (("tenantId", "tenant"), ("ritualId", "ritual"), ("runId", "run"), ("gateId", "gate")):
        if member in payload and payload[member] != ev.get(name):
            raise Damage(f"{member} of the payload differs from the header")


class Chains:
    """Follows chains in the order in which their events arrive."""

    def __init__(self):
        self.ends = {}
        self.events = 0

    def add(self, ev):
        where = f"{ev['origin'].hex()}/{ev['epoch'].hex()}/{ev['stream']} {ev['sequence']}"
        try:
            check_event(ev)
            key = (ev["origin"], ev["epoch"], ev["stream"])
            sequence, last, clock, group = self.ends.get(key, (0, bytes(32), -1, None))
            if ev["sequence"] != sequence + 1:
                raise Damage("an event before it is missing")
            if ev["clock"] <= clock:
                raise Damage("the logical clock does not ascend")
            over = group is None or group[0] + group[1] == ev["sequence"]
            if ev["group"] != (group if not over else (ev["sequence"], ev["group"][1])):
                raise Damage("the group is torn")
            if ev.get("previous", last) != last:
                raise Damage("the previous hash is another")
            for tag, value in ev["extra"]:
                if tag in (21, 22):
                    self.need(value)
            if event_hash(last, header(ev)) != ev["hash"]:
                raise Damage("the hash does not follow from the content")
        except Damage as e:
            raise Damage(f"{where}: {e}") from e
        self.ends[key] = (ev["sequence"], ev["hash"], ev["clock"], ev["group"])
        self.seen = getattr(self, "seen", {})
        self.seen[key + (ev["sequence"],)] = ev["hash"]
        self.events += 1

    def need(self, value):
        origin, epoch, sequence, digest = value[:16], value[16:24], struct.unpack(">Q", value[24:32])[0], value[32:64]
        stream = value[64:].decode()
        if getattr(self, "seen", {}).get((origin, epoch, stream, sequence)) != digest:
            raise Damage("what it names as its cause is not held before it")

    def close(self):
        for (origin, epoch, stream), (sequence, _, _, group) in self.ends.items():
            if group[0] + group[1] != sequence + 1:
                raise Damage(f"{origin.hex()}/{epoch.hex()}/{stream} ends within a group")

    def heads(self):
        return sorted(f"head {o.hex()} {e.hex()} {s} {n} {h.hex()}\n" for (o, e, s), (n, h, _, _) in self.ends.items())


# sources ---------------------------------------------------------------------------------------

def from_database(db):
    rows = db.execute(
        "SELECT e.seq, c.origin, c.epoch, c.stream, e.origin_seq, e.group_first, e.group_count, s.subject,"
        " t.name, s.tenant_id, s.ritual_id, s.run_id, e.gate_id, s.project_id, s.namespace, s.graph_id,"
        " s.run_origin, e.ts, e.clock, e.payload, e.payload_hash, e.extra, e.hash FROM log_events e"
        " JOIN log_chains c ON c.id = e.chain_id JOIN log_scopes s ON s.id = e.scope_id"
        " JOIN log_types t ON t.id = e.type_id ORDER BY e.seq")
    for r in rows:
        payload = r[19]
        yield {"origin": r[1], "epoch": r[2], "stream": r[3], "sequence": r[4], "group": (r[5], r[6]),
               "subject": r[7], "type": r[8], "tenant": r[9], "ritual": r[10], "run": r[11], "gate": r[12],
               "project": r[13], "namespace": r[14], "graph": r[15], "run_origin": r[16], "ts": r[17],
               "clock": r[18], "payload": payload,
               "payload_hash": sha(payload.encode()) if payload is not None else r[20],
               "extra": split(r[21] or b""), "hash": r[22]}


def from_line(line):
    o = parse(line)
    if canonical(o) != line:
        raise Damage("the line is not canonical")
    if o["format"] != 1:
        raise Damage(f"format {o['format']}")
    extra = []
    if "term" in o:
        extra.append((17, struct.pack(">Q", o["term"])))
    extra += [(21, ref_bytes(r)) for r in o.get("causes", [])]
    extra += [(tag, ref_bytes(o[name])) for tag, name in ((22, "continues"), (23, "reissueOf")) if name in o]
    extra += [(tag, bytes.fromhex(value)) for tag, value in o.get("extra", [])]
    payload = canonical(o["payload"]) if "payload" in o else None
    ms, counter = o["clock"]
    return {"origin": bytes.fromhex(o["origin"]), "epoch": bytes.fromhex(o["epoch"]), "stream": o["stream"],
            "sequence": o["sequence"], "group": tuple(o["group"]), "subject": o["subject"], "type": o["type"],
            "tenant": o.get("tenantId"), "ritual": o.get("ritualId"), "run": o.get("runId"),
            "gate": o.get("gateId"), "project": o.get("projectId"), "namespace": o.get("namespace"),
            "graph": o.get("graphId"), "run_origin": bytes.fromhex(o.get("runOrigin", "")),
            "ts": milliseconds(o["ts"]), "clock": ms * 65536 + counter, "payload": payload,
            "payload_hash": sha(payload.encode()) if payload is not None else bytes.fromhex(o["payloadHash"]),
            "extra": extra, "hash": bytes.fromhex(o["hash"]), "previous": bytes.fromhex(o["previousHash"])}


def row_json(row):
    def cell(v):
        if v is None:
            return "null"
        if isinstance(v, int):
            return str(v)
        return string(v.hex() if isinstance(v, bytes) else v)
    return "[" + ",".join(map(cell, row)) + "]\n"


def table_lines(db):
    lines = []
    queries = {name: f"SELECT * FROM {name} ORDER BY {key}" for name, key in PROJECTIONS.items()}
    for name, query in {**queries, "graph_commits": COMMITS}.items():
        digest, count = hashlib.sha256(), 0
        for row in db.execute(query):
            digest.update(row_json(row).encode())
            count += 1
        lines.append(f"table {name} {count} {digest.hexdigest()}\n")
    return sorted(lines)


def verify_database(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        if db.execute("PRAGMA application_id").fetchone()[0] != 0x44656D6E:
            raise Damage("not a Demon database")
        if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            raise Damage("integrity_check")
        chains = Chains()
        for ev in from_database(db):
            chains.add(ev)
        chains.close()
        if chains.events != db.execute("SELECT count(*) FROM log_events").fetchone()[0]:
            raise Damage("rows that belong to no chain")
        text = "demon-digest 5\n" + "".join(chains.heads()) + "".join(table_lines(db))
        return chains.events, sha(text.encode()).hex()
    except sqlite3.DatabaseError as e:
        raise Damage(str(e)) from e
    finally:
        db.close()


def verify_lines(path):
    chains = Chains()
    with open(path, encoding="utf-8") as f:
        for line in f:
            chains.add(from_line(line.rstrip("\n")))
    chains.close()
    return chains.events, sha("".join(chains.heads()).encode()).hex()


def verify_vectors(folder):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    with open(f"{folder}/vectors.json", encoding="utf-8") as f:
        vectors = json.load(f)
    for v in vectors["events"]:
        ev = from_line(canonical(v["line"]))
        check_event(ev)
        head = header(ev)
        assert head.hex() == v["header"], v["name"]
        assert event_hash(ev["previous"], head).hex() == v["line"]["hash"], v["name"]
        msg_id = f"{v['line']['origin']}.{v['line']['epoch']}.{ev['stream']}.{ev['sequence']}.{v['line']['hash'][:16]}"
        assert msg_id == v["msgId"] and base64.b64encode(head).decode() == v["headerBase64"], v["name"]
    for v in vectors["heads"]:
        signed = (b"demon.head\0" + bytes.fromhex(v["origin"]) + bytes.fromhex(v["epoch"]) +
                  struct.pack(">Q", v["sequence"]) + bytes.fromhex(v["hash"]) + v["stream"].encode())
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(v["publicKey"])).verify(bytes.fromhex(v["signature"]), signed)
        assert sha(bytes.fromhex(v["publicKey"]))[:8].hex() == v["keyId"]
    for v in vectors["refused"]:
        chains = Chains()
        try:
            for line in v["lines"]:
                chains.add(from_line(canonical(line)))
        except Damage:
            continue
        raise Damage(f"taken for good: {v['name']}")
    for v in vectors["canonical"]:
        assert canonical(parse(v["in"])) == v["out"], v
    return sum(len(v) for v in vectors.values()), "vectors"


def main(argv):
    try:
        if argv[1:2] == ["--lines"]:
            count, digest = verify_lines(argv[2])
        elif argv[1:2] == ["--vectors"]:
            count, digest = verify_vectors(argv[2])
        else:
            count, digest = verify_database(argv[1])
    except Damage as e:
        print(f"damaged: {e}")
        return 7
    if count == 0:
        print("nothing to verify")
        return 1
    print(f"ok {count} {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
