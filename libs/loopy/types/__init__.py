"""The types that authors write: parsed, printed, values checked and made up. Pure."""
