/* What relayed senders have sent: one replay window for each Sender Key, whichever mapping, checker file or reload it
 * comes by (RFC 8613 §7.4, RFC 10021 §5.3). A gateway that relays cannot challenge anybody, since it holds no key, so a
 * window must not get lost: what is to be sent is kept in the state folder before it goes out.
 *
 * Three steps. cg_windows_admit: not sent yet, and durably noted as about to be. cg_window_check, just before it goes
 * out: nobody was faster. cg_window_sent: it is out. What is admitted and not sent may be admitted again, by anybody
 * who has it, until the gateway is started again. */
#ifndef CG_RELAY_WINDOWS_H
#define CG_RELAY_WINDOWS_H

#include "base/buf.h"
#include "base/hash.h"
#include "legs/crypto.h"
#include "model/request.h"
#include "oscore/replay.h"

#define CG_WINDOW_ID_LEN 32
#define CG_CLAIM_LEN     32

/* Names one Sender Key without giving it away: a hash of Gid, Signature Encryption Key, kid and credential. */
struct cg_window_id {
    uint8_t bytes[CG_WINDOW_ID_LEN];
};

/* Who says what: equal for a client's repetitions of one protected message, which it may make (RFC 10021 §7). */
struct cg_claim {
    uint8_t bytes[CG_CLAIM_LEN];
};

/* Where the windows are kept, as one text. Its calls block, for as long as a disk likes, and come one at a time. */
struct cg_windows_place;
struct cg_windows_place_ops {
    /* Appends the text that is there, nothing where none was ever written. CG_E_STORE, CG_E_NO_MEMORY with *problem. */
    int (*read)(struct cg_windows_place *place, struct cg_buf *text, struct cg_problem *problem);
    /* CG_OK: the text is there, durably, instead of the earlier one. CG_E_STORE with *problem: the one or the other is.
     */
    int (*write)(struct cg_windows_place *place, struct cg_slice text, struct cg_problem *problem);
};
struct cg_windows_place {
    const struct cg_windows_place_ops *ops;
};

struct cg_window; /* lives as long as the table */

struct cg_windows_wait;

/* As cg_windows_admit returns it; on the loop, never from inside admit. The wait may be freed. */
typedef void (*cg_windows_ready_fn)(struct cg_windows_wait *wait, int err, const struct cg_problem *problem);

/* One who waits: the caller's storage, still from CG_PENDING until `ready`. */
struct cg_windows_wait {
    struct cg_window_id id; /* the caller's, as are the next four */
    uint64_t number;
    struct cg_claim claim;
    uint64_t now_us; /* monotonic */
    cg_windows_ready_fn ready;
    struct cg_window *window;            /* result, with CG_OK */
    struct cg_windows_wait *prev, *next; /* among those who wait */
    uint64_t change;                     /* the change that is to be durable; 0: it is not admitted yet */
};

struct cg_windows {
    struct cg_window *table; /* uthash head */
    struct cg_crypto *crypto;
    struct cg_windows_place *place;  /* borrowed; NULL: none yet */
    struct cg_windows_wait *waiting; /* utlist head, in the order in which they came */
    struct cg_windows_job *job;      /* on its way to the disk and back; NULL: none */
    uint64_t changes, durable;       /* counts changes of what is kept; those up to `durable` are on the disk */
    bool is_loaded;
};

void cg_windows_init(struct cg_windows *windows);
/* Where they are kept, and what runs its calls; both are borrowed. Reads nothing yet. */
void cg_windows_open(struct cg_windows *windows, struct cg_windows_place *place, struct cg_crypto *crypto);
void cg_windows_fini(struct cg_windows *windows); /* nobody waits any more */

/* CG_OK with wait->window; CG_PENDING; CG_E_REPLAY: sent before, by somebody else or otherwise or too long ago;
 * CG_E_STORE with *problem: it cannot be kept, which the next call tries again; CG_E_NO_MEMORY with *problem. */
int cg_windows_admit(struct cg_windows *windows, struct cg_windows_wait *wait,
                     struct cg_problem *problem) CG_MUST_CHECK;

/* CG_OK or CG_E_REPLAY. */
int cg_window_check(const struct cg_window *window, uint64_t number, const struct cg_claim *claim,
                    uint64_t now_us) CG_MUST_CHECK;
void cg_window_sent(struct cg_window *window, uint64_t number, const struct cg_claim *claim, uint64_t now_us);

#endif
