/* The error table, once, as data. */
#include "base/err.h"
#include "base/check.h"

static const struct cg_err_info infos[CG_ERR_COUNT] = {
#define CG_ERR(name, slug_, coap, http, text_) {.slug = slug_, .text = text_, .coap_code = coap, .http_status = http},
#include "base/err.def"
#undef CG_ERR
};

const struct cg_err_info *cg_err_info(int err) {
    CG_CHECK(err < 0 && -1 - err < CG_ERR_COUNT);
    return &infos[-1 - err];
}
