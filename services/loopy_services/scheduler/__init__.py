"""The scheduler fires schedules and polls."""
