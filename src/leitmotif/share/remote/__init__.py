"""DVC remotes: setting one up so that it works, and auditing what it holds."""
