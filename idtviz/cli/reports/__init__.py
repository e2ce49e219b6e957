"""What `idtviz check` has found, as text for people, as JSON, and as SARIF for other tools."""
