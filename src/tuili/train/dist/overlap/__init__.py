"""What runs alongside DDP's backward pass: `lanes` has threads and streams, `updates` changes the weights of buckets.

`spans` names the parts of a step in a trace, and `hidden` computes from a trace what share of them is hidden.
"""
