/* The bodies of requests about security groups. Each function that reads says what is wrong in the request's mistakes
 * and problem, and returns CG_E_INVALID. */
#ifndef CG_MANAGE_GROUP_BODY_H
#define CG_MANAGE_GROUP_BODY_H

#include "keys/keyring.h"
#include "manage/groups.h"

enum cg_group_form {
    CG_GROUP_FORM_CREATE,
    CG_GROUP_FORM_IMPORT,
    CG_GROUP_FORM_PENDING,
    CG_GROUP_FORM_CHANGE,
    CG_GROUP_FORM_JOIN,
    CG_GROUP_FORM_PREPARE,
    CG_GROUP_FORM_PREPARE_IMPORT,
    CG_GROUP_FORM_ACTIVATE,
};

int cg_group_mistake(struct cg_group_request *request, const char *pointer, const char *sentence);
/* Whether the body has no other keys; what is shown may be sent back. */
int cg_group_check_keys(struct cg_group_request *request, enum cg_group_form form) CG_MUST_CHECK;
/* Takes out what is only shown. */
void cg_group_drop_shown(json_t *body);
/* That it is true, false or not there. */
int cg_group_check_flag(struct cg_group_request *request, const char *key) CG_MUST_CHECK;
bool cg_group_says(const struct cg_group_request *request, const char *key);
/* That it is a text of some length. */
int cg_group_check_text(struct cg_group_request *request, const char *key) CG_MUST_CHECK;
bool cg_group_has_keys(const struct cg_group_request *request); /* a security group's file is in it */
int cg_group_need_never_sent(struct cg_group_request *request) CG_MUST_CHECK;
/* Into request->group, which it must agree with. */
int cg_group_read_name(struct cg_group_request *request) CG_MUST_CHECK;
/* Borrows from `json`. */
int cg_group_read_member(struct cg_group_request *request, const json_t *json, const char *pointer,
                         struct cg_keyring_member *member) CG_MUST_CHECK;

/* What a new group shall be; borrows from the request. */
struct cg_group_wishes {
    struct cg_keyring_options ring;
    struct cg_keyring_member *each; /* owned; NULL: a number of members */
};
/* To be given up in any case. */
int cg_group_read_wishes(struct cg_group_request *request, struct cg_group_wishes *wishes) CG_MUST_CHECK;
void cg_group_wishes_fini(struct cg_group_wishes *wishes);

#endif
