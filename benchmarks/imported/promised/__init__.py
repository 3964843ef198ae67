"""What a taught model may promise: on questions like those of its calibration, on others, and on a stream of others."""
