"""The executor executes attempts."""
