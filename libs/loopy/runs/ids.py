"""Deterministic ids: a crash anywhere repeats the same ids, so that every retry meets what is already recorded."""

import hashlib

ID_BYTES = 12
SENSORS = "/sensors/"


def derive(*parts: str) -> str:
    """24 hexadecimal digits that name `parts` in this order; two sequences meet only by a hash collision."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=ID_BYTES).hexdigest()


def run_id(workflow: str, trigger_id: str) -> str:
    """The run that an event or firing of this id starts in a workflow."""
    return derive("run", workflow, trigger_id)


def emitted_id(run: str, step: str, epoch: int, event: str, index: int) -> str:
    """The id of the `index`-th event of a type that a step emits; one that was made to run again emits anew."""
    again = (str(epoch),) if epoch else ()
    return derive("emit", run, step, event, str(index), *again)


def firing_id(schedule: str, at: int) -> str:
    """The firing of a schedule that was due at a time, in whole seconds since 1970."""
    return derive("firing", schedule, str(at))


def sensor_source(sensor: str) -> str:
    """The source of the events that a sensor makes."""
    return SENSORS + sensor


def sensed_id(sensor: str, source_id: str, event: str, index: int) -> str:
    """The id of the `index`-th event of a type that a sensor made of one delivery or poll window."""
    return derive("sensed", sensor, source_id, event, str(index))
