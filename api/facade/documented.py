"""What /openapi.json says about the streams of the compatible routes."""

from __future__ import annotations

from typing import Any

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The object, or with `stream` its events.",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "description": "Each event of the stream.",
                    "properties": {
                        "id": {"type": "string"},
                        "event": {"type": "string"},
                        "data": {"type": "string", "contentMediaType": "application/json"},
                    },
                }
            }
        },
    }
}
