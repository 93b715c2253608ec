/* Group-ETag (GCP §9.3): a List of Byte Sequences (RFC 9651). */
#ifndef CG_FRONTS_HTTP_GROUP_ETAG_H
#define CG_FRONTS_HTTP_GROUP_ETAG_H

#include "base/arena.h"
#include "fronts/http/message.h"
#include "model/request.h"

#define CG_HTTP_GROUP_ETAG_MAX 16 /* bytes of a value with one of them, with NUL */

/* What the fields of that name say, together, into the request; a field that is anything else says nothing. False: no
 * memory. */
bool cg_http_take_group_etags(struct cg_request *request, struct cg_arena *arena,
                              const struct cg_http_message *message) CG_MUST_CHECK;
void cg_http_group_etag(char value[CG_HTTP_GROUP_ETAG_MAX], const uint8_t tag[CG_GROUP_ETAG_MAX]);

#endif
