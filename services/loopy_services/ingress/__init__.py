"""Ingress accepts: webhooks are stored as they came, then sensors make events of them. Polls come here too."""
