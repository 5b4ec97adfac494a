"""Projects and what happens to them, drawn from a seed."""

import random

import msgspec

from loopy.compiler.plan import (
    Agent,
    Concurrency,
    CronTrigger,
    Emission,
    EventTrigger,
    Fields,
    Limits,
    Plan,
    PollSource,
    Retry,
    Sensor,
    Step,
    WebhookSource,
    Workflow,
)
from tests.sim.leaning import Leaning

FIELDS: Fields = {"n": "int"}


class Project(msgspec.Struct, frozen=True):
    """A plan, and what the outside world does with it.

    `begins` are the ids of events that are offered, each perhaps more than once; `twins` those of them on whose subject
    a stranger puts another message; `deliveries` those of deliveries for the sensor; `planted` are events of the wrong
    type. Twins and planted events must end as dead letters. `lasts_s` is how long things go wrong.
    """

    plan: Plan
    begins: tuple[str, ...]
    twins: tuple[str, ...]
    deliveries: tuple[str, ...]
    planted: tuple[str, ...]
    lasts_s: float


def project_of(rng: random.Random, leaning: Leaning) -> Project:
    """A project: a workflow or two on `Begin`, one on the events that they emit, perhaps a schedule and a poll."""
    workflows = [_workflow(rng, "main", EventTrigger("Begin"), rng.randint(leaning.steps, 5), leaning.joins)]
    if rng.random() < 0.4:
        workflows.append(_workflow(rng, "other", EventTrigger("Begin"), rng.randint(1, 3)))
    workflows.append(_workflow(rng, "follow", EventTrigger("Follow"), rng.randint(1, 2)))
    scheduled = rng.random() < leaning.scheduled
    if scheduled:
        workflows.append(_workflow(rng, "cron", _schedule(rng), rng.randint(1, 2)))
    sensors = {"hook": Sensor("hook", "sensors/s.py", WebhookSource("/hook"), ("Begin",))}
    if rng.random() < 0.2:
        sensors["poll"] = Sensor("poll", "sensors/s.py", PollSource(20), ("Begin",))
    plan = Plan(
        workflows={workflow.name: workflow for workflow in workflows},
        events={"Begin": FIELDS, "Follow": FIELDS},
        agents={"A": Agent("A", "simulated")},
        sensors=sensors,
        limits=Limits(cascade_hops=rng.choice([1, 2, 3]), cascade_runs=rng.choice([2, 3, 4, 8, 30])),
    )
    return Project(
        plan,
        begins=tuple(f"b{n}" for n in range(rng.randint(1, 3))),
        twins=("b0",) if rng.random() < 0.15 else (),
        deliveries=tuple(f"d{n}" for n in range(rng.randint(0, 3))),
        planted=("p0",) if rng.random() < 0.15 else (),
        lasts_s=rng.choice([130.0, 190.0]) if scheduled else rng.choice([20.0, 60.0]),
    )


def with_limits(project: Project, rng: random.Random, leaning: Leaning) -> Project:
    """The same project, with slots that its runs need in some simulations, and limits of spend in some."""
    plan, limits = project.plan, project.plan.limits
    if rng.random() < leaning.slots:
        shared = rng.choice(["deploys", ""])
        workflows = {name: _with_slots(rng, workflow, shared) for name, workflow in plan.workflows.items()}
        most = {name: rng.randint(1, 2) for name in workflows if rng.random() < 0.4}
        plan = msgspec.structs.replace(plan, workflows=workflows)
        limits = msgspec.structs.replace(limits, workflow_concurrency=most)
    if rng.random() < leaning.spend:
        limits = msgspec.structs.replace(
            limits,
            cascade_usd=rng.choice([None, 0.5, 1.5]),
            workflow_usd={"main": rng.choice([0.3, 1.0])} if rng.random() < 0.4 else {},
            day_usd=rng.choice([None, None, 3.0]),
        )
    return msgspec.structs.replace(project, plan=msgspec.structs.replace(plan, limits=limits))


def _with_slots(rng: random.Random, workflow: Workflow, shared: str) -> Workflow:
    if rng.random() < 0.3:
        return workflow
    key = rng.choice(["", "{{ event.n }}"]) if workflow.name != "cron" else ""
    concurrency = Concurrency(shared or workflow.name, key, 1 if shared else rng.randint(1, 2))
    return msgspec.structs.replace(workflow, concurrency=concurrency)


def _workflow(
    rng: random.Random, name: str, trigger: EventTrigger | CronTrigger, size: int, joins: int = 3
) -> Workflow:
    return Workflow(name, trigger, tuple(_step(rng, name, number, joins) for number in range(size)))


def _step(rng: random.Random, workflow: str, number: int, joins: int) -> Step:
    before = [f"s{earlier}" for earlier in range(number)]
    after = tuple(sorted(rng.sample(before, rng.randint(1, min(joins, number))))) if number else ()
    whens = ["event.n > 3"] if workflow != "cron" else []
    whens += [f"{name}.n < 7" for name in after]
    return Step(
        name=f"s{number}",
        path=f"workflows/{workflow}/s{number}.md",
        agent="A",
        prose="Work.",
        after=after,
        when=rng.choice(whens) if whens and rng.random() < 0.25 else None,
        output=FIELDS,
        emits=(Emission("Follow", 3),) if rng.random() < (0.2 if workflow == "follow" else 0.4) else (),
        retry=Retry(rng.randint(1, 3), backoff_s=rng.choice([0.5, 3.0]), max_backoff_s=5.0),
    )


def _schedule(rng: random.Random) -> CronTrigger:
    return CronTrigger(
        "* * * * *", catch_up=rng.choice(["one", "all", "all"]), overlap=rng.choice(["skip", "queue", "allow", "allow"])
    )
