"""Promises about answers: confidence, the calibration file, and alarms that revoke a promise."""
