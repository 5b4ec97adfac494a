"""The graph of one workflow: order, ancestors, cycles, and which steps surely ran when another runs."""

from collections.abc import Iterator, Mapping
from heapq import heapify, heappop, heappush

Parents = Mapping[str, tuple[str, ...]]


class Graph:
    """Steps by name and what each runs after; `conditional` are the steps that have a `when`.

    Every parent is a step of the graph. A graph with cycles has no `order`; the rest of it still answers.
    """

    def __init__(self, parents: Parents, conditional: frozenset[str] = frozenset()) -> None:
        self.parents = parents
        self.conditional = conditional
        self.order = _in_order(parents)
        self._always: frozenset[str] | None = None
        self._ancestors: dict[str, frozenset[str]] = {}
        self._ran: dict[str, frozenset[str]] = {}

    @property
    def has_cycle(self) -> bool:
        """Whether some step runs after itself, directly or through others."""
        return len(self.order) < len(self.parents)

    def cycles(self) -> Iterator[list[str]]:
        """Cycles that share no step, each in the order of running and from its least name."""
        left = self.parents.keys() - set(self.order)
        seen: set[str] = set()
        for start in sorted(left):
            walk: list[str] = []
            step = start
            while step not in seen:
                seen.add(step)
                walk.append(step)
                step = next(parent for parent in self.parents[step] if parent in left)
            if step in walk:
                yield _from_least(walk[walk.index(step) :][::-1])

    def is_upstream(self, step: str, of: str) -> bool:
        """Whether `step` runs before `of`, directly or through others."""
        return step in self.parents[of] or step in self.ancestors(of)

    def ancestors(self, step: str) -> frozenset[str]:
        """Every step that runs before this one."""
        if step not in self._ancestors:
            found: set[str] = set()
            ahead = list(self.parents[step])
            while ahead:
                parent = ahead.pop()
                if parent not in found:
                    found.add(parent)
                    ahead.extend(self.parents[parent])
            self._ancestors[step] = frozenset(found)
        return self._ancestors[step]

    def may_be_skipped(self, step: str, when_runs: str) -> bool:
        """Whether `step` may have been skipped at the time that `when_runs`, which is downstream of it, runs."""
        if self.has_cycle or step in self._unconditional():
            return False
        return step not in self._surely_ran_before(when_runs)

    def _unconditional(self) -> frozenset[str]:
        """The steps that are never skipped: without `when`, and not all of whose parents may be skipped."""
        if self._always is None:
            always: set[str] = set()
            for step in self.order:
                parents = self.parents[step]
                if step not in self.conditional and (not parents or any(parent in always for parent in parents)):
                    always.add(step)
            self._always = frozenset(always)
        return self._always

    def _surely_ran_before(self, step: str) -> frozenset[str]:
        """What ran if `step` runs: at least one parent did, so all that every parent needs, and what never skips."""
        if not self._ran:
            for each in self.order:
                needed = [self._ran[parent] | {parent} for parent in self.parents[each]]
                common = frozenset.intersection(*needed) if needed else frozenset[str]()
                sure = [
                    ran for ran, parent in zip(needed, self.parents[each], strict=True) if self._never_skips(parent)
                ]
                self._ran[each] = common.union(*sure)
        return self._ran[step]

    def _never_skips(self, step: str) -> bool:
        return step in self._unconditional()


def _in_order(parents: Parents) -> tuple[str, ...]:
    """Each step after all its parents, by name where there is a choice; steps in or behind a cycle are left out."""
    children: dict[str, list[str]] = {step: [] for step in parents}
    waiting = {step: len(set(above)) for step, above in parents.items()}
    for step, above in parents.items():
        for parent in set(above):
            children[parent].append(step)
    ready = [step for step, count in waiting.items() if not count]
    heapify(ready)
    order: list[str] = []
    while ready:
        step = heappop(ready)
        order.append(step)
        for child in children[step]:
            waiting[child] -= 1
            if not waiting[child]:
                heappush(ready, child)
    return tuple(order)


def _from_least(cycle: list[str]) -> list[str]:
    least = cycle.index(min(cycle))
    return cycle[least:] + cycle[:least]
