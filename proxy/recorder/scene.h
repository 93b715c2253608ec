/* What an exchange begins with, as JSON: enough of the settings, and of what is known of members, for the core to go
 * the same way again (app/replay/ reads it). Written while it is so, since settings change. Of keys there is nothing
 * but members' public hashes. */
#ifndef CG_RECORDER_SCENE_H
#define CG_RECORDER_SCENE_H

#include "base/buf.h"
#include "legs/leg.h"
#include "model/known.h"
#include "model/wish.h"

/* Members beyond which a mapping is not written, since that would hold the loop. */
#define CG_SCENE_MEMBERS_MAX 2048

/* What was asked for, without its payload: members of an object, without its brackets. */
void cg_scene_put_request(struct cg_buf *to, const struct cg_wish *wish);
/* The settings of an exchange whose leg begins, and what is known at that moment: an object. False: it has too many
 * members. */
bool cg_scene_put(struct cg_buf *to, const struct cg_engine *engine, const struct cg_leg *leg,
                  const struct cg_knowns *knowns);

#endif
