"""What a run takes, computed from its settings: download, disk, memory, hours, decisions."""
