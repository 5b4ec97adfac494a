"""A new plan for ingress: its webhooks opened, its sensors loaded, all of it before anything of it is served."""

import os
from functools import partial
from pathlib import Path

from loopy.compiler.plan import Plan
from loopy.kit.current_plan import Take
from loopy.kit.errors import CannotStart
from loopy_services.ingress.calls import Caller, TooMany, TooSlow
from loopy_services.ingress.sensing import Sensing
from loopy_services.ingress.sensors import LoadedSensor, load_sensors
from loopy_services.ingress.webhooks import Door, Webhooks, doors_of

LOADING_S = 30.0


class Renewal:
    """Prepares ingress for one plan after the other."""

    def __init__(self, project: Path, plan: Plan, webhooks: Webhooks, caller: Caller) -> None:
        """Ingress works by `plan`, whose sensors are loaded here. CannotStart when they cannot be."""
        self._project = project
        self._plan = plan
        self._doors = doors_of(plan, os.environ)
        self.sensors = load_sensors(project, plan)
        self._webhooks = webhooks
        self._caller = caller
        webhooks.open(self._doors)

    async def prepare(self, sensing: Sensing, plan: Plan) -> Take:
        """Load what is new. CannotStart when a module does not import, or a webhook cannot be served."""
        doors = doors_of(plan, os.environ)
        sensors = await self._loaded(plan) if code_of(plan) != code_of(self._plan) else self._again(plan)
        return partial(self._take, sensing, plan, doors, sensors)

    def _take(self, sensing: Sensing, plan: Plan, doors: list[Door], sensors: dict[str, LoadedSensor]) -> None:
        if doors != self._doors:
            self._webhooks.open(doors)
        sensing.take(plan, sensors)
        self._plan, self._doors, self.sensors = plan, doors, sensors

    async def _loaded(self, plan: Plan) -> dict[str, LoadedSensor]:
        """The new sensors, imported where they hold up nobody."""
        try:
            [sensors] = await self._caller.call(
                lambda before: [load_sensors(self._project, plan, before)], self._plan, timeout_s=LOADING_S
            )
        except (TooSlow, TooMany) as error:
            raise CannotStart(f"the sensors cannot be imported: {error}") from None
        loaded: dict[str, LoadedSensor] = sensors
        return loaded

    def _again(self, plan: Plan) -> dict[str, LoadedSensor]:
        """The functions that are loaded, as the new plan declares them."""
        return {name: LoadedSensor(plan.sensors[name], sensor.function) for name, sensor in self.sensors.items()}


def code_of(plan: Plan) -> object:
    """What an author's modules are made of: while it is the same, they are not imported again."""
    python = {path: digest for path, digest in plan.sources.items() if path.endswith(".py")}
    return python, plan.events, plan.sensors
