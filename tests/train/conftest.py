"""Sizes of a model that trains in moments."""

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "moe_intermediate_size": 16,
    "trunk_layers": 1,
    "group_layers": 1,
    "router_exploration": 0.1,
}
