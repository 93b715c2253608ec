/* Prefer (RFC 7240). */
#ifndef CG_FRONTS_HTTP_PREFER_H
#define CG_FRONTS_HTTP_PREFER_H

#include "fronts/http/message.h"

/* The preference of that name, in any of the fields: the first one counts. *value gets its value without quotes, empty
 * where it has none; parameters are passed over, as is what is malformed. */
bool cg_http_preference(const struct cg_http_message *message, const char *name, struct cg_slice *value);

#endif
