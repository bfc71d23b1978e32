"""Several requests on one connection, requests inside of requests, and connections that end too early."""

from __future__ import annotations

from tests.hostile.case import (
    CHUNKED,
    POLLING,
    SESSION,
    SID,
    Act,
    Answers,
    Aside,
    Case,
    Dribble,
    Ends,
    Until,
    answered,
    dropped,
    get,
    head,
    post,
    posted,
    refused,
    series,
)

INNER = get(target=b"/inner")
"""What must not be answered where it is part of something refused; elsewhere it gets 404."""

POLL = get(target=SESSION)
SYNTAX = refused(400)

PIPELINES = [
    Case("two handshakes", (get() * 2,), series(200, 200)),
    Case("a hundred requests", (INNER * 100,), series(*[404] * 100)),
    Case("byte by byte", (Dribble(INNER * 2),), series(404, 404)),
    Case("a POST and a poll", (Act.OPEN_POLLING, posted(b"40") + POLL), series(200, 200, holds=b'40{"sid"')),
    Case(
        "two polls",
        (Act.OPEN_POLLING, Aside(posted(b"40")), POLL * 2, Until(b'40{"sid"'), Aside(posted(b"1"))),
        series(200, 200),
    ),
    Case(
        "a POST behind a poll of its own",
        (Act.OPEN_POLLING, posted(b"40") + POLL + posted(b"1")),
        series(200, 200, 200),
    ),
    Case(
        "a request and garbage",
        (INNER + b"garbage\r\n\r\n",),
        Answers((frozenset({404}), frozenset({400, 501})), ends=True),
    ),
    Case("garbage and a request", (b"garbage\r\n\r\n" + INNER,), refused(400, 501)),
    Case("a request behind the last", (get(b"Connection: close", target=b"/other") + INNER,), refused(404)),
    Case("a request behind one of HTTP/1.0", (head(b"GET /other HTTP/1.0") + INNER,), refused(404)),
    Case(
        "a request behind a POST with a shorter length",
        (Act.OPEN_POLLING, posted(b"40") + b"xxx" + INNER),
        Answers((frozenset({200}), frozenset({400, 501})), ends=True),
    ),
    Case("empty lines between requests", (INNER + b"\r\n" + INNER,), series(404, 404)),
]

SMUGGLED = [
    Case(
        "CL-TE",
        (Act.OPEN_POLLING, post(b"Content-Length: %d" % (5 + len(INNER)), CHUNKED) + b"0\r\n\r\n" + INNER),
        SYNTAX,
    ),
    Case(
        "TE-CL",
        (Act.OPEN_POLLING, post(CHUNKED, b"Content-Length: 4") + b"%x\r\n" % len(INNER) + INNER + b"\r\n0\r\n\r\n"),
        SYNTAX,
    ),
    Case(
        "TE-TE",
        (Act.OPEN_POLLING, post(CHUNKED, b"Transfer-Encoding: x") + b"0\r\n\r\n" + INNER),
        refused(400, 501),
    ),
    Case("TE-0", (post(b"Transfer-Encoding: identity", target=b"/other") + INNER,), refused(400, 501)),
    Case("CL-0", (get(b"Content-Length: %d" % len(INNER), target=b"/other") + INNER,), answered(404, 400)),
    Case("CL-CL", (post(b"Content-Length: 0", b"Content-Length: %d" % len(INNER), target=b"/other") + INNER,), SYNTAX),
    Case("CL with a plus", (post(b"Content-Length: +0", target=b"/other") + INNER,), SYNTAX),
    Case("chunks behind a bare LF", (post(b"X: y\n" + CHUNKED, b"Content-Length: 5") + b"0\r\n\r\n" + INNER,), SYNTAX),
    Case("chunks behind a bare CR", (post(b"X: y\r" + CHUNKED, b"Content-Length: 0") + INNER,), SYNTAX),
    Case(
        "chunks in a fold", (post(b"X: y\r\n " + CHUNKED, b"Content-Length: %d" % len(INNER)) + INNER,), answered(400)
    ),
    Case(
        "chunks in HTTP/1.0",
        (head(b"POST /other HTTP/1.0", CHUNKED, b"Connection: keep-alive") + b"0\r\n\r\n" + INNER,),
        refused(400, 404, 501),
    ),
    Case("behind 413", (Act.OPEN_POLLING, post(b"Content-Length: 2000000") + INNER), refused(413)),
    Case("behind 431", (get(b"X: " + b"a" * 40_000) + INNER,), refused(431)),
    Case("behind 414", (get(target=b"/" + b"a" * 9_000) + INNER,), refused(414)),
    Case("behind a bad chunk", (Act.OPEN_POLLING, post(CHUNKED) + b"zz\r\n" + INNER), SYNTAX),
    Case("in an extension", (Act.OPEN_POLLING, post(CHUNKED) + b"2;\n" + INNER + b"40\r\n0\r\n\r\n"), SYNTAX),
    Case("in a trailer", (Act.OPEN_POLLING, post(CHUNKED) + b"2\r\n40\r\n0\r\nX: \n\n" + INNER), SYNTAX),
    Case(
        "in a length that is refused",
        (post(b"Content-Length: %d" % len(INNER), target=POLLING) + INNER,),
        answered(400),
    ),
    Case("behind a poll with NUL", (get(b"X: \0") + INNER,), SYNTAX),
]

CUT = [
    Case("FIN right away", (Act.FIN,), dropped(400, 408)),
    Case("RST right away", (Act.RST,), Ends()),
    Case("half a request line, FIN", (b"GET /socket", Act.FIN), dropped(400, 408)),
    Case("half a request line, RST", (b"GET /socket", Act.RST), Ends()),
    Case("half a head, FIN", (b"GET / HTTP/1.1\r\nHost: x\r\nX-", Act.FIN), dropped(400, 408)),
    Case("half a head, RST", (b"GET / HTTP/1.1\r\nHost: x\r\nX-", Act.RST), Ends()),
    Case("a head without its empty line, FIN", (b"GET / HTTP/1.1\r\nHost: x\r\n", Act.FIN), dropped(400, 408)),
    Case("half a body, FIN", (Act.OPEN_POLLING, post(b"Content-Length: 100") + b"40", Act.FIN), dropped(400, 408)),
    Case("half a body, RST", (Act.OPEN_POLLING, post(b"Content-Length: 100") + b"40", Act.RST), Ends()),
    Case("no body, FIN", (Act.OPEN_POLLING, post(b"Content-Length: 100"), Act.FIN), dropped(400, 408)),
    Case("half a chunk, FIN", (Act.OPEN_POLLING, post(CHUNKED) + b"100\r\n40", Act.FIN), dropped(400, 408)),
    Case("half a chunk, RST", (Act.OPEN_POLLING, post(CHUNKED) + b"100\r\n40", Act.RST), Ends()),
    Case(
        "chunks without the last, FIN", (Act.OPEN_POLLING, post(CHUNKED) + b"2\r\n40\r\n", Act.FIN), dropped(400, 408)
    ),
    Case(
        "half the last chunk, FIN", (Act.OPEN_POLLING, post(CHUNKED) + b"2\r\n40\r\n0\r\n", Act.FIN), dropped(400, 408)
    ),
    Case("half a trailer, FIN", (Act.OPEN_POLLING, post(CHUNKED) + b"2\r\n40\r\n0\r\nX: ", Act.FIN), dropped(400, 408)),
    Case("a request, FIN", (INNER, Act.FIN), refused(404)),
    Case("a request and half of one, FIN", (INNER + b"GET /", Act.FIN), refused(404, perhaps=frozenset({400, 408}))),
    Case("a held poll, FIN", (Act.OPEN_POLLING, POLL, Act.FIN), dropped(200, 400)),
    Case("a held poll, RST", (Act.OPEN_POLLING, POLL, Act.RST), Ends()),
    Case("a hundred held polls, RST", (Act.OPEN_POLLING, POLL * 100, Act.RST), Ends()),
    Case("two hundred answers unread, RST", (INNER * 200, Act.RST), Ends()),
    Case("a POST that closes and RST", (Act.OPEN_POLLING, posted(b"1"), Act.RST), Ends()),
    Case("a sid that is none, RST", (get(target=SESSION.replace(SID, b"x")), Act.RST), Ends()),
]

CASES = [*PIPELINES, *SMUGGLED, *CUT]
