/* The state folder's lock, castgate.lock (flock): one program at a time uses the folder, whatever it keeps there. Those
 * of one program who keep something there share it, from any thread. */
#ifndef CG_STORE_LOCK_H
#define CG_STORE_LOCK_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"

struct cg_state_lock {
    pthread_mutex_t mutex;
    char *file; /* owned */
    int fd;     /* -1: not locked */
};

int cg_state_lock_init(struct cg_state_lock *lock, const char *folder) CG_MUST_CHECK; /* CG_E_NO_MEMORY */
void cg_state_lock_fini(struct cg_state_lock *lock);                                  /* unlocks */

/* Without effect while it is locked and the file is in its place. 0, or errno: EWOULDBLOCK where another program has
 * it, whose process number *owner gets (0: not known); ESTALE where the file was removed meanwhile. */
int cg_state_lock_take(struct cg_state_lock *lock, unsigned *owner) CG_MUST_CHECK;
/* It is locked, and the file is where it was. */
bool cg_state_lock_is_held(struct cg_state_lock *lock);

#endif
