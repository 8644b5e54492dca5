"""The `etam` command: one file per verb, imported when that verb is invoked."""
