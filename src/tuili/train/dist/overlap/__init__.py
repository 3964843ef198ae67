"""What runs beside DDP's backward pass: `lanes` are threads and streams, and `updates` change the weights of buckets.

`spans` names the parts of a step in a trace, and `hidden` tells from one what share of them is hidden.
"""
