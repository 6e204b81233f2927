"""memchat for other programs: each server is `memchat.api.Memory` in another protocol's words, an extra of its own."""
