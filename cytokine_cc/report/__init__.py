"""What people read: a printed summary, CSV tables and a manifest; the only place that rounds."""
