"""Orders over HTTP. A worker in a process of its own ships them; a queue in Redis connects the two."""
