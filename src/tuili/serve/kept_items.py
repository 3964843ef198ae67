"""Keeps the answers of responses in memory for a while, so that clients can refer to them.

Some clients send a reference in place of an earlier answer, because OpenAI stores answers. Nothing is written to disk.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from pydantic import TypeAdapter

from tuili.serve import json_bytes
from tuili.serve.errors import HttpError
from tuili.serve.schemas.items import FunctionCallItem, MessageItem
from tuili.serve.schemas.messages import FunctionCallInput, ItemReference, MessageInput, Turn

MAX_BYTES = 16 * 2**20
ITEM_BYTES = 512
"""Approximate memory of an item in addition to its JSON."""
_ANSWER: TypeAdapter[MessageInput | FunctionCallInput] = TypeAdapter(MessageInput | FunctionCallInput)


class KeptItems:
    """The newest answers of all clients, by id. If they exceed `max_bytes`, the least recently used ones are dropped.

    A client finds only its own items.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._items: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def keep(self, client: str, item: MessageItem | FunctionCallItem) -> None:
        """Keep an answer as it was sent."""
        text = json_bytes.encode(item)
        assert (client, item["id"]) not in self._items, "ids are new"
        self._items[client, item["id"]] = text
        self._bytes += ITEM_BYTES + len(text)
        while self._bytes > self._max_bytes:
            _, oldest = self._items.popitem(last=False)
            self._bytes -= ITEM_BYTES + len(oldest)

    def find(self, client: str, name: str) -> MessageInput | FunctionCallInput | None:
        """The answer with this id; None if it is not kept, or belongs to another client."""
        if (text := self._items.get((client, name))) is None:
            return None
        self._items.move_to_end((client, name))
        return _ANSWER.validate_json(text)

    def put_in(self, client: str, turns: Sequence[Turn]) -> list[Turn]:
        """The same turns, with references replaced by the answers, as far as these are kept."""
        return [(self.find(client, turn.id) or turn) if isinstance(turn, ItemReference) else turn for turn in turns]


def check_all_found(turns: Sequence[object]) -> None:
    """Raise `HttpError` for the first reference that remains in the input of a response.

    References to reasoning items may remain, since these are not read again.
    """
    for number, turn in enumerate(turns):
        if isinstance(turn, ItemReference) and not turn.id.startswith("rs_"):
            place = f"input.{number}"
            message = f"{place}: no answer with the id {turn.id[:80]!r} is kept here: send the item itself"
            raise HttpError(400, message, "invalid_value", place)
