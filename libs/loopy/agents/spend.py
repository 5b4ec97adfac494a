"""What calls of a model cost, in US dollars, and how much a call may still answer."""

import msgspec

from loopy.compiler.plan import Price
from loopy.runs.records import Usage

# Of the price of input: what it costs to write the cache of five minutes, and to read it. Source: Anthropic's pricing.
CACHE_WRITTEN, CACHE_READ = 1.25, 0.1
MILLION = 1_000_000


class Tokens(msgspec.Struct, frozen=True):
    """What one call took: input that was not cached, output, input that was written to the cache and read from it."""

    input: int
    output: int
    cache_written: int = 0
    cache_read: int = 0


def usage_of(tokens: Tokens, price: Price | None) -> Usage:
    """What a call used. Without a price it counts tokens, and no dollars."""
    read = tokens.input + tokens.cache_written + tokens.cache_read
    if price is None:
        return Usage(read, tokens.output)
    weighed = tokens.input + CACHE_WRITTEN * tokens.cache_written + CACHE_READ * tokens.cache_read
    return Usage(read, tokens.output, (weighed * price.input + tokens.output * price.output) / MILLION)


def may_answer(most_tokens: int, left_usd: float | None, price: Price | None) -> int:
    """How many tokens a call may answer with so that what is left is not spent by the answer alone; 0: it is spent."""
    if left_usd is None or price is None or price.output <= 0:
        return most_tokens
    return max(0, min(most_tokens, int(left_usd * MILLION / price.output)))


class Meter:
    """What an attempt has used up to now. Whatever becomes of the attempt, this counts."""

    def __init__(self) -> None:
        self.used = Usage()

    def add(self, usage: Usage) -> None:
        """Count this too."""
        self.used = Usage(
            self.used.input_tokens + usage.input_tokens,
            self.used.output_tokens + usage.output_tokens,
            self.used.spend_usd + usage.spend_usd,
        )
