/* Asking the gateway that has the state folder: one line of JSON to its control socket, STATE/control.sock, and one
 * back. The gateway alone touches its store while it runs. */
#ifndef CG_STORE_BESIDE_H
#define CG_STORE_BESIDE_H

#include <signal.h>
#include <sys/un.h>

#include "base/buf.h"
#include "model/store.h"

#define CG_CONTROL_SOCKET   "control.sock"
#define CG_CONTROL_LINE_MAX 4096 /* bytes of a line, its end included */

/* Where the socket of a folder is. A folder with a long name is reached through /proc and *folder_fd, which the caller
 * closes when the address is used; -1: there is none. CG_E_STORE with *problem. */
int cg_control_address(const char *folder, struct sockaddr_un *address, int *folder_fd,
                       struct cg_problem *problem) CG_MUST_CHECK;

/* How long an answer is waited for, and how long it may be. */
struct cg_control_patience {
    uint32_t seconds;
    size_t answer_max;                    /* bytes, its end included */
    const volatile sig_atomic_t *hurried; /* set by a signal handler: no further requests are meant to follow, and the
                                             gateway is to answer with what it has. NULL: never */
};

/* Blocks, for a minute at most. `request`: without line end. CG_OK: *reply is what the gateway said, {"ok":true…}
 * without line end. CG_E_NOT_FOUND: nobody listens. CG_E_STORE with *problem: it refused, and why; or it did not
 * answer. */
int cg_control_ask(const char *folder, struct cg_slice request, struct cg_buf *reply,
                   struct cg_problem *problem) CG_MUST_CHECK;
/* The same with another patience than a minute and CG_CONTROL_LINE_MAX. */
int cg_control_ask_patiently(const char *folder, struct cg_slice request, const struct cg_control_patience *patience,
                             struct cg_buf *reply, struct cg_problem *problem) CG_MUST_CHECK;

/* For what is not over with one answer: the first line is judged as above, and *fd, which the caller closes, gives what
 * follows it, for which it waits without limit. */
int cg_control_listen(const char *folder, struct cg_slice request, uint32_t patience_s, int *fd,
                      struct cg_problem *problem) CG_MUST_CHECK;

/* As the store does it by itself where no gateway runs. CG_E_NOT_FOUND, CG_E_STORE as above. */
int cg_control_claim(const char *folder, const struct cg_sender_id *sender, struct cg_problem *problem) CG_MUST_CHECK;

/* Names of files in the folder, which the caller takes away. */
struct cg_control_copies {
    char numbers[64], items[64]; /* "": there are none */
};
int cg_control_copy(const char *folder, struct cg_control_copies *copies, struct cg_problem *problem) CG_MUST_CHECK;

#endif
