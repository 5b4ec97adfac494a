"""Secrets are taken out of texts, also those that a cut went through."""

import pytest

from loopy.sandboxes.redaction import redact

LONG = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
VARIABLES = {"TOKEN": "hunter2", "LONGER": "hunter2hunter2", "SHORT": "1", "JWT": LONG, "SELF": "[SELF]", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("1 hunter2hunter2 hunter2", "1 [LONGER] [TOKEN]"),
        (f"a {LONG} b {LONG}", "a [JWT] b [JWT]"),
        (f"cut: {LONG[:30]}…", "cut: [JWT]…"),
        (f"nearly: {LONG[:20]}XYZ", "nearly: [JWT]XYZ"),
        (f"too little to tell: {LONG[:8]}", f"too little to tell: {LONG[:8]}"),
        ("[SELF]", "[SELF]"),
        ("", ""),
    ],
)
def test_secrets_are_replaced_by_their_names(text: str, read: str) -> None:
    assert redact(text, VARIABLES) == read
