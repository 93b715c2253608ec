/* What a request about a security group holds while it goes through its stages. For groups.c and the other
 * group_….c alone. */
#ifndef CG_MANAGE_GROUP_WORK_H
#define CG_MANAGE_GROUP_WORK_H

#include "base/container.h"
#include "manage/groups.h"

#define CG_GROUP_NAMED 10u /* members that a refusal names */

struct cg_groups {
    struct cg_groups_options options;
    struct cg_group_work *running; /* utlist */
    unsigned running_count;
};

/* Who is not known to hold the next keys: counted in slices. */
struct cg_group_lacking {
    size_t looked_at, count;
    size_t len; /* of the first ones' names */
    char names[CG_GROUP_NAMED * (CG_NAME_MAX + 2) + 1];
};

/* What has been made, on the worker's thread, of what there was when the request came. */
struct cg_group_work {
    struct cg_groups *groups;
    struct cg_group_request *request;
    char target[sizeof "security-groups//members/" + CG_NAME_MAX + CG_ID_HEX_MAX];
    struct cg_work work;
    struct cg_store_job claim;
    struct cg_change change;
    bool is_running, has_change;
    /* The items as they were, references; NULL: there was none. */
    struct cg_item *group, *current, *next;
    json_t *document; /* the group's item as it is to be; NULL: as it is planned */
    struct cg_sealed_keys made;
    bool has_made;
    json_t *locations; /* where files of what was prepared are, for the answer */
    json_t *shown;     /* what was read: group_view.c */
    bool is_committed;
    struct cg_group_lacking lacking;           /* before an activation */
    json_t *file;                              /* a member's, for the answer */
    char member[CG_ID_HEX_MAX];                /* whose; "": nobody's */
    char keys[CG_SEALED_KEYS_NAME];            /* of which epoch's item */
    enum cg_keyring_epoch epoch;               /* which that is */
    struct cg_group_work *prev, *next_running; /* utlist */
};

/* group_make.c: on the worker's thread; borrows the items, reads the body. What is made without being used is nobody's.
 */
int cg_group_make(struct cg_group_work *work, const struct cg_seal *seal);
int cg_group_no_memory(struct cg_group_work *work);
/* The document that is to be, as it is or new. */
int cg_group_begin(struct cg_group_work *work) CG_MUST_CHECK;
/* Where a mistake of what was made came from in the body. */
typedef const char *cg_group_retell_fn(const char *pointer);
cg_group_retell_fn cg_group_retell_file;   /* of a file: where it is */
cg_group_retell_fn cg_group_retell_wishes; /* "/common/alg_aead" from "/alg_aead" */
/* Seals keys for an item of that name; NULL: a new one. */
int cg_group_seal_keys(struct cg_group_work *work, const struct cg_seal *seal, const char *name, const json_t *keys,
                       cg_group_retell_fn *retell) CG_MUST_CHECK;
/* The keys that were made become those of that name, which are "keys" or "next". */
int cg_group_keep(struct cg_group_work *work, const char *as) CG_MUST_CHECK;
/* The security group's file that the body is. */
int cg_group_take_in(struct cg_group_work *work, const struct cg_seal *seal) CG_MUST_CHECK;
/* The keyring speaks of options as the command line writes them: its error, as the request's. */
int cg_group_tell_keyring(struct cg_group_work *work, int err, const char *error) CG_MUST_CHECK;

/* group_next.c: the same thread. */
int cg_group_join(struct cg_group_work *work, const struct cg_seal *seal) CG_MUST_CHECK;
int cg_group_prepare(struct cg_group_work *work, const struct cg_seal *seal) CG_MUST_CHECK;
int cg_group_fetch(struct cg_group_work *work, const struct cg_seal *seal) CG_MUST_CHECK;
int cg_group_check_activation(struct cg_group_work *work) CG_MUST_CHECK;

/* group_plan.c: before an activation, on the loop. Looks at some members, since there may be ten thousand. True: there
 * are more. */
bool cg_group_look_at_holders(struct cg_group_work *work);
/* What has come of it: the request's problem, CG_E_CONFLICT, where somebody lacks the keys. */
void cg_group_judge_holders(struct cg_group_work *work);
/* cg_change.plan; on the disk's thread, since it may have ten thousand edits. */
int cg_group_plan(struct cg_change *change, const struct cg_manage *manage);

/* group_view.c: on the worker's thread, what takes as long as there are members. CG_E_NO_MEMORY. */
int cg_group_read(struct cg_group_work *work) CG_MUST_CHECK;
int cg_group_locate(struct cg_group_work *work) CG_MUST_CHECK;
/* On the loop: what is answered, new; NULL: no memory. */
json_t *cg_group_answer(const struct cg_group_work *work);
json_t *cg_group_difference(const struct cg_group_work *work); /* of what was made, dry */

/* The item that says that a member's file was fetched. */
void cg_group_fetch_name(char name[CG_NAME_MAX + 1], const char *keys, const char *id);
bool cg_group_is_fetched(const struct cg_manage *manage, const char *keys, const char *id);
/* The document of an item, new; NULL: no memory. */
json_t *cg_group_document(const struct cg_item *item);

#endif
