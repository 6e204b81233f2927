"""Language models and embedders behind the ports of `memchat.memory.ports`."""
