"""Who may do what: links, sessions, origins and limits."""
