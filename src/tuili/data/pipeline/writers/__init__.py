"""Writers: shards, to which steps append and which can be resumed after a kill, and the manifest for them."""
