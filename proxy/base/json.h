/* Whether bytes are JSON, without making anything of them: for JSON of others that is handed on as it is. */
#ifndef CG_BASE_JSON_H
#define CG_BASE_JSON_H

#include <stdbool.h>

#include "base/slice.h"

#define CG_JSON_DEPTH_MAX 64 /* arrays and objects inside each other */

/* Exactly one JSON text (RFC 8259 §2) in UTF-8, with white space around it or not, no deeper than CG_JSON_DEPTH_MAX.
 * Numbers may be of any size, strings may hold \u0000 and lone surrogates, names may repeat: all of that is within the
 * grammar. */
bool cg_json_valid(struct cg_slice text);

#endif
