"""The dispatcher decides: events become runs, runs become attempts."""
