/* What castgatectl can do: one function a command. Each says what there is to say and gives the exit status. */
#ifndef CG_TOOLS_CTL_COMMANDS_H
#define CG_TOOLS_CTL_COMMANDS_H

#include "tools/ctl/client.h"

enum cg_ctl_status {
    CG_CTL_DONE,
    CG_CTL_DIFFERS, /* diff; or nobody answered */
    CG_CTL_USAGE,   /* the command line, or a file of ours */
    CG_CTL_REFUSED, /* 4xx */
    CG_CTL_FAILED,  /* 5xx, or no reply */
};

typedef enum cg_ctl_status cg_ctl_command_fn(const struct cg_ctl_options *options, struct cg_ctl_client *client);
cg_ctl_command_fn cg_ctl_apply, cg_ctl_diff; /* apply */
cg_ctl_command_fn cg_ctl_export, cg_ctl_try, cg_ctl_tail, cg_ctl_history, cg_ctl_undo, cg_ctl_call_any;

/* On stderr. */
enum cg_ctl_status cg_ctl_complain(enum cg_ctl_status status, const char *sentence);
/* A reply that is no success is told, and what it is. */
enum cg_ctl_status cg_ctl_judge(const struct cg_ctl_reply *reply);
/* One request, and its reply as CG_CTL_DONE or told. */
enum cg_ctl_status cg_ctl_ask(struct cg_ctl_client *client, const struct cg_ctl_request *request,
                              struct cg_ctl_reply *reply);
/* With a body. */
enum cg_ctl_status cg_ctl_ask_with(struct cg_ctl_client *client, const char *method, const char *path,
                                   const json_t *body, struct cg_ctl_reply *reply);

#endif
