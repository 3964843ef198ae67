"""Writers: shards that are appended to in steps and can be taken up after a kill, and the manifest over them."""
