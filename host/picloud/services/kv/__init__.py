"""kv: values by key."""
