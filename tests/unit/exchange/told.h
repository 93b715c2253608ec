/* What a client is told, as lines of text: see scenario.h. */
#ifndef CG_TEST_TOLD_H
#define CG_TEST_TOLD_H

#include "base/buf.h"
#include "reply/view.h"

#define TOLD_END " | " /* of a line */

void told_answer(struct cg_buf *to, const struct castgate_answer *answer);
/* What is at the end of a stream: everything but the answers. The figures must fit to it. */
void told_summary(struct cg_buf *to, const struct cg_view *view);
void told_whole(struct cg_buf *to, const struct cg_view *view);

#endif
