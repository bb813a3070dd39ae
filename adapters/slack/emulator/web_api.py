"""Owns the wire of the Web API: arguments in either encoding, tokens, scopes, limits, faults, and answers."""

import base64
import inspect
import json
from typing import Any

from aiohttp import hdrs, web

from .desk import CallRecord, Desk
from .faults import Fault
from .methods import METHODS
from .registry import Call, Method, SlackError
from .workspace import Json, Token

SECRETS = ("token", "client_secret", "refresh_token")


class WebApi:
    """Answers `/api/<method>`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call and keep it in the log."""
        name = request.match_info["method"]
        fault = self._desk.faults.next_for(name)
        if fault and fault.delay_s:
            await self._desk.world.clock.sleep(fault.delay_s)
        args, token_value, problem = await read_arguments(request)
        call = Call(METHODS.get(name, UNKNOWN), args, self._desk.world.tokens.get(token_value), self._desk)
        if fault and fault.prevents:
            answer, status, headers = fault_answer(fault)
        else:
            answer, status, headers = await self._answer(call, token_value, problem)
            if fault and fault.applied and (fault.error or fault.status != 200):
                answer, status, headers = fault_answer(fault)
        self._record(name, call, answer, status)
        if fault and fault.drop and request.transport is not None:
            request.transport.abort()
        return web.json_response(answer, status=status, headers=headers)

    def _record(self, name: str, call: Call, answer: Json, status: int) -> None:
        kept = {key: value for key, value in call.args.items() if key not in SECRETS}
        error = None if answer.get("ok") else answer.get("error", f"http_{status}")
        team = call.token.team_id if call.token else None
        record = CallRecord(name, kept, self._desk.world.clock.now(), status, error, team, answer)
        self._desk.calls.append(record)
        self._desk.world.changed("call", method=name)

    async def _answer(self, call: Call, token_value: str, problem: str) -> tuple[Json, int, dict[str, str]]:
        headers = scope_headers(call)
        try:
            self._check(call, token_value, problem)
            if wait := self._wait(call):
                return {"ok": False, "error": "ratelimited"}, 429, {**headers, "Retry-After": str(wait)}
            result = call.method.handler(call)
            answer: Json = {"ok": True} | (await result if inspect.isawaitable(result) else result)
        except SlackError as error:
            answer = {"ok": False, "error": error.code, **error.more}
        return with_warnings(answer, call.warnings), 200, headers

    def _check(self, call: Call, token_value: str, problem: str) -> None:
        if call.method is UNKNOWN:
            raise SlackError("unknown_method", req_method=call.args.get("method", ""))
        if problem == "invalid_json":
            raise SlackError("invalid_json")
        if problem:
            call.warn(problem)
        if call.method.token != "none":
            check_token(call, token_value)
            check_scopes(call)

    def _wait(self, call: Call) -> int:
        team = (call.token.team_id or call.token.enterprise_id or "") if call.token else ""
        place = str(call.args.get("channel") or call.args.get("channel_id") or "")
        tier, world = call.method.tier, self._desk.world
        if world.app.distributed and call.method.name in ("conversations.history", "conversations.replies"):
            tier = "distributed"
        return self._desk.limits.retry_after(call.method.name, tier, team, place)


def _unknown(call: Call) -> Json:
    raise SlackError("unknown_method")


UNKNOWN = Method("", _unknown, (), "none", "none")


async def read_arguments(request: web.Request) -> tuple[Json, str, str]:
    """The arguments, the token, and what is wrong with the body: "", `invalid_json` or `missing_charset`."""
    args: dict[str, Any] = dict(request.query)
    problem = ""
    if request.content_type == "application/json":
        body, problem = await _json_body(request)
        args |= body
    elif request.method == hdrs.METH_POST:
        args |= {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
    scheme, _, credentials = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "basic":
        client_id, _, secret = base64.b64decode(credentials).decode().partition(":")
        args |= {"client_id": client_id, "client_secret": secret}
    token = credentials if scheme.lower() == "bearer" else str(args.get("token") or "")
    return {key: value for key, value in args.items() if key != "token"}, token, problem


async def _json_body(request: web.Request) -> tuple[Json, str]:
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError:
        return {}, "invalid_json"
    if not isinstance(body, dict):
        return {}, "invalid_json"
    return body, "" if request.charset else "missing_charset"


def check_token(call: Call, value: str) -> None:
    """Raise SlackError when the token is missing, unknown, spent, or of the wrong kind for the method."""
    if not value:
        raise SlackError("not_authed")
    if call.token is None:
        raise SlackError("invalid_auth")
    if call.token.revoked:
        raise SlackError("token_revoked" if call.token.kind != "bot" else "account_inactive")
    if call.token.expires_at is not None and call.desk.world.clock.now() >= call.token.expires_at:
        raise SlackError("token_expired")
    if (call.method.token == "app") != (call.token.kind == "app"):
        raise SlackError("not_allowed_token_type")


def check_scopes(call: Call) -> None:
    """Raise `missing_scope` unless the token has one of the method's scopes."""
    held = call.bearer.scopes
    if call.method.scopes and not set(call.method.scopes) & set(held):
        raise SlackError("missing_scope", needed=call.method.scopes[0], provided=",".join(held))


def scope_headers(call: Call) -> dict[str, str]:
    """The headers by which Slack names the scopes held and accepted."""
    held: Token | None = call.token
    headers = {"X-Accepted-OAuth-Scopes": ",".join(call.method.scopes)}
    return headers | ({"X-OAuth-Scopes": ",".join(held.scopes)} if held else {})


def with_warnings(answer: Json, warnings: list[str]) -> Json:
    """The answer with its warnings in the two places where Slack puts them."""
    if not warnings:
        return answer
    metadata = {**answer.get("response_metadata", {}), "warnings": warnings}
    return answer | {"warning": ",".join(warnings), "response_metadata": metadata}


def fault_answer(fault: Fault) -> tuple[Json, int, dict[str, str]]:
    """What the caller sees of an ordered fault."""
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    error = fault.error or ("ratelimited" if fault.status == 429 else "internal_error")
    return {"ok": False, "error": error}, fault.status, headers
