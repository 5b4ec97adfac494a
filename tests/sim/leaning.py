"""What the worlds of simulations are like: how often there is each thing, unless a simulation is to show just that."""

import msgspec

from tests.sim.weather import Storm


class Leaning(msgspec.Struct, frozen=True):
    """How likely each thing is in a world; a leaning towards one has its seeds show what is wrong with it.

    `steered`, `lied_to`, `large`, `scheduled`, `slots` and `spend` are in how many of all worlds people steer the runs,
    strangers lie, values are large, there is a schedule, runs need slots, money is limited; `cancelling` how often who
    steers a run cancels it. Of `janitors` there is one of these numbers, of other services there are at least so many
    `replicas`, where there may be more than one. The workflow of most runs has at least so many `steps`, and each step
    waits for so many others at most (`joins`). `storm` is what of the weather is not left to the seed.
    """

    steered: float = 0.5
    lied_to: float = 0.2
    large: float = 0.3
    scheduled: float = 0.3
    slots: float = 0.35
    spend: float = 0.3
    cancelling: float = 0.12
    janitors: tuple[int, ...] = (0, 1, 2)
    replicas: int = 1
    steps: int = 1
    joins: int = 3
    storm: dict[str, float] = {}

    def weather(self, storm: Storm) -> Storm:
        """The weather that a seed has drawn, as it is to be."""
        return msgspec.structs.replace(storm, **self.storm)


UNBIASED = Leaning()
