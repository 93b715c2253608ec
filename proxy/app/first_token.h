/* The first token of the admin side: made when nobody could get in, written to STATE/admin.token, and that file goes
 * once another admin's token is used. */
#ifndef CG_APP_FIRST_TOKEN_H
#define CG_APP_FIRST_TOKEN_H

#include "fronts/admin/who.h"
#include "io/worker.h"
#include "manage/admin_client.h"

#define CG_FIRST_TOKEN_FILE "admin.token"

enum cg_first_token_step {
    CG_FIRST_TOKEN_IDLE,
    CG_FIRST_TOKEN_READS, /* whether there is a file, and whose */
    CG_FIRST_TOKEN_WRITES,
    CG_FIRST_TOKEN_COMMITS,
    CG_FIRST_TOKEN_NAMES, /* what counts now */
    CG_FIRST_TOKEN_REMOVES,
};

struct cg_program;

/* Zeroed, there is none. */
struct cg_first_token {
    struct cg_program *program;
    enum cg_first_token_step step;
    struct cg_admin_token order;
    struct cg_work work; /* on the disk's thread */
    char *folder;
    char text[sizeof((struct cg_fresh_token *)0)->text]; /* as it is in the file */
    uint8_t sha256[32];                                  /* of it */
    bool is_there;                                       /* the file */
    bool is_pending;                                     /* on the disk, not under its name yet */
    int why;                                             /* errno of the work; 0: done */
};

/* Once everything is open. */
void cg_first_token_open(struct cg_first_token *first, struct cg_program *program);
/* Somebody has come in as an admin. */
void cg_first_token_admin_seen(struct cg_first_token *first, const struct cg_admin_who *who);
void cg_first_token_free(struct cg_first_token *first); /* after the disk's thread */

#endif
