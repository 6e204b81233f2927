"""memchat for other programs: each server speaks another protocol and needs packages of its own, an extra."""
