"""Rituals in the DSL, made by seed: they always end, and come to the same however often they are cut off.

A program writes a line `KEY ATTEMPT NAME` to the file that the run's parameter `trace` names. The
name of one that may be repeated begins with `e`, that of one that may not with `n`.
"""

import random

NOTE = 'printf "%s %s %s\\n" "$DEMON_IDEMPOTENCY_KEY" "$DEMON_ATTEMPT" NAME >> "$DEMON_PARAM_TRACE"'


def may_repeat(name):
    return name.startswith("e")


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = 0

    def name(self, kind):
        self.names += 1
        return f"{kind}{self.names}"

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def program(self, ends=""):
        """A call that has an effect; `ends` is what its script does last."""
        name = self.name("e" if self.chance(50) else "n")
        script = NOTE.replace("NAME", name)
        if self.chance(30):
            script += "; sleep 0.02"
        task = {"output": {"as": f'$input + {{trail: ($input.trail + ["{name}"])}}'}}
        if self.chance(30):
            task["run"] = {"shell": {"command": script + ends}}
        else:
            task["call"] = "exec"
            task["with"] = {"command": ["sh", "-c", script + ends]}
        # the capsule's own word for it, or the language's, which is the only one that run has
        if "with" in task and self.chance(50):
            task["with"]["idempotent"] = may_repeat(name)
        else:
            task["metadata"] = {"idempotent": may_repeat(name)}
        return {name: task}

    def set(self, mark=None):
        name = self.name("s")
        task = {"set": {"trail": f'${{ .trail + ["{mark or name}"] }}'}}
        if self.chance(30):
            task["if"] = ".trail | length % 2 == 0"
        if self.chance(30):
            task["export"] = {"as": "{seen: (.trail | length)}"}
        return {name: task}

    def wait(self):
        length = self.random.randrange(1, 30)
        return {self.name("w"): {"wait": self.random.choice([{"milliseconds": length}, "PT0.02S"])}}

    def loop(self, depth):
        each = self.name("x")
        task = {
            "for": {"each": each, "at": "at", "in": f"[range({self.random.randrange(4)})]"},
            "do": [self.set(mark=f"\\(${each}).\\($at)"), *self.list(depth + 1)],
        }
        if self.chance(50):
            task["while"] = f"${each} < 2"
        return {self.name("f"): task}

    def fault(self):
        if self.chance(40):
            return self.program(ends="; exit 3")
        return {self.name("r"): {"raise": {"error": {"type": "odd", "status": 400, "title": "t"}}}}

    def attempt(self, depth):
        """A try of which the last task always fails."""
        catch = {"as": "why"}
        if self.chance(60):
            catch["retry"] = {
                "delay": {"milliseconds": self.random.randrange(1, 20)},
                "backoff": {self.random.choice(["constant", "linear", "exponential"]): {}},
                "limit": {"attempt": {"count": self.random.randrange(1, 3)}},
            }
        if self.chance(20):
            # caught by another, further out
            catch["errors"] = {"with": {"status": 499}}
        told = self.name("s")
        handler = {told: {"set": {"trail": '${ .trail + ["caught \\($why.status)"] }'}}}
        catch["do"] = [handler, *self.list(depth + 1)]
        inner = self.name("t")
        body = [*self.list(depth + 1), self.fault()]
        task = {inner: {"try": body, "catch": catch}}
        if "errors" not in catch:
            return task
        safe = {"set": {"trail": '${ .trail + ["outer"] }'}}
        return {self.name("o"): {"try": [task], "catch": {"do": [{self.name("s"): safe}]}}}

    def choice(self):
        """A switch and the two tasks that it leads to, one or both of which run."""
        one, two = self.set(), self.program()
        cases = [
            {"odd": {"when": ".trail | length % 2 == 1", "then": "continue"}},
            {"even": {"then": next(iter(two))}},
        ]
        return [{self.name("c"): {"switch": cases}}, one, two]

    def composite(self, depth):
        body = self.list(depth + 1)
        if self.chance(40):
            leave = {"if": ".trail | length % 3 == 0", "set": {"trail": '${ .trail + ["exit"] }'}}
            body += [{self.name("s"): dict(leave, then="exit")}, *self.list(depth + 1)]
        return {self.name("d"): {"do": body}}

    def task(self, depth):
        kind = self.random.randrange(9 if depth < 2 else 5)
        if kind < 3:
            return [self.program()]
        if kind == 3:
            return [self.set()]
        if kind == 4:
            return [self.wait()]
        if kind == 5:
            return [self.loop(depth)]
        if kind == 6:
            return [self.attempt(depth)]
        if kind == 7:
            return self.choice()
        return [self.composite(depth)]

    def list(self, depth):
        return [task for _ in range(self.random.randint(1, 2)) for task in self.task(depth)]

    def ritual(self):
        tasks = [self.program()]
        for _ in range(3):
            tasks += self.task(0)
        if self.chance(20):
            tasks.append(self.fault())
        return {
            "document": {"dsl": "1.0.3", "namespace": "default", "name": "random", "version": "1"},
            "input": {"from": "{trail: []}"},
            "do": tasks,
        }


def make(seed):
    """A ritual, always the same for a seed."""
    return Maker(seed).ritual()
