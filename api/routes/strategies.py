"""What can be asked for in `strategy`."""

from __future__ import annotations

from fastapi import APIRouter

from api import schemas
from api.documented import errors
from api.json_response import Json
from api.security import Caller
from api.views import strategy_view
from domain.recipe import SPECS

router = APIRouter(tags=["strategies"])


@router.get("/v1/reasoning/strategies", response_model=schemas.StrategyList, responses=errors())
async def strategies(caller: Caller) -> Json:
    """All strategies with their parameters, defaults and bounds."""
    return Json({"object": "list", "data": [strategy_view(spec) for spec in SPECS.values()]})
