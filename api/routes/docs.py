"""/docs: one page of our own that draws /openapi.json in the browser. Nothing is loaded from anywhere else."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

PAGE = (Path(__file__).resolve().parent.parent / "docs.html").read_text(encoding="utf-8")

router = APIRouter(include_in_schema=False)


def _hashes(tag: str) -> str:
    """The page's own scripts or styles, as a content security policy names them."""
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", PAGE, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


POLICY = (
    f"default-src 'none'; connect-src 'self'; script-src {_hashes('script')}; style-src {_hashes('style')};"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@router.get("/docs")
async def page() -> Response:
    """The API, for a browser."""
    return Response(PAGE, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY})
