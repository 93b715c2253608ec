/* Security groups as the admin side keeps them: made here or taken in, joined, rekeyed (prepared, then activated), and
 * whose keys' files were fetched. What is stored is an item of kind CG_ITEM_SECURITY_GROUP,
 *
 * {"keys": name of an item of kind CG_ITEM_KEYS (sealed_keys.h),
 *  "next": likewise, of a rekey that is prepared; absent: none,
 *  "latest_gid": the Gid that was given out last, so that none comes back,
 *  "warm": its members are met before they have to act,
 *  "pending": true, "group_manager", "app_group", "security_group": instead of keys that have yet to come from there},
 *
 * and for each member's file that was fetched one of kind CG_ITEM_KEYS, {"of": KEYS, "member": ID}, KEYS.ID by name.
 *
 * A request goes through stages: keys are made (on the worker's thread), claimed (in the numbers' store), and only then
 * committed by the one write path; a claim that nothing follows is of a key that nobody has. */
#ifndef CG_MANAGE_GROUPS_H
#define CG_MANAGE_GROUPS_H

#include "keys/given.h"
#include "keys/keyring.h"
#include "manage/manage.h"
#include "manage/sealed_keys.h"

struct cg_groups;
struct cg_rekey_hook;

#define CG_GROUP_PAGE 1000 /* members that are shown at once */

/* What a key's row in the numbers' store says, and how far it is used up. */
struct cg_group_numbers {
    const char *state; /* "sends", "unclaimed", "spent", "exhausted", "unknown" */
    uint64_t used;     /* of CG_SENDER_NUMBERS, as far as this process has seen */
};

struct cg_groups_options {
    struct cg_manage *manage;
    struct cg_worker *worker;   /* what takes long, is done there. Borrowed */
    const struct cg_seal *seal; /* borrowed; NULL: secrets can be neither sealed nor opened */
    struct cg_rekey_hook *hook; /* hears of rekeys. Borrowed; NULL: nobody does */
    /* Where numbers are kept; NULL: there is no store now. */
    struct cg_store *(*store)(void *ctx);
    struct cg_config *(*config)(void *ctx); /* in use */
    /* Whether an answer of the member with that identity has verified under the group's keys of that epoch. */
    bool (*has_proven)(void *ctx, const char *group, enum cg_keyring_epoch epoch, struct cg_slice identity);
    void (*numbers)(void *ctx, const char *group, struct cg_group_numbers *numbers); /* of the current key */
    void *ctx;
};

/* NULL: no memory. */
struct cg_groups *cg_groups_new(const struct cg_groups_options *options);
/* What is on its way ends with CG_E_STOPPING; nothing on the worker's thread may be of it any more. */
void cg_groups_free(struct cg_groups *groups);

enum cg_group_wish {
    CG_GROUP_CREATE,   /* body: algorithms and "members", or keys with "never_sent": true, or "pending": true */
    CG_GROUP_PUT,      /* the same for a name, or what may be changed of one that is there: "warm" */
    CG_GROUP_PATCH,    /* "warm" */
    CG_GROUP_DELETE,   /* with its keys */
    CG_GROUP_READ,     /* as it is shown, with members from `from` on */
    CG_GROUP_JOIN,     /* {"name", "address", "multicast", "rekey"} */
    CG_GROUP_PREPARE,  /* {"evict": [ID…], "new_sender_id", "replace"}, or keys with "never_sent": true */
    CG_GROUP_ABANDON,  /* what is prepared */
    CG_GROUP_ACTIVATE, /* {"force"} */
    CG_GROUP_FETCH,    /* a member's file, once */
};

struct cg_group_request {
    /* The asker's. */
    enum cg_group_wish wish;
    char group[CG_NAME_MAX + 1]; /* CREATE: filled in from the body */
    char member[CG_ID_HEX_MAX];  /* FETCH: its Sender ID, lower case */
    size_t from;                 /* READ: how many members come before, of CG_GROUP_PAGE at the most */
    bool has_epoch;              /* FETCH: `epoch` is meant; else the prepared one, if there is one */
    enum cg_keyring_epoch epoch;
    json_t *body; /* a reference, which is the request's from then on; NULL: none */
    bool has_match;
    uint64_t match; /* then: the revision that the group's item has to have */
    enum cg_change_mode mode;
    struct cg_author author;
    const char *operation;                          /* for the audit; static */
    void (*done)(struct cg_group_request *request); /* on the loop, once, never from inside cg_groups_ask; then it is
                                                       the asker's again: cg_group_request_free */
    void *ctx;
    /* What came of it. */
    int err;
    struct cg_problem problem;
    struct cg_mistakes mistakes; /* pointers into the body */
    json_t *answer;              /* CREATE, PUT, PATCH, READ: the group; FETCH: the file; the others: what is next. With
                                    CG_CHANGE_DRY: {"difference", …} */
    bool is_new;                 /* PUT: it was not there */
    uint64_t revision;           /* that it made; 0: none */
    struct cg_group_work *own;
};

/* Zeroed but for its lists. NULL: no memory. */
struct cg_group_request *cg_group_request_new(void);
void cg_group_request_free(struct cg_group_request *request); /* wipes what is secret */
void cg_groups_ask(struct cg_groups *groups, struct cg_group_request *request);

/* The group as it is listed, without what its keys' items would have to be read for; new. Of the settings file's as
 * well as of those that are stored. NULL: there is none of that name, or no memory (*err). */
json_t *cg_groups_view(const struct cg_groups *groups, const char *name, int *err);
/* The first group's name behind `after`, by bytes, of both; NULL: none. */
const char *cg_groups_next(const struct cg_groups *groups, const char *after);

#endif
