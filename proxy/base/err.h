/* Errors that peers and clients cause: negative enum values from one table (err.def). Bugs abort instead (check.h);
 * mistakes in settings are lists of {JSON pointer, message} (settings/). */
#ifndef CG_BASE_ERR_H
#define CG_BASE_ERR_H

#include <stdint.h>

/* A CoAP code as one byte: class in the upper 3 bits, detail in the lower 5 (RFC 7252 §3). */
#define CG_CODE(class_, detail) ((uint8_t)(((class_) << 5) | (detail)))

enum cg_err_ordinal {
#define CG_ERR(name, slug, coap, http, text) CG_ERR_ORDINAL_##name,
#include "base/err.def"
#undef CG_ERR
    CG_ERR_COUNT
};

enum cg_err {
    CG_OK = 0,
    CG_PENDING = 1, /* not an error: the result comes later */
#define CG_ERR(name, slug, coap, http, text) CG_E_##name = -1 - CG_ERR_ORDINAL_##name,
#include "base/err.def"
#undef CG_ERR
};

struct cg_err_info {
    const char *slug; /* stable name: problem type, metric label, log value */
    const char *text; /* one line for people, no full stop */
    uint8_t coap_code;
    uint16_t http_status;
};

/* The row of an error; `err` must be one of enum cg_err's negative values (anything else is a bug). */
const struct cg_err_info *cg_err_info(int err);

#define CG_MUST_CHECK         __attribute__((warn_unused_result))
#define CG_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

#endif
