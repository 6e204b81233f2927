"""The library: `Memory` and `AsyncMemory`, with the connections and turns that their calls share."""
