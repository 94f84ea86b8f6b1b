"""The methods that come with the bench: functions of a model and pieces that return a finding."""
