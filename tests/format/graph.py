"""Derives the ids and roots of graph commits from docs/format.md §16 and §17 alone.

usage: graph.py DATABASE      fails unless every commit is what its events say; prints how many
"""

import hashlib
import json
import sqlite3
import struct
import sys

LEAF_MAX, INLINE_MAX, LIST_MAX = 8, 512, 16
PREFIX = b"demon.graph\x00\x01"


def canonical(value):
    """RFC 8785, for what these tests write: ASCII keys, strings, whole numbers below 2^53."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha(data):
    return hashlib.sha256(data).digest()


def form(data):
    return sha(PREFIX + data)


def value_bytes(value):
    if isinstance(value, dict):  # a set: a trie of its own
        return b"\x02" + trie(value)
    if len(value) <= INLINE_MAX:
        return b"\x00" + struct.pack(">H", len(value)) + value
    return b"\x01" + struct.pack(">I", len(value)) + sha(value)


def trie(entries, level=0):
    """The hash of a trie: entries are key → bytes, or → dict for a set."""
    if len(entries) <= LEAF_MAX:
        body = b"".join(bytes([len(k)]) + k + value_bytes(entries[k]) for k in sorted(entries))
        return form(b"\x01" + bytes([len(entries)]) + body)
    slots = {}
    for key, value in entries.items():
        digest = sha(key)
        digit = digest[level // 2] >> 4 if level % 2 == 0 else digest[level // 2] & 15
        slots.setdefault(digit, {})[key] = value
    bitmap = sum(1 << slot for slot in slots)
    children = b"".join(trie(slots[slot], level + 1) for slot in sorted(slots))
    return form(b"\x02" + struct.pack(">QH", len(entries), bitmap) + children)


def lean(item, keys):
    return {k: item[k] for k in keys if item.get(k) not in (None, [], {})}


class State:
    def __init__(self, other=None):
        self.nodes = dict(other.nodes) if other else {}
        self.edges = dict(other.edges) if other else {}

    def apply(self, mutation):
        op = mutation["op"]
        if op in ("add-node", "update-node"):
            self.nodes[mutation["nodeId"]] = lean(mutation, ("labels", "properties"))
        elif op == "remove-node":
            gone = mutation["nodeId"]
            self.nodes.pop(gone, None)
            self.edges = {k: e for k, e in self.edges.items() if gone not in (e["from"], e["to"])}
        elif op in ("add-edge", "update-edge"):
            self.edges[mutation["edgeId"]] = lean(mutation, ("from", "label", "properties", "to"))
        else:
            self.edges.pop(mutation["edgeId"], None)

    def adjacency(self):
        ends = {}
        for edge_id, edge in self.edges.items():
            for mark, node, other in (("<", edge["to"], edge["from"]), (">", edge["from"], edge["to"])):
                ends.setdefault((mark + node).encode(), {})[edge_id.encode()] = (
                    bytes([len(other)]) + other.encode(), edge.get("label", "").encode())
        table = {}
        for key, links in ends.items():
            if len(links) > LIST_MAX:
                table[key] = {e: other + label for e, (other, label) in links.items()}
            else:
                table[key] = b"".join(bytes([len(e)]) + e + links[e][0] + struct.pack(">H", len(links[e][1])) +
                                      links[e][1] for e in sorted(links))
        return table

    def root(self):
        tables = ({k.encode(): canonical(v).encode() for k, v in self.nodes.items()},
                  {k.encode(): canonical(v).encode() for k, v in self.edges.items()},
                  self.adjacency())
        return form(b"\x03" + b"".join(trie(t) for t in tables))


def commit_id(event, mutations, parents):
    meta = event["metadata"]
    text = {"format": 1, "mutations": mutations, "parents": parents, "root": meta["root"]}
    for key in ("graphId", "namespace", "projectId", "tenantId", "ts"):
        text[key] = event[key]
    for key in ("author", "message"):
        if key in meta:
            text[key] = meta[key]
    return sha(canonical(text).encode()).hex()


def check(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    states, parts = {}, []
    for kind, payload in db.execute("SELECT type, payload FROM events WHERE stream = 'graph' ORDER BY seq"):
        event = json.loads(payload)
        if kind == "graph.commit.part:v1":
            parts += event["mutations"]
            continue
        if not kind.startswith("graph.commit."):
            continue
        mutations, parts = parts + event.get("mutations", []), []
        first = event.get("parentCommitId")
        parents = event["metadata"].get("parents", [first] if first else [])
        state = State(states[parents[0]] if parents else None)
        for mutation in mutations:
            state.apply(mutation)
        assert state.root().hex() == event["metadata"]["root"], f"root of {event['commitId']}"
        assert commit_id(event, mutations, parents) == event["commitId"], f"id of {event['commitId']}"
        states[event["commitId"]] = state
    return len(states)


if __name__ == "__main__":
    print(check(sys.argv[1]))
