"""A sender of webhooks: it repeats each until it is told that it was accepted, and some once more after that."""

import asyncio
from random import Random

import httpx
import msgspec

PATIENCE_S = 3.0
PAUSE_S = 0.2
SHARE_OF_REPEATS = 0.25


class Posting(msgspec.Struct, frozen=True):
    """A delivery to post at a time, `again` once more after it was accepted, as if the answer had been lost."""

    number: int
    at_s: float
    again: bool


def postings(seed: int, count: int, within_s: float) -> list[Posting]:
    """`count` deliveries, numbered from 0, at random times within a time."""
    random = Random(f"postings-{seed}")
    times = sorted(random.uniform(0, within_s) for _ in range(count))
    return [Posting(number, at_s, random.random() < SHARE_OF_REPEATS) for number, at_s in enumerate(times)]


class Sender:
    """Posts to one address; `accepted` are the numbers that were answered with a 2xx."""

    def __init__(self, url: str) -> None:
        self.accepted: set[int] = set()
        self._url = url

    async def post(self, client: httpx.AsyncClient, posting: Posting) -> None:
        """Post one delivery when its time has come, until it is accepted."""
        await asyncio.sleep(posting.at_s)
        await self._until_accepted(client, posting.number)
        self.accepted.add(posting.number)
        if posting.again:
            await self._until_accepted(client, posting.number)

    async def post_all(self, postings: list[Posting]) -> None:
        """Post all of them, each at its time."""
        async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client, asyncio.TaskGroup() as group:
            for posting in postings:
                group.create_task(self.post(client, posting))

    async def _until_accepted(self, client: httpx.AsyncClient, number: int) -> None:
        while True:
            try:
                answer = await client.post(self._url, json={"number": number}, headers={"x-webhook-id": f"d-{number}"})
                if answer.is_success:
                    return
                assert answer.status_code >= 500, f"{answer.status_code}: {answer.text}"
            except httpx.TransportError:
                pass
            await asyncio.sleep(PAUSE_S)
