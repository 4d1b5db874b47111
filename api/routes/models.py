"""Which models there are: the policy and its effort presets, as OpenAI's clients list them."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.documented import errors
from api.facade import schemas
from api.facade.errors import FacadeRoute
from api.json_response import Json
from api.security import Caller
from api.services import services_of
from domain.facade.models import model_view

router = APIRouter(tags=["openai"], route_class=FacadeRoute)


@router.get("/v1/models", response_model=schemas.ModelList, responses=errors())
async def models(request: Request, caller: Caller) -> Json:
    """The names that `model` takes."""
    data = [model_view(model) for model in services_of(request).catalogue.all()]
    return Json({"object": "list", "data": data})


@router.get("/v1/models/{model:path}", response_model=schemas.Model, responses=errors(404))
async def model(request: Request, caller: Caller, model: str) -> Json:
    """One of them."""
    return Json(model_view(services_of(request).catalogue.find(model)))
