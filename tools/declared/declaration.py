"""What an entry of tools.yaml may say, and the parameters of the tool that it makes. Runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator, model_validator

from tools.base import Params, Risk, Settle, ToolError

PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
NAME = r"^[a-z][a-z0-9_]{1,58}[a-z0-9]$"
TYPES: dict[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Parameter(_Strict):
    """One argument. Without a default it is required."""

    type: Literal["string", "integer", "number", "boolean"] = "string"
    description: str = ""
    default: str | int | float | bool | None = None
    pattern: str | None = Field(None, max_length=500)  # of a string, in linear time; anchor it with ^ and $
    max_length: int = Field(200, ge=1, le=20_000)
    min: float | None = None
    max: float | None = None
    choices: tuple[str, ...] = ()


class Needs(_Strict):
    """What must be there for the tool to be offered."""

    commands: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


class Request(_Strict):
    """An HTTP request. Placeholders stand in the path, in values of the query, in texts of the body; not in a host."""

    url: str = Field(pattern=r"^https?://")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    query: dict[str, str] = {}
    body: dict[str, Any] | None = None
    headers: dict[str, str] = {}
    token_file: str = ""
    user: str = ""
    password_file: str = ""
    api_key_file: str = ""
    ca_file: str = ""
    private: bool = False  # the host lies inside the network

    @field_validator("url")
    @classmethod
    def host_is_fixed(cls, url: str) -> str:
        host, _, path = url.partition("://")[2].partition("/")
        if "{" in host or "?" in url or "#" in url:
            raise ValueError("placeholders stand behind the host only, and the query under query")
        if any(part in (".", "..") for part in path.split("/")):
            raise ValueError("no . or .. in the path")
        return url


class Declaration(_Strict):
    """One tool: `run` is a command as a list of words, never a line for a shell; `request` is an HTTP request."""

    name: str = Field(pattern=NAME)
    summary: str = Field(min_length=10, max_length=500)
    risk: Risk
    params: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Parameter] = {}
    run: tuple[str, ...] | None = None
    request: Request | None = None
    needs: Needs = Needs()
    timeout_s: float = Field(30.0, gt=0, le=120)
    output_limit: int = Field(20_000, ge=100, le=1_000_000)
    settle: Settle = "none"

    @model_validator(mode="after")
    def is_whole(self) -> Declaration:
        if (self.run is None) == (self.request is None):
            raise ValueError("say either run (a list of words) or request")
        if self.run is not None and (not self.run or PLACE.search(self.run[0])):
            raise ValueError("run begins with a fixed command")
        if self.settle == "by_key" and (self.request is None or self.request.method == "GET"):
            raise ValueError("settle: by_key is for a request whose other side honours Idempotency-Key")
        used = set(PLACE.findall(" ".join(_texts([self.run, self.request and self.request.model_dump()]))))
        if unknown := used - set(self.params):
            raise ValueError(f"no parameter is called {', '.join(sorted(unknown))}")
        if unused := set(self.params) - used:
            raise ValueError(f"nothing uses the parameter {', '.join(sorted(unused))}")
        return self


def read_declaration(raw: Mapping[str, Any]) -> Declaration:
    """Raises ToolError that names the tool, the field and what is wrong with it."""
    try:
        return Declaration.model_validate(raw)
    except ValidationError as error:
        said = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()[:4]
        )
        raise ToolError(f"tools.yaml, {raw.get('name', 'a tool without a name')}: {said}") from None


def params_of(declaration: Declaration) -> type[Params]:
    """The pydantic model of the arguments: what the schema shows is what is checked."""
    fields: dict[str, Any] = {name: _field(one) for name, one in declaration.params.items()}
    return create_model(f"{declaration.name.title().replace('_', '')}Params", __base__=Params, **fields)


def _field(one: Parameter) -> tuple[Any, Any]:
    required = one.default is None
    shown: dict[str, Any] = {"description": one.description} if one.description else {}
    if one.choices:
        return Literal[one.choices], Field(... if required else one.default, **shown)
    kind = TYPES[one.type]
    if one.type == "string":
        shown |= {"max_length": one.max_length, "pattern": one.pattern}
    elif one.type in ("integer", "number"):
        shown |= {"ge": one.min, "le": one.max}
    limits = {name: value for name, value in shown.items() if value is not None}
    return kind, Field(... if required else one.default, **limits)


def filled(text: str, args: Mapping[str, Any], quote: Any = str) -> str:
    """The text with its placeholders replaced, once: a value that looks like a placeholder stays as it is."""
    return PLACE.sub(lambda match: quote(_plain(args[match[1]])), text)


def filled_value(value: Any, args: Mapping[str, Any]) -> Any:
    """The same within JSON; a text that is one placeholder alone becomes the value with its type."""
    if isinstance(value, str):
        whole = PLACE.fullmatch(value)
        return args[whole[1]] if whole else filled(value, args)
    if isinstance(value, dict):
        return {name: filled_value(part, args) for name, part in value.items()}
    return [filled_value(part, args) for part in value] if isinstance(value, list | tuple) else value


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
