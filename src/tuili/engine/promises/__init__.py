"""What can be promised about answers: confidence, the calibration file, and alarms that revoke a promise."""
