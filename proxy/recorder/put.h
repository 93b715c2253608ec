/* Members of JSON objects, one after another, without printf: there may be thousands. Internal to recorder/. */
#ifndef CG_RECORDER_PUT_H
#define CG_RECORDER_PUT_H

#include "base/buf.h"
#include "wire/addr.h"

/* With a comma where one is due. */
void cg_put_key(struct cg_buf *to, const char *key);
void cg_put_number(struct cg_buf *to, const char *key, uint64_t number);
void cg_put_bool(struct cg_buf *to, const char *key, bool is_so);
void cg_put_text(struct cg_buf *to, const char *key, const char *text);           /* empty: null */
void cg_put_addr(struct cg_buf *to, const char *key, const struct cg_addr *addr); /* none: null */
void cg_put_hex(struct cg_buf *to, const char *key, struct cg_slice bytes);
void cg_put_time(struct cg_buf *to, const char *key, int64_t us);

#endif
