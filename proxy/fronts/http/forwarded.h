/* Whom a request comes from when a reverse proxy brings it (RFC 7239, and X-Forwarded-For, which most of them still
 * send). That is for limits and the log, never for identity: anybody can write these fields, and a proxy that is
 * trusted only adds to them. Pure. */
#ifndef CG_FRONTS_HTTP_FORWARDED_H
#define CG_FRONTS_HTTP_FORWARDED_H

#include "fronts/http/message.h"
#include "model/config.h"

bool cg_forwarded_trusts(const struct cg_http_settings *settings, const struct cg_addr *peer);

/* `peer`: who connected. *from gets the client's address, with port 0: the rightmost one that is no trusted proxy's, as
 * far as trusted proxies said; the peer's own where it is not trusted or nothing usable is said. True: the request was
 * forwarded by a trusted proxy, whatever it says about it. */
bool cg_forwarded_from(const struct cg_http_settings *settings, const struct cg_http_message *message,
                       const struct cg_addr *peer, struct cg_addr *from);

#endif
