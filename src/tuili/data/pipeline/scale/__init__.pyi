from .shares import join_shares, read_share
from .steps import ApplyBlocks, ReadShare, WriteCorpus

__all__ = ["ApplyBlocks", "ReadShare", "WriteCorpus", "join_shares", "read_share"]
