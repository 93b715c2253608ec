/* JSON writers that the encoders `json` and `sse` share. Each appends one value, on one line, to `to`. */
#ifndef CG_PLUGINS_JSON_WRITE_H
#define CG_PLUGINS_JSON_WRITE_H

#include <castgate/plugin.h>

#include "base/buf.h"

/* A comma where one is due, and the key. */
void cg_json_put_key(struct cg_buf *to, const char *key);
void cg_json_put_text(struct cg_buf *to, const char *key, struct castgate_slice text);

void cg_json_put_answer(struct cg_buf *to, const struct castgate_answer *answer);
void cg_json_put_summary(struct cg_buf *to, const struct castgate_summary *summary);
void cg_json_put_missing(struct cg_buf *to, const struct castgate_missing *missing);
void cg_json_put_rejected(struct cg_buf *to, const struct castgate_rejected *rejected);

#endif
