/* castgate --replay FILE: a recorded exchange through the core once more. No socket, no store, no settings and no keys
 * are needed: what legs told is in the file, and time passes as fast as it can. */
#ifndef CG_APP_REPLAY_REPLAY_H
#define CG_APP_REPLAY_REPLAY_H

#include "base/buf.h"

/* Exit statuses, too. */
enum cg_replayed {
    CG_REPLAYED_SAME,      /* as it was recorded */
    CG_REPLAYED_OTHERWISE, /* something else came of it */
    CG_REPLAYED_NOT,       /* the file is no transcript, or of what is not replayed */
};

/* Of the text of a file. Tells people what came of it, in printable ASCII. */
enum cg_replayed cg_replay_text(struct cg_slice text, struct cg_buf *to);
/* Prints that. Returns the exit status. */
int cg_replay_print(const char *file);

#endif
