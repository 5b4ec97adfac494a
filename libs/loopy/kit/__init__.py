"""What every process has in common: settings, logs, HTTP, and how services start and stop."""
