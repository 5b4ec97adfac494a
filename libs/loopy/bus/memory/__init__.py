"""The bus without a server, for tests and simulations; held to the same promises as the real one."""
